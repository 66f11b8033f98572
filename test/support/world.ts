import type { FastifyInstance } from 'fastify'
import { moderatorPermissions, type World } from '../access-matrix.ts'
import { keyOf, type Person, person, roleWith } from './people.ts'

export type Caller = 'owner' | 'other' | 'moderator' | 'admin'

export interface Stage {
  world: World
  people: Record<Caller, Person>
  /** Puts back what a call may have changed: what belongs to the owner, and who called. */
  renew(who: Caller | 'anonymous'): Promise<void>
}

/** Somebody who owns one of everything, and everybody who may want to get at it. */
export async function setStage(app: FastifyInstance): Promise<Stage> {
  const moderator = await roleWith(app, moderatorPermissions)
  const plain = await roleWith(app, ['read:user:me'])
  const roles = { owner: [plain.name], other: [], moderator: [moderator.name], admin: ['admin'] }

  async function own(): Promise<{ owner: Person; world: World }> {
    const owner = await person(app, roles.owner)
    const other_permission = `test:other:${crypto.randomUUID().replace(/[^a-f]/g, 'x')}`
    const todo = await app.db
      .insertInto('todos')
      .values({ owner_id: owner.user_id, title: 'Mine' })
      .returning('public_id')
      .executeTakeFirstOrThrow()
    const task = await app.db
      .insertInto('tasks')
      .values({ owner_id: owner.user_id, message: 'Mine' })
      .returning('public_id')
      .executeTakeFirstOrThrow()
    const post = await app.db
      .insertInto('posts')
      .values({ owner_id: owner.user_id, title: 'Mine', text: 'Read me' })
      .returning('public_id')
      .executeTakeFirstOrThrow()
    const item = await app.db
      .insertInto('items')
      .values({ owner_id: owner.user_id, title: 'Mine', status: 'active' })
      .returning('public_id')
      .executeTakeFirstOrThrow()
    const tier = await app.db
      .insertInto('tiers')
      .values({ name: `t${crypto.randomUUID().slice(0, 8)}` })
      .returning(['id', 'name'])
      .executeTakeFirstOrThrow()
    const rateLimit = await app.db
      .insertInto('tier_rate_limits')
      .values({ tier_id: tier.id, path: '/api/v1/todos', method: 'GET', limit: 1, period: 60 })
      .returning('public_id')
      .executeTakeFirstOrThrow()
    await app.db.insertInto('permissions').values({ code: other_permission }).execute()
    const deleted = await person(app)
    await app.db
      .updateTable('users')
      .set({ deleted_at: new Date().toISOString() })
      .where('id', '=', deleted.user_id)
      .execute()
    const world = {
      user_id: owner.id,
      username: owner.username,
      post_id: post.public_id,
      item_id: item.public_id,
      name: tier.name,
      rate_limit_id: rateLimit.public_id,
      session_id: owner.session_id,
      todo_id: todo.public_id,
      task_id: task.public_id,
      role_id: plain.id,
      permission_id: await permissionId('read:user:me'),
      other_role_id: (await roleWith(app, [])).id,
      other_permission_id: await permissionId(other_permission),
      deleted_user_id: deleted.id,
      key_id: (await keyOf(app, owner, [])).id
    }
    return { owner, world }
  }

  async function permissionId(code: string): Promise<string> {
    const row = await app.db.selectFrom('permissions').select('public_id').where('code', '=', code).executeTakeFirst()
    return row?.public_id ?? ''
  }

  const { owner, world } = await own()
  const [other, moderatorPerson, admin] = [
    await person(app),
    await person(app, roles.moderator),
    await person(app, roles.admin)
  ]
  const stage: Stage = {
    world,
    people: { owner, other, moderator: moderatorPerson, admin },
    async renew(who) {
      const fresh = await own()
      stage.world = fresh.world
      stage.people.owner = fresh.owner
      // Revoking the grant of a shared role is undone for all that follow.
      await app.db
        .insertInto('role_permissions')
        .columns(['role_id', 'permission_id'])
        .expression((eb) =>
          eb
            .selectFrom(['roles', 'permissions'])
            .select(['roles.id', 'permissions.id as permission_id'])
            .where('roles.public_id', '=', plain.id)
            .where('permissions.code', '=', 'read:user:me')
        )
        .onConflict((conflict) => conflict.doNothing())
        .execute()
      if (who !== 'anonymous' && who !== 'owner') stage.people[who] = await person(app, roles[who])
    }
  }
  return stage
}
