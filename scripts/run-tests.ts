import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { TapFile, type Test, t } from 'tap'
import { root } from './run.ts'

/**
 * V8 prepares for a long life: it compiles the WebAssembly of the embedded database twice, the second time thoroughly, optimizes
 * JavaScript, and collects garbage early. Tests are over before that pays; without, they take about half the CPU time.
 */
const shortLived = [
  '--liftoff-only',
  '--wasm-lazy-compilation',
  '--max-semi-space-size=64',
  '--no-opt',
  '--always-sparkplug'
]

/**
 * tap puts the hooks that measure coverage into NODE_OPTIONS of whatever this process starts, and thereby of whatever a test
 * starts. They cost every process time, and the compiler does not start with them.
 */
const bareNode = process.platform === 'win32' ? [process.execPath] : ['env', '-u', 'NODE_OPTIONS', process.execPath]

/**
 * Runs the test files named by its arguments in a few processes, so that modules, the embedded database and the service are
 * loaded a few times and not once a file; a `*.full.test.ts` has one for itself. `tap run` gives each file a process, and
 * loads its modules through the hooks that measure coverage.
 */
const [timeout, ...files] = process.argv.slice(2)
const timeoutSeconds = Number(timeout)
/** Of a file that shares a process. One that hangs keeps its group for as long as all of them may take. */
const SHARING_SECONDS = 120
t.jobs = availableParallelism()
t.setTimeout(0)
const alone = files.filter((file) => file.endsWith('.full.test.ts'))
const together = files.filter((file) => !alone.includes(file))
// Several for each core, so that none is left alone with a long one. What a group starts stays until it ends, and
// connections to PostgreSQL are few.
const groups = process.env.TEST_MODE === 'services' ? Math.ceil(together.length / 4) : 3 * t.jobs
for (let group = 0; group < groups; group++) {
  // Dealt out like cards, because neighbours tend to cost alike.
  const dealt = together.filter((_, index) => index % groups === group)
  if (dealt.length > 0) run(`group ${group + 1}`, dealt, SHARING_SECONDS)
}
for (const file of alone) run(file, [file], timeoutSeconds)

function run(name: string, files: string[], secondsEach: number): void {
  const seconds = secondsEach * files.length
  // The process tells of a test that takes too long; only one that cannot is killed.
  t.test(name, { buffered: true, timeout: (seconds + 10) * 1000 }, (t) => runFiles(t, { name, files, seconds }))
}

interface Run {
  /** Sets the folders apart that tests make for themselves. */
  name: string
  files: string[]
  seconds: number
}

async function runFiles(t: Test, { name, files, seconds }: Run): Promise<void> {
  const [command = '', ...args] = [...bareNode, ...shortLived, 'scripts/run-test-files.ts', name]
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, TAP_TIMEOUT: `${seconds}`, TEST_FILES: files.join('\n') },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  await t.sub(TapFile, { name: 'tests', tapStream: child.stdout })
  const [code, signal] = await closed
  // Told without this place in the code, which explains nothing.
  t.equal(signal ?? code, 0, 'exit code', { at: null, stack: '' })
}
