import { sql } from 'kysely'
import t from 'tap'
import { cleanUp } from '../../src/jobs/cleanup.ts'
import { signUp, startApp } from '../support/app.ts'

t.test('the clean-up deletes every dead session, however many, and leaves live ones', async (t) => {
  const app = await startApp(t)
  const user = await signUp(app)
  await sql`
    insert into sessions (user_id, expires_at, last_used_at, revoked_at)
    select id, now() - interval '60 days', now() - interval '60 days', now() - interval '60 days'
    from users, generate_series(1, 2500) where username = ${user.username}`.execute(app.db)

  const deleted = await cleanUp(app)

  t.equal(deleted.sessions, 2500)
  t.equal((await app.inject({ url: '/api/v1/users/me', headers: user.headers })).statusCode, 200)
})
