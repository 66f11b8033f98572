import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { room, rooms } from './rooms.ts'
import type { SourceFile } from './source.ts'

interface Manifest {
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** The package a specifier names: `@fastify/cors` for `@fastify/cors/types`; undefined for a file or a Node module. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('/') || isBuiltin(specifier)) return
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

/** Every import is declared in package.json, every dependency is used, and docs/decisions.md says why it is there. */
export function checkDependencies(root: string, files: SourceFile[]): string[] {
  const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = manifest
  const errors: string[] = []
  const used = new Set<string>()
  for (const { path, imports, tokens } of files) {
    const isProduct = !rooms[room(path)]?.development
    for (const { specifier, line } of imports) {
      const name = packageOf(specifier)
      if (name === undefined || name in dependencies || (!isProduct && name in devDependencies)) continue
      errors.push(`${path}:${line} imports ${name}, which is not in the ${isProduct ? 'dependencies' : 'package.json'}`)
    }
    // Some packages are only named, such as the targets of a log transport.
    if (isProduct)
      for (const { kind, text } of tokens) if (kind === 'string') used.add(packageOf(text.slice(1, -1)) ?? '')
  }
  for (const name of Object.keys(dependencies)) {
    if (!used.has(name)) errors.push(`package.json: ${name} is a dependency, but nothing imports it`)
  }
  const decisions = join(root, 'docs/decisions.md')
  const reasons = existsSync(decisions) ? readFileSync(decisions, 'utf8') : ''
  const explained = [...reasons.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = '']) => name)
  const declared = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
  for (const name of declared) {
    if (!explained.includes(name)) errors.push(`docs/decisions.md does not say why ${name} is there`)
  }
  for (const name of explained) {
    if (!declared.includes(name)) errors.push(`docs/decisions.md explains ${name}, which is not there`)
  }
  return errors
}
