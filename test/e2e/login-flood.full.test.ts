import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import t, { type Test } from 'tap'
import { prepared, type Server, startServer } from '../support/server.ts'

t.setTimeout(300_000)

const PARALLEL = 500
const ROUNDS = 3

/** In a process of its own, so that the one that measures is not kept busy by it. Prints how often it got which answer. */
const flood = (url: string, isOneClient: boolean) => `
  const answers = {}
  const signIn = async (index) => {
    const from = ${isOneClient} ? '192.0.2.1' : '10.' + (index >> 8) + '.' + (index & 255) + '.1'
    const response = await fetch('${url}/api/v1/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': from },
      body: JSON.stringify({ identifier: 'user' + index + '@example.com', password: 'Wrong-horse-1' })
    })
    await response.arrayBuffer()
    const key = response.status + (response.headers.has('retry-after') ? ' Retry-After' : '')
    answers[key] = (answers[key] ?? 0) + 1
  }
  for (let round = 0; round < ${ROUNDS}; round++) {
    const from = round * ${PARALLEL}
    await Promise.all(Array.from({ length: ${PARALLEL} }, (_, index) => signIn(from + index)))
  }
  console.log(JSON.stringify(answers))`

for (const isOneClient of [true, false]) {
  const who = isOneClient ? 'one client' : 'as many clients'
  t.test(`P21: ${PARALLEL} sign-ins at once from ${who}: health answers, the rest is 429 or 503`, async (t) => {
    const [variables, folder] = await prepared(t)
    const cost = { ARGON2_MEMORY_KIB: '19456', ARGON2_TIME_COST: '2' }
    const quiet = { LOG_LEVEL: 'silent', TRUST_PROXY: 'loopback' }
    const server = await startServer(t, { ...variables, ...cost, ...quiet }, folder)
    await warmUp(server)
    const beforeMiB = await residentMiB(server)

    const { answers, waits, raw, peakMiB } = await measure(t, server, flood(server.url, isOneClient))

    t.comment(JSON.stringify(answers))
    t.comment(`/health/live: ${figures(raw)}; without the waiting for a CPU that others had: ${figures(waits)}`)
    t.comment(`resident: ${beforeMiB} MiB before, ${peakMiB} MiB at most`)
    const { 401: evaluated = 0, ...refused } = answers
    t.strictSame(Object.keys(refused), [isOneClient ? '429 Retry-After' : '503 Retry-After'])
    t.equal(evaluated + Object.values(refused).reduce((sum, count) => sum + count, 0), PARALLEL * ROUNDS)
    if (isOneClient) t.equal(evaluated, 5)
    else t.ok(evaluated > 0)
    t.ok(quantile(waits, 0.99) <= 100, 'p99')
    t.ok(peakMiB - beforeMiB < 250, 'memory')
  })
}

/** So that what is measured is a service that has been running, not the compiling of its code. */
async function warmUp({ url }: Server): Promise<void> {
  for (let count = 0; count < 500; count++) {
    const answer = await fetch(`${url}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '198.51.100.1' },
      body: JSON.stringify({ identifier: 'nobody', password: 'Wrong-horse-1' })
    })
    await answer.arrayBuffer()
  }
}

/** Asks for health without pause while `program` runs. */
async function measure(t: Test, server: Server, program: string) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  const exited = once(child, 'exit')
  const raw: number[] = []
  const waits: number[] = []
  let peakMiB = 0
  while (child.exitCode === null && child.signalCode === null) {
    const startedAt = performance.now()
    const queuedMs = [runQueueMs(server.child.pid), runQueueMs(process.pid)]
    const answer = await fetch(`${server.url}/health/live`)
    await answer.arrayBuffer()
    const ms = performance.now() - startedAt
    const [there = 0, here = 0] = [runQueueMs(server.child.pid), runQueueMs(process.pid)].map(
      (queued, index) => queued - (queuedMs[index] ?? 0)
    )
    raw.push(ms)
    waits.push(ms - Math.min(ms, Math.max(there, here)))
    if (answer.status !== 200) t.fail(`health ${answer.status}`)
    if (raw.length % 20 === 0) peakMiB = Math.max(peakMiB, await residentMiB(server))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await exited
  // The program prints one object of counts.
  const answers = JSON.parse(output) as Record<string, number>
  return { answers, raw, waits, peakMiB }
}

/** How long the main thread of a process was ready to run and had no CPU, so far. Linux tells; elsewhere nothing is known. */
function runQueueMs(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

const figures = (values: number[]) =>
  `${values.length} × p50 ${quantile(values, 0.5).toFixed(1)}, p99 ${quantile(values, 0.99).toFixed(1)}, max ${quantile(values, 1).toFixed(1)} ms`

async function residentMiB({ url }: Server): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Math.round(Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]) / 2 ** 20)
}
