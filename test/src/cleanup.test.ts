import { sql } from 'kysely'
import t from 'tap'
import { cleanUp } from '../../src/jobs/cleanup.ts'
import { signUp, startApp } from '../support/app.ts'

t.test(
  'the clean-up deletes dead sessions, expired keys and tokens, and old audit events, and nothing else',
  async (t) => {
    const app = await startApp(t)
    const user = await signUp(app)
    await sql`
    insert into sessions (user_id, expires_at, last_used_at, revoked_at)
    select id, now() - interval '60 days', now() - interval '60 days', now() - interval '60 days'
    from users, generate_series(1, 2500) where username = ${user.username}`.execute(app.db)
    await sql`
    insert into audit_events (action, created_at)
    select 'note.created', now() - make_interval(days => 300 + n % 2 * 100) from generate_series(1, 3000) as n`.execute(
      app.db
    )
    await sql`
    insert into idempotency_keys (caller, route, key, fingerprint, status, body, created_at)
    select 'c', 'r', n, 'f', 201, 'null', now() - make_interval(hours => case when n > 1 then 25 else 1 end)
    from generate_series(1, 1501) as n`.execute(app.db)
    await sql`
    insert into account_tokens (token_hash, user_id, purpose, email, bound_to, job_id, expires_at)
    select lpad(n::text, 43, '0'), users.id, 'verify_email', email, '', gen_random_uuid(),
      now() - make_interval(hours => case when n > 1 then 25 else 23 end)
    from users, generate_series(1, 1200) as n where username = ${user.username}`.execute(app.db)

    const deleted = await cleanUp(app)

    t.match(deleted, { sessions: 2500, account_tokens: 1199, idempotency_keys: 1500, audit_events: 1500 })
    t.match(await cleanUp(app), { idempotency_keys: 0, audit_events: 0 })
    t.equal((await app.inject({ url: '/api/v1/users/me', headers: user.headers })).statusCode, 200)
  }
)
