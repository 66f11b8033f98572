import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

const preflight = pathToFileURL(join(import.meta.dirname, '../../scripts/preflight.js')).href

function start(...flags: string[]) {
  const args = [...flags, '--import', preflight, '--eval', 'console.log("started")']
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

t.test('a Node.js that runs TypeScript goes on without a word', async (t) => {
  const { status, stdout, stderr } = start()
  t.same({ status, stdout, stderr }, { status: 0, stdout: 'started\n', stderr: '' })
})

t.test('any other is told in one line what to install', async (t) => {
  const { status, stdout, stderr } = start('--no-strip-types')
  t.equal(status, 1)
  t.equal(stdout, '')
  t.match(stderr, /^Plinth [^\n]+ Node\.js 22\.18 or newer[^\n]+this is Node\.js \d+\.\d+\.\d+\.\n$/)
})
