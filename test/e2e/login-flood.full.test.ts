import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import t, { type Test } from 'tap'
import { mode } from '../support/mode.ts'
import { prepared, type Server, startServer } from '../support/server.ts'

t.setTimeout(300_000)

const PARALLEL = 500
const ROUNDS = 5

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
  t.test(
    `P21: ${PARALLEL} sign-ins at once from ${who}: health answers, the rest is 429 or 503, memory is bounded`,
    async (t) => {
      const [variables, folder] = await prepared(t)
      const argon = { ARGON2_MEMORY_KIB: '19456', ARGON2_TIME_COST: '2' }
      const server = await startServer(
        t,
        { ...variables, ...argon, TRUST_PROXY: 'loopback', LOG_LEVEL: 'silent' },
        folder
      )
      const before = await residentMiB(server)
      const slowdown = busyness()

      const { answers, seconds, latencies, peakMiB } = await measure(t, server, flood(server.url, isOneClient))

      const p = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
      t.comment(`${mode}, ${who}: ${JSON.stringify(answers)} in ${seconds.toFixed(1)} s`)
      t.comment(
        `/health/live: ${latencies.length} × p50 ${p(0.5).toFixed(1)}, p99 ${p(0.99).toFixed(1)}, max ${p(1).toFixed(1)} ms`
      )
      t.comment(`resident: ${before} MiB before, ${peakMiB} MiB at most`)
      const { 401: evaluated = 0, ...refused } = answers
      t.strictSame(Object.keys(refused), [isOneClient ? '429 Retry-After' : '503 Retry-After'])
      t.equal(evaluated + Object.values(refused).reduce((sum, n) => sum + n, 0), PARALLEL * ROUNDS)
      if (isOneClient) t.equal(evaluated, 5)
      else t.ok(evaluated > 0)
      t.ok(p(0.99) <= 100 * slowdown, `p99 of a machine that others slow down by ${slowdown.toFixed(1)}`)
      t.ok(peakMiB - before < 250, 'memory')
    }
  )
}

/** How much longer than its CPU time a computation takes, because of what else runs on this machine. */
function busyness(): number {
  const startedAt = performance.now()
  const cpuMs = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }
  const before = cpuMs()
  while (cpuMs() - before < 300);
  return Math.max(1, (performance.now() - startedAt) / 300)
}

async function measure(t: Test, server: Server, program: string) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  const exited = once(child, 'exit')
  const startedAt = performance.now()
  const latencies: number[] = []
  let peakMiB = 0
  while (child.exitCode === null && child.signalCode === null) {
    const askedAt = performance.now()
    const answer = await fetch(`${server.url}/health/live`)
    await answer.arrayBuffer()
    latencies.push(performance.now() - askedAt)
    if (answer.status !== 200) t.fail(`health ${answer.status}`)
    if (latencies.length % 20 === 0) peakMiB = Math.max(peakMiB, await residentMiB(server))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await exited
  // The program prints one object of counts.
  const answers = JSON.parse(output) as Record<string, number>
  return {
    answers,
    seconds: (performance.now() - startedAt) / 1000,
    latencies: latencies.sort((a, b) => a - b),
    peakMiB
  }
}

async function residentMiB({ url }: Server): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Math.round(Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]) / 2 ** 20)
}
