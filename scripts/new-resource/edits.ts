import type { Names } from './names.ts'
import { permissions, type Resource, tableType } from './templates.ts'
import { matrixRows, worldRow } from './test-template.ts'

/** A file that knows of every resource: how one gets in, and how it gets out again. */
export interface Edit {
  file: string
  add(text: string, resource: Resource): string
  remove(text: string, names: Names): string
}

export const edits: Edit[] = [
  {
    file: 'db/types.ts',
    add: (text, resource) => {
      const { plural, types } = resource.names
      const withTable = before(text, '/** Every table of the service. */', `${tableType(resource)}\n`)
      return sortedIn(withTable, `  ${plural}: ${types}Table\n`)
    },
    remove: (text, { plural, types }) =>
      without(
        text,
        `export interface ${types}Table extends Resource \\{\\n[^}]*\\}\\n\\n`,
        `  ${plural}: ${types}Table\\n`
      )
  },
  {
    file: 'db/permissions.ts',
    add: (text, resource) => after(text, 'export const permissionCodes = [\n', `  ...[${permissions(resource)}],\n`),
    remove: (text, { singular }) => without(text, `  \\.{3}\\[\\s*'create:${singular}:me',[^\\]]*\\],\\n`)
  },
  {
    file: 'src/docs-options.ts',
    add: (text, { names: { plural, types } }) =>
      before(text, "    { name: 'service',", `    { name: '${plural}', description: '${types}' },\n`),
    remove: (text, { plural, types }) => without(text, `    \\{ name: '${plural}', description: '${types}' \\},\\n`)
  },
  {
    file: 'test/access-matrix.ts',
    add: (text, resource) => {
      const id = `  ${resource.names.singular}_id: string\n`
      const rows = `${matrixRows(resource)}\n`
      return after(
        after(text, 'export interface World {\n', id),
        'export const matrix: Record<string, Row> = {\n',
        rows
      )
    },
    remove: (text, { singular, path }) =>
      without(text, `  ${singular}_id: string\\n`, `(  '[A-Z]+ /api/v1/${path}[/'].*\\n(    .*\\n)*( +[})]+,\\n)?)+\\n`)
  },
  {
    file: 'test/support/world.ts',
    add: (text, resource) => {
      const { singular, variable } = resource.names
      const withRow = before(text, '    const world = {\n', worldRow(resource))
      return after(withRow, '    const world = {\n', `      ${singular}_id: ${variable}.public_id,\n`)
    },
    remove: (text, { singular, variable }) =>
      without(
        text,
        `    const ${variable} = await app\\.db\\n(?:      .*\\n)+?      \\.executeTakeFirstOrThrow\\(\\)\\n`,
        `      ${singular}_id: ${variable}\\.public_id,\\n`
      )
  }
]

/** The tables of `Database` are in the order of the alphabet. */
function sortedIn(text: string, entry: string): string {
  refuseTwice(text, entry)
  const [head = '', rest = ''] = text.split(/(?<=export interface Database \{\n)/)
  const [entries = '', tail = ''] = rest.split(/(?=^\}\n)/m, 2)
  const sorted = [...entries.split(/(?<=\n)/), entry].sort()
  if (tail === '') throw new Error('db/types.ts has no interface Database any more: add the resource by hand')
  return head + sorted.join('') + rest.slice(entries.length)
}

const after = (text: string, anchor: string, added: string) => replaced(text, anchor, added, anchor + added)
const before = (text: string, anchor: string, added: string) => replaced(text, anchor, added, added + anchor)

function replaced(text: string, anchor: string, added: string, by: string): string {
  refuseTwice(text, added)
  if (!text.includes(anchor)) throw new Error(`"${anchor.trim()}" is not there any more: add the resource by hand`)
  return text.replace(anchor, () => by)
}

function refuseTwice(text: string, added: string) {
  if (text.includes(added))
    throw new Error(`Nothing was written, "${added.trim()}" is there already: take another name`)
}

const without = (text: string, ...patterns: string[]) =>
  patterns.reduce((rest, pattern) => rest.replace(new RegExp(pattern), ''), text)
