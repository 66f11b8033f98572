import { parseArgs, styleText } from 'node:util'
import { main } from './main.ts'
import { runNode, runTool } from './run.ts'

const usage = `Usage: npm run check [-- --skip-embedded]
Lint, types, drift of generated files, the suite on both databases, and the package. --skip-embedded leaves out the
suite that \`npm test\` runs.`

const test = (...args: string[]) => runNode(['scripts/test.ts', ...args])
const quietRedocly = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }

const steps = {
  lint: () => runTool('@biomejs/biome', ['check', '--error-on-warnings', '.']),
  types: () => runTool('typescript', ['-p', 'tsconfig.json']),
  'configuration docs': () => runNode(['scripts/config-docs.ts', '--check']),
  'schema docs': () => runNode(['scripts/schema-docs.ts', '--check']),
  'openapi.json is current': () => runNode(['scripts/openapi.ts', '--check']),
  'openapi.json is sound': () => runTool('@redocly/cli', ['lint', 'openapi.json'], { env: quietRedocly }),
  'house and lockfile': () => test('test/house.test.ts', 'test/lockfile.test.ts'),
  'suite, embedded': () => test(),
  'suite, services': () => test('--mode', 'services'),
  package: () => runNode(['scripts/package-test.ts'])
}

await main(usage, async () => {
  const { values } = parseArgs({ options: { 'skip-embedded': { type: 'boolean' } } })
  const summary: string[] = []
  let failures = 0
  for (const [name, step] of Object.entries(steps)) {
    if (values['skip-embedded'] && name === 'suite, embedded') continue
    console.log(`\n${styleText('bold', `── ${name} `.padEnd(72, '─'))}`)
    const started = performance.now()
    const { code } = await step()
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    if (code !== 0) failures += 1
    summary.push(
      `${code === 0 ? styleText('green', '✓') : styleText('red', '✗')} ${name.padEnd(26)}${seconds.padStart(7)} s`
    )
    console.log(summary.at(-1))
  }
  console.log(`\n${summary.join('\n')}`)
  return failures > 0 ? 1 : 0
})
