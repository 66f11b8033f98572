import Fastify from 'fastify'
import pg from 'pg'

// The query of GET /api/v1/users/me and nothing else: no authentication, no validation, no log.
const text = `
  select public_id as id, username, email, name, profile_image_url, is_active, is_verified, created_at, updated_at
  from users where public_id = $1 and deleted_at is null`

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
const app = Fastify()
app.get('/api/v1/users/me', async (request, reply) => {
  const { rows } = await pool.query({ name: 'me', text, values: [request.headers['x-user-id']] })
  return rows[0] ?? reply.code(404).send()
})
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
