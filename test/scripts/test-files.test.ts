import { join } from 'node:path'
import t from 'tap'
import { listTestFiles, selectTestFiles } from '../../scripts/test-files.ts'

const files = [
  'test/house.test.ts',
  'test/db/users.test.ts',
  'test/plugins/redis/guard.test.ts',
  'test/plugins/redis/guard.services.test.ts',
  'test/plugins/redis/guard.services.full.test.ts',
  'test/routes/api/todos.test.ts',
  'test/routes/api/races.full.test.ts',
  'test/src/docs.full.test.ts'
]
const embedded = { mode: 'embedded', full: false, filters: [] as string[] } as const
const services = { ...embedded, mode: 'services' } as const

t.test('the embedded suite leaves out what needs servers and what takes long', async (t) => {
  t.same(selectTestFiles(files, embedded), [
    'test/house.test.ts',
    'test/db/users.test.ts',
    'test/plugins/redis/guard.test.ts',
    'test/routes/api/todos.test.ts'
  ])
})

t.test('on services run their own files and those that speak to the whole service', async (t) => {
  t.same(selectTestFiles(files, services), [
    'test/db/users.test.ts',
    'test/plugins/redis/guard.services.test.ts',
    'test/routes/api/todos.test.ts'
  ])
})

t.test('the full tier selects every file in at least one mode', async (t) => {
  const selected = new Set([
    ...selectTestFiles(files, { ...embedded, full: true }),
    ...selectTestFiles(files, { ...services, full: true })
  ])
  t.same([...selected].sort(), [...files].sort())
})

t.test('filters name files or folders, relative or absolute', async (t) => {
  const select = (...filters: string[]) => selectTestFiles(files, { ...embedded, filters })
  t.same(select('test/db', './test/house.test.ts'), ['test/house.test.ts', 'test/db/users.test.ts'])
  t.same(select(join(import.meta.dirname, '../db')), ['test/db/users.test.ts'])
  t.same(select('test/plugins/redis/guard.services.test.ts'), [], 'a filter does not reach into another tier')
})

t.test('every test file of the project is found', async (t) => {
  const found = listTestFiles()
  t.ok(found.includes('test/scripts/test-files.test.ts'))
  t.ok(found.every((file) => /^test\/.+\.test\.ts$/.test(file)))
})
