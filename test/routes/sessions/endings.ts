import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { signIn, signUp } from '../../support/app.ts'
import { DAY, idOf, sessionClient } from './client.ts'

/** How sessions end, and who may end them. */
export function testEndings(t: Test, app: FastifyInstance): void {
  const { post, refresh, statusOf, rowOf, eventsAbout } = sessionClient(app)

  t.test('R11: signing out ends the session at once, and asking again changes nothing', async (t) => {
    const user = await signUp(app)
    const other = await signIn(app, user)
    t.equal(await statusOf(user.headers), 200)

    const first = await post('logout', { headers: user.headers })

    t.same([first.statusCode, first.body], [204, ''])
    const { revoked_at, revoked_reason } = await rowOf(user.refreshToken)
    t.equal(revoked_reason, 'logout')
    const dead = await app.inject({ url: '/api/v1/users/me', headers: user.headers })
    t.equal(dead.statusCode, 401)
    t.match(dead.headers['www-authenticate'], /error="invalid_token"/)
    t.equal((await refresh(user.refreshToken)).statusCode, 401)
    t.equal(await statusOf(other.headers), 200, 'another session of the same user lives')

    for (const options of [
      { headers: user.headers },
      { payload: { refresh_token: user.refreshToken } },
      { payload: { refresh_token: 'rt_unknown' } },
      { headers: { authorization: 'Bearer garbage' } },
      { headers: { 'content-type': 'application/json' } },
      { payload: {} },
      {}
    ]) {
      t.equal((await post('logout', options)).statusCode, 204, JSON.stringify(options))
    }
    t.equal((await rowOf(user.refreshToken)).revoked_at, revoked_at)
    t.equal((await post('logout', { payload: { refresh_token: other.refreshToken } })).statusCode, 204)
    t.equal(await statusOf(other.headers), 401, 'ended by its refresh token')
  })

  t.test('R12: signing out everywhere ends every session of the caller and of nobody else', async (t) => {
    const user = await signUp(app)
    const bystander = await signUp(app)
    const devices = [user, await signIn(app, user), await signIn(app, user)]
    for (const { headers } of devices) t.equal(await statusOf(headers), 200)

    const answer = await post('logout-all', { headers: user.headers })

    t.equal(answer.statusCode, 200)
    t.match(answer.json(), { message: 'Signed out everywhere', data: { sessions_revoked: 3 } })
    t.match(answer.cookies[0], { name: 'refresh_token', value: '', path: '/api/v1/auth' })
    for (const { headers, refreshToken } of devices) {
      t.equal(await statusOf(headers), 401)
      t.equal((await refresh(refreshToken)).statusCode, 401)
      t.equal((await rowOf(refreshToken)).revoked_reason, 'logout_all')
    }
    t.match((await eventsAbout(user.id)).at(-1), { action: 'session.revoked', details: { sessions_revoked: 3 } })
    t.equal(await statusOf(bystander.headers), 200)
    t.equal((await post('logout-all', { headers: user.headers })).statusCode, 401)
  })

  t.test('R13: people see where they are signed in and end any one of their sessions, nobody else’s', async (t) => {
    const user = await signUp(app)
    const stranger = await signUp(app)
    const headers = { 'user-agent': 'Firefox', 'x-forwarded-for': '203.0.113.9' }
    const login = await post('login', {
      headers,
      payload: { identifier: user.email, password: user.password, delivery: 'body' }
    })
    const other = login.json().data
    const url = '/api/v1/auth/sessions'
    const list = async () => (await app.inject({ url, headers: user.headers })).json().data
    const end = (id: string) => app.inject({ method: 'DELETE', url: `${url}/${id}`, headers: user.headers })

    const [newest, current] = await list()

    t.match(newest, { id: idOf(other.refresh_token), current: false, user_agent: 'Firefox', ip: '127.0.0.1' })
    t.match(current, { id: idOf(user.refreshToken), current: true })
    t.same(Object.keys(newest).sort(), [
      'created_at',
      'current',
      'expires_at',
      'id',
      'ip',
      'last_used_at',
      'user_agent'
    ])
    t.equal(Date.parse(newest.expires_at) - Date.parse(newest.last_used_at), 30 * DAY * 1000)

    t.equal((await end(newest.id)).statusCode, 204)
    t.equal(await statusOf({ authorization: `Bearer ${other.access_token}` }), 401)
    t.equal((await refresh(other.refresh_token)).statusCode, 401)
    t.equal((await rowOf(other.refresh_token)).revoked_reason, 'revoked')
    t.match((await eventsAbout(newest.id)).at(-1), { action: 'session.revoked', actor_id: user.id })
    t.equal((await list()).length, 1)

    for (const id of [newest.id, idOf(stranger.refreshToken), '00000000-0000-4000-8000-000000000000']) {
      const refused = await end(id)
      t.match([refused.statusCode, refused.json().error_code], [404, 'NOT_FOUND'])
    }
    t.equal(await statusOf(stranger.headers), 200)
    t.equal((await end(current.id)).statusCode, 204, 'the own one too')
    t.equal(await statusOf(user.headers), 401)
  })

  t.test('R20: more sign-ins than allowed end the session unused for longest', async (t) => {
    const user = await signUp(app)
    const devices = [user, ...(await Promise.all([1, 2, 3, 4].map(() => signIn(app, user))))]
    for (const { headers } of devices) t.equal(await statusOf(headers), 200)
    await refresh(user.refreshToken)
    const oldest = (await app.sessions.list(app.db, (await rowOf(user.refreshToken)).user_id)).at(-1)

    await signIn(app, user)

    const ended = devices.filter(({ refreshToken }) => idOf(refreshToken) === oldest?.id)
    t.equal(ended.length, 1)
    for (const device of devices) t.equal(await statusOf(device.headers), device === ended[0] ? 401 : 200)
    t.equal((await rowOf(ended[0]?.refreshToken ?? '')).revoked_reason, 'limit')
    t.match((await eventsAbout(oldest?.id ?? '')).at(-1), { action: 'session.revoked', details: { reason: 'limit' } })

    await Promise.all(Array.from({ length: 12 }, () => signIn(app, user)))
    const { user_id } = await rowOf(user.refreshToken)
    t.equal((await app.sessions.list(app.db, user_id)).length, 5, 'also when many come at once')
  })
}
