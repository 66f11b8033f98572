import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'

/** What tests of these flows ask of a service and of its database. */
export function mailClient(app: FastifyInstance) {
  const post = (path: string, payload: object, headers: object = {}) =>
    app.inject({ method: 'POST', url: `/api/v1${path}`, payload, headers: { ...headers } })
  const login = (identifier: string, password: string) => post('/auth/login', { identifier, password })

  /** Resolves once no job waits or runs. */
  async function idle(): Promise<void> {
    const deadline = Date.now() + 20_000
    while ((await app.jobs.figures()).some(({ waiting, running }) => waiting + running > 0)) {
      if (Date.now() > deadline) throw new Error('jobs are not worked')
      // Embedded, a query alone would leave the mail server no turn.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  const userOf = (username: string) =>
    app.db.selectFrom('users').selectAll().where('username', '=', username).executeTakeFirstOrThrow()

  const eventsAbout = async (id: string) => {
    const events = app.db.selectFrom('audit_events').select(['action', 'actor_id', 'ip', 'request_id', 'details'])
    return events.where('target_id', '=', id).orderBy('id').execute()
  }

  /** Lets the tokens of a user recede into the past: the database's clock cannot be set. */
  const age = (userId: number, minutes: number) =>
    sql`update account_tokens set created_at = created_at - make_interval(mins => ${minutes}),
      expires_at = expires_at - make_interval(mins => ${minutes}) where user_id = ${userId}`.execute(app.db)

  return { post, login, idle, userOf, eventsAbout, age }
}

/** Status and error code. */
export const verdict = (answer: { statusCode: number; json(): { error_code?: string } }) => [
  answer.statusCode,
  answer.json().error_code
]

export const INVALID = [422, 'ACCOUNT_TOKEN_INVALID']
