import type { Field } from './fields.ts'
import type { Resource } from './templates.ts'

/** A test of the routes, and what the matrix of routes and callers has to know. */
export function test({ names, fields, isPublic }: Resource): string {
  const { singular, path, plural, title, words } = names
  const [field = fields[0]] = fields
  const refused = fields.map(({ name, samples }) => `{ ${name}: ${samples[2]} }`)
  return `import t from 'tap'
import { startApp } from '../support/app.ts'
import { caller, keyOf, person } from '../support/people.ts'

const app = await startApp(t)
const owner = await person(app)
const other = await person(app)
const fields = ${sampleOf(fields, 0)}

t.test('one of the ${words} is created, read, changed and deleted', async (t) => {
  const created = await owner.as.post('/${path}', fields)
  t.equal(created.statusCode, 201, created.body)
  t.match(created.json(), { status: 'success', message: '${title} created successfully' })
  const { data } = created.json()
  t.same(Object.keys(data), ['id', ...Object.keys(fields), 'created_at', 'updated_at'])
  const path = \`/${path}/\${data.id}\`
  t.equal(created.headers.location, \`/api/v1\${path}\`)

  t.same((await owner.as.get(path)).json().data, data)
  t.match((await owner.as.get('/${path}')).json(), { total_count: 1, data: [data] })
  const changed = await owner.as.patch(path, { ${field?.name}: ${field?.samples[1]} })
  t.equal(changed.statusCode, 200, changed.body)
  t.not(changed.json().data.${field?.name}, data.${field?.name})

  t.equal((await owner.as.delete(path)).statusCode, 204)
  t.equal((await owner.as.delete(path)).statusCode, 404)
  t.equal((await owner.as.get(path)).statusCode, 404)
  t.same((await owner.as.get('/${path}')).json().data, [])
  const row = await app.db.selectFrom('${plural}').selectAll().where('public_id', '=', data.id).executeTakeFirstOrThrow()
  t.ok(row.deleted_at, 'kept as a deleted row')
})

t.test('what belongs to another ${isPublic ? 'is read by all and changed by none' : 'answers like what is absent'}', async (t) => {
  const { data } = (await owner.as.post('/${path}', fields)).json()
  const path = \`/${path}/\${data.id}\`
  t.equal((await other.as.get(path)).statusCode, ${isPublic ? 200 : 404})
  t.equal((await other.as.patch(path, fields)).statusCode, 404)
  t.equal((await other.as.delete(path)).statusCode, 404)
  t.same((await owner.as.get(path)).json().data, data, 'untouched')
  t.equal((await other.as.get('/${path}')).json().total_count, ${isPublic ? 1 : 0})
})

t.test('roles and scopes decide, and who is refused is told what is missing', async (t) => {
  const guest = await person(app)
  await app.db.deleteFrom('user_roles').where('user_id', '=', guest.user_id).execute()
  const refused = await guest.as.post('/${path}', fields)
  t.equal(refused.statusCode, 403, refused.body)
  t.same(refused.json().missing, ['create:${singular}:me'])

  const program = caller(app, (await keyOf(app, owner, ['create:${singular}:me'])).headers)
  const created = await program.post('/${path}', fields)
  t.equal(created.statusCode, 201, created.body)
  const path = \`/${path}/\${created.json().data.id}\`
  t.same((await program.delete(path)).json().missing, ['delete:${singular}:me'])
  t.equal((await owner.as.delete(path)).statusCode, 204, 'it was still there')
})

t.test('what a field does not admit is refused', async (t) => {
  for (const wrong of [${refused.join(', ')}, { ${singular}_id: 1 }, { owner_id: 1 }]) {
    const answer = await owner.as.post('/${path}', { ...fields, ...wrong })
    t.equal(answer.statusCode, 422, JSON.stringify(wrong))
  }
})
`
}

export function matrixRows({ names: { singular, path }, fields, isPublic }: Resource): string {
  const row = (method: string, suffix: string, verdict: string) =>
    `  '${method} /api/v1/${path}${suffix}': ${verdict},\n`
  const one = `/{${singular}_id}`
  return [
    row('GET', '', isPublic ? 'all(200)' : 'keyed(self(200))'),
    row('POST', '', `keyed(self(201, ${sampleOf(fields, 0)}))`),
    row('GET', one, isPublic ? 'all(200)' : 'keyed(own(200))'),
    row('PATCH', one, `keyed(own(200, ${sampleOf(fields.slice(0, 1), 1)}))`),
    row('DELETE', one, 'keyed(own(204))')
  ].join('')
}

export const worldRow = ({ names: { variable, plural }, fields }: Resource) => `    const ${variable} = await app.db
      .insertInto('${plural}')
      .values({ owner_id: owner.user_id, ${sampleOf(fields, 0).slice(2)})
      .returning('public_id')
      .executeTakeFirstOrThrow()
`

function sampleOf(fields: Field[], at: 0 | 1): string {
  return `{ ${fields.map(({ name, samples }) => `${name}: ${samples[at]}`).join(', ')} }`
}
