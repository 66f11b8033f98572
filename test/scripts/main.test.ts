import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

const main = pathToFileURL(join(import.meta.dirname, '../../scripts/main.ts')).href

t.test('a script ends with the code of what happened', async (t) => {
  const file = join(t.testdir(), 'script.ts')
  const run = (body: string) => {
    writeFileSync(file, `import { main, UsageError } from '${main}'\nawait main('Usage: x', async () => { ${body} })`)
    const { status, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' })
    return { status, stderr }
  }
  t.same(run('return 0'), { status: 0, stderr: '' })
  t.same(run('return 3'), { status: 3, stderr: '' })
  t.same(run("throw new Error('No luck')"), { status: 1, stderr: 'No luck\n' })
  t.same(
    run("throw Object.assign(new Error('Unavailable', { cause: new Error('connection lost') }), { code: 'DOWN' })"),
    { status: 1, stderr: 'Unavailable: connection lost\n' },
    'an error constant tells its cause'
  )
  t.same(run("throw new UsageError('Which one?')"), { status: 2, stderr: 'Which one?\n\nUsage: x\n' })
  t.match(run('null.length'), { status: 1, stderr: /TypeError: .*\n +at / }, 'a fault of ours keeps its stack')
})
