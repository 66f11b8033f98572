import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'

export const DAY = 86_400
/** A page of another site that may use the cookie. */
export const origin = 'https://app.example.com'

/** The session that a refresh token names. */
export const idOf = (refreshToken: string) => refreshToken.split('.')[1] ?? ''

/** What tests of sessions ask of a service and of its database. */
export function sessionClient(app: FastifyInstance) {
  const post = (
    path: string,
    options: { payload?: object; headers?: object; cookies?: Record<string, string> } = {}
  ) => {
    const { payload, headers, cookies } = options
    const given = { headers: { ...headers }, ...(payload && { payload }), ...(cookies && { cookies }) }
    return app.inject({ method: 'POST', url: `/api/v1/auth/${path}`, ...given })
  }
  const refresh = (refresh_token: string) => post('refresh', { payload: { refresh_token } })
  const statusOf = async (headers: Record<string, string>) =>
    (await app.inject({ url: '/api/v1/users/me', headers })).statusCode
  const rowOf = (refreshToken: string) =>
    app.db.selectFrom('sessions').selectAll().where('id', '=', idOf(refreshToken)).executeTakeFirstOrThrow()

  /** What was recorded about a session or user. */
  const eventsAbout = (id: string) =>
    app.db
      .selectFrom('audit_events')
      .select(['action', 'actor_id', 'details'])
      .where('target_id', '=', id)
      .orderBy('id')
      .execute()

  /** The successor of a refresh token, and headers with the new access token. */
  async function rotated(refreshToken: string) {
    const { data } = (await refresh(refreshToken)).json()
    return { refreshToken: data.refresh_token as string, headers: { authorization: `Bearer ${data.access_token}` } }
  }

  /** Lets the session's past recede: the database's clock cannot be set. */
  const age = (refreshToken: string, seconds: number) =>
    sql`update sessions set
      rotated_at = rotated_at - make_interval(secs => ${seconds}),
      last_used_at = last_used_at - make_interval(secs => ${seconds}),
      expires_at = expires_at - make_interval(secs => ${seconds})
      where id = ${idOf(refreshToken)}`.execute(app.db)

  /** Signs in as a browser does: the refresh token comes as a cookie. */
  async function signInByCookie({ email, password }: { email: string; password: string }) {
    const answer = await post('login', { payload: { identifier: email, password } })
    return { answer, cookies: { refresh_token: answer.cookies[0]?.value ?? '' } }
  }

  return { post, refresh, statusOf, rowOf, eventsAbout, rotated, age, signInByCookie }
}
