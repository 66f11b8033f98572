import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Test } from 'tap'
import { findMissingOutput, readProgram } from '../../scripts/readme-program.ts'

const root = join(import.meta.dirname, '../..')

/** Runs the program of a plugin's README on the sources: it must print what its comments promise and exit by itself. */
export function readmeProgram(t: Test, plugin: string): Promise<void> {
  return runReadmeProgram(t, plugin, (code) => code)
}

/** The same for a variant of the program. */
export async function runReadmeProgram(t: Test, plugin: string, vary: (code: string) => string): Promise<void> {
  const program = readProgram(plugin)
  const folder = t.testdir()
  const file = join(folder, 'program.ts')
  const from = (path: string) => relative(folder, join(root, path)).replaceAll('\\', '/')
  const code = vary(program.code).replaceAll(
    /(?<=['"])plinth\/plugins\/([\w-]+)(?=['"])/g,
    (_, name) => `${from('plugins')}/${name}/index.ts`
  )
  writeFileSync(file, plugin === 'database' ? code : withDatabaseMade(code, from('test/support/embedded.ts')))

  const { error, stdout, stderr } = await run(file)

  t.equal(error, null, `${plugin} exits with 0: ${stderr}`)
  t.equal(findMissingOutput(program, stdout), undefined, `printed: ${stdout}`)
}

/** That a database makes its own first files, which takes seconds, is for its own program to show. */
function withDatabaseMade(code: string, embedded: string): string {
  const loaded = code.replace('{ dataDir: null }', '{ dataDir: null, load: await emptyDump() }')
  return loaded === code ? code : `import { emptyDump } from '${embedded}'\n${loaded}`
}

function run(file: string) {
  const { promise, resolve } = Promise.withResolvers<{ error: Error | null; stdout: string; stderr: string }>()
  execFile(process.execPath, [...process.execArgv, file], { timeout: 60_000 }, (error, stdout, stderr) => {
    resolve({ error, stdout, stderr })
  })
  return promise
}
