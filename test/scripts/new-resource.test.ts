import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { addResource, removeResource } from '../../scripts/new-resource/command.ts'
import { edits } from '../../scripts/new-resource/edits.ts'
import { readFields } from '../../scripts/new-resource/fields.ts'
import { readNames } from '../../scripts/new-resource/names.ts'
import { root } from '../../scripts/run.ts'

const resource = (name: string, fields = ['title:string', 'kind:enum(big,small)?'], isPublic = false) => ({
  names: readNames(name),
  fields: readFields(fields),
  isPublic
})

t.test('a resource is written and taken out again without a trace, and nothing is overwritten', async (t) => {
  const folder = t.testdir({ db: { migrations: { '0041_before.ts': '' } } })
  const known = edits.map(({ file }) => file)
  for (const file of known) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  const read = () => known.map((file) => readFileSync(join(folder, file), 'utf8'))
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
  for (const name of ['Note', 'blog-post', '1st', 'class', 'request', 'a'.repeat(41), '../x']) {
    t.throws(() => readNames(name), { name: 'UsageError' }, name)
  }
  const cases: [fields: string[], message: RegExp][] = [
    [[], /at least one field/],
    [['title'], /"title" is no field/],
    [['title:varchar'], /unknown type: there are string, text, integer, number, boolean, datetime, uuid and enum/],
    [['title:string(9)'], /unknown type/],
    [['title:string', 'title:text'], /title is there twice/],
    [['id:uuid'], /Every resource has id already/],
    [['kind:enum(one)'], /names two values or more/],
    [["kind:enum(a,b'c)"], /names two values or more/]
  ]
  for (const [fields, message] of cases) t.throws(() => readFields(fields), { name: 'UsageError', message })
})
