import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Test } from 'tap'
import { findMissingOutput, readProgram } from '../../scripts/readme-program.ts'

const root = join(import.meta.dirname, '../..')

/**
 * Runs a variant of the program in a plugin's README on the sources: it must print what its comments promise, and exit by
 * itself. The programs as they are run against the package (scripts/package-test.ts).
 */
export async function runReadmeProgram(t: Test, plugin: string, vary: (code: string) => string): Promise<void> {
  const program = readProgram(plugin)
  const folder = t.testdir()
  const file = join(folder, 'program.ts')
  const from = (path: string) => relative(folder, join(root, path)).replaceAll('\\', '/')
  const code = vary(program.code).replaceAll(
    /(?<=['"])plinth\/plugins\/([\w-]+)(?=['"])/g,
    (_, name) => `${from('plugins')}/${name}/index.ts`
  )
  writeFileSync(file, code)

  const { error, stdout, stderr } = await run(file)

  t.equal(error, null, `${plugin} exits with 0: ${stderr}`)
  t.equal(findMissingOutput(program, stdout), undefined, `printed: ${stdout}`)
}

function run(file: string) {
  const { promise, resolve } = Promise.withResolvers<{ error: Error | null; stdout: string; stderr: string }>()
  execFile(process.execPath, [...process.execArgv, file], { timeout: 60_000 }, (error, stdout, stderr) => {
    resolve({ error, stdout, stderr })
  })
  return promise
}
