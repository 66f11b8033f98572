import Fastify, { type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import { type LockoutOptions, lockoutPlugin } from '../../../plugins/lockout/index.ts'
import { metricsPlugin } from '../../../plugins/metrics/index.ts'

export interface Try {
  account?: string
  /** `right`, `wrong`, or `busy` for a proof that throws. */
  secret?: string
  ip?: string
  headers?: Record<string, string>
}

/** A bare Fastify whose accounts all have the secret `right`. */
export async function startHost(t: Test, options: LockoutOptions = {}, server: FastifyServerOptions = {}) {
  const lines: Array<Record<string, unknown>> = []
  const stream = { write: (line: string) => lines.push(JSON.parse(line)) }
  const app = Fastify({ logger: { level: 'warn', stream }, ...server })
  t.teardown(() => app.close())
  await app.register(metricsPlugin)
  await app.register(lockoutPlugin, options)
  /** The accounts whose secret was looked at. */
  const evaluated: string[] = []

  app.post<{ Body: Required<Try> }>('/open', { config: { auth: 'public' } }, async (request, reply) => {
    const { account, secret } = request.body
    const proven = await app.lockout.attempt(request, account, async () => {
      evaluated.push(account)
      // As long as it takes for all that came at once to be here.
      await new Promise((resolve) => setImmediate(resolve))
      if (secret === 'busy') throw Object.assign(new Error('busy'), { statusCode: 503 })
      return secret === 'right' ? { account } : null
    })
    return proven ?? reply.code(401).send()
  })
  app.post('/forged', { config: { auth: 'public' } }, async (request, reply) => {
    await app.lockout.fail(request)
    return reply.code(401).send()
  })

  const post = (url: string, { account = 'ada', secret = 'wrong', ip = '192.0.2.1', headers = {} }: Try = {}) =>
    app.inject({ method: 'POST', url, payload: { account, secret }, remoteAddress: ip, headers })

  return {
    app,
    lines,
    evaluated,
    open: (attempt?: Try) => post('/open', attempt),
    forge: (attempt?: Try) => post('/forged', attempt),
    /** The statuses of so many attempts, one after the other. */
    async statuses(count: number, attempt?: Try): Promise<number[]> {
      const statuses: number[] = []
      for (let index = 0; index < count; index++) statuses.push((await post('/open', attempt)).statusCode)
      return statuses
    }
  }
}
