import Fastify from 'fastify'
import pg from 'pg'

// The queries of the two lists, and a response schema; no authentication, no limits, no log.
const columns = 'public_id as id, title, description, status, owner_id, created_at, updated_at'
const first = `select ${columns} from items where status = 'active' order by created_at desc, id desc limit $1`
const next = `select ${columns} from items where status = 'active' and (created_at, id) < ($1, $2)
  order by created_at desc, id desc limit $3`
const search = `select ${columns} from items where status = 'active' and (title ilike $1 or description ilike $1)
  order by created_at desc, id desc limit 11`

const text = { type: 'string' }
const nullable = { type: ['string', 'null'] }
const properties = { id: text, title: text, description: nullable, status: text, created_at: text, updated_at: text }
const list = { type: 'object', properties: { data: { type: 'array', items: { type: 'object', properties } } } }
const schema = { response: { 200: list } }

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
const app = Fastify()
app.get('/api/v1/items', { schema }, async ({ headers }) => {
  const { 'x-after-time': time, 'x-after-id': id } = headers
  const query = time
    ? { name: 'next', text: next, values: [time, id, 11] }
    : { name: 'first', text: first, values: [11] }
  const { rows } = await pool.query(query)
  return { data: rows.slice(0, 10) }
})
app.get<{ Querystring: { q: string } }>('/api/v1/items/search', { schema }, async ({ query }) => {
  const { rows } = await pool.query(search, [`%${query.q}%`])
  return { data: rows.slice(0, 10) }
})
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
