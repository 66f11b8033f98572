import type { FastifyInstance } from 'fastify'

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
type Headers = Record<string, string>

export const me = '/api/v1/users/me'

export const withKey = (key: string) => ({ 'x-api-key': key })

/** What tests of API keys ask of a service. */
export function apiKeyCalls(app: FastifyInstance) {
  const call = (method: Method, url: string, headers: Headers, payload?: object) =>
    app.inject({ method, url, headers, ...(payload && { payload }) })
  const keys = (method: Method, path: string, headers: Headers, payload?: object) =>
    call(method, `/api/v1/api-keys${path}`, headers, payload)

  async function createKey(headers: Headers, payload: object = { scopes: ['read:user:me'] }) {
    const answer = await keys('POST', '', headers, payload)
    if (answer.statusCode !== 201) throw new Error(`create: ${answer.statusCode} ${answer.body}`)
    return { key: answer.json().data.api_key as string, id: answer.json().data.id as string }
  }

  return { call, keys, createKey }
}
