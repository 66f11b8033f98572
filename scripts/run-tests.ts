import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { TapFile, type Test, t } from 'tap'
import { root } from './run.ts'

/**
 * V8 prepares for a long life: it compiles the WebAssembly of the embedded database twice, the second time thoroughly, and
 * collects garbage early. Tests are over before that pays; this takes two fifths of their CPU time away.
 */
const shortLived = ['--liftoff-only', '--wasm-lazy-compilation', '--max-semi-space-size=64']

/**
 * Runs the test files named by its arguments, each as a process of its own. `tap run` does the same, but has each of
 * them load its modules through the hooks that measure coverage, which takes a third of the time of the whole suite.
 */
const [timeoutSeconds, ...files] = process.argv.slice(2)
// One more than there are cores: while some wait for a server or a timer, others compute.
t.jobs = availableParallelism() + 1
t.setTimeout(0)
for (const file of files)
  t.test(file, { buffered: true, timeout: Number(timeoutSeconds) * 1000 }, (t) => runFile(t, file))

async function runFile(t: Test, file: string): Promise<void> {
  const { NODE_OPTIONS: _hooks, ...env } = process.env
  const child = spawn(process.execPath, [...shortLived, file], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  await t.sub(TapFile, { name: 'tests', tapStream: child.stdout })
  const [code, signal] = await closed
  // Told without this place in the code, which explains nothing.
  t.equal(signal ?? code, 0, 'exit code', { at: null, stack: '' })
}
