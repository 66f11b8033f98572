import { setTimeout as delay } from 'node:timers/promises'
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import { sql } from 'kysely'
import database from '../../../plugins/database/index.ts'
import jobs, { type Job } from '../../../plugins/jobs/index.ts'

const Payload = Type.Object({ seconds: Type.Integer() }, { additionalProperties: false })

declare module '../../../plugins/jobs/index.ts' {
  interface JobPayloads {
    'test.long': { seconds: number }
  }
}

/** Takes as long as it is told, writes into the table `ledger`, and does not care about its signal. */
export const long: Job<'test.long'> = {
  name: 'test.long',
  payload: Payload,
  async run({ id, attempt, payload, complete }) {
    process.send?.({ id, attempt })
    await delay(payload.seconds * 1000)
    await complete(
      async (trx) => void (await sql`insert into ledger (job_id, n) values (${id}, ${attempt})`.execute(trx))
    )
  }
}

// A worker as a process of its own, when it is run and not imported.
const [, program, url = '', stopTimeoutMs] = process.argv
if (program === import.meta.filename) {
  const app = Fastify()
  await app.register(database, { url })
  await app.register(jobs, { jobs: [long], work: true, connection: { url }, stopTimeoutMs: Number(stopTimeoutMs) })
  await app.ready()
  process.once('SIGTERM', () => void app.close().then(() => process.exit(0)))
}
