import { type Kysely, sql } from 'kysely'
import t from 'tap'
import { crud } from '../../db/crud.ts'
import { pageList } from '../../db/page-list.ts'
import type { Database } from '../../db/types.ts'
import { openDatabase } from '../../plugins/database/index.ts'
import { testDatabase } from '../support/database.ts'
import { mode } from '../support/mode.ts'

const { open, url = '' } = await testDatabase(t, mode)
const opened = open ?? (await openDatabase({ url }))
t.teardown(() => opened.close())
const { db, transaction } = opened
const { id: tier_id } = await db.selectFrom('tiers').select('id').limit(1).executeTakeFirstOrThrow()

const users = crud('users', { softDelete: true })
const todos = crud('todos', { softDelete: true })
const roles = crud('roles', { softDelete: false })
const columns = ['public_id as id', 'title', 'description'] as const

async function addUser(username: string): Promise<number> {
  const user = { username, email: `${username}@example.com`, password_hash: 'none', tier_id }
  return (await transaction((trx) => users.create(trx, user, ['id']))).id
}
const addTodo = (owner_id: number, title: string, description: string | null = null) =>
  transaction((trx) => todos.create(trx, { owner_id, title, description }, columns))

const ada = await addUser('ada')
const bob = await addUser('bob')

t.test('what was created is read, with the asked columns and no others', async (t) => {
  const todo = await addTodo(ada, 'Milk')
  t.same(Object.keys(todo), ['id', 'title', 'description'])
  t.same(await todos.get(db, { public_id: todo.id, owner_id: ada }, columns), todo)
  t.same(await todos.get(db, { public_id: todo.id }, ['completed']), { completed: false })
  t.equal(await todos.get(db, { public_id: todo.id, owner_id: bob }, columns), undefined)
  t.equal(await todos.exists(db, { public_id: todo.id }), true)
  t.equal(await todos.exists(db, { public_id: todo.id, owner_id: bob }), false)
})

t.test('a condition is columns with values, null included, or anything Kysely can say', async (t) => {
  const owner_id = await addUser('cyd')
  for (const [title, description] of [
    ['a', null],
    ['b', 'x'],
    ['c', null]
  ] as const)
    await addTodo(owner_id, title, description)
  const titles = async (...where: [Parameters<typeof todos.getMany>[1]]) =>
    (await todos.getMany(db, where[0], ['title'], { limit: 9, order: [['todos.id', 'asc']] }))
      .map(({ title }) => title)
      .join('')

  t.equal(await titles({ owner_id }), 'abc')
  t.equal(await titles({ owner_id, description: null }), 'ac')
  t.equal(await titles({ owner_id, description: 'x' }), 'b')
  t.equal(await titles((eb) => eb.and([eb('owner_id', '=', owner_id), eb('title', '>', 'a')])), 'bc')
  t.equal(await titles((eb) => eb('title', 'in', ['a', 'none'])), 'a')
  t.equal((await todos.getMany(db, { owner_id }, ['title'], { limit: 2 })).length, 2)
  t.equal(await todos.count(db, { owner_id }), 3)
  t.equal(await todos.count(db, { owner_id }, 2), 2, 'counting stops')
  const forgotten = { owner_id: undefined } as unknown as { owner_id: number }
  t.throws(() => todos.query(db, forgotten), { message: 'The condition on owner_id has no value' })
  await t.rejects(todos.get(db, forgotten, columns), { message: 'The condition on owner_id has no value' })
})

t.test('joins select from all their tables', async (t) => {
  const todo = await addTodo(bob, 'Bread')
  const withOwner = await todos.get(db, { public_id: todo.id }, (query) =>
    query.innerJoin('users', 'users.id', 'todos.owner_id').select(['todos.title', 'users.username as owner'])
  )
  t.same(withOwner, { title: 'Bread', owner: 'bob' })
  const all = await todos.getMany(
    db,
    { owner_id: bob },
    (query) => query.leftJoin('users', 'users.id', 'todos.owner_id').select('users.username'),
    { limit: 5 }
  )
  t.same(all, [{ username: 'bob' }])
  const plain = await todos.query(db, { owner_id: bob }).select(sql<number>`length(title)`.as('length')).execute()
  t.same(plain, [{ length: 5 }], 'and plain Kysely goes on from there')
})

t.test('an update changes what it names, and tells when there was nothing', async (t) => {
  const { id } = await addTodo(ada, 'Tea', 'green')
  await transaction(async (trx) => {
    const key = { public_id: id, owner_id: ada }
    t.match(await todos.update(trx, key, { title: 'Tee' }, columns), { title: 'Tee', description: 'green' })
    t.match(await todos.update(trx, key, { description: null }, columns), { title: 'Tee', description: null })
    t.match(await todos.update(trx, key, { title: sql`upper(title)` }, columns), { title: 'TEE' })
    t.equal(await todos.update(trx, { ...key, owner_id: bob }, { title: 'Mine' }, columns), undefined)
    await t.rejects(todos.update(trx, {}, { title: 'All' }, columns), TypeError)
    await t.rejects(todos.delete(trx, {}), TypeError)
    await t.rejects(todos.hardDelete(trx, {}), TypeError)
  })
  t.match(await todos.get(db, { public_id: id }, ['title', 'row_version']), { title: 'TEE', row_version: 4 })
})

