import type { FastifyInstance } from 'fastify'
import { generateSecrets } from '../../src/secrets.ts'

/** A configuration that locks out after five failures, with keys in Redis of its own. */
export const lockoutVariables = () => ({
  ...generateSecrets(),
  MAX_FAILED_ATTEMPTS: '5',
  TRUST_PROXY: '10.0.0.0/8',
  REDIS_PREFIX: `test:${crypto.randomUUID()}:`
})

export const FIVE = [401, 401, 401, 401, 401]

export interface From {
  ip?: string
  headers?: Record<string, string>
}

/** Sign-ins of a service, from many addresses. */
export function lockoutClient(app: FastifyInstance) {
  let count = 0
  /** An address that no other test uses. */
  const newAddress = () => `203.0.113.${++count}`

  const post = (url: string, payload: object | undefined, { ip = '127.0.0.1', headers = {} }: From = {}) =>
    app.inject({ method: 'POST', url, headers, remoteAddress: ip, ...(payload && { payload }) })

  const login = (identifier: string, password: string, from?: From) =>
    post('/api/v1/auth/login', { identifier, password, delivery: 'body' }, from)

  /** The statuses of wrong sign-ins, one after the other. */
  async function failures(times: number, identifier: string, from: From): Promise<number[]> {
    const statuses: number[] = []
    for (let index = 0; index < times; index++) {
      statuses.push((await login(identifier, 'Wrong-horse-1', from)).statusCode)
    }
    return statuses
  }

  return { newAddress, post, login, failures }
}
