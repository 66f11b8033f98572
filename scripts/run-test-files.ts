import { join } from 'node:path'
import { t } from 'tap'
import { root } from './run.ts'

/** The test files in TEST_FILES, in one process. What they register runs in order, when all are loaded. */
t.test('loads', async () => {
  for (const file of (process.env.TEST_FILES ?? '').split('\n')) await import(join(root, file))
})
