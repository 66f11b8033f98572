import type { FastifyInstance } from 'fastify'
import type { Person } from '../support/people.ts'

/** What an administrator does with roles and permissions. */
export function roleCalls(app: FastifyInstance, { as }: Person) {
  /** The id of a permission. */
  const idOf = async (code: string) =>
    (await app.db.selectFrom('permissions').select('public_id').where('code', '=', code).executeTakeFirstOrThrow())
      .public_id
  const create = async (name: string, fields: object = {}) =>
    (await as.post('/roles', { name, ...fields })).json().data.id as string
  const grant = async (role: string, code: string) =>
    as.post(`/roles/${role}/permissions`, { permission_id: await idOf(code) })
  return { idOf, create, grant }
}
