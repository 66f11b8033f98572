import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { signUp } from '../../support/app.ts'
import { type Mailbox, tokenOf } from '../../support/mailbox.ts'
import { INVALID, mailClient, verdict } from './client.ts'

export function testSecrecy(t: Test, app: FastifyInstance, mailbox: Mailbox): void {
  const { post, idle } = mailClient(app)

  /** One live token of each purpose, of one user. */
  async function liveTokens() {
    const user = await signUp(app)
    const verify_email = tokenOf(await mailbox.next(user.email))
    await post('/auth/forgot-password', { email: user.email })
    const reset_password = tokenOf(await mailbox.next(user.email))
    const change = { email: `new-${user.email}`, current_password: user.password }
    await post('/users/me/email-change', change, user.headers)
    const change_email = tokenOf(await mailbox.next(change.email))
    return { user, tokens: { verify_email, reset_password, change_email } }
  }

  /** The tables of the service and of its queues in whose rows a text appears. */
  async function tablesWith(text: string): Promise<string[]> {
    const { rows } = await sql<{ name: string }>`
      select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'`.execute(app.db)
    const found: string[] = []
    for (const { name } of rows) {
      const row = sql`select from ${sql.raw(name)} as t where strpos(t::text, ${text}) > 0 limit 1`
      if ((await row.execute(app.db)).rows.length > 0) found.push(name)
    }
    return found
  }

  t.test('P09: no table, of the service or of the queues, holds a token', async (t) => {
    const { user, tokens } = await liveTokens()
    await idle()
    const places = await tablesWith(user.email)
    t.ok(
      ['users', 'account_tokens', 'job'].every((name) => places.some((place) => place.includes(name))),
      `the search finds what is there: ${places}`
    )
    for (const [purpose, token] of Object.entries(tokens)) {
      t.equal(token.length, 43)
      t.same(await tablesWith(token), [], purpose)
      t.same(await tablesWith(Buffer.from(token, 'base64url').toString('hex')), [], `${purpose}, in hex`)
    }
  })

  t.test('A09: a token of a mail is good for its purpose and for nothing else', async (t) => {
    const { user, tokens } = await liveTokens()
    const uses = {
      verify_email: (token: string) => post('/auth/verify-email', { token }),
      reset_password: (token: string) => post('/auth/reset-password', { token, new_password: 'Another-horse-2' }),
      change_email: (token: string) => post('/auth/email-change/confirm', { token })
    }
    for (const [purpose, token] of Object.entries(tokens)) {
      const bearer = await app.inject({ url: '/api/v1/users/me', headers: { authorization: `Bearer ${token}` } })
      t.equal(bearer.statusCode, 401, `${purpose} is no access token`)
      const key = await app.inject({ url: '/api/v1/users/me', headers: { 'x-api-key': token } })
      t.equal(key.statusCode, 401, `${purpose} is no API key`)
      t.equal((await post('/auth/refresh', { refresh_token: token })).statusCode, 401, `${purpose} is no refresh token`)
      for (const [other, use] of Object.entries(uses)) {
        if (other !== purpose) t.same(verdict(await use(token)), INVALID, `${purpose} is not for ${other}`)
      }
    }
    for (const [purpose, use] of Object.entries(uses)) {
      for (const token of ['x', user.refreshToken, 'a'.repeat(43)]) {
        t.equal((await use(token)).statusCode, 422, `${purpose} takes no other token`)
      }
      t.equal((await use(user.accessToken)).statusCode, 422)
    }
    t.same(
      [
        (await uses.verify_email(tokens.verify_email)).statusCode,
        (await uses.change_email(tokens.change_email)).statusCode
      ],
      [200, 200],
      'all of them were good'
    )
  })
}
