import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { banner } from './banner.ts'
import { applyThreadPoolSize, type Config, loadConfig, readEnvironment } from './config.ts'
import { withLocalSecrets } from './secrets.ts'
import { explainStartFailure } from './start-failure.ts'

/**
 * Runs a service as this process: reads the environment, builds, listens, and stops cleanly on SIGTERM and SIGINT; a
 * second signal forces. Whatever prevents the start is one message and exit code 1.
 */
export async function run(build: (config: Config) => Promise<FastifyInstance>): Promise<void> {
  try {
    const config = withLocalSecrets(loadConfig(readEnvironment()))
    applyThreadPoolSize(config)
    const app = await build(config)
    stopWithGrace(app, config)
    const address = await app.listen({ host: config.HOST, port: config.PORT })
    if (config.ENVIRONMENT === 'local') process.stdout.write(`${banner(config, address)}\n`)
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
    await app.close()
  })
}
