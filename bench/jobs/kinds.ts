import { Type } from '@sinclair/typebox'
import { sql } from 'kysely'
import type { Job } from '../../plugins/jobs/index.ts'

declare module '../../plugins/jobs/index.ts' {
  interface JobPayloads {
    'bench.start': { n: number }
    'bench.small': { n: number }
    'bench.effect': { n: number }
    'bench.batch': { n: number }
  }
}

const payload = Type.Object({ n: Type.Integer() }, { additionalProperties: false })

const start: Job<'bench.start'> = {
  name: 'bench.start',
  payload,
  run: async ({ payload: { n } }) => void process.send?.({ n, at: Date.now() })
}

const small: Job<'bench.small'> = { name: 'bench.small', payload, concurrency: 25, run: async () => {} }

const effect: Job<'bench.effect'> = {
  name: 'bench.effect',
  payload,
  concurrency: 10,
  run: ({ payload: { n }, complete }) =>
    complete(async (trx) => void (await sql`insert into bench_effects (n) values (${n})`.execute(trx))).then(() => {})
}

const batch: Job<'bench.batch'> = { name: 'bench.batch', payload, concurrency: 2000, run: async () => {} }

/** What the benchmark enqueues: each tells when it starts, does nothing, writes a row, or is one of many. */
export const kinds: Job[] = [start, small, effect, batch]
