import type { Column } from './read.ts'

/** A page with the tables as a Mermaid diagram, which code hosts draw. */
export function renderSchema(columns: Column[]): string {
  const tables = Object.entries(Object.groupBy(columns, ({ table }) => table)).map(
    ([table, own = []]) => `  ${table} {\n${own.map((column) => `    ${line(column)}\n`).join('')}  }\n`
  )
  const relations = columns
    .filter(({ references }) => references !== null)
    .map(
      ({ table, name, references, is_nullable }) =>
        `  ${table} }o--${is_nullable ? 'o|' : '||'} ${references} : ${name}\n`
    )
  return `# Schema

The tables, as the migrations make them. Written by \`npm run schema-docs\`; \`npm run check\` compares.

\`\`\`mermaid
erDiagram
${tables.join('')}${relations.join('')}\`\`\`
`
}

/** Mermaid's types are one word. */
function line({ type, name, is_nullable, is_primary, is_unique, references }: Column): string {
  const word = type
    .replace('timestamp with time zone', 'timestamptz')
    .replace('double precision', 'float8')
    .replaceAll(' ', '_')
  const keys = [is_primary && 'PK', references !== null && 'FK', is_unique && 'UK'].filter(Boolean).join(', ')
  return [word, name, keys, is_nullable ? '"null"' : ''].filter(Boolean).join(' ')
}
