import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { checkHouse } from '../scripts/house/check.ts'

const readme = '# A plugin\n'

/** A tree without a fault: files by path. */
const soundHouse: Record<string, string> = {
  'package.json': JSON.stringify({
    type: 'module',
    dependencies: { fastify: '5.0.0' },
    devDependencies: { tap: '1.0.0' }
  }),
  'docs/decisions.md': '| `fastify` | framework |\n| `tap` | tests |\n',
  'src/app.ts': "import a from '../plugins/a/index.ts'\nimport b from '../plugins/b/index.ts'\nexport default [a, b]\n",
  'src/config.ts': 'export const environment = process.env\n',
  'plugins/a/index.ts': "import type { B } from '../b/index.ts'\nexport default (b: B) => b\n",
  'plugins/a/README.md': readme,
  'plugins/b/index.ts': 'export type B = number\nexport default 1\n',
  'plugins/b/README.md': readme,
  'plugins/b/errors.ts': 'export const notFound = 1\n',
  'plugins/b/migration.ts': 'export const up = 1\n',
  'routes/api/v1/notes/index.ts':
    "import '../../../../plugins/b/errors.ts'\nimport './schema.ts'\nimport '../../../../db/notes.ts'\nexport default async () => {}\n",
  'routes/api/v1/notes/schema.ts': 'export const Note = 1\n',
  'db/notes.ts': "import 'fastify'\nexport { up } from '../plugins/b/migration.ts'\n",
  'scripts/go.ts': "import '../src/config.ts'\nimport 'tap'\nconsole.log(process.env.CI)\n",
  'test/go.test.ts': "import '../scripts/go.ts'\nimport '../plugins/b/errors.ts'\n"
}

t.test('a sound tree has no findings', async (t) => {
  t.same(await check(t, {}), { errors: [], warnings: [] })
})

t.test('each rule finds the file that breaks it', async (t) => {
  const cases: [title: string, broken: Record<string, string>, finding: RegExp][] = [
    [
      'a plugin with code of another plugin',
      { 'plugins/a/x.ts': "import '../b/errors.ts'" },
      /a plugin imports its own/
    ],
    [
      'a plugin with the host',
      { 'plugins/a/x.ts': "\nimport type {} from '../../src/app.ts'" },
      /a\/x\.ts:2 imports src\/app/
    ],
    ['a re-export', { 'plugins/a/x.ts': "export * from '../../db/notes.ts'" }, /imports db\/notes/],
    ['a dynamic import', { 'plugins/a/x.ts': "await import('../../db/notes.ts')" }, /imports db\/notes/],
    [
      'a type specifier that still loads the module',
      { 'plugins/a/x.ts': "import { type B } from '../b/index.ts'\nexport type C = B" },
      /imports plugins\/b\/index/
    ],
    ['a route with a plugin itself', { 'routes/x.ts': "import '../plugins/b/index.ts'" }, /routes\/x\.ts:1/],
    ['a route with another', { 'routes/api/v1/x.ts': "import './notes/queries.ts'" }, /imports routes\/api\/v1\/notes/],
    ['a route with the host', { 'routes/x.ts': "import '../src/config.ts'" }, /imports src\/config/],
    ['data access with a plugin', { 'db/x.ts': "import '../plugins/b/errors.ts'" }, /db\/ imports its own files/],
    ['data access with routes', { 'db/x.ts': "import '../routes/api/v1/notes/schema.ts'" }, /imports routes/],
    ['the host with scripts', { 'src/x.ts': "import '../scripts/go.ts'" }, /src\/ imports everything but/],
    ['a script with a plugin', { 'scripts/x.ts': "import '../plugins/b/errors.ts'" }, /scripts\/ imports src/],
    [
      'a circle of imports',
      { 'db/x.ts': "import './y.ts'", 'db/y.ts': "export * from './x.ts'" },
      /^circular import: db\/x\.ts → db\/y\.ts → db\/x\.ts$/
    ],
    ['a route without a function', { 'routes/x/index.ts': 'export default 1' }, /no function as its default export/],
    ['a route that does not load', { 'routes/x/index.ts': "throw new Error('broken')" }, /does not load: broken/],
    ['environment', { 'src/x.ts': 'export const x = process.env.HOME' }, /src\/x\.ts:1 reads process\.env/],
    ['environment by import', { 'db/x.ts': "import 'node:process'" }, /db\/x\.ts:1 imports node:process/],
    ['the type any', { 'db/x.ts': 'export const x: any = 1' }, /db\/x\.ts:1 uses the type any/],
    ['a silenced checker', { 'test/x.ts': '// @ts-ignore\nexport {}' }, /silences the type checker/],
    ['an expected type error', { 'db/x.ts': '// @ts-expect-error\nexport {}' }, /outside test/],
    ['unfinished work', { 'db/x.ts': '/* \n FIXME */' }, /leaves work for later/],
    [
      'a path of one machine',
      { 'test/x.ts': `export const x = '${['', 'home', 'me'].join('/')}'` },
      /path of one machine/
    ],
    ['a long file', { 'db/x.ts': 'export {}\n'.repeat(251) }, /db\/x\.ts has 251 lines/],
    ['a plugin without index.ts', { 'plugins/b/index.ts': '' }, /plugins\/b has no index\.ts/],
    ['a plugin without README.md', { 'plugins/b/README.md': '' }, /plugins\/b has no README\.md/],
    ['a long README.md', { 'plugins/b/README.md': 'line\n'.repeat(81) }, /README\.md has 81 lines/],
    ['a forgotten plugin', { 'src/app.ts': "import '../plugins/a/index.ts'" }, /does not register plugins\/b/],
    ['an undeclared package', { 'test/x.ts': "import 'left-pad/index.js'" }, /imports left-pad, which is not in/],
    ['a development package in the product', { 'src/x.ts': "import 'tap'" }, /src\/x\.ts:1 imports tap/],
    [
      'an unused dependency',
      { 'package.json': '{"type":"module","dependencies":{"fastify":"1","tap":"1"}}', 'scripts/go.ts': '' },
      /tap is a dependency, but nothing imports it/
    ],
    [
      'a dependency without a reason',
      { 'docs/decisions.md': '| `tap` | tests |' },
      /does not say why fastify is there/
    ],
    [
      'a reason without its dependency',
      { 'docs/decisions.md': '| `fastify` | x |\n| `tap` | y |\n| `left-pad` | z |' },
      /explains left-pad, which is not there/
    ]
  ]
  for (const [title, broken, finding] of cases) {
    await t.test(title, async (t) => {
      const { errors } = await check(t, broken)
      t.equal(errors.length, 1, errors.join('\n'))
      t.match(errors[0], finding)
    })
  }
})

