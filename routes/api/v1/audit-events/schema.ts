import { Type } from '@sinclair/typebox'
import { CursorQuery } from '../../../../plugins/envelope/schema.ts'
import { DateTime, Id, Nullable, text } from '../../../../plugins/validation/schema.ts'

export const AuditEvent = Type.Object(
  {
    id: Id(),
    action: text(64, { examples: ['sign_in.succeeded'] }),
    actor_id: Nullable(Id({ description: 'The account whose credentials were used' })),
    target_type: Nullable(text(64)),
    target_id: Nullable(text(128)),
    ip: Nullable(text(64)),
    user_agent: Nullable(text(512)),
    request_id: Nullable(text(64)),
    details: Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'], additionalProperties: true }),
    count: Type.Integer({ minimum: 1, description: 'Failures are one row per client, account and minute' }),
    created_at: DateTime()
  },
  { $id: 'AuditEvent', description: 'Something that happened, as it was recorded' }
)

export const AuditEventQuery = Type.Object(
  {
    ...CursorQuery.properties,
    action: Type.Optional(text(64, { minLength: 1 })),
    actor_id: Type.Optional(Id()),
    target_type: Type.Optional(text(64, { minLength: 1 })),
    target_id: Type.Optional(text(128, { minLength: 1 })),
    from: Type.Optional(DateTime({ description: 'Not before' })),
    to: Type.Optional(DateTime({ description: 'Before' }))
  },
  { additionalProperties: false }
)
