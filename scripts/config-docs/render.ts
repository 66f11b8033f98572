/** What the documentation says about a variable, as annotated in its JSON Schema. */
export interface Variable {
  description: string
  group: string
  type?: string
  anyOf?: { const: string }[]
  format?: string
  minimum?: number
  maximum?: number
  minLength?: number
  unit?: string
  default?: string | number | boolean | string[]
  secret?: boolean
}

type Entry = [name: string, variable: Variable]

const header = `# Copy to .env and change what you need. Every line that stays commented out keeps its default.
# Any secret can also come from a file: NAME_FILE=/run/secrets/name.
# Generated from src/config-schema.ts by \`npm run config-docs\`.
`

/** The whole of .env.example: each variable commented out, so that a plain copy changes nothing. */
export function envExample(variables: Entry[]): string {
  const groups = [...byGroup(variables)].map(([group, entries]) => {
    const lines = entries.map(([name, variable]) => {
      const values = valuesOf(variable)
      return `# ${variable.description.replaceAll('`', '')}${values && ` (${values})`}\n# ${name}=${defaultOf(variable)}\n`
    })
    return `# --- ${group} ---\n\n${lines.join('\n')}`
  })
  return `${header}\n${groups.join('\n')}`
}

/** One Markdown table for each group. */
export function readmeTable(variables: Entry[]): string {
  const groups = [...byGroup(variables)].map(([group, entries]) => {
    const rows = entries.map(([name, variable]) => {
      const value = defaultOf(variable)
      const cells = [`\`${name}\``, value && `\`${value}\``, valuesOf(variable), variable.description]
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
    })
    return [`**${group}**`, '', '| Variable | Default | Values | Meaning |', '|---|---|---|---|', ...rows].join('\n')
  })
  return groups.join('\n\n')
}

/** @throws when a marker is missing */
export function replaceBetween(text: string, start: string, end: string, content: string): string {
  const from = text.indexOf(start)
  const to = text.indexOf(end, from)
  if (from === -1 || to === -1) throw new Error(`README.md lacks the markers ${start} and ${end}`)
  return `${text.slice(0, from + start.length)}\n\n${content}\n\n${text.slice(to)}`
}

function byGroup(variables: Entry[]): Map<string, Entry[]> {
  return Map.groupBy(variables, ([, variable]) => variable.group)
}

function defaultOf({ default: value }: Variable): string {
  return Array.isArray(value) ? value.join() : String(value ?? '')
}

function valuesOf(variable: Variable): string {
  const range = rangeOf(variable)
  if (variable.secret) return range ? `secret, ${range}` : 'secret'
  return range
}

function rangeOf({ type, anyOf, format, minimum, maximum, minLength = 0, unit = '' }: Variable): string {
  if (anyOf) return anyOf.map((option) => option.const).join(', ')
  if (type === 'boolean') return 'true, false'
  if (type === 'integer') return `${minimum}–${maximum} ${unit}`.trimEnd()
  if (format) return format.replace('-', ' ').replace('url', 'URL')
  return minLength > 1 ? `at least ${minLength} characters` : unit
}
