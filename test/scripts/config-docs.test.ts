import { parseEnv } from 'node:util'
import t from 'tap'
import { envExample, readmeTable, replaceBetween, type Variable } from '../../scripts/config-docs/render.ts'
import { loadConfig } from '../../src/config.ts'
import { configSchema } from '../../src/config-schema.ts'

const plainSchema: Record<string, Variable> = JSON.parse(JSON.stringify(configSchema.properties))
const variables = Object.entries(plainSchema)

t.test('a plain copy of .env.example changes nothing', async (t) => {
  t.same(parseEnv(envExample(variables)), {})
})

t.test('each default in .env.example is the one that holds without it', async (t) => {
  const uncommented = envExample(variables).replaceAll(/^# (?=[A-Z_]+=.)/gm, '')
  t.ok(Object.keys(parseEnv(uncommented)).length > 20)
  t.same(loadConfig(parseEnv(uncommented)), loadConfig({}))
})

t.test('both documents name every variable', async (t) => {
  const example = envExample(variables)
  const table = readmeTable(variables)
  for (const [name] of variables) {
    t.ok(example.includes(`\n# ${name}=`), `${name} in .env.example`)
    t.ok(table.includes(`\n| \`${name}\` |`), `${name} in the table`)
  }
})

t.test('a row tells default, unit, bounds and secrecy, and pipes cannot break it', async (t) => {
  const table = readmeTable([
    ['WAIT_MS', { description: 'Wait', group: 'A', type: 'integer', minimum: 1, maximum: 9, unit: 'ms', default: 5 }],
    ['KEY', { description: 'a | b', group: 'B', type: 'string', minLength: 16, secret: true }]
  ])
  t.match(table, '| `WAIT_MS` | `5` | 1–9 ms | Wait |')
  t.match(table, '| `KEY` |  | secret, at least 16 characters | a \\| b |')
  t.ok(table.indexOf('**A**') < table.indexOf('**B**'), 'one table for each group')
})

t.test('only the text between the markers is replaced', async (t) => {
  t.equal(replaceBetween('a <s> old <e> b', '<s>', '<e>', 'new'), 'a <s>\n\nnew\n\n<e> b')
  t.throws(() => replaceBetween('a', '<s>', '<e>', 'new'), /lacks the markers/)
})
