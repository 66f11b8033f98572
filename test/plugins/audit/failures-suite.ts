import type { Test } from 'tap'
import { type Host, uuid } from './host.ts'

/** Failures, which are counted. There are no events at the beginning of a test. */
export function failuresSuite(t: Test, { fail, events, clear, age }: Host): void {
  /** Failures are counted by the minute: what a new one cuts in two is done again. */
  async function inOneMinute(work: () => Promise<void>) {
    const minute = () => Math.floor(Date.now() / 60_000)
    let started = minute()
    await work()
    while (minute() !== started) {
      await clear()
      started = minute()
      await work()
    }
  }

  t.test('failures are one row per client, account and minute, with a count', async (t) => {
    await inOneMinute(async () => {
      for (let times = 0; times < 3; times++) await fail({ id: uuid })
      await Promise.all(Array.from({ length: 5 }, () => fail({ id: uuid })))
      await fail({ id: uuid }, '192.0.2.2')
    })
    await age(60)
    await fail({ id: uuid })

    const rows = await events()
    t.match(rows[0], {
      action: 'sign_in.failed',
      actor_id: null,
      target_type: 'user',
      target_id: uuid,
      user_agent: 'x/1'
    })
    t.same(
      rows.map(({ ip, count }) => [ip, count]),
      [
        ['192.0.2.1', 8],
        ['192.0.2.2', 1],
        ['192.0.2.1', 1]
      ]
    )
  })

  t.test(
    'what was typed for an account that does not exist is a keyed hash, and the same in every spelling',
    async (t) => {
      await inOneMinute(async () => {
        await fail({ identifier: 'Hunter2@Example.com' })
        await fail({ identifier: 'hunter2@example.com' })
      })
      const rows = await events()
      t.match(rows, [{ target_type: 'identifier', target_id: /^[\w-]{22}$/, count: 2 }])
      t.notMatch(JSON.stringify(rows), /hunter/i)
    }
  )

  t.test('who tries many names, or many addresses of one network, does not fill the table', async (t) => {
    await inOneMinute(async () => {
      for (let name = 0; name < 50; name++) await fail({ identifier: `name-${name}` })
      await fail({ identifier: 'name-0' })
      for (let host = 0; host < 10; host++) await fail({ id: uuid }, `2001:db8::${host}`)
      await fail({ id: uuid }, '::ffff:192.0.2.9')
    })

    const rows = await events()
    t.equal(rows.length, 23)
    t.match(rows[0], { count: 2 }, 'a name that has its row keeps it')
    t.match(rows.slice(20), [
      { target_id: 'others', count: 30 },
      { ip: '2001:db8:0:0::/64', target_id: uuid, count: 10 },
      { ip: '192.0.2.9', count: 1 }
    ])
  })
}
