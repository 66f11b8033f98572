import { runCli, usage } from './cli/run.ts'
import { main } from './main.ts'

await main(usage, async () => {
  console.log(await runCli(process.argv.slice(2), { input: process.stdin, output: process.stderr }))
  return 0
})
