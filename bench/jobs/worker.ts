import Fastify from 'fastify'
import database from '../../plugins/database/index.ts'
import jobs from '../../plugins/jobs/index.ts'
import { kinds } from './kinds.ts'

// A worker with the service's settings and log, and jobs that cost nothing themselves.
const url = process.env.DATABASE_URL ?? ''
const app = Fastify({ logger: true })
await app.register(database, { url })
await app.register(jobs, { jobs: kinds, work: true, connection: { url }, stopTimeoutMs: 1000 })
await app.ready()
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)))
process.send?.('ready')
