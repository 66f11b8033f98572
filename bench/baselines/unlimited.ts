import Fastify from 'fastify'
import { trustProxy } from '../../src/trust-proxy.ts'

// `limited.ts` without the limiter.
const app = Fastify({ trustProxy: trustProxy(['loopback']) })
app.get('/', async ({ ip }) => ({ hello: ip }))
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
