import Fastify from 'fastify'
import logging, { serverOptions } from '../../../plugins/logging/index.ts'

// A service that logs to its standard output; a test decides what that is.
const app = Fastify(serverOptions({ format: 'json' }))
await app.register(logging)

app.get('/', async () => ({}))
app.get<{ Querystring: { lines: number } }>('/flood', async (request) => {
  for (let n = 0; n < request.query.lines; n++) {
    request.log.info({ filler: 'x'.repeat(1000) }, 'flood')
    if (n % 500 === 0) await new Promise(setImmediate)
  }
  return String(process.memoryUsage.rss())
})
app.get('/crash', async (request) => {
  request.log.fatal('last words')
  process.exit(3)
})

process.once('SIGTERM', () => void app.close().then(() => process.exit(0)))
await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.(app.listeningOrigin)
