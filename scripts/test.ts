import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { main, UsageError } from './main.ts'
import { root, runNode, runTool } from './run.ts'
import { findMissingServices, serviceDefaults } from './services.ts'
import { listTestFiles, type Mode, selectTestFiles } from './test-files.ts'

const usage = `Usage: npm test -- [options] [file or folder …]
  --mode embedded|services  what the suite runs against (default embedded, which needs only Node.js)
  --tier full               everything, in both modes
  --coverage                also measure coverage (text, and lcov in .tap/report)`

/** Runs the files without the hooks that measure coverage. */
const runner = 'scripts/run-tests.ts'

const services = {
  DATABASE_URL: process.env.DATABASE_URL || serviceDefaults.DATABASE_URL,
  REDIS_URL: process.env.REDIS_URL || serviceDefaults.REDIS_URL
}

await main(usage, async () => {
  const { modes, full, coverage, filters } = readArguments()
  const files = listTestFiles()
  const runs = modes
    .map((mode) => ({ mode, files: selectTestFiles(files, { mode, full, filters }) }))
    .filter((run) => run.files.length > 0)
  if (runs.length === 0) {
    throw new Error('No test file selected. `*.services.test.ts` needs --mode services, `*.full.test.ts` --tier full.')
  }
  if (runs.some(({ mode }) => mode === 'services')) {
    const missing = await findMissingServices(services)
    if (missing.length > 0) throw new Error(missing.join('\n'))
  }
  await buildTap()

  let exitCode = 0
  for (const { mode, files } of runs) {
    console.log(`${files.length} test files, ${mode}`)
    exitCode = Math.max(exitCode, await runTap(mode, { coverage, timeoutSeconds: full ? 1200 : 120, files }))
  }
  return exitCode
})

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { mode: { type: 'string' }, tier: { type: 'string' }, coverage: { type: 'boolean' } }
  })
  const { mode = 'embedded', tier, coverage = false } = values
  const full = tier === 'full'
  if (tier !== undefined && !full) throw new UsageError(`Unknown tier ${tier}`)
  if (mode !== 'embedded' && mode !== 'services') throw new UsageError(`Unknown mode ${mode}`)
  if (full && (values.mode || coverage)) throw new UsageError('--tier full runs both modes, without coverage')
  const modes: Mode[] = full ? ['embedded', 'services'] : [mode]
  return { modes, full, coverage, filters: positionals }
}

/** A fresh install of tap still has the plugin that .taprc turns off, and its first run would fail. */
async function buildTap() {
  // In a process of its own: whatever imports tap is a test, and ends after 30 s.
  const showPlugins = "import t from 'tap'; console.log(t.pluginSignature)"
  const { stdout } = await runNode(['--input-type=module', '--eval', showPlugins], { capture: true })
  if (stdout.includes('@tapjs/typescript')) await runTool('tap', ['build'])
}

interface Run {
  coverage: boolean
  /** For each file. */
  timeoutSeconds: number
  files: string[]
}

async function runTap(mode: Mode, { coverage, timeoutSeconds, files }: Run): Promise<number> {
  const env: NodeJS.ProcessEnv = { ...process.env, TEST_MODE: mode }
  const args = coverage
    ? [`--timeout=${timeoutSeconds}`, ...files]
    : ['--disable-coverage', '--timeout=0', ...[timeoutSeconds, ...files].map((arg) => `--test-arg=${arg}`), runner]
  // Every file is a process that loads much the same modules. Coverage would be less exact with it.
  if (!coverage) env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/compile')
  if (mode === 'services') Object.assign(env, services)
  if (!process.stdout.isTTY) {
    args.unshift('--reporter=terse')
    // Outside a terminal the reporter repeats its progress unless it believes that it runs in CI.
    env.CI ??= 'true'
  }
  const { code } = await runTool('tap', ['run', ...args], { env })
  return code
}
