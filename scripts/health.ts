import { main } from './main.ts'

const usage = `Usage: node scripts/health.js [port]
For the health check of a container: exit code 0 while the service on this machine is ready. The default port is PORT.`

await main(usage, async () => {
  const port = process.argv[2] ?? process.env.PORT ?? '3000'
  const { ok } = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(2500) })
  return ok ? 0 : 1
})
