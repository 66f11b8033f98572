import { buildWorker } from './app.ts'
import { run } from './run.ts'
import { StartFailure } from './start-failure.ts'

await run(
  async (config) => {
    if (config.DATABASE_URL === undefined) {
      throw new StartFailure('the embedded service works in the background itself; a worker needs DATABASE_URL')
    }
    return buildWorker(config)
  },
  { port: 'WORKER_PORT', welcome: (config, address) => `${config.APP_NAME} worker, health at ${address}/health/ready` }
)
