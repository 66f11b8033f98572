import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'
import pg from 'pg'
import t, { type Test } from 'tap'
import { isConnectionLost } from '../../../plugins/database/connection-errors.ts'
import { createDeadline } from '../../../plugins/database/deadline.ts'
import { ask } from '../../../plugins/database/named-query.ts'
import { adminUrl } from '../../support/database.ts'

/** The database behind a proxy that can say goodbye to a client and go on listening to it. */
async function connect(t: Test) {
  const url = new URL(adminUrl)
  const place = { port: Number(url.port || 5432), host: url.hostname }
  const sockets: Socket[] = []
  const proxy = createServer({ allowHalfOpen: true }, (socket) => {
    const server = dial(place)
    sockets.push(socket, server)
    for (const each of [socket, server]) each.on('error', () => {})
    socket.pipe(server, { end: false })
    server.pipe(socket, { end: false })
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address() as { port: number }
  url.host = `127.0.0.1:${address.port}`
  const client = new pg.Client({ connectionString: url.href })
  client.on('error', () => {})
  await client.connect()
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  return { client, sayGoodbye: () => sockets[0]?.end() }
}

const inTime = createDeadline(5000)
const query = { name: 'answer', text: 'select $1::int as n, $2::text as text', values: [42, null] }

t.test('a statement is described at its first run, and not again', async (t) => {
  const { client } = await connect(t)
  let descriptions = 0
  client.connection.on('rowDescription', () => descriptions++)
  for (let run = 0; run < 3; run++) t.same((await ask(client, query, inTime)).rows, [{ n: 42, text: null }])
  t.equal(descriptions, 1)
  await t.rejects(ask(client, { ...query, values: ['x', ''] }, inTime), { code: '22P02' })
  t.same((await ask(client, { ...query, values: [7, 'a'] }, inTime)).rows, [{ n: 7, text: 'a' }])
})

t.test('a value that cannot be sent fails alone, and the statement is good for others', async (t) => {
  const { client } = await connect(t)
  const circular: { self?: object } = {}
  circular.self = circular
  await ask(client, query, inTime)
  await t.rejects(ask(client, { ...query, values: [1, circular] }, inTime), /circular/)
  await t.rejects(ask(client, query, inTime), { code: '26000' }, 'node-postgres has closed it: it gets a new name then')
  t.same((await ask(client, { ...query, name: 'renamed' }, inTime)).rows, [{ n: 42, text: null }])
})

t.test('a server that has said goodbye is a lost connection', async (t) => {
  const { client, sayGoodbye } = await connect(t)
  await ask(client, query, inTime)
  // The socket is no longer writable then, and not yet closed.
  const answer = once(client.connection.stream, 'end').then(() => ask(client, query, inTime))
  sayGoodbye()
  const error = await answer.then(
    () => undefined,
    (error: Error) => error
  )
  t.match(error, { message: /^Connection terminated/ })
  t.ok(error && isConnectionLost(error))
})

t.test('what the system calls its errors is no SQLSTATE', async (t) => {
  t.ok(isConnectionLost(Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' })))
  t.notOk(isConnectionLost(Object.assign(new Error('no'), { code: '23505' })))
  t.ok(isConnectionLost(Object.assign(new Error('ended'), { code: '57P01' })))
})