t.test('a deleted row is hidden, comes back when restored, and is gone after a hard delete', async (t) => {
  const { id } = await addTodo(ada, 'Rust')
  const key = { public_id: id }
  t.equal(await transaction((trx) => todos.delete(trx, key)), 1)
  t.equal(await transaction((trx) => todos.delete(trx, key)), 0)
  t.equal(await todos.get(db, key, columns), undefined)
  t.equal(await todos.exists(db, key), false)
  t.equal(await todos.count(db, key), 0)
  t.equal(await transaction((trx) => todos.update(trx, key, { title: 'Gone' }, columns)), undefined)
  t.same(await todos.query(db, key, 'only').select('title').execute(), [{ title: 'Rust' }])
  t.same(await todos.query(db, key, 'shown').select('title').execute(), [{ title: 'Rust' }])

  t.equal(await transaction((trx) => todos.restore(trx, key)), 1)
  t.equal(await transaction((trx) => todos.restore(trx, key)), 0)
  t.match(await todos.get(db, key, columns), { title: 'Rust' })

  await transaction((trx) => todos.delete(trx, key))
  t.equal(await transaction((trx) => todos.hardDelete(trx, key)), 1)
  t.same(await todos.query(db, key, 'shown').selectAll().execute(), [])
})

t.test('a failure half-way leaves nothing', async (t) => {
  const failed = transaction(async (trx) => {
    const role = await roles.create(trx, { name: 'half' }, ['id'])
    t.ok(role.id)
    throw new Error('half-way')
  })
  await t.rejects(failed, { message: 'half-way' })
  t.equal(await roles.exists(db, { name: 'half' }), false)
})

t.test('pages count only where they must, and say when they stopped', async (t) => {
  const owner_id = await addUser('dan')
  for (let i = 1; i <= 7; i++) await addTodo(owner_id, `${i}`)
  const build = (db: Kysely<Database>, { owner_id }: { owner_id: number }) =>
    todos.query(db, { owner_id }).select('title')
  const order = [['todos.id', 'asc']] as const
  const exact = pageList(build, order)
  const capped = pageList(build, order, { maxRows: 5 })
  const page = async (list: typeof exact, page: number, items_per_page: number) => {
    const { data, ...rest } = await list(db, { owner_id }, { page, items_per_page })
    return { titles: data.map(({ title }) => title).join(''), ...rest }
  }
  const at = (page: number, items_per_page: number) => ({ page, items_per_page })

  t.same(await page(exact, 1, 3), { titles: '123', total_count: 7, is_total_exact: true, has_more: true, ...at(1, 3) })
  t.same(await page(exact, 3, 3), { titles: '7', total_count: 7, is_total_exact: true, has_more: false, ...at(3, 3) })
  t.same(await page(exact, 1, 7), {
    titles: '1234567',
    total_count: 7,
    is_total_exact: true,
    has_more: false,
    ...at(1, 7)
  })
  t.same(await page(exact, 9, 3), { titles: '', total_count: 7, is_total_exact: true, has_more: false, ...at(9, 3) })
  t.same(await page(capped, 1, 2), { titles: '12', total_count: 5, is_total_exact: false, has_more: true, ...at(1, 2) })
  t.same(await page(capped, 3, 2), {
    titles: '56',
    total_count: 5,
    is_total_exact: false,
    has_more: false,
    ...at(3, 2)
  })
  t.same(await page(capped, 4, 2), { titles: '', total_count: 5, is_total_exact: false, has_more: false, ...at(4, 2) })
  t.match(await page(exact, 2_147_483_647, 100), { titles: '', total_count: 7 })
})

/** Never called: `npm run typecheck` fails when one of these compiles. */
export async function refusedByTheCompiler() {
  // @ts-expect-error no such table
  crud('ghosts', { softDelete: false })
  // @ts-expect-error roles are not softly deleted
  crud('roles', { softDelete: true })
  // @ts-expect-error todos are
  crud('todos', { softDelete: false })
  await transaction(async (trx) => {
    // @ts-expect-error nothing to hide them by
    await roles.delete(trx, { name: 'x' })
    // @ts-expect-error no such column
    await todos.create(trx, { owner_id: 1, title: 'x', colour: 'red' }, ['id'])
    // @ts-expect-error the title is missing
    await todos.create(trx, { owner_id: 1 }, ['id'])
    // @ts-expect-error the database makes the key
    await todos.create(trx, { id: 1, owner_id: 1, title: 'x' }, ['id'])
    // @ts-expect-error a title is text
    await todos.update(trx, { id: 1 }, { title: 1 }, ['id'])
    // @ts-expect-error a title is never null
    await todos.update(trx, { id: 1 }, { title: null }, ['id'])
    // @ts-expect-error writes take a transaction
    await todos.update(db, { id: 1 }, { title: 'x' }, ['id'])
  })
  // @ts-expect-error no such column to read
  await todos.get(db, { id: 1 }, ['colour'])
  // @ts-expect-error no such column to ask for
  await todos.get(db, { colour: 'red' }, ['id'])
  // @ts-expect-error a key is a number
  await todos.get(db, { id: '1' }, ['id'])
  // @ts-expect-error a forgotten value would be a forgotten condition
  await todos.get(db, { owner_id: undefined }, ['id'])
  const todo = await todos.get(db, { id: 1 }, ['title'])
  // @ts-expect-error there may be none
  todo.title.trim()
  // @ts-expect-error it was not asked for
  todo?.description
  // @ts-expect-error a list has a limit
  await todos.getMany(db, { id: 1 }, ['title'], {})
  // @ts-expect-error a null has no place in an order
  await todos.getMany(db, { id: 1 }, ['title'], { limit: 1, order: [['todos.description', 'asc']] })
  // @ts-expect-error roles are not joined
  await todos.get(db, { id: 1 }, (query) => query.select('roles.name'))
}
