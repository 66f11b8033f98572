import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { main } from './main.ts'
import { findMissingOutput, type ReadmeProgram, readPrograms } from './readme-program.ts'
import { root, run, runNode, runNpm, runTool } from './run.ts'
import { serviceDefaults } from './services.ts'

const usage = `Usage: node scripts/package-test.ts
Packs the project, installs it in an empty service beside fastify, and uses every plugin there as its README shows.`

await main(usage, async () => {
  const programs = readPrograms()
  const service = mkdtempSync(join(tmpdir(), 'plinth-service-'))
  try {
    await succeed('build', runNode(['scripts/build.ts']))
    await succeed('install', installInto(service))
    writeService(service, programs)
    await succeed('compile', runTool('typescript', ['-p', 'tsconfig.json'], { cwd: service }))
    await succeed('require', runNode(['require.cjs'], { cwd: service }))
    let failures = 0
    for (const program of programs) failures += (await isSound(service, program)) ? 0 : 1
    return failures > 0 ? 1 : 0
  } finally {
    rmSync(service, { recursive: true, force: true })
  }
})

async function succeed(step: string, outcome: Promise<{ code: number }>) {
  const { code } = await outcome
  if (code !== 0) throw new Error(`${step} failed`)
  console.log(`✓ ${step}`)
}

async function installInto(service: string) {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const packed = await runNpm(['pack', join(root, 'dist'), '--json', '--pack-destination', service], { capture: true })
  if (packed.code !== 0) return packed
  const [{ filename }] = JSON.parse(packed.stdout)
  writeFileSync(join(service, 'package.json'), JSON.stringify({ name: 'service', private: true, type: 'module' }))
  const packages = [`./${filename}`, `fastify@${dependencies.fastify}`, `@types/node@${devDependencies['@types/node']}`]
  return runNpm(['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], { cwd: service })
}

function writeService(service: string, programs: ReadmeProgram[]) {
  mkdirSync(join(service, 'src'))
  for (const { plugin, code } of programs) writeFileSync(join(service, 'src', `${plugin}.ts`), code)
  const compilerOptions = {
    strict: true,
    target: 'es2024',
    module: 'nodenext',
    types: ['node'],
    rootDir: 'src',
    outDir: 'out'
  }
  writeFileSync(join(service, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }))
  const names = JSON.stringify(programs.map(({ plugin }) => plugin))
  writeFileSync(
    join(service, 'require.cjs'),
    `for (const name of ${names}) {
       const { default: plugin } = require('plinth/plugins/' + name)
       if (typeof plugin !== 'function') throw new Error(name + ' has no plugin as its default export')
     }`
  )
}

async function isSound(service: string, program: ReadmeProgram): Promise<boolean> {
  const env = { ...serviceDefaults, ...process.env }
  const file = `out/${program.plugin}.js`
  const { code, stdout } = await run(process.execPath, [file], { cwd: service, env, capture: true, timeoutMs: 60_000 })
  const missing = findMissingOutput(program, stdout)
  const problem = code !== 0 ? `exited with ${code}` : missing && `did not print "${missing}"`
  console.log(problem ? `✗ ${program.plugin} ${problem}\n${stdout}` : `✓ ${program.plugin}`)
  return !problem
}
