import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../src/app.ts'
import { type Config, loadConfig, readEnvironment } from '../../src/config.ts'
import { withLocalSecrets } from '../../src/secrets.ts'

/** The configuration of the service, but silent: a command prints its own result and errors. */
export function readConfig(): Config {
  return { ...withLocalSecrets(loadConfig(readEnvironment())), LOG_LEVEL: 'silent' }
}

/** Hands the whole service, which listens nowhere, to `use` and closes it afterwards. */
export async function withApp<T>(use: (app: FastifyInstance) => Promise<T>, config = readConfig()): Promise<T> {
  const app = await buildApp(config)
  try {
    return await use(app)
  } finally {
    await app.close()
  }
}
