import { Type } from '@sinclair/typebox'
import { DateTime, Id, text } from '../../../../../../plugins/validation/schema.ts'

/** The same component as that of the tiers' own routes. */
export const UserTier = Type.Object(
  { id: Id(), name: text(50), created_at: DateTime(), updated_at: DateTime() },
  { $id: 'UserTier', description: 'The tier that a user has' }
)

export const TierAssignment = Type.Object(
  { tier: text(50, { description: 'Name of the tier', examples: ['pro'] }) },
  { $id: 'TierAssignment', additionalProperties: false }
)
