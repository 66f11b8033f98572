import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Test } from 'tap'

/** 200 calls at once, half to each of two processes, for a new client each round: exactly the allowed five pass. */
export async function testTwoProcesses(t: Test, redisUrl: string, prefix: string, rounds: number): Promise<void> {
  const urls = await Promise.all([startProcess(t, redisUrl, prefix), startProcess(t, redisUrl, prefix)])
  const passed: number[] = []
  for (let round = 0; round < rounds; round++) {
    const headers = { 'x-forwarded-for': `10.0.${round >> 8}.${round & 255}` }
    const calls = Array.from({ length: 200 }, (_, n) => fetch(`${urls[n % 2]}/notes`, { headers }))
    const answers = await Promise.all(calls)
    await Promise.all(answers.map((answer) => answer.arrayBuffer()))
    const count = (status: number) => answers.filter((answer) => answer.status === status).length
    passed.push(count(200))
    if (count(200) + count(429) !== 200) t.fail(`round ${round}: other answers than 200 and 429`)
  }
  t.same(passed, new Array(rounds).fill(5), `exactly 5 of 200 in each of ${rounds} rounds`)
}

async function startProcess(t: Test, redisUrl: string, prefix: string): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'process.ts'), redisUrl, prefix], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  return String((await once(child.stdout, 'data'))[0])
}
