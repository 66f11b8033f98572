import { PASSWORD } from './support/people.ts'

/** What the row's path and body may name: all of it belongs to the owner, or is there to be changed by who may. */
export interface World {
  user_id: string
  username: string
  post_id: string
  item_id: string
  /** Name of a tier that nobody has. */
  name: string
  rate_limit_id: string
  session_id: string
  todo_id: string
  task_id: string
  role_id: string
  permission_id: string
  /** Not the owner's role yet. */
  other_role_id: string
  /** Not granted by the role yet. */
  other_permission_id: string
  deleted_user_id: string
  key_id: string
}

export const callers = ['anonymous', 'owner', 'other', 'moderator', 'admin'] as const

export interface Row {
  verdicts: readonly number[]
  /** Whether an API key counts. Elsewhere one that was sent is not looked at: its bearer is anonymous. */
  takesKey?: boolean
  body?: (world: World) => object
}

/** Beyond what every user has. */
export const moderatorPermissions = [
  ...['read:user:all', 'update:user:all', 'read:session:all', 'delete:session:all'],
  ...['read:role:all', 'read:permission:all', 'read:user_role:all', 'read:role_permission:all']
] as const

type Body = object | ((world: World) => object)

/**
 * The status for an anonymous caller, the owner of what the path names (`{user_id}` is the owner), another user, a
 * moderator and an administrator. `body` is what whoever passes may send.
 */
function row(anonymous: number, owner: number, other: number, moderator: number, admin: number, body?: Body): Row {
  const verdicts = [anonymous, owner, other, moderator, admin]
  if (body === undefined) return { verdicts }
  return { verdicts, body: typeof body === 'function' ? (body as (world: World) => object) : () => body }
}

/** The same for everybody, whoever they are. */
const all = (status: number, body?: Body) => row(status, status, status, status, status, body)
/** About the caller: the same for everybody who is signed in. */
const self = (status: number, body?: Body) => row(401, status, status, status, status, body)
/** Others' private things answer like absent ones, to administrators too. */
const own = (status: number, body?: Body) => row(401, status, 404, 404, 404, body)
/** Public things under their author's name, which nobody else writes under, not even an administrator. */
const authored = (status: number, body?: Body) => row(401, status, 403, 403, 403, body)
/** For who holds the permission, as moderators do. */
const moderated = (status: number, body?: Body) => row(401, 403, 403, status, status, body)
/** For administrators, as long as no role grants it. */
const administered = (status: number, body?: Body) => row(401, 403, 403, 403, status, body)

/** Others' private things, which administrators may get at. */
const overseen = (status: number) => row(401, status, 404, 404, status)

const keyed = (row: Row): Row => ({ ...row, takesKey: true })
/** For the user it is about, and for who may read all users. */
const readable = (status: number) => row(401, status, 404, status, status)

const fresh = () => `n${crypto.randomUUID().slice(0, 12)}`
const letters = () => crypto.randomUUID().replace(/[^a-f]/g, 'x')
const account = () => {
  const username = fresh()
  return { username, email: `${username}@example.com`, password: `Of-${username}` }
}

