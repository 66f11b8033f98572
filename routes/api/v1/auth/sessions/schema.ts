import { Type } from '@sinclair/typebox'
import { DateTime, Id, Nullable, text } from '../../../../../plugins/validation/schema.ts'

export const Session = Type.Object(
  {
    id: Id(),
    current: Type.Boolean({ description: 'Whether this request belongs to it' }),
    user_agent: Nullable(text(512, { description: 'As of its last use, like the address' })),
    ip: Nullable(text(64)),
    created_at: DateTime({ description: 'When it was opened by signing in' }),
    last_used_at: DateTime({ description: 'When its refresh token was last used' }),
    expires_at: DateTime({ description: 'When it ends unless it is used before' })
  },
  { $id: 'Session', description: 'A live session of the caller' }
)

export const SessionParams = Type.Object({ session_id: Id() })
