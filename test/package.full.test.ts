import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import t from 'tap'

const root = join(import.meta.dirname, '..')

t.test('packed and installed elsewhere, every plugin compiles, loads and runs alone', async (t) => {
  // tap loads itself into every Node.js that a test starts, which the compiler does not bear.
  const command = ['-u', 'NODE_OPTIONS', process.execPath, join(root, 'scripts/package-test.ts')]
  const { status, stdout, stderr } = spawnSync('env', command, { encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
})

t.test('the built service starts, answers and stops', async (t) => {
  const server = spawn(process.execPath, [join(root, 'dist/src/server.js')], {
    cwd: t.testdir(),
    env: { PATH: process.env.PATH, PORT: '0', LOG_FORMAT: 'json' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => server.kill('SIGKILL'))
  const stopped = once(server, 'exit')

  const address = await addressOf(server.stdout)
  const pages = ['/', '/docs', '/redoc/redoc.standalone.js', '/health/ready']
  const answers = await Promise.all(pages.map((path) => fetch(address + path)))
  t.same(
    answers.map(({ status }) => status),
    [200, 200, 200, 200]
  )

  server.kill('SIGTERM')
  t.same(await stopped, [0, null])
})

/** The address in the first line that names one. */
async function addressOf(output: Readable): Promise<string> {
  let seen = ''
  for await (const chunk of output.iterator({ destroyOnReturn: false })) {
    seen += chunk
    const address = /http:\/\/127\.0\.0\.1:\d+/.exec(seen)?.[0]
    if (address === undefined) continue
    output.resume()
    return address
  }
  throw new Error(`The service ended without an address: ${seen}`)
}
