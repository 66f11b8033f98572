import { Type } from '@sinclair/typebox'

const states = ['ok', 'unavailable'] as const
const statuses = ['ok', 'degraded', 'unavailable', 'draining'] as const

export type CheckState = (typeof states)[number]
export type ReadinessStatus = (typeof statuses)[number]

export const Liveness = Type.Object(
  {
    status: Type.Literal('ok'),
    version: Type.Optional(Type.String({ description: 'Version of the running service' }))
  },
  { $id: 'Liveness', description: 'The process runs' }
)

export const Readiness = Type.Object(
  {
    status: Type.Unsafe<ReadinessStatus>({
      type: 'string',
      enum: statuses,
      description:
        '`ok`: everything works. `degraded`: something the service can do without is out. `unavailable`: something it needs is out. `draining`: it is about to stop.'
    }),
    checks: Type.Unsafe<Record<string, CheckState>>({
      type: 'object',
      additionalProperties: { type: 'string', enum: states },
      description: 'The state of each dependency by name'
    }),
    version: Type.Optional(Type.String({ description: 'Version of the running service' })),
    uptime_seconds: Type.Integer({ minimum: 0, description: 'Age of the process in seconds' })
  },
  { $id: 'Readiness', description: 'Whether the service can take traffic' }
)

/** Their `$ref`s need both schemas to be shared with the instance. */
export const livenessAnswers = { 200: answer('Liveness', 'The process runs') }

export const readinessAnswers = {
  200: answer('Readiness', 'The service takes traffic: `ok` or `degraded`'),
  503: {
    ...answer('Readiness', 'The service must not get traffic: `unavailable` or `draining`'),
    headers: { 'Retry-After': { type: 'integer', description: 'Seconds to wait' } }
  }
}

function answer(schema: string, description: string) {
  return { description, content: { 'application/json': { schema: { $ref: `${schema}#` } } } }
}
