import hooks from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { root } from './run.ts'

/**
 * tap follows each promise to the test that it came from, to know whose error nobody caught: a sixth of the CPU time. Without
 * that, such an error ends the process or fails it as a whole, with its stack, and the run all the same.
 */
const { createHook } = hooks
const idle = { enable: () => idle, disable: () => idle }
setCreateHook(() => idle)
const { t } = await import('tap')

/** The test files in TEST_FILES, in one process. What they register runs in order, when all are loaded. */
t.test('loads', async () => {
  setCreateHook(createHook)
  for (const file of (process.env.TEST_FILES ?? '').split('\n')) await import(join(root, file))
})

function setCreateHook(create: typeof createHook): void {
  hooks.createHook = create
  syncBuiltinESMExports()
}
