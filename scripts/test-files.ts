import { globSync } from 'node:fs'
import { isAbsolute, relative, sep } from 'node:path'
import { root } from './run.ts'

/** What the suite runs against: the embedded database and memory stores, or PostgreSQL and Redis. */
export type Mode = 'embedded' | 'services'

export interface Selection {
  mode: Mode
  /** Includes `*.full.test.ts`: files that take long, or that kill, freeze or cluster servers of their own. */
  full: boolean
  /** Files or folders; none selects all. */
  filters: string[]
}

/** Suites that speak to the whole service: they run in both modes. */
const bothModes = /^test\/(routes|src|db)\//

/** Paths of all test files, relative to the root, sorted. */
export function listTestFiles(): string[] {
  return globSync('test/**/*.test.ts', { cwd: root }).map(posix).sort()
}

/** The test files that belong to a mode and tier. */
export function selectTestFiles(files: string[], { mode, full, filters }: Selection): string[] {
  const wanted = filters.map((filter) =>
    posix(isAbsolute(filter) ? relative(root, filter) : filter).replace(/^\.\//, '')
  )
  return files.filter((file) => {
    const marks = file.slice(file.lastIndexOf('/') + 1).split('.')
    const needsServices = marks.includes('services')
    const inMode = mode === 'embedded' ? !needsServices : needsServices || bothModes.test(file)
    const inTier = full || !marks.includes('full')
    return inMode && inTier && (wanted.length === 0 || wanted.some((filter) => file.startsWith(filter)))
  })
}

function posix(path: string): string {
  return path.split(sep).join('/')
}
