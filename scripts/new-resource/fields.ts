import { UsageError } from '../main.ts'

/** One column, as each file that is written needs to say it. */
export interface Field {
  name: string
  isNullable: boolean
  /** Whether a client may leave it out when creating. */
  isOptional: boolean
  /** Call on the table builder of a migration. */
  column: string
  /** Type of the column in `db/types.ts`. */
  type: string
  /** TypeBox schema. */
  schema: string
  /** A valid value and another one, and one that is refused, as source text. */
  samples: [first: string, second: string, refused: string]
}

interface Kind {
  column: string
  type: string
  schema: string
  samples: Field['samples']
}

const kinds: Record<string, Kind> = {
  string: { column: 'text', type: 'string', schema: 'text(200, { minLength: 1 })', samples: [`'One'`, `'Two'`, `''`] },
  text: { column: 'text', type: 'string', schema: 'text(10_000)', samples: [`'Some words'`, `'Others'`, '1'] },
  integer: {
    column: 'integer',
    type: 'number',
    schema: 'Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 })',
    samples: ['1', '2', '1.5']
  },
  number: {
    column: 'double precision',
    type: 'number',
    schema: 'Type.Number({ minimum: -1e15, maximum: 1e15 })',
    samples: ['1.5', '2.5', `'1.5'`]
  },
  boolean: { column: 'boolean', type: 'boolean', schema: 'Type.Boolean()', samples: ['true', 'false', `'true'`] },
  datetime: {
    column: 'timestamptz',
    type: 'string',
    schema: 'DateTime()',
    samples: [`'2030-01-02T03:04:05Z'`, `'2031-01-02T03:04:05Z'`, `'tomorrow'`]
  },
  uuid: {
    column: 'uuid',
    type: 'string',
    schema: 'Id()',
    samples: [`'6f1c6e1e-3b0a-4b7e-9a55-0d6f2f7c1a01'`, `'6f1c6e1e-3b0a-4b7e-9a55-0d6f2f7c1a02'`, `'one'`]
  }
}

/** Columns that every resource has, and what the query string of a list means. */
const taken = new Set(['id', 'public_id', 'owner_id', 'created_at', 'updated_at', 'deleted_at', 'row_version'])

/** @throws UsageError naming what is wrong */
export function readFields(texts: string[]): Field[] {
  if (texts.length === 0) throw new UsageError('A resource needs at least one field, such as title:string')
  const fields = texts.map(readField)
  const names = fields.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new UsageError(`The field ${twice} is there twice`)
  return fields
}

function readField(text: string): Field {
  const [, name = '', kindName = '', list, mark] = /^([a-z][a-z0-9_]*):([a-z]+)(?:\(([^)]*)\))?(\?)?$/.exec(text) ?? []
  if (name === '') throw new UsageError(`"${text}" is no field: write name:type, with ? at the end if it may be null`)
  if (taken.has(name)) throw new UsageError(`Every resource has ${name} already`)
  if (name.length > 63) throw new UsageError(`${name} is too long: PostgreSQL’s names end after 63 characters`)
  if (name.endsWith('_id') && /^(integer|number)$/.test(kindName))
    throw new UsageError(`${name} would be an id, and those are UUIDs: give it another name or the type uuid`)
  const isNullable = mark !== undefined
  const kind = kindName === 'enum' ? enumOf(name, list ?? '') : kinds[kindName]
  if (kind === undefined || (list !== undefined && kindName !== 'enum')) {
    throw new UsageError(`${name} has an unknown type: there are ${Object.keys(kinds).join(', ')} and enum(a,b)`)
  }
  const isFlag = kindName === 'boolean' && !isNullable
  const details = [
    ...(isNullable ? [] : ['.notNull()']),
    ...(isFlag ? ['.defaultTo(false)'] : []),
    ...(kindName === 'enum'
      ? [
          `.check(sql\`"${name}" in (${list
            ?.split(',')
            .map((value) => `'${value}'`)
            .join(', ')})\`)`
        ]
      : [])
  ].join('')
  return {
    name,
    isNullable,
    isOptional: isNullable || isFlag,
    column: `.addColumn('${name}', '${kind.column}'${details && `, (column) => column${details}`})`,
    type: isFlag ? 'Generated<boolean>' : `${kind.type}${isNullable ? ' | null' : ''}`,
    schema: isNullable ? `Nullable(${kind.schema})` : kind.schema,
    samples: kind.samples
  }
}

function enumOf(name: string, list: string): Kind {
  const values = list.split(',')
  if (values.length < 2 || !values.every((value) => /^[a-z][a-z0-9_]*$/.test(value))) {
    throw new UsageError(`${name}: an enum names two values or more, such as enum(open,closed)`)
  }
  const texts = values.map((value) => `'${value}'`)
  const [first = '', second = ''] = texts
  return {
    column: 'text',
    type: texts.join(' | '),
    schema: `StringEnum([${texts.join(', ')}])`,
    samples: [first, second, `'other'`]
  }
}
