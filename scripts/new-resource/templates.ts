import type { Field } from './fields.ts'
import type { Names } from './names.ts'

/** What is to be written. */
export interface Resource {
  names: Names
  fields: Field[]
  /** Anybody reads, owners write; otherwise it is private to its owner. */
  isPublic: boolean
}

/** The permissions that its routes ask for, as source text; what is public is read without one. */
export const permissions = ({ names: { singular }, isPublic }: Omit<Resource, 'fields'>) =>
  ['create', ...(isPublic ? [] : ['read']), 'update', 'delete'].map((action) => `'${action}:${singular}:me'`).join(', ')

export const migration = ({ names, fields, isPublic }: Resource) => `import { type Kysely, sql } from 'kysely'
import { addPermissions, createResource, removePermissions } from '../resource.ts'

const permissions = [${permissions({ names, isPublic })}]

export async function up(db: Kysely<unknown>): Promise<void> {
  await createResource(db, '${names.plural}', (table) =>
    table
      .addColumn('owner_id', 'bigint', (column) => column.notNull().references('users.id').onDelete('cascade'))
      ${fields.map(({ column }) => column).join('\n      ')}
      .addColumn('deleted_at', 'timestamptz')
  )
  await sql\`create index ${names.plural}_owner on ${names.plural} (owner_id, id desc) where deleted_at is null\`.execute(db)
  await addPermissions(db, permissions)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await removePermissions(db, permissions)
  await db.schema.dropTable('${names.plural}').execute()
}
`

export const tableType = ({ names: { types }, fields }: Resource) => `export interface ${types}Table extends Resource {
  owner_id: number
  ${fields.map(({ name, type }) => `${name}: ${type}`).join('\n  ')}
  deleted_at: NullableTimestamp
}
`

export function schema({ names: { singular, type }, fields }: Resource): string {
  const builders = ['DateTime', 'Id', 'Nullable', 'StringEnum', 'text']
  const used = `Id( DateTime( ${fields.map((field) => field.schema).join()}`
  const imports = builders.filter((name) => new RegExp(`\\b${name}\\(`).test(used))
  const required = fields.map(({ name, isOptional }) => (isOptional ? `${name}: Type.Optional(fields.${name})` : ''))
  return `import { Type } from '@sinclair/typebox'
import { ${imports.join(', ')} } from '../../../../plugins/validation/schema.ts'

const fields = {
  ${fields.map((field) => `${field.name}: ${field.schema}`).join(',\n  ')}
}

export const ${type} = Type.Object(
  { id: Id(), ...fields, created_at: DateTime(), updated_at: DateTime() },
  { $id: '${type}' }
)

export const ${type}Create = Type.Object(
  { ${['...fields', ...required.filter(Boolean)].join(', ')} },
  { $id: '${type}Create', additionalProperties: false }
)

export const ${type}Update = Type.Partial(${type}Create, {
  $id: '${type}Update',
  additionalProperties: false,
  minProperties: 1
})

export const ${type}Params = Type.Object({ ${singular}_id: Id() })
`
}

export const queries = ({ names, fields, isPublic }: Resource) => `import type { Kysely } from 'kysely'
import { crud } from '../../../../db/crud.ts'
import { pageList } from '../../../../db/page-list.ts'
import type { Database } from '../../../../db/types.ts'

export const ${names.variables} = crud('${names.plural}', { softDelete: true })

/** The version is for the ETag; it is in no schema and so in no answer. */
export const columns = [
  ${['public_id as id', ...fields.map(({ name }) => name), 'created_at', 'updated_at', 'row_version'].map((name) => `'${name}'`).join(', ')}
] as const

/** Newest first. */
export const list${names.types} = pageList(
  (db: Kysely<Database>, ${isPublic ? '_: object' : '{ owner_id }: { owner_id: number }'}) =>
    ${names.variables}.query(db, {${isPublic ? '' : ' owner_id '}}).select(columns),
  [['${names.plural}.id', 'desc']]
)
`
