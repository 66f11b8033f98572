import { existsSync, globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { findCycles } from './cycles.ts'
import { checkDependencies, packageOf } from './dependencies.ts'
import { room, rooms } from './rooms.ts'
import { readSource, type SourceFile } from './source.ts'

/** Lines such as `plugins/cache/index.ts:3 imports …`. */
export interface Findings {
  errors: string[]
  warnings: string[]
}

const limits = { hard: 250, soft: 150, readme: 80 }
const sized = new Set(['src', 'plugins', 'routes', 'db', 'scripts'])
const mayReadEnvironment = new Set(['scripts', 'test', 'bench'])
const isEnvironmentHidden = (path: string) => !mayReadEnvironment.has(room(path)) && path !== 'src/config.ts'
const unfinished = /\b(?:TODO|FIXME|XXX)\b/
const silenced = /@ts-(?:ignore|nocheck)\b/
const machinePath = /(?<![\w.:~-])(?:\/(?:home|root|tmp|mnt|work|Users)\/|[A-Z]:\\\\)/

/** Holds the tree below `root` against the rules of the house. */
export async function checkHouse(root: string): Promise<Findings> {
  const files = readSources(root)
  const errors = [
    ...files.flatMap(checkImports),
    ...findCycles(files).map((cycle) => `circular import: ${cycle.join(' → ')}`),
    ...files.flatMap(checkText),
    ...checkPlugins(root, files),
    ...(await checkRoutes(root, files)),
    ...checkDependencies(root, files)
  ]
  const warnings: string[] = []
  for (const { path, code } of files.filter((file) => sized.has(room(file.path)))) {
    const lines = code.trimEnd().split('\n').length
    if (lines > limits.hard) errors.push(`${path} has ${lines} lines, the limit is ${limits.hard}`)
    else if (lines > limits.soft) warnings.push(`${path} has ${lines} lines, more than ${limits.soft}`)
  }
  return { errors, warnings }
}

function readSources(root: string): SourceFile[] {
  const paths = globSync(`{${Object.keys(rooms).join()}}/**/*.ts`, { cwd: root })
  return paths
    .map((path) => path.split(sep).join('/'))
    .sort()
    .map((path) => readSource(root, path))
}

function checkImports({ path, imports }: SourceFile): string[] {
  const own = rooms[room(path)]
  return imports.flatMap(({ specifier, typeOnly, line }) => {
    if (isEnvironmentHidden(path) && /^(node:)?process$/.test(specifier)) {
      return [`${path}:${line} imports ${specifier}, which would hide that it reads the environment`]
    }
    if (isBuiltin(specifier) || packageOf(specifier) !== undefined) return []
    const to = posix.join(posix.dirname(path), specifier)
    return own?.mayImport({ from: path, to, typeOnly }) ? [] : [`${path}:${line} imports ${to}: ${own?.rule}`]
  })
}

function checkText({ path, code, tokens }: SourceFile): string[] {
  const errors: string[] = []
  for (const [i, { kind, text, index }] of tokens.entries()) {
    const report = (message: string) => errors.push(`${path}:${lineAt(code, index)} ${message}`)
    const previous = tokens[i - 1]?.text
    const next = tokens[i + 1]?.text
    if (kind === 'comment') {
      if (unfinished.test(text)) report('leaves work for later')
      if (silenced.test(text)) report('silences the type checker')
      if (room(path) !== 'test' && text.includes('@ts-expect-error')) report('expects a type error outside test/')
    } else if (kind === 'word') {
      const isKey = previous === '.' || next === ':' || next === '('
      if (text === 'any' && !isKey) report('uses the type any')
      if (text === 'env' && previous === '.' && tokens[i - 2]?.text === 'process' && isEnvironmentHidden(path)) {
        report('reads process.env: only src/config.ts does')
      }
    }
    if (kind !== 'regex' && machinePath.test(text)) report('names a path of one machine')
  }
  return errors
}

function checkPlugins(root: string, files: SourceFile[]): string[] {
  const app = files.find(({ path }) => path === 'src/app.ts')
  const names = new Set(
    files.filter(({ path }) => room(path) === 'plugins').map(({ path }) => path.split('/')[1] ?? '')
  )
  return [...names].flatMap((name) => {
    const errors: string[] = []
    const folder = `plugins/${name}`
    if (!files.some(({ path }) => path === `${folder}/index.ts`)) errors.push(`${folder} has no index.ts`)
    const readme = join(root, folder, 'README.md')
    if (!existsSync(readme)) errors.push(`${folder} has no README.md`)
    else {
      const lines = readFileSync(readme, 'utf8').trimEnd().split('\n').length
      if (lines > limits.readme) errors.push(`${folder}/README.md has ${lines} lines, the limit is ${limits.readme}`)
    }
    if (app && !app.imports.some(({ specifier }) => specifier === `../${folder}/index.ts`)) {
      errors.push(`src/app.ts does not register ${folder}`)
    }
    return errors
  })
}

/** The autoloader skips a module without a default function in silence, so they are really loaded here. */
async function checkRoutes(root: string, files: SourceFile[]): Promise<string[]> {
  const routes = files.filter(({ path }) => /^routes\/(?:.*\/)?index\.ts$/.test(path))
  const errors = await Promise.all(
    routes.map(async ({ path, imports }) => {
      if (imports.some(({ specifier }) => specifier === 'fastify-plugin'))
        return [`${path} breaks out of its own scope with fp`]
      try {
        const loaded: { default?: unknown } = await import(pathToFileURL(join(root, path)).href)
        return typeof loaded.default === 'function' ? [] : [`${path} has no function as its default export`]
      } catch (error) {
        return [`${path} does not load: ${error instanceof Error ? error.message : error}`]
      }
    })
  )
  return errors.flat()
}

function lineAt(code: string, index: number): number {
  return code.slice(0, index).split('\n').length
}
