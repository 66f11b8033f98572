import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Test } from 'tap'
import { findMissingOutput, readProgram } from '../../scripts/readme-program.ts'

const plugins = join(import.meta.dirname, '../../plugins')

/** Runs the program of a plugin's README on the sources: it must print what its comments promise and exit by itself. */
export async function readmeProgram(t: Test, plugin: string): Promise<void> {
  const program = readProgram(plugin)
  const folder = t.testdir()
  const file = join(folder, 'program.ts')
  const source = `${relative(folder, plugins)}/$<name>/index.ts`.replaceAll('\\', '/')
  writeFileSync(file, program.code.replaceAll(/(?<=['"])plinth\/plugins\/(?<name>[\w-]+)(?=['"])/g, source))

  const { error, stdout, stderr } = await run(file)

  t.equal(error, null, `${plugin} exits with 0: ${stderr}`)
  t.equal(findMissingOutput(program, stdout), undefined, `printed: ${stdout}`)
}

function run(file: string) {
  const { promise, resolve } = Promise.withResolvers<{ error: Error | null; stdout: string; stderr: string }>()
  execFile(process.execPath, [file], { timeout: 20_000 }, (error, stdout, stderr) => {
    resolve({ error, stdout, stderr })
  })
  return promise
}
