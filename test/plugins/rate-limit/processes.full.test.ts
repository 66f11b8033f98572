import t from 'tap'
import { startRedis } from '../../support/own-redis.ts'
import { testTwoProcesses } from './processes.ts'

t.setTimeout(600_000)

t.test('L01 L02: 200 parallel calls over two processes, 100 rounds', async (t) => {
  const own = await startRedis(t)
  await testTwoProcesses(t, own.url, '', 100)
})