/** Every route of the service: who gets which answer. A route without a row, or a row without its route, fails the test. */
export const matrix: Record<string, Row> = {
  'GET /': all(200),
  'GET /health': all(200),
  'GET /health/live': all(200),
  'GET /health/ready': all(200),
  'GET /metrics': all(200), // from this machine; test/plugins/metrics has the rest
  'GET /.well-known/jwks.json': all(200),

  'POST /api/v1/auth/register': all(201, account),
  'POST /api/v1/auth/login': all(401, { identifier: 'nobody', password: 'Wrong-horse-1' }),
  'POST /api/v1/auth/token': all(415, {}), // not in JSON
  'POST /api/v1/auth/refresh': all(401, { refresh_token: 'rt_x' }),
  'POST /api/v1/auth/logout': all(204),
  'POST /api/v1/auth/logout-all': self(200),
  'POST /api/v1/auth/verify-email': all(422, { token: 'x' }),
  'POST /api/v1/auth/verify-email/resend': all(202, { email: 'nobody@example.com' }),
  'POST /api/v1/auth/email-change/confirm': all(422, { token: 'x' }),
  'POST /api/v1/auth/forgot-password': all(202, { email: 'nobody@example.com' }),
  'POST /api/v1/auth/reset-password': all(422, { token: 'x', new_password: 'Correct-horse-1' }),
  'GET /api/v1/auth/sessions': self(200),
  'DELETE /api/v1/auth/sessions/{session_id}': own(204),

  'GET /api/v1/api-keys': self(200),
  'POST /api/v1/api-keys': self(201, {}),
  'GET /api/v1/api-keys/{key_id}': own(200),
  'PATCH /api/v1/api-keys/{key_id}': own(200, { name: 'New' }),
  'POST /api/v1/api-keys/{key_id}/rotate': own(200, {}),
  'DELETE /api/v1/api-keys/{key_id}': own(204),

  'GET /api/v1/audit-events': keyed(administered(200)),
  'POST /api/v1/cache/invalidations': administered(204, () => ({ tags: ['items'] })),

  'GET /api/v1/users': moderated(200),
  'POST /api/v1/users': administered(201, account),
  'POST /api/v1/users/batch': administered(200, () => ({ users: [account()] })),
  'PATCH /api/v1/users/batch': moderated(200, ({ user_id }) => ({ users: [{ id: user_id, name: 'New' }] })),
  'POST /api/v1/users/batch-delete': administered(200, ({ user_id }) => ({ ids: [user_id] })),
  'GET /api/v1/users/me': keyed(self(200)),
  'PATCH /api/v1/users/me': self(200, { name: 'New' }),
  'DELETE /api/v1/users/me': self(204),
  'POST /api/v1/users/me/change-password': self(200, () => ({
    current_password: PASSWORD,
    new_password: `Of-${fresh()}`
  })),
  'POST /api/v1/users/me/email-change': self(202, () => ({
    email: `${fresh()}@example.com`,
    current_password: PASSWORD
  })),
  'GET /api/v1/users/{user_id}': all(200), // the public part; all of it to the owner, moderators and administrators
  'PATCH /api/v1/users/{user_id}': moderated(200, { name: 'New' }),
  'DELETE /api/v1/users/{user_id}': administered(204),
  'POST /api/v1/users/{deleted_user_id}/restore': moderated(200),
  'GET /api/v1/users/{user_id}/tier': readable(200),
  'PATCH /api/v1/users/{user_id}/tier': moderated(200, { tier: 'pro' }),
  'GET /api/v1/users/{user_id}/rate-limits': readable(200),
  'GET /api/v1/users/{user_id}/sessions': moderated(200),
  'DELETE /api/v1/users/{user_id}/sessions/{session_id}': moderated(204),

  'GET /api/v1/users/{user_id}/roles': moderated(200),
  'POST /api/v1/users/{user_id}/roles': administered(201, ({ other_role_id }) => ({ role_id: other_role_id })),
  'GET /api/v1/users/{user_id}/roles/{role_id}': moderated(200),
  'DELETE /api/v1/users/{user_id}/roles/{role_id}': administered(204),
  'GET /api/v1/roles': moderated(200),
  'POST /api/v1/roles': administered(201, () => ({ name: fresh() })),
  'GET /api/v1/roles/{role_id}': moderated(200),
  'PATCH /api/v1/roles/{role_id}': administered(200, { description: 'New' }),
  'DELETE /api/v1/roles/{other_role_id}': administered(204),
  'GET /api/v1/roles/{role_id}/permissions': moderated(200),
  'POST /api/v1/roles/{role_id}/permissions': administered(201, ({ other_permission_id }) => ({
    permission_id: other_permission_id
  })),
  'GET /api/v1/roles/{role_id}/permissions/{permission_id}': moderated(200),
  'DELETE /api/v1/roles/{role_id}/permissions/{permission_id}': administered(204),
  'GET /api/v1/tiers': self(200),
  'POST /api/v1/tiers': administered(201, () => ({ name: fresh() })),
  'GET /api/v1/tiers/{name}': self(200),
  'PATCH /api/v1/tiers/{name}': administered(200, () => ({ name: fresh() })),
  'DELETE /api/v1/tiers/{name}': administered(204),
  'GET /api/v1/tiers/{name}/rate-limits': self(200),
  'POST /api/v1/tiers/{name}/rate-limits': administered(201, { path: '/api/v1/todos', limit: 1, period: 60 }),
  'GET /api/v1/tiers/{name}/rate-limits/{rate_limit_id}': self(200),
  'PATCH /api/v1/tiers/{name}/rate-limits/{rate_limit_id}': administered(200, { limit: 2 }),
  'DELETE /api/v1/tiers/{name}/rate-limits/{rate_limit_id}': administered(204),
  'GET /api/v1/rate-limits/me': self(200),

  'GET /api/v1/permissions': moderated(200),
  'POST /api/v1/permissions': administered(201, () => ({ code: `test:matrix:${letters()}` })),
  'GET /api/v1/permissions/{permission_id}': moderated(200),
  'PATCH /api/v1/permissions/{permission_id}': administered(200, { description: 'New' }),
  'DELETE /api/v1/permissions/{other_permission_id}': administered(204),

  'GET /api/v1/todos': keyed(self(200)),
  'POST /api/v1/todos': keyed(self(201, { title: 'New' })),
  'GET /api/v1/todos/{todo_id}': keyed(own(200)),
  'PATCH /api/v1/todos/{todo_id}': keyed(own(200, { title: 'New' })),
  'DELETE /api/v1/todos/{todo_id}': keyed(own(204)),

  'GET /api/v1/users/{username}/posts': all(200),
  'POST /api/v1/users/{username}/posts': keyed(authored(201, { title: 'New', text: 'New' })),
  'GET /api/v1/users/{username}/posts/{post_id}': all(200),
  'PATCH /api/v1/users/{username}/posts/{post_id}': keyed(authored(200, { title: 'New' })),
  'DELETE /api/v1/users/{username}/posts/{post_id}': keyed(authored(204)),

  'GET /api/v1/items': all(200),
  'POST /api/v1/items': keyed(self(201, { title: 'New' })),
  'GET /api/v1/items/mine': keyed(self(200)),
  'GET /api/v1/items/search': all(422), // without a text to find
  'GET /api/v1/items/{item_id}': all(200), // active; test/routes/items has the drafts
  'PATCH /api/v1/items/{item_id}': keyed(own(200, { title: 'New' })),
  'DELETE /api/v1/items/{item_id}': keyed(own(204)),
  'POST /api/v1/items/{item_id}/activate': keyed(own(409)), // as it is already
  'POST /api/v1/items/{item_id}/archive': keyed(own(200)),

  'GET /api/v1/tasks': keyed(self(200)),
  'POST /api/v1/tasks': keyed(self(201, { message: 'New' })),
  'GET /api/v1/tasks/all': keyed(administered(200)),
  'GET /api/v1/tasks/statistics': keyed(administered(200)),
  'GET /api/v1/tasks/{task_id}': keyed(overseen(200)),
  'POST /api/v1/tasks/{task_id}/cancellation': keyed(overseen(200)),
  'POST /api/v1/tasks/{task_id}/retry': keyed(administered(409)) // as it has not failed
}
