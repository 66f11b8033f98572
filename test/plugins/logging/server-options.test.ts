import { once } from 'node:events'
import Fastify from 'fastify'
import t from 'tap'
import logging, { createLogger, serverOptions } from '../../../plugins/logging/index.ts'

t.test('registered without serverOptions, the plugin logs one warning that names what is missing', async (t) => {
  const lines: string[] = []
  const app = Fastify({ logger: { stream: { write: (line) => lines.push(line) } } })
  t.teardown(() => app.close())

  await app.register(logging)

  t.equal(lines.length, 1)
  t.match(JSON.parse(lines[0] ?? ''), { level: 40, msg: /loggerInstance, logController, genReqId, requestIdHeader/ })
})

t.test('without any logger the warning is one of the process', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const warned = once(process, 'warning')

  await app.register(logging)

  const [warning] = await warned
  t.match(warning.message, /loggerInstance/)
})

t.test('a host that brings its own ids is told just that', async (t) => {
  const lines: string[] = []
  const destination = { write: (line: string) => lines.push(line) }
  const app = Fastify({ ...serverOptions({ destination }), genReqId: () => 'mine' })
  t.teardown(() => app.close())

  await app.register(logging)

  t.match(JSON.parse(lines[0] ?? '').msg, /^logging: genReqId, requestIdHeader missing/)
})

t.test('with serverOptions nothing is said', async (t) => {
  const lines: string[] = []
  const app = Fastify(serverOptions({ destination: { write: (line) => lines.push(line) } }))
  t.teardown(() => app.close())

  await app.register(logging)

  t.same(lines, [])
})

t.test('server and worker parts share one logger when serverOptions is given it', async (t) => {
  const lines: string[] = []
  const log = createLogger({ destination: { write: (line) => lines.push(line) } })
  const app = Fastify(serverOptions(log))
  t.teardown(() => app.close())
  await app.register(logging)

  app.log.info('from the server')
  log.logger.child({ module: 'worker' }).info('from the worker')

  t.match(
    lines.map((line) => JSON.parse(line)),
    [{ msg: 'from the server' }, { module: 'worker' }]
  )
  t.equal(log.dropped(), 0)
})

t.test('closing the app flushes what its hooks logged last', async (t) => {
  const calls: string[] = []
  const log = createLogger({ destination: { write: (line) => calls.push(JSON.parse(line).msg) } })
  const app = Fastify(serverOptions({ ...log, flush: async () => void calls.push('flush') }))
  await app.register(logging)
  app.addHook('onClose', async () => app.log.info('pool closed'))
  await app.ready()

  await app.close()

  t.same(calls, ['pool closed', 'flush'])
})
