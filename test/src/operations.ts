import type { FastifyInstance } from 'fastify'

interface Operation {
  operationId: string
  tags: string[]
  summary: string
  description: string
  security?: object[]
  'x-permission'?: string
  responses: Record<string, unknown>
}

/** All operations of the OpenAPI document. */
export function operations(app: FastifyInstance): Array<[name: string, Operation]> {
  // The document types operations no further than "an object".
  const paths = app.docs.document().paths as Record<string, Record<string, Operation>>
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation
    ])
  )
}
