import { type Static, Type } from '@sinclair/typebox'

/** How a quota stands, as `app.limits` tells it. */
export const QuotaStatus = Type.Object(
  {
    policy: Type.String({ description: 'Its name in `RateLimit-Policy`', examples: ['todo_write'] }),
    limit: Type.Integer({ minimum: 1, description: 'Calls in a period' }),
    period: Type.Integer({ minimum: 1, description: 'Seconds' }),
    remaining: Type.Integer({ minimum: 0, description: 'Calls that are left' }),
    reset: Type.Integer({
      minimum: 0,
      description: 'Seconds until some of what is used is free again; 0 when nothing is used'
    })
  },
  { $id: 'QuotaStatus', description: 'A rate limit and what remains of it' }
)

export type QuotaStatus = Static<typeof QuotaStatus>
