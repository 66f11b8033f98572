import { Type } from '@sinclair/typebox'
import { DateTime, Id, Nullable, StringEnum, text } from '../../../../plugins/validation/schema.ts'

const name = text(50, { pattern: '^[a-z][a-z0-9_-]*$', examples: ['pro'] })

export const Tier = Type.Object(
  { id: Id(), name, created_at: DateTime(), updated_at: DateTime() },
  { $id: 'Tier', description: 'A class of users, with rate limits of its own' }
)

export const TierFields = Type.Object({ name }, { $id: 'TierFields', additionalProperties: false })

export const TierParams = Type.Object({ name: text(50) })

const rule = {
  name: Nullable(
    text(100, { pattern: '^[ -~]+$', description: 'What `RateLimit` calls it; default: method and path' })
  ),
  path: text(200, {
    pattern: '^/[!-~]*$',
    description: 'Template of the route, as in this document',
    examples: ['/api/v1/todos/{todo_id}']
  }),
  method: Nullable(
    StringEnum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], {
      description: '`null`: all methods of the path together, where no rule names the method'
    })
  ),
  limit: Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'Calls that one user may make in a period' }),
  period: Type.Integer({ minimum: 1, maximum: 31_536_000, description: 'Seconds' })
}

export const TierRateLimit = Type.Object(
  { id: Id(), ...rule, created_at: DateTime(), updated_at: DateTime() },
  { $id: 'TierRateLimit', description: 'How often a user of the tier may call a route' }
)

export const TierRateLimitCreate = Type.Object(
  { ...rule, name: Type.Optional(rule.name), method: Type.Optional(rule.method) },
  { $id: 'TierRateLimitCreate', additionalProperties: false }
)

export const TierRateLimitUpdate = Type.Partial(Type.Object(rule), {
  $id: 'TierRateLimitUpdate',
  additionalProperties: false,
  minProperties: 1
})

export const TierRateLimitParams = Type.Object({ ...TierParams.properties, rate_limit_id: Id() })
