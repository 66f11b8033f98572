import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { applyThreadPoolSize, type Config, loadConfig, readEnvironment } from './config.ts'
import { withLocalSecrets } from './secrets.ts'
import { explainStartFailure } from './start-failure.ts'

/** How often connections that became idle are closed during a stop. */
const IDLE_SWEEP_MS = 50

/**
 * Runs a service as this process: reads the environment, builds, listens, and stops cleanly on SIGTERM and SIGINT; a
 * second signal forces. Whatever prevents the start is one message and exit code 1.
 */
export async function run(
  build: (config: Config) => Promise<FastifyInstance>,
  { port, welcome }: { port: 'PORT' | 'WORKER_PORT'; welcome: (config: Config, address: string) => string }
): Promise<void> {
  try {
    const config = withLocalSecrets(loadConfig(readEnvironment()))
    applyThreadPoolSize(config)
    const app = await build(config)
    stopWithGrace(app, config)
    const address = await app.listen({ host: config.HOST, port: config[port] })
    if (config.ENVIRONMENT === 'local') process.stdout.write(`${welcome(config, address)}\n`)
  } catch (error) {
    process.stderr.write(`${explainStartFailure(error)}\n`)
    process.exit(1)
  }
}

function stopWithGrace(app: FastifyInstance, config: Config): void {
  closeWithGrace({ delay: config.SHUTDOWN_GRACE_SECONDS * 1000, logger: app.log }, async ({ err }) => {
    if (err) app.log.fatal({ err }, 'stopping after an unexpected error')
    app.health.drain()
    if (!err) await new Promise((resolve) => setTimeout(resolve, config.DRAIN_SECONDS * 1000))
    await closeWithConnections(app)
  })
}

/** A connection that an answer leaves open would hold up the stop for as long as its client likes. */
async function closeWithConnections(app: FastifyInstance): Promise<void> {
  app.server.keepAliveTimeout = 1
  const sweep = setInterval(() => app.server.closeIdleConnections(), IDLE_SWEEP_MS)
  await app.close().finally(() => clearInterval(sweep))
}
