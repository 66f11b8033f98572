import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { main, UsageError } from '../scripts/main.ts'
import { createFixture, type Fixture } from './fixture.ts'
import { benchJobs, type JobsResult } from './jobs/index.ts'
import { type MeasureOptions, measure } from './measure.ts'
import { jobsTable, saveJobs, saveResults, summary, table } from './report.ts'
import { type Result, summarize } from './result.ts'
import { LOAD_CPU, type Server, startServer } from './server.ts'
import { listWorkloads, loadWorkload, type Workload } from './workload.ts'
import type { Traffic } from './wrk.ts'

/** Jobs are no requests: they have figures of their own. */
const JOBS = 'jobs'

/**
 * Enough to keep a server busy that waits for Redis: a CPU that keeps falling asleep takes twice as long for the same work, on
 * a virtual machine above all, and would be compared with a baseline that never does.
 */
const CONNECTIONS = 128

type Settings = Pick<MeasureOptions, 'rounds' | 'seconds' | 'signal'>

const usage = `Usage: npm run bench -- [workload …] [--rounds 10] [--seconds 1]

Workloads: ${listWorkloads().join(', ')}, ${JOBS} (all by default)`

await main(usage, async () => {
  const { values, positionals } = parseArgs({
    options: { rounds: { type: 'string', default: '10' }, seconds: { type: 'string', default: '1' } },
    allowPositionals: true
  })
  const names = positionals.length > 0 ? positionals : [...listWorkloads(), JOBS]
  const unknown = names.filter((name) => name !== JOBS && !listWorkloads().includes(name))
  if (unknown.length > 0) throw new UsageError(`Unknown workload: ${unknown.join(', ')}`)
  const rounds = positive('rounds', values.rounds)
  const seconds = positive('seconds', values.seconds)
  prepareMachine()

  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('Interrupted')))
  const fixture = await createFixture()
  const results: Result[] = []
  let jobs: JobsResult | undefined
  try {
    if (names.includes(JOBS)) jobs = await benchJobs(fixture)
    for (const name of names.filter((name) => name !== JOBS)) {
      const settings = { rounds, seconds, signal: interrupted.signal }
      const result = await benchmark(name, await loadWorkload(name), fixture, settings)
      results.push(result)
      console.error(`${name}: ${summary(result)}`)
    }
    return 0
  } finally {
    // What was measured is told, whatever ended the run.
    if (results.length > 0) {
      saveResults(results)
      console.log(table(results))
    }
    if (jobs !== undefined) {
      saveJobs(jobs)
      console.log(jobsTable(jobs))
    }
    await fixture.drop()
  }
})

/** Measures one workload on our server and on two instances of its baseline: the second one shows the noise. */
async function benchmark(name: string, workload: Workload, fixture: Fixture, settings: Settings): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
  const write = (name: string, requests: string[], connections: number): Traffic => {
    const file = join(folder, name)
    writeFileSync(file, requests.join('\0'))
    return { file, count: requests.length, connections }
  }
  const traffic = write('requests', await workload.requests(fixture), workload.connections ?? CONNECTIONS)
  const { meanwhile: others } = workload
  const meanwhile = others && write('meanwhile', await others.requests(fixture), others.connections)
  const baseline = join(import.meta.dirname, 'baselines', `${workload.baseline}.ts`)
  const servers: Server[] = []
  try {
    const { script, env, isRefusing } = workload.server ?? {}
    const measuredScript = script === undefined ? '../src/server.ts' : `baselines/${script}.ts`
    const ours = join(import.meta.dirname, measuredScript)
    servers.push(await startServer(ours, { ...fixture.env, ...env }, isRefusing))
    for (let n = 0; n < 2; n++) servers.push(await startServer(baseline, fixture.env))
    console.error(`${name}: warm-up, then ${settings.rounds} rounds of ${servers.length} × ${settings.seconds} s`)
    const countMisses = () => workload.countMisses?.(fixture.db) ?? Promise.resolve(undefined)
    const renewal = workload.renewal && {
      everySeconds: workload.renewal.everySeconds,
      drop: async () => workload.renewal?.drop(fixture)
    }
    const measured = await measure(servers, { ...settings, traffic, meanwhile, renewal, countMisses })
    return summarize(name, workload, measured)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    rmSync(folder, { recursive: true })
  }
}

function positive(name: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError(`--${name} must be a whole number from 1 to 9999`)
  return Number(text)
}

/** Checks what a run needs and moves this process away from the servers' CPU. */
function prepareMachine(): void {
  if (process.platform !== 'linux') throw new Error('The benchmarks pin processes to CPUs: they run on Linux only')
  if (availableParallelism() < 2) throw new Error('The benchmarks need two CPUs: one for the server, one for the load')
  requireProgram('taskset', 'util-linux')
  requireProgram('wrk', 'wrk')
  execFileSync('taskset', ['-a', '-cp', LOAD_CPU, String(process.pid)])
}

function requireProgram(name: string, packageName: string): void {
  try {
    execFileSync('which', [name])
  } catch {
    throw new Error(`${name} is missing; on Debian: apt-get install ${packageName}`)
  }
}
