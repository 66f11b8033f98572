import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.ts'

/** The complete program of a plugin's README: its first `ts` block below "Use it alone". */
export interface ReadmeProgram {
  plugin: string
  code: string
  /** What it prints, in this order, by its comments `// → text`. */
  output: string[]
  /** Whether it reads DATABASE_URL or REDIS_URL. */
  needsServices: boolean
}

/** The programs of all plugins. */
export function readPrograms(): ReadmeProgram[] {
  const folders = readdirSync(join(root, 'plugins'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return folders.map(({ name }) => readProgram(name)).sort((a, b) => a.plugin.localeCompare(b.plugin))
}

/** @throws when the README lacks the program */
export function readProgram(plugin: string): ReadmeProgram {
  const readme = readFileSync(join(root, 'plugins', plugin, 'README.md'), 'utf8')
  const section = readme.split(/^## /m).find((text) => text.startsWith('Use it alone\n')) ?? ''
  const code = /^```ts\n(.*?)^```$/ms.exec(section)?.[1]
  if (code === undefined) throw new Error(`plugins/${plugin}/README.md has no program below "## Use it alone"`)
  return {
    plugin,
    code,
    output: [...code.matchAll(/\/\/ → (.+)$/gm)].map(([, text = '']) => text.trim()),
    needsServices: /\b(?:DATABASE|REDIS)_URL\b/.test(code)
  }
}

/** The first expected line that `stdout` lacks, in order; undefined when all are there. */
export function findMissingOutput({ output }: ReadmeProgram, stdout: string): string | undefined {
  let position = 0
  return output.find((text) => {
    const found = stdout.indexOf(text, position)
    position = found + text.length
    return found === -1
  })
}
