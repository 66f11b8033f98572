import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { root, runNode, runTool } from '../../scripts/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'plinth-resource-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], {
    cwd: folder,
    encoding: 'utf8'
  })

const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n')
for (const file of tracked) cpSync(join(root, file), join(folder, file))
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
git('init', '-q')
git('add', '.')
git('commit', '-qm', 'before')

const options = { cwd: folder, capture: true }
const script = (name: string, ...args: string[]) => runNode([join(folder, 'scripts', name), ...args], options)
const operations = () => Object.keys(JSON.parse(readFileSync(join(folder, 'openapi.json'), 'utf8')).paths).length

t.test('new resources pass every check and their tests in both modes, and leave git clean when removed', async (t) => {
  const before = operations()
  const longest = 'inspection_of_the_equipment_and_supplies'
  const everyType = [
    'title:string',
    'body:text?',
    'size:integer',
    'score:number?',
    'due_at:datetime?',
    'ref:uuid',
    'kind:enum(a,b)',
    'order:enum(up,down)?'
  ]
  t.match(await script('new-resource.ts', 'note', 'title:string', 'done:boolean', 'due_at:datetime?'), { code: 0 })
  t.match(await script('new-resource.ts', 'field_report', ...everyType, '--public'), { code: 0 })
  t.match(await script('new-resource.ts', longest, 'title:string', 'size:integer?'), { code: 0 })
  t.match(await script('new-resource.ts', 'note', 'title:string'), { code: 1 }, 'not twice')
  t.equal(operations(), before + 6, 'openapi.json grew by two paths each')

  t.match(await runTool('@biomejs/biome', ['check', '--error-on-warnings', '.'], options), { code: 0 })
  t.match(await runTool('typescript', ['-p', 'tsconfig.json'], options), { code: 0 })
  t.match(await script('house.ts'), { code: 0 })
  t.match(await script('openapi.ts', '--check'), { code: 0 })
  t.match(await script('schema-docs.ts', '--check'), { code: 0 })
  const general = ['routes', 'mass-assignment', 'preconditions'].map((name) => `test/src/${name}`)
  const own = ['test/routes/notes', 'test/routes/field-reports', 'test/routes/inspection']
  const tests = [...own, ...general, 'test/routes/roles', 'test/db/migrate']
  for (const mode of ['embedded', 'services']) {
    const { code, stdout } = await script('test.ts', '--mode', mode, ...tests)
    t.equal(code, 0, `${mode}: ${stdout}`)
  }

  for (const name of ['note', 'field_report', longest]) {
    t.match(await script('new-resource.ts', name, '--remove'), { code: 0 })
  }
  t.equal(git('status', '--porcelain'), '')
})
