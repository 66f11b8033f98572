import { runCli } from './cli/run.ts'
import { main } from './main.ts'

const usage = `Usage: npm run seed [-- --demo] [--users 10000] [--items 1000000]
The command \`seed\` of \`npm run cli\`: -- --help tells of each option.`

await main(usage, async () => {
  console.log(await runCli(['seed', ...process.argv.slice(2)], { input: process.stdin, output: process.stderr }))
  return 0
})
