import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Test } from 'tap'
import { openDatabase } from '../../plugins/database/index.ts'
import { findMissingOutput, readProgram } from '../../scripts/readme-program.ts'
import { emptyDump } from './embedded.ts'

const plugins = join(import.meta.dirname, '../../plugins')

/** Runs the program of a plugin's README on the sources: it must print what its comments promise and exit by itself. */
export async function readmeProgram(t: Test, plugin: string): Promise<void> {
  const program = readProgram(plugin)
  const folder = t.testdir()
  const file = join(folder, 'program.ts')
  const source = `${relative(folder, plugins)}/$<name>/index.ts`.replaceAll('\\', '/')
  const code = program.code.replaceAll(/(?<=['"])plinth\/plugins\/(?<name>[\w-]+)(?=['"])/g, source)
  writeFileSync(file, plugin === 'database' ? code : await withDatabaseMade(code, join(folder, 'database')))

  const { error, stdout, stderr } = await run(file)

  t.equal(error, null, `${plugin} exits with 0: ${stderr}`)
  t.equal(findMissingOutput(program, stdout), undefined, `printed: ${stdout}`)
}

/** How long the database takes to make its first files is for its own program to show; the others only stand on one. */
async function withDatabaseMade(code: string, dataDir: string): Promise<string> {
  const inMemory = 'dataDir: null'
  if (!code.includes(inMemory)) return code
  const database = await openDatabase({ dataDir, load: await emptyDump() })
  await database.close()
  return code.replace(inMemory, `dataDir: ${JSON.stringify(dataDir)}`)
}

function run(file: string) {
  const { promise, resolve } = Promise.withResolvers<{ error: Error | null; stdout: string; stderr: string }>()
  execFile(process.execPath, [file], { timeout: 20_000 }, (error, stdout, stderr) => {
    resolve({ error, stdout, stderr })
  })
  return promise
}
