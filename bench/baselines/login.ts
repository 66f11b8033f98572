import { hash, verify } from 'argon2'
import Fastify from 'fastify'

// Nothing but the hash that every sign-in costs, with the parameters of the service.
const password = 'Correct-horse-1'
const stored = await hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })

const app = Fastify()
app.get('/', async () => ({ hello: 'world' }))
app.post('/api/v1/auth/login', async () => ({ valid: await verify(stored, password) }))
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
