import Fastify from 'fastify'
import pg from 'pg'

// One INSERT that returns the row: no authentication, no validation, no transaction, nobody records anything.
const text = `
  insert into todos (owner_id, title) select id, $2 from users where public_id = $1
  returning public_id as id, title, description, completed, created_at, updated_at`

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
const app = Fastify()
app.post<{ Body: { title: string } }>('/api/v1/todos', async ({ headers, body }, reply) => {
  const { rows } = await pool.query({ name: 'create', text, values: [headers['x-user-id'], body.title] })
  return reply.code(201).send(rows[0])
})
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
