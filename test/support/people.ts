import type { FastifyInstance, InjectOptions } from 'fastify'
import { insertUser } from '../../db/users.ts'

type Method = NonNullable<InjectOptions['method']>

/** `inject` with the credentials of one caller, below `/api/v1`. */
export function caller(app: FastifyInstance, headers: Record<string, string>) {
  const send = (method: Method) => (path: string, payload?: object) =>
    app.inject({ method, url: `/api/v1${path}`, headers, ...(payload && { payload }) })
  return { get: send('GET'), post: send('POST'), patch: send('PATCH'), delete: send('DELETE') }
}

export const PASSWORD = 'Secret-of-people-1'
const hashes = new WeakMap<FastifyInstance, Promise<string>>()

/** A user with a session, and with further roles by name: made behind the API's back, as cheaply as can be. */
export async function person(app: FastifyInstance, roles: string[] = []) {
  const hash = hashes.get(app) ?? app.passwords.hash(PASSWORD)
  hashes.set(app, hash)
  const username = `u${crypto.randomUUID().slice(0, 12)}`
  const email = `${username}@example.com`
  const password_hash = await hash
  const { user, session } = await app.database.transaction(async (trx) => {
    const user = await insertUser(trx, { username, email, password_hash }, 'user', 'free')
    if (roles.length > 0) {
      const found = await trx.selectFrom('roles').select('id').where('name', 'in', roles).execute()
      const rows = found.map(({ id }) => ({ user_id: user.user_id, role_id: id }))
      await trx.insertInto('user_roles').values(rows).execute()
    }
    return { user, session: await app.sessions.create(trx, { user_id: user.user_id, user_agent: null, ip: null }) }
  })
  const { token } = app.accessTokens.sign({ sub: user.id, sid: session.id })
  const headers = { authorization: `Bearer ${token}` }
  const { id, user_id } = user
  return { id, user_id, username, email, password: PASSWORD, session_id: session.id, headers, as: caller(app, headers) }
}

export type Person = Awaited<ReturnType<typeof person>>

/** An API key of theirs with these scopes, and `inject` headers that carry it. */
export async function keyOf(app: FastifyInstance, { user_id }: { user_id: number }, scopes: string[]) {
  const create = app.database.transaction((trx) => app.apiKeys.create(trx, { user_id, name: null, scopes }))
  const { id, text } = await create
  return { id, headers: { 'x-api-key': text } }
}

/** An administrator, as the environment or the command line makes the first one. */
export const administrator = (app: FastifyInstance) => person(app, ['admin'])

/** A role that grants these permissions. */
export async function roleWith(
  app: FastifyInstance,
  codes: readonly string[],
  name = `r${crypto.randomUUID().slice(0, 8)}`
) {
  const role = await app.db
    .insertInto('roles')
    .values({ name, description: null })
    .returning(['id', 'public_id'])
    .executeTakeFirstOrThrow()
  if (codes.length > 0) {
    const permissions = await app.db.selectFrom('permissions').select('id').where('code', 'in', codes).execute()
    const rows = permissions.map(({ id }) => ({ role_id: role.id, permission_id: id }))
    await app.db.insertInto('role_permissions').values(rows).execute()
  }
  return { id: role.public_id, name }
}
