import { sql } from 'kysely'
import t from 'tap'
import { callers, matrix } from '../access-matrix.ts'
import { startApp } from '../support/app.ts'
import { setStage } from '../support/world.ts'

const app = await startApp(t, {})
const absent = '00000000-0000-4000-8000-000000000000'
const past = '2020-01-01T00:00:00Z'

/** What decides about identity, rights, ownership, life and versions, each with a value of its kind. */
const privileged: Record<string, unknown> = {
  ...{ id: absent, public_id: absent, user_id: absent, owner_id: absent, actor_id: absent, session_id: absent },
  ...{
    is_admin: true,
    is_superuser: true,
    is_active: true,
    is_verified: true,
    email_verified: true,
    is_protected: false
  },
  ...{ role: 'admin', roles: ['admin'], role_id: absent, permissions: ['read:user:all'], scopes: ['read:user:all'] },
  ...{ tier: 'pro', tier_id: 1, status: 'active', state: 'completed', completed_at: past },
  ...{ password: 'Correct-horse-1', password_hash: 'x', secret_hash: 'x', previous_hash: 'x', previous_until: past },
  ...{ expires_at: past, revoked_at: null, last_used_at: past, deleted_at: null, created_at: past, updated_at: past },
  ...{ row_version: 9, token_version: 9 }
}

type Schema = { $ref?: string; properties?: Record<string, Schema>; items?: Schema }

const document = app.docs.document()

/** The fields that a schema of the document has, its own or those of the component that it names. */
function fieldsOf(schema: Schema | undefined): Record<string, Schema> {
  const name = schema?.$ref?.split('/').at(-1)
  const schemas = document.components.schemas as Record<string, Schema>
  return (name === undefined ? schema : schemas[name])?.properties ?? {}
}

interface Attempt {
  method: 'POST' | 'PATCH' | 'PUT'
  path: string
  field: string
  /** Where the field goes: into the body, or into the items of one of its lists. */
  list: string | null
}

/** Every write of the service with every field that its document does not offer. */
function* attempts(): Generator<Attempt> {
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [verb, operation] of Object.entries(operations as Record<string, { requestBody?: object }>)) {
      const method = verb.toUpperCase()
      if (method !== 'POST' && method !== 'PATCH' && method !== 'PUT') continue
      const content = Object(operation.requestBody).content as Record<string, { schema: Schema }> | undefined
      const fields = fieldsOf(content?.['application/json']?.schema)
      for (const field of Object.keys(privileged)) {
        if (!(field in fields)) yield { method, path, field, list: null }
        for (const [list, { items }] of Object.entries(fields)) {
          if (items && Object.keys(fieldsOf(items)).length > 0 && !(field in fieldsOf(items)))
            yield { method, path, field, list }
        }
      }
    }
  }
}

t.test(
  'Z05 Z08 a privileged field in any body is refused, from everybody, and changes no row of any table',
  async (t) => {
    const { world, people } = await setStage(app)
    const rows = new Map(Object.entries(matrix).map(([name, row]) => [name.replace(/\{(other|deleted)_/, '{'), row]))
    const before = await everyRow()
    const accepted: string[] = []
    const tried = new Set<string>()

    for (const { method, path, field, list } of attempts()) {
      const { verdicts = [], body } = rows.get(`${method} ${path}`) ?? {}
      const wanted: Record<string, unknown> = { ...body?.(world) }
      const intruder = { [field]: privileged[field] }
      const [item] = [wanted[list ?? '']].flat()
      const payload =
        list === null ? { ...wanted, ...intruder } : { ...wanted, [list]: [{ ...Object(item), ...intruder }] }
      const url = path.replaceAll(/\{(\w+)\}/g, (_, id) => String(world[id as keyof typeof world]))
      for (const who of ['anonymous', 'owner', 'moderator', 'admin'] as const) {
        const verdict = verdicts[callers.indexOf(who)]
        // Who is kept out anyway needs no field for it; that they are is what the matrix shows.
        const isKeptOut = (verdict === 401 && verdicts[1] !== 401) || (verdict === 403 && verdicts[1] === 403)
        if (isKeptOut) continue
        const headers = who === 'anonymous' ? {} : people[who].headers
        const { statusCode, body } = await app.inject({ method, url, headers, payload })
        tried.add(`${method} ${path}`)
        const names = (statusCode === 422 ? JSON.parse(body).errors : []).map((error: { field: string }) => error.field)
        const isNamed = names.some((name: string) => name.split('.').at(-1) === field)
        if (statusCode !== 415 && !isNamed)
          accepted.push(`${who}: ${method} ${path} ${JSON.stringify(payload)} ${body}`)
      }
    }

    t.same(accepted.slice(0, 10), [])
    const writes = [...rows.keys()].filter((name) => /^(POST|PATCH|PUT) /.test(name))
    t.same([...tried].sort(), writes.sort(), 'every write of the inventory was tried')
    t.same(await everyRow(), before)
  }
)

/** All that is stored, by table; the feed of changes drops what is old by itself. */
async function everyRow(): Promise<Record<string, unknown[]>> {
  const { rows: tables } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = current_schema() and table_type = 'BASE TABLE' and table_name <> 'changes'
    order by 1`.execute(app.db)
  const all: Record<string, unknown[]> = {}
  for (const { name } of tables) {
    const { rows } = await sql<{ row: string }>`
      select t::text as row from ${sql.table(name)} as t order by 1`.execute(app.db)
    all[name] = rows.map(({ row }) => row)
  }
  return all
}
