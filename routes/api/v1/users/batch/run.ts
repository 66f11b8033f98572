import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { sql, type Transaction } from 'kysely'
import type { Database } from '../../../../../db/types.ts'
import { success } from '../../../../../plugins/envelope/schema.ts'
import type { BatchResult } from './schema.ts'

type Result = Static<typeof BatchResult>
type Work = (trx: Transaction<Database>) => Promise<{ id: string; code: number }>

/** One item: what to do in the transaction, or why nothing is done. */
export type Step = Work | Omit<Result, 'index'>

/**
 * Runs the steps in one transaction, each up to a savepoint: what one is refused for undoes that one alone. A fault of ours
 * or of the database undoes all.
 */
export async function runBatch(request: FastifyRequest, message: string, steps: Step[]) {
  const { body } = await request.transaction(async (trx) => {
    const results: Result[] = []
    for (const [index, step] of steps.entries()) {
      results.push({ index, ...(typeof step === 'function' ? await attempt(trx, step) : step) })
    }
    return { status: 200, body: success(message, results) }
  })
  return body
}

async function attempt(trx: Transaction<Database>, work: Work): Promise<Omit<Result, 'index'>> {
  await sql`savepoint item`.execute(trx)
  try {
    const done = await work(trx)
    await sql`release savepoint item`.execute(trx)
    return done
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    await sql`rollback to savepoint item`.execute(trx)
    return { id: null, ...refusal }
  }
}

export const repeated = (field: string): Step => ({
  id: null,
  code: 409,
  error_code: 'REPEATED_IN_BATCH',
  message: 'An item before has the same',
  field
})

/** Whether no item before had this id, however it is spelt. */
export function firstOfEach() {
  const seen = new Set<string>()
  return (spelling: string) => {
    const id = spelling.toLowerCase()
    if (seen.has(id)) return false
    seen.add(id)
    return true
  }
}

/** What was thrown for the caller; anything else is no matter of one item. */
export function refusalOf(error: unknown) {
  const { code, statusCode, message, errors, constraint, details } = Object(error)
  if (code === '23505') {
    const field = constraint === 'users_email_key' ? 'email' : 'username'
    return { code: 409, error_code: 'DUPLICATE', message: 'Such a user already exists', field }
  }
  if (!(statusCode >= 400 && statusCode < 500)) return undefined
  const [first] = errors ?? []
  return {
    code: Number(statusCode),
    error_code: String(code),
    message: String(first?.message ?? message),
    field: first?.field,
    missing: details?.missing
  }
}
