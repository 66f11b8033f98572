import { posix } from 'node:path'
import type { SourceFile } from './source.ts'

/** Circles of imports that exist at run time; each is reported once, from its first file around to it again. */
export function findCycles(files: SourceFile[]): string[][] {
  const targets = new Map(
    files.map(({ path, imports }) => [
      path,
      imports
        .filter(({ typeOnly, specifier }) => !typeOnly && specifier.startsWith('.'))
        .map(({ specifier }) => posix.join(posix.dirname(path), specifier))
    ])
  )
  const cycles: string[][] = []
  const done = new Set<string>()
  const trail: string[] = []
  const visit = (path: string) => {
    const start = trail.indexOf(path)
    if (start !== -1) cycles.push([...trail.slice(start), path])
    if (done.has(path)) return
    done.add(path)
    trail.push(path)
    targets.get(path)?.forEach(visit)
    trail.pop()
  }
  for (const path of targets.keys()) visit(path)
  return cycles
}
