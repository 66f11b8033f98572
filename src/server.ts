import { buildApp } from './app.ts'
import { banner } from './banner.ts'
import { run } from './run.ts'

await run(buildApp, { port: 'PORT', welcome: banner })
