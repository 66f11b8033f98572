import { execFileSync } from 'node:child_process'
import { cpSync, globSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, runNode, runNpm } from '../../scripts/run.ts'

/**
 * Does by hand, below `folder`, what the Dockerfile does, and returns the folder of the last stage. The tools come from this
 * checkout; the dependencies of the image are installed.
 */
export async function buildImage(folder: string): Promise<string> {
  const context = join(folder, 'context')
  for (const file of buildContext()) cpSync(join(root, file), join(context, file))
  symlinkSync(join(root, 'node_modules'), join(context, 'node_modules'))
  await succeed('build', runNode([join(context, 'scripts/build.ts')], { cwd: context, capture: true }))

  const image = join(folder, 'app')
  cpSync(join(context, 'dist'), image, { recursive: true })
  const manifest = readFileSync(join(image, 'package.json'))
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, file), join(image, file))
  const install = [
    'ci',
    '--ignore-scripts',
    '--omit=dev',
    '--omit=optional',
    '--prefer-offline',
    '--no-audit',
    '--no-fund'
  ]
  await succeed('npm ci', runNpm(install, { cwd: image, capture: true }))
  writeFileSync(join(image, 'package.json'), manifest)
  return image
}

/** Tracked files that .dockerignore lets through. */
function buildContext(): string[] {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8').trim().split('\n')
  const admitted = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  const tracked = execFileSync('git', ['ls-files', '--', ...admitted], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n')
  return tracked.filter((file) => globSync(file, { cwd: root }).length > 0)
}

async function succeed(what: string, outcome: Promise<{ code: number; stdout: string }>): Promise<void> {
  const { code, stdout } = await outcome
  if (code !== 0) throw new Error(`${what} failed: ${stdout}`)
}
