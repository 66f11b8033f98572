import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { listMigrations } from '../../db/migration-files.ts'
import { edits } from './edits.ts'
import type { Names } from './names.ts'
import { routes } from './routes-template.ts'
import { migration, queries, type Resource, schema } from './templates.ts'
import { test } from './test-template.ts'

/**
 * Writes a resource into the project below `root` and returns the files it wrote and changed.
 *
 * @throws before anything is written, when one of its files or names is there
 */
export async function addResource(root: string, resource: Resource): Promise<string[]> {
  const { singular, path, plural, type, types } = resource.names
  const present = filesOf(root, resource.names)
  if (present.length > 0) throw new Error(`Nothing was written, these are there already: ${present.join(', ')}`)
  const clash = new RegExp(
    `"(?:(?:create|get|update|delete)${type}|list${types}|#/components/schemas/${type}(?:Create|Update)?)"`
  )
  if (clash.test(readFileSync(join(root, 'openapi.json'), 'utf8')))
    throw new Error(`Nothing was written, the API has something called ${singular} already`)
  const last = (await listMigrations(join(root, 'db/migrations'))).at(-1)?.name.slice(0, 4) ?? '0000'
  const files = {
    [`db/migrations/${String(Number(last) + 1).padStart(4, '0')}_${plural}.ts`]: migration(resource),
    [`routes/api/v1/${path}/schema.ts`]: schema(resource),
    [`routes/api/v1/${path}/queries.ts`]: queries(resource),
    [`routes/api/v1/${path}/index.ts`]: routes(resource),
    [`test/routes/${path}.test.ts`]: test(resource)
  }
  // All of them before any is written: an anchor that is gone leaves nothing half done.
  for (const { file, add } of edits) files[file] = add(readFileSync(join(root, file), 'utf8'), resource)
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  return Object.keys(files)
}

/**
 * Takes a resource out again, and returns the files it deleted and changed.
 *
 * @throws before anything is removed, when there is none of that name, or other code uses it
 */
export function removeResource(root: string, names: Names): string[] {
  const files = filesOf(root, names)
  if (files.length === 0) throw new Error(`There is no resource ${names.singular}`)
  const edited = new Map(edits.map(({ file, remove }) => [file, remove(readFileSync(join(root, file), 'utf8'), names)]))
  const dependents = dependentsOf(root, names, files, edited)
  if (dependents.length > 0)
    throw new Error(
      `Nothing was removed, these use ${names.plural}:\n${dependents.map((file) => `  ${file}`).join('\n')}`
    )
  for (const file of files) rmSync(join(root, file), { recursive: true })
  for (const [file, text] of edited) writeFileSync(join(root, file), text)
  return [...files, ...edited.keys()]
}

/** Other sources that name the table, the folder or the routes of a resource, once `edited` is written. */
function dependentsOf(root: string, { plural, path }: Names, own: string[], edited: Map<string, string>): string[] {
  const use = new RegExp(`['"\`/](${plural}|${path})['"\`/.]|\\b(from|join|into|update|table|references) ${plural}\\b`)
  return globSync(['db/**/*.ts', 'routes/**/*.ts', 'src/**/*.ts'], { cwd: root })
    .filter((file) => !own.some((mine) => file.startsWith(mine)))
    .filter((file) => use.test(withoutComments(edited.get(file) ?? readFileSync(join(root, file), 'utf8'))))
    .sort()
}

const withoutComments = (source: string) => source.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')

function filesOf(root: string, { path, plural }: Names): string[] {
  const migrations = globSync(`db/migrations/[0-9][0-9][0-9][0-9]_${plural}.ts`, { cwd: root })
  const others = [`routes/api/v1/${path}`, `test/routes/${path}.test.ts`].filter((file) => existsSync(join(root, file)))
  return [...migrations, ...others]
}
