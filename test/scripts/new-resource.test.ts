import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { addResource, removeResource } from '../../scripts/new-resource/command.ts'
import { edits } from '../../scripts/new-resource/edits.ts'
import { readFields } from '../../scripts/new-resource/fields.ts'
import { readNames } from '../../scripts/new-resource/names.ts'
import { root, runNode } from '../../scripts/run.ts'

const resource = (name: string, fields = ['title:string', 'kind:enum(big,small)?'], isPublic = false) => ({
  names: readNames(name),
  fields: readFields(fields),
  isPublic
})

const known = edits.map(({ file }) => file)

/** A project of one migration and the files that know of every resource. */
function project(t: Test) {
  const folder = t.testdir({ db: { migrations: { '0041_before.ts': '' } } })
  for (const file of [...known, 'openapi.json']) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  return { folder, read: () => known.map((file) => readFileSync(join(folder, file), 'utf8')) }
}

t.test('a resource is written and taken out again without a trace, and nothing is overwritten', async (t) => {
  const { folder, read } = project(t)
  const before = read()

  const own = ['db/migrations/0042_glossaries.ts', 'routes/api/v1/glossaries', 'test/routes/glossaries.test.ts']
  const written = await addResource(folder, resource('glossary'))
  t.same(
    written.filter((file) => !known.includes(file)).map((file) => file.replace(/\/(index|schema|queries)\.ts$/, '')),
    [own[0], own[1], own[1], own[1], own[2]]
  )
  t.ok(
    read().every((text, index) => text !== before[index]),
    'and each file that knows of all resources'
  )
  await t.rejects(addResource(folder, resource('glossary')), {
    message: /^Nothing was written, these are there already: /
  })
  await addResource(folder, resource('inbox_rule', ['a:integer', 'b:uuid?', 'c:datetime', 'd:number', 'e:text'], true))
  removeResource(folder, readNames('inbox_rule'))

  t.same(removeResource(folder, readNames('glossary')).slice(0, 3), own)
  t.same(read(), before)
  for (const file of own) t.notOk(existsSync(join(folder, file)), file)
  t.throws(() => removeResource(folder, readNames('glossary')), { message: 'There is no resource glossary' })
})

t.test('a resource that other code uses is not taken out, and the code is named', async (t) => {
  const { folder, read } = project(t)
  const uses = {
    'db/migrations/0043_pages.ts': 'sql`create table pages (glossary_id bigint references glossaries)`',
    'db/reports.ts': "db.selectFrom('glossaries.id')",
    'routes/api/v1/pages/index.ts': "import { findGlossary } from '../glossaries/queries.ts'",
    'src/other.ts': "/**\n * crud('glossaries')\n */\n// from glossaries"
  }
  await addResource(folder, resource('glossary'))
  for (const [file, text] of Object.entries(uses)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  const before = read()
  const [migration, query, route] = Object.keys(uses)
  t.throws(() => removeResource(folder, readNames('glossary')), {
    message: `Nothing was removed, these use glossaries:\n  ${migration}\n  ${query}\n  ${route}`
  })
  t.same(read(), before)
  t.ok(existsSync(join(folder, 'routes/api/v1/glossaries/index.ts')))
})

t.test('owners have permissions of their own, which a migration gives and takes', async (t) => {
  const { folder } = project(t)
  const read = (file: string) => readFileSync(join(folder, file), 'utf8')
  const [migration = ''] = await addResource(folder, resource('glossary'))
  await addResource(folder, resource('inbox_rule', ['title:string'], true))

  const codes = `['create:glossary:me', 'read:glossary:me', 'update:glossary:me', 'delete:glossary:me']`
  t.match(
    read('db/permissions.ts'),
    `[\n  ...['create:inbox_rule:me', 'update:inbox_rule:me', 'delete:inbox_rule:me'],\n`
  )
  t.match(read('db/permissions.ts'), `\n  ...${codes},\n`)
  t.match(read(migration), `const permissions = ${codes}\n`)
  t.match(read(migration), /up\(.*addPermissions\(db, permissions\).*down\(.*removePermissions\(db, permissions\)/s)
  const auth = (path: string) => read(`routes/api/v1/${path}/index.ts`).match(/(?<=auth: )('\w+'|\{.*?\})/g)
  const may = (code: string) => `{ permission: '${code}', apiKey: true }`
  const [create, get, update, remove] = ['create', 'read', 'update', 'delete'].map((what) => may(`${what}:glossary:me`))
  t.same(auth('glossaries'), [create, get, get, update, remove])
  t.same(auth('inbox-rules')?.slice(0, 3), [may('create:inbox_rule:me'), `'public'`, `'public'`])
})

t.test('what the service has already is not written a second time, not even in part', async (t) => {
  const { folder, read } = project(t)
  const before = read()
  const refused: [name: string, message: RegExp][] = [
    ['user_role', /^Nothing was written, the API has something called user_role already/], // its operations
    ['problem', /the API has something called problem/], // its schema
    ['idempotency_key', /^Nothing was written, "idempotency_keys: IdempotencyKeysTable" is there already/],
    ['key', /^Nothing was written, "key_id: string" is there already/]
  ]
  for (const [name, message] of refused) await t.rejects(addResource(folder, resource(name)), { message })
  t.same(read(), before)
  t.same(readdirSync(folder).sort(), ['db', 'openapi.json', 'src', 'test'], 'no routes')
})

t.test('--help tells how to use it', async (t) => {
  const { code, stdout } = await runNode([join(root, 'scripts/new-resource.ts'), '--help'], { capture: true })
  t.equal(code, 0)
  t.match(stdout, /^Usage: npm run new:resource -- <name> .*--remove\n.*at most 40 characters/s)
})

t.test('a name has its plural and its other spellings', async (t) => {
  t.match(readNames('blog_post'), {
    plural: 'blog_posts',
    path: 'blog-posts',
    type: 'BlogPost',
    variables: 'blogPosts'
  })
  t.equal(readNames('category').plural, 'categories')
  t.equal(readNames('box').plural, 'boxes')
  t.equal(readNames('day').plural, 'days')
})

t.test('wrong usage is told before anything is written', async (t) => {
  for (const name of ['Note', 'blog-post', '1st', 'note2', 'log_2_file', 'log_x', 'a', '../x', '']) {
    t.throws(() => readNames(name), { name: 'UsageError', message: /is no name: .* such as blog_post; digits/ }, name)
  }
  for (const name of ['class', 'request', 'transaction', 'map', 'person', 'reference']) {
    t.throws(() => readNames(name), { name: 'UsageError', message: /means something already/ }, name)
  }
  t.equal(readNames('a'.repeat(40)).singular.length, 40)
  t.throws(() => readNames('a'.repeat(41)), { name: 'UsageError', message: /has 41 characters: 40 are the most/ })
  const cases: [fields: string[], message: RegExp][] = [
    [[], /at least one field/],
    [['title'], /"title" is no field/],
    [['title:varchar'], /unknown type: there are string, text, integer, number, boolean, datetime, uuid and enum/],
    [['title:string(9)'], /unknown type/],
    [['title:string', 'title:text'], /title is there twice/],
    [[`${'a'.repeat(64)}:text`], /too long/],
    [['author_id:integer'], /would be an id, and those are UUIDs/],
    [['id:uuid'], /Every resource has id already/],
    [['kind:enum(one)'], /names two values or more/],
    [["kind:enum(a,b'c)"], /names two values or more/]
  ]
  for (const [fields, message] of cases) t.throws(() => readFields(fields), { name: 'UsageError', message })
})