t.test('text that only looks like a fault is none', async (t) => {
  const lookalikes = [
    "// import '../src/app.ts'",
    "/* import '../src/app.ts' */",
    'const a = [\'import "../src/app.ts"\', import.meta.url]',
    "const b = `@{`@{{ a: '}' }}`} import '../src/app.ts' from '../src/app.ts'`".replaceAll('@{', '${'),
    "const c = /['\"`]/.test('`') // import '../src/app.ts'",
    "const d = { import: '../src/app.ts', any: 1, env: 2 }",
    'const e = (4 / 2) / (2 / 1) + `@{/[`}]/.test(e)}`'.replace('@{', '${'),
    'const f = Promise.any([d.any, d.env, e])',
    "const unfinished = 'TODO'",
    'export { a, b, c }',
    "export const from = [f, unfinished, '/users/me']"
  ].join('\n')
  t.same(await check(t, { 'db/x.ts': lookalikes }), { errors: [], warnings: [] })
})

t.test('a file over the soft limit is only a warning', async (t) => {
  const { errors, warnings } = await check(t, { 'db/x.ts': 'export {}\n'.repeat(151) })
  t.same(errors, [])
  t.same(warnings, ['db/x.ts has 151 lines, more than 150'])
})

t.test('this tree follows the rules of the house', async (t) => {
  const { errors } = await checkHouse(join(import.meta.dirname, '..'))
  t.same(errors, [])
})

/** Checks the sound house with some files replaced; an empty text leaves the file out. */
function check(t: Test, changes: Record<string, string>) {
  const house = t.testdir()
  for (const [path, text] of Object.entries({ ...soundHouse, ...changes })) {
    if (text === '') continue
    mkdirSync(join(house, dirname(path)), { recursive: true })
    writeFileSync(join(house, path), text)
  }
  return checkHouse(house)
}
