import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { CompiledQuery, sql } from 'kysely'
import type {} from '../auth/index.ts'
import type { TransactionResult } from '../database/index.ts'
import { clientOf } from './client.ts'
import { difference, namesIn } from './difference.ts'
import { MIN_RETENTION_DAYS } from './migration.ts'
import type { AuditEventsTable } from './table.ts'
import type { Audit, AuditEvent, AuditFailure, AuditOrigin } from './types.ts'

export interface AuditOptions {
  /**
   * Keys that serve this purpose alone (derive them, HKDF). With the first one identifiers of no account are hashed: what
   * people type into that field is a password now and then.
   */
  keys: Array<{ kid: string; key: Buffer }>
  /** How long events are kept, at least 30. Default 365. */
  retentionDays?: number
}

declare module '../database/index.ts' {
  interface TransactionResult {
    /** What the event of `config.audit` says besides. Default: of PATCH and PUT, the names of the fields that were sent. */
    details?: Record<string, unknown>
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    audit: Audit
  }
  interface FastifyContextConfig {
    /** The action that a 2xx of this route records, with `request.transaction` or `request.write`: `todo.created`. */
    audit?: string
  }
}

const ACTION = /^[a-z_]{1,40}\.[a-z_]{1,23}$/
const SECRET = /password|secret|token|hash|authorization|cookie|^api_?key$/i

async function audit(app: FastifyInstance, options: AuditOptions): Promise<void> {
  const {
    keys: [first],
    retentionDays = 365
  } = options
  if (!Number.isSafeInteger(retentionDays) || retentionDays < MIN_RETENTION_DAYS) {
    throw new Error(`audit: retentionDays must be an integer ≥ ${MIN_RETENTION_DAYS}`)
  }
  if (first === undefined || first.key.length < 32) throw new Error('audit: keys needs a key of at least 32 bytes')
  const key = createSecretKey(first.key)

  function valuesOf({ request, origin, details, ...event }: AuditEvent): unknown[] {
    if (event.action.endsWith('.failed')) throw new Error(`${event.action}: failures are counted, use recordFailure`)
    const { actor_id = request?.principal?.id ?? null, action, target_type = null, target_id = null } = event
    const { ip, user_agent, request_id } = origin ?? (request ? originOf(request) : nowhere)
    const what = details === undefined ? null : withoutSecrets(details)
    return [action, actor_id, target_type, target_id, ip, user_agent, request_id, what]
  }

  const insertOf = (event: AuditEvent) => CompiledQuery.raw(insertEvent, valuesOf(event))

  app.decorate('audit', {
    async record(trx, event) {
      await trx.executeQuery(insertOf(event))
    },
    difference,
    originOf,
    async recordFailure(db, { action, account, request }) {
      const isKnown = 'id' in account
      const [type, id] = isKnown ? ['user', account.id] : ['identifier', digest(key, account.identifier)]
      await sql`
        select record_audit_failure(${action}, ${type}, ${id}, ${isKnown}, ${clientOf(request.ip)},
          ${request.headers['user-agent']?.slice(0, 512) ?? null}, ${request.id.slice(0, 64)})`.execute(db)
    },
    async prune(db, { limit = 1000 } = {}) {
      const pruned = await sql<{ deleted: number }>`
        select prune_audit_events(${retentionDays}, ${limit}) as deleted`.execute(db)
      return pruned.rows[0]?.deleted ?? 0
    }
  })

  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.audit === undefined || ACTION.test(config.audit)) return
    throw new Error(`Route ${method} ${url}: config.audit should be like 'todo.created', not '${config.audit}'`)
  })
  app.database.participate({
    async commit(trx, request, result) {
      const event = eventOf(request, result.details)
      if (event !== null) app.database.beforeCommit(trx, insertOf({ ...event, target_id: targetOf(request, result) }))
    },
    accompany(request) {
      const event = eventOf(request)
      return event && { sql: insertEventOfWritten, parameters: valuesOf(event) }
    }
  })
}

// As text, not built anew for every change.
const insert = `
  insert into audit_events (action, actor_id, target_type, target_id, ip, user_agent, request_id, details)`
const insertEvent = `${insert} values ($1, $2, $3, $4, $5, $6, $7, $8)`
const insertEventOfWritten = `${insert}
  select $1, $2::uuid, $3, coalesce($4, left(id::text, 128)), $5, $6, $7, $8::jsonb from written`

const nowhere: AuditOrigin = { ip: null, user_agent: null, request_id: null }

/** What a route declares to record; `null`: nothing. */
function eventOf(request: FastifyRequest, details?: Record<string, unknown>): AuditEvent | null {
  const { audit: action } = request.routeOptions.config
  if (action === undefined) return null
  const [target_type = ''] = action.split('.')
  const what = details ?? (/^P(ATCH|UT)$/.test(request.method) ? namesIn(request.body) : undefined)
  return { action, target_type, ...(what && { details: what }), request }
}

function originOf(request: FastifyRequest): AuditOrigin {
  return {
    ip: request.ip.slice(0, 64),
    user_agent: request.headers['user-agent']?.slice(0, 512) ?? null,
    request_id: request.id.slice(0, 64)
  }
}

/** What the request was about: the `id` in the answer's data, else the last parameter of the route. */
function targetOf(request: FastifyRequest, { body }: TransactionResult): string | null {
  const { data } = Object(body)
  const id: unknown = Object(data).id ?? Object.values(Object(request.params)).at(-1)
  return typeof id === 'string' ? id.slice(0, 128) : null
}

/** Alike for every spelling that case and Unicode allow, and useless to who lacks the key. */
function digest(key: KeyObject, identifier: string): string {
  return createHmac('sha256', key).update(identifier.normalize('NFKC').toLowerCase()).digest('base64url').slice(0, 22)
}

function withoutSecrets(details: object): string {
  return JSON.stringify(details, (name, value) => (SECRET.test(name) ? '[redacted]' : value))
}

export const auditPlugin = fp(audit, { name: 'audit', fastify: '5.x', dependencies: ['database'] })
export default auditPlugin
export type { Difference } from './difference.ts'
export * as auditMigration from './migration.ts'
export type { Audit, AuditEvent, AuditEventsTable, AuditFailure, AuditOrigin }
