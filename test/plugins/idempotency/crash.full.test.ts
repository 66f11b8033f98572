import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { generateSecrets } from '../../../src/secrets.ts'
import { roomyLimits } from '../../support/app.ts'
import { prepared, startServer } from '../../support/server.ts'
import { create, signUp } from './crash.ts'

const ROUNDS = 12

t.setTimeout(300_000)

// crash.services.full.test.ts aims at each moment, which takes a second process on the same database.
t.test('I04: the server is killed at any moment and started again, and the retry has no second effect', async (t) => {
  const [services, folder] = await prepared(t)
  const variables = { ...services, ...generateSecrets(), ...roomyLimits }
  let server = await startServer(t, variables, folder)
  const headers = await signUp(server.url)
  const seen = { kept: 0, lost: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const key = `round-${round}`
    const answer = create(server.url, headers, key).catch(() => undefined)
    await sleep(Math.random() * 100)
    server.child.kill('SIGKILL')
    await server.exited
    const before = await answer

    server = await startServer(t, variables, folder)
    const retry = await create(server.url, headers, key)
    t.equal(retry.status, 201, key)
    const isReplay = retry.headers.get('idempotency-replayed') === 'true'
    if (before !== undefined) t.ok(isReplay, `${key} was acknowledged`)
    seen[isReplay ? 'kept' : 'lost']++
  }
  const listed = await fetch(`${server.url}/api/v1/todos?items_per_page=100`, { headers })
  const { data } = (await listed.json()) as { data: Array<{ title: string }> }
  t.same(data.map(({ title }) => title).sort(), Array.from({ length: ROUNDS }, (_, round) => `round-${round}`).sort())
  t.comment(`${ROUNDS} kills: ${seen.kept} effects were committed, ${seen.lost} rolled back`)
})
