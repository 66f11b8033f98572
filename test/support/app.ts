import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { t as root, type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { generateSecrets, withLocalSecrets } from '../../src/secrets.ts'
import { testDatabase } from './database.ts'
import { mode, redisUrl } from './mode.ts'

type Variables = Record<string, string | undefined>

/** On a busy machine an answer of Redis may be late; what is then counted in memory is no longer exact. */
export const patientRedis = { REDIS_COMMAND_TIMEOUT_MS: '10000' }

/** Tests share one client address; those about limits set their own. */
export const roomyLimits = {
  RATE_LIMIT_PER_HOUR: '1000000',
  USER_RATE_LIMIT_PER_HOUR: '1000000',
  RATE_LIMIT_UNPROTECTED_ROUTES: '1000000',
  DEFAULT_RATE_LIMIT_LIMIT: '1000000',
  READ_RATE_LIMIT_PER_MINUTE: '1000000',
  WRITE_RATE_LIMIT_PER_MINUTE: '1000000'
}

/** A valid configuration with cheap hashing and a data folder of its own; `variables` override it. */
export function testConfig(t: Test, variables: Variables = {}): Config {
  const dataDir = mkdtempSync(join(tmpdir(), 'plinth-test-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  return withLocalSecrets(
    loadConfig({
      ...generateSecrets(),
      DATA_DIR: dataDir,
      LOG_LEVEL: 'silent',
      LOG_FORMAT: 'json',
      ARGON2_MEMORY_KIB: '64',
      ARGON2_TIME_COST: '1',
      // The tests of a file share an address, and many fail on purpose; those about the lockout set what they need.
      MAX_FAILED_ATTEMPTS: '1000',
      PORT: '0',
      ...roomyLimits,
      ...variables
    })
  )
}

let shared: Promise<FastifyInstance> | undefined

/**
 * The whole service on a migrated database, in the mode of this run; closed at teardown. With `variables` (`{}` will do) it is
 * the caller's own; without, the test files of a process share it, one after the other.
 */
export async function startApp(t: Test, variables?: Variables): Promise<FastifyInstance> {
  if (!variables) {
    shared ??= startApp(root, {})
    return shared
  }
  const app = await buildTestApp(t, variables)
  await app.ready()
  return app
}

/** `startApp` before it is ready, so that a test can add to it. */
export async function buildTestApp(t: Test, variables: Variables = {}): Promise<FastifyInstance> {
  const database = await testDatabase(t, mode)
  const services = { DATABASE_URL: database.url, REDIS_URL: redisUrl, REDIS_PREFIX: `test:${crypto.randomUUID()}:` }
  const config = testConfig(t, { ...(mode === 'services' ? services : {}), ...variables })
  const app = await buildApp(config, database.open ? { database: database.open } : {})
  t.teardown(() => app.close())
  return app
}

/** The port that `app` listens on; whoever asks first makes it listen, because test files share one. */
export async function portOf(app: FastifyInstance): Promise<number> {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
  // A TCP server's address is never a string.
  return (app.server.address() as AddressInfo).port
}

/** A registered and signed-in person, and `inject` options that carry their access token. */
export async function signUp(app: FastifyInstance, username = `u${crypto.randomUUID().slice(0, 12)}`) {
  const account = { email: `${username}@example.com`, username, password: `Secret-${username}` }
  const registered = await app.inject({ method: 'POST', url: '/api/v1/auth/register', payload: account })
  if (registered.statusCode !== 201) throw new Error(`register: ${registered.statusCode} ${registered.body}`)
  return { ...account, id: registered.json().data.id as string, ...(await signIn(app, account)) }
}

/** Signs in with delivery by body. */
export async function signIn(app: FastifyInstance, { email, password }: { email: string; password: string }) {
  const payload = { identifier: email, password, delivery: 'body' }
  const answer = await app.inject({ method: 'POST', url: '/api/v1/auth/login', payload })
  if (answer.statusCode !== 200) throw new Error(`login: ${answer.statusCode} ${answer.body}`)
  const { access_token, refresh_token } = answer.json().data
  return {
    accessToken: access_token as string,
    refreshToken: refresh_token as string,
    headers: { authorization: `Bearer ${access_token}` }
  }
}
