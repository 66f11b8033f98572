import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type TSchema, Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import type { Test } from 'tap'
import validation from '../../../plugins/validation/index.ts'

/** Posts `{ value }` to a route whose schema for it is `schema`: the status, and the value as the handler saw it. */
export async function taking(t: Test, schema: TSchema) {
  const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
  t.teardown(() => app.close())
  await app.register(validation)
  const body = Type.Object({ value: Type.Optional(schema) }, { additionalProperties: false })
  app.post('/', { schema: { body } }, async ({ body }) => body)
  return async (value: unknown): Promise<unknown> => {
    const answer = await app.inject({ method: 'POST', url: '/', payload: { value } })
    return answer.statusCode === 200 ? answer.json().value : answer.statusCode
  }
}
