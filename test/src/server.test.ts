import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import PostalMime, { type Email } from 'postal-mime'
import t from 'tap'
import { mode } from '../support/mode.ts'
import { type Server, services, startServer } from '../support/server.ts'

/** One life of the service after the other, on the same data. The first begins in an empty folder: a genuine first start. */
const env = {
  ...(await services(t)),
  // Slow enough for a request to be found in flight.
  ARGON2_MEMORY_KIB: '65536',
  ARGON2_TIME_COST: '3'
}
let server = await startServer(t, env)
const startAgain = () => startServer(t, env, server.folder)

const account = { email: 'story@example.com', username: 'story', password: 'Correct-horse-1' }
let bearer = {}
let olderBearer = {}

async function call(path: string, init: RequestInit = {}) {
  const response = await fetch(`${server.url}/api/v1${path}`, init)
  const body = await response.text()
  return { status: response.status, body: body === '' ? null : JSON.parse(body) }
}

const post = (path: string, body: object, headers = {}) =>
  call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body)
  })

t.test('the whole story works on a fresh machine', async (t) => {
  t.equal((await post('/auth/register', account)).status, 201)
  const login = await post('/auth/login', { identifier: 'story', password: account.password, delivery: 'body' })
  olderBearer = { authorization: `Bearer ${login.body.data.access_token}` }
  t.equal((await post('/todos', { title: 'Survive' }, olderBearer)).status, 201)
  const refreshed = await post('/auth/refresh', { refresh_token: login.body.data.refresh_token })
  t.equal(refreshed.status, 200)
  bearer = { authorization: `Bearer ${refreshed.body.data.access_token}` }
  if (mode === 'services') return
  t.equal((await stat(join(server.folder, '.data/database'))).mode & 0o777, 0o700, 'made for its user alone')
  const mail = await firstMail(join(server.folder, '.data/mail'))
  t.equal(mail.to?.[0]?.address, account.email, 'what it mails lies in a file')
  t.ok(mail.text?.includes(`${server.url}/verify-email#token=`))
})

t.test('SIGTERM lets a request in flight finish on its kept connection, then exits with 0 at once', async (t) => {
  const inFlight = post('/auth/register', { ...account, email: 'late@example.com', username: 'late' })
  while (!(await isBusy(server)));

  const stoppedAt = performance.now()
  server.child.kill('SIGTERM')

  t.equal((await inFlight).status, 201)
  t.equal(await server.exited, 0, server.output())
  t.ok(performance.now() - stoppedAt < 8000, 'long before the grace of 20 s ends')
})

t.test('a restart finds everything', async (t) => {
  server = await startAgain()

  t.match((await call('/todos', { headers: bearer })).body.data, [{ title: 'Survive' }])
  const login = await post('/auth/login', { identifier: 'late', password: account.password })
  t.equal(login.status, 200, 'also what was registered while it stopped')
})

t.test('a killed server has kept every todo that it acknowledged', async (t) => {
  const acknowledged: string[] = []
  const writing = (async () => {
    for (let i = 0; ; i++) {
      const answer = await post('/todos', { title: `Todo ${i}` }, bearer)
      if (answer.status === 201) acknowledged.push(`Todo ${i}`)
      if (acknowledged.length === 30) server.child.kill('SIGKILL')
    }
  })().catch(() => undefined)
  await Promise.all([writing, server.exited])

  server = await startAgain()

  const list = await call('/todos?items_per_page=100', { headers: bearer })
  const titles = new Set(list.body.data.map(({ title }: { title: string }) => title))
  t.ok(acknowledged.length >= 30)
  t.same(
    acknowledged.filter((title) => !titles.has(title)),
    []
  )
})

t.test('signing out ends every access token of the session', async (t) => {
  t.equal((await call('/auth/logout', { method: 'POST', headers: bearer })).status, 204)
  t.equal((await call('/todos', { headers: bearer })).status, 401)
  t.equal((await call('/todos', { headers: olderBearer })).status, 401)
})

async function firstMail(folder: string): Promise<Email> {
  for (;;) {
    const [name] = await readdir(folder).catch(() => [])
    if (name?.endsWith('.eml')) return PostalMime.parse(await readFile(join(folder, name)))
  }
}

/** Whether a request besides the one that asks is being handled. */
async function isBusy({ url }: Server): Promise<boolean> {
  const figures = await (await fetch(`${url}/metrics`)).text()
  return Number(/^http_requests_in_flight (\d+)$/m.exec(figures)?.[1]) > 1
}
