import type { FastifyInstance, InjectOptions } from 'fastify'
import { signUp } from './app.ts'

type Method = NonNullable<InjectOptions['method']>

/** Somebody who calls the API: `as.post('/roles', {…})`. */
export type Person = Awaited<ReturnType<typeof signUp>> & { as: ReturnType<typeof caller> }

/** `inject` with the credentials of one caller, below `/api/v1`. */
export function caller(app: FastifyInstance, headers: Record<string, string>) {
  const send = (method: Method) => (path: string, payload?: object) =>
    app.inject({ method, url: `/api/v1${path}`, headers, ...(payload && { payload }) })
  return { get: send('GET'), post: send('POST'), patch: send('PATCH'), delete: send('DELETE') }
}

/** A registered and signed-in person, with further roles by name. */
export async function person(app: FastifyInstance, roles: string[] = []): Promise<Person> {
  const user = await signUp(app)
  for (const name of roles) await assign(app, user.id, name)
  return { ...user, as: caller(app, user.headers) }
}

/** An administrator, as the environment or the command line makes the first one. */
export const administrator = (app: FastifyInstance) => person(app, ['admin'])

/** A role that grants these permissions, made behind the API's back. */
export async function roleWith(app: FastifyInstance, codes: string[], name = `r${crypto.randomUUID().slice(0, 8)}`) {
  const role = await app.db
    .insertInto('roles')
    .values({ name, description: null })
    .returningAll()
    .executeTakeFirstOrThrow()
  for (const code of codes) {
    const { id } = await app.db
      .selectFrom('permissions')
      .select('id')
      .where('code', '=', code)
      .executeTakeFirstOrThrow()
    await app.db.insertInto('role_permissions').values({ role_id: role.id, permission_id: id }).execute()
  }
  return { id: role.public_id, name }
}

async function assign(app: FastifyInstance, id: string, role: string): Promise<void> {
  const user = await app.db.selectFrom('users').select('id').where('public_id', '=', id).executeTakeFirstOrThrow()
  const { id: role_id } = await app.db
    .selectFrom('roles')
    .select('id')
    .where('name', '=', role)
    .executeTakeFirstOrThrow()
  await app.db.insertInto('user_roles').values({ user_id: user.id, role_id }).execute()
}
