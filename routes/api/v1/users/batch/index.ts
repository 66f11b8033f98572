import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Static } from '@sinclair/typebox'
import { keepingAnAdmin, type SignInRules } from '../../../../../db/rights.ts'
import type { DefaultRoleOptions } from '../../../../../db/roles.ts'
import type { DefaultTierOptions } from '../../../../../db/tiers.ts'
import { insertUser } from '../../../../../db/users.ts'
import { invalid } from '../../../../../plugins/envelope/errors.ts'
import { askToVerify, changeAccount, lockSubordinate, normalizeNames, shownFields, targetOf } from '../account.ts'
import type { UserCreate } from '../schema.ts'
import { firstOfEach, refusalOf, repeated, runBatch, type Step } from './run.ts'
import { BatchResults, UserBatchCreate, UserBatchUpdate } from './schema.ts'

const batch: FastifyPluginAsyncTypebox<DefaultRoleOptions & DefaultTierOptions & SignInRules> = async (
  app,
  { defaultRole, defaultTier, requireVerifiedEmail }
) => {
  app.post(
    '',
    {
      config: { auth: { permission: 'create:user:all' } },
      schema: {
        operationId: 'createUsers',
        tags: ['users'],
        summary: 'Create up to 100 users',
        description: 'Each item succeeds or fails for itself. One that repeats a name of an item before it is flagged.',
        body: UserBatchCreate,
        response: { 200: BatchResults }
      }
    },
    async (request) => {
      const seen = { email: new Set<string>(), username: new Set<string>() }
      const steps: Step[] = []
      // One password after the other: a batch takes one of the slots for hashing, and leaves the others to people.
      for (const item of request.body.users) steps.push(await prepare(item, seen))
      return runBatch(request, 'Users created', steps)

      async function prepare(item: Static<typeof UserCreate>, names: typeof seen): Promise<Step> {
        try {
          const { password, ...fields } = normalizeNames(item)
          for (const name of ['email', 'username'] as const) {
            if (names[name].has(fields[name])) return repeated(name)
          }
          for (const name of ['email', 'username'] as const) names[name].add(fields[name])
          const problem = app.passwords.problem(password, fields)
          if (problem) throw invalid('password', problem)
          const password_hash = await app.passwords.hash(password)
          return async (trx) => {
            const user = await insertUser(trx, { ...fields, password_hash }, defaultRole, defaultTier)
            const { id } = user
            await askToVerify(app, trx, request, user)
            const details = app.audit.difference({}, fields, shownFields)
            await app.audit.record(trx, { action: 'user.created', ...targetOf(id), details, request })
            return { id, code: 201 }
          }
        } catch (error) {
          const refusal = refusalOf(error)
          if (refusal === undefined) throw error
          return { id: null, ...refusal }
        }
      }
    }
  )

  app.patch(
    '',
    {
      config: { auth: { permission: 'update:user:all' } },
      schema: {
        operationId: 'updateUsers',
        tags: ['users'],
        summary: 'Change up to 100 users',
        description: 'Each item succeeds or fails for itself, as it would have alone.',
        body: UserBatchUpdate,
        response: { 200: BatchResults }
      }
    },
    async (request) => {
      const isFirst = firstOfEach()
      const steps = request.body.users.map(({ id, ...fields }): Step => {
        if (!isFirst(id)) return repeated('id')
        return (trx) =>
          keepingAnAdmin(trx, { requireVerifiedEmail }, async () => {
            const before = await lockSubordinate(trx, request, id)
            await changeAccount(app, trx, request, before, normalizeNames(fields))
            return { id, code: 200 }
          })
      })
      return runBatch(request, 'Users updated', steps)
    }
  )
}

export default batch
