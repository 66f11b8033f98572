import type { Kysely } from 'kysely'
import { type CursorRequest, cursorList } from '../../../../db/cursor-list.ts'
import type { Cursors } from '../../../../db/cursors.ts'
import type { Database } from '../../../../db/types.ts'

const conditions = {
  action: ['action', '='],
  actor_id: ['actor_id', '='],
  target_type: ['target_type', '='],
  target_id: ['target_id', '='],
  from: ['created_at', '>='],
  to: ['created_at', '<']
} as const

type Filter = keyof typeof conditions
const filters = Object.keys(conditions) as Filter[] // the keys that were written there

const columns = [
  'public_id as id',
  ...(['action', 'actor_id', 'target_type', 'target_id', 'ip', 'user_agent'] as const),
  ...(['request_id', 'details', 'count', 'created_at'] as const)
] as const

/** A query of its own for each set of filters, so that each finds its index. */
const createList = (present: Filter[]) =>
  cursorList(
    `audit-events:${present}`,
    (db: Kysely<Database>, values: Record<string, string>) => {
      let query = db.selectFrom('audit_events').select(columns)
      for (const filter of present) {
        const [column, operator] = conditions[filter]
        query = query.where(column, operator, values[filter] ?? '')
      }
      return query
    },
    [['audit_events.id', 'desc']]
  )
const lists = new Map<string, ReturnType<typeof createList>>()

/** The events that match all given filters, the newest first. */
export function listAuditEvents(
  db: Kysely<Database>,
  cursors: Cursors,
  { cursor, limit, ...query }: CursorRequest & { [F in Filter]?: string }
) {
  const present = filters.filter((filter) => query[filter] !== undefined)
  const list = lists.get(`${present}`) ?? createList(present)
  lists.set(`${present}`, list)
  const values = Object.fromEntries(present.map((filter) => [filter, query[filter] ?? '']))
  return list(db, cursors, values, { limit, ...(cursor !== undefined && { cursor }) })
}
