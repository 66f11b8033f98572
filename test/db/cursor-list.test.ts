import type { Kysely } from 'kysely'
import t from 'tap'
import { cursorList, type SortColumn, type SortOrder } from '../../db/cursor-list.ts'
import { createCursors } from '../../db/cursors.ts'
import type { Database } from '../../db/types.ts'
import { openDatabase } from '../../plugins/database/index.ts'
import { testDatabase } from '../support/database.ts'
import { mode } from '../support/mode.ts'

const { open, url = '' } = await testDatabase(t, mode)
const opened = open ?? (await openDatabase({ url }))
t.teardown(() => opened.close())
const { db } = opened

const key = (fill: number, kid: string) => ({ kid, key: Buffer.alloc(32, fill) })
const cursors = createCursors([key(1, 'k1')])
const owner_id = await addUser('ada')

t.test('a walk meets every row once, in each order, and ends with no cursor', async (t) => {
  for (let i = 0; i < 23; i++) await addTodo(owner_id, `todo ${i % 4}`, i % 2 === 0)
  const orders: Record<string, SortOrder<SortColumn<Database, 'todos'>>> = {
    newest: [
      ['todos.created_at', 'desc'],
      ['todos.id', 'desc']
    ],
    oldest: [
      ['todos.created_at', 'asc'],
      ['todos.id', 'asc']
    ],
    mixed: [
      ['todos.title', 'desc'],
      ['todos.completed', 'asc'],
      ['todos.id', 'desc']
    ]
  }
  for (const [name, order] of Object.entries(orders)) {
    const list = cursorList(name, todosOf, order)
    let sorted = todosOf(db, { owner_id })
    for (const [column, direction] of order) sorted = sorted.orderBy(column, direction)
    const expected = await sorted.execute()
    t.same(await walk(list, { owner_id }, 5), expected, name)
    t.same(await walk(list, { owner_id }, 23), expected, `${name}, in one part`)
  }
})

t.test('rows that come and go meanwhile neither repeat nor hide others', async (t) => {
  const owner_id = await addUser('bob')
  const ids: string[] = []
  for (let i = 0; i < 9; i++) ids.unshift(await addTodo(owner_id, `${i}`))
  const list = cursorList('todos', todosOf, [
    ['todos.created_at', 'desc'],
    ['todos.id', 'desc']
  ])

  const first = await list(db, cursors, { owner_id }, { limit: 3 })
  await addTodo(owner_id, 'newer')
  await db
    .deleteFrom('todos')
    .where('public_id', 'in', [ids[2] ?? '', ids[4] ?? ''])
    .execute()
  const rest = await walk(list, { owner_id }, 3, first.next_cursor)

  t.same(
    first.data.map(({ id }) => id),
    ids.slice(0, 3)
  )
  t.same(
    rest.map(({ id }) => id),
    [ids[3], ...ids.slice(5)],
    'the place is kept though its row is gone'
  )
})

t.test('a row has the columns that were selected, and a cursor shows nothing', async (t) => {
  const list = cursorList('todos', todosOf, [['todos.id', 'asc']])
  const { data, next_cursor } = await list(db, cursors, { owner_id }, { limit: 1 })
  t.same(Object.keys(data[0] ?? {}), ['id', 'title'])
  t.match(next_cursor, /^k1\.[\w-]+$/)
  t.notOk(Buffer.from(next_cursor?.slice(3) ?? '', 'base64url').includes('[1'), 'no JSON in it')
})

t.test('a cursor that was forged, altered or made for another list is refused', async (t) => {
  const order = [['todos.id', 'asc']] as const
  const list = cursorList('todos', todosOf, order)
  const { next_cursor } = await list(db, cursors, { owner_id }, { limit: 1 })
  const cursor = next_cursor ?? ''
  t.same((await list(db, cursors, { owner_id }, { limit: 1, cursor })).data.length, 1, 'the genuine one is good')

  const flipped = cursor.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A'))
  const body = cursor.slice(3)
  const forged = [flipped, `k2.${body}`, body, `k1.${body.slice(0, -2)}`, 'k1.', '.', 'x', `k1.${'A'.repeat(80)}`]
  for (const wrong of [...forged, `__proto__.${body}`]) {
    await t.rejects(list(db, cursors, { owner_id }, { limit: 1, cursor: wrong }), refused, wrong)
  }
  const elsewhere = [
    [list, { owner_id: owner_id + 1 }],
    [cursorList('others', todosOf, order), { owner_id }],
    [cursorList('todos', todosOf, [['todos.id', 'desc']]), { owner_id }]
  ] as const
  for (const [other, values] of elsewhere) {
    await t.rejects(other(db, cursors, values, { limit: 1, cursor }), refused)
  }
})

t.test('after a rotation of keys, cursors of the old one are good and new ones have the new one', async (t) => {
  const rotated = createCursors([key(2, 'k2'), key(1, 'k1')])
  t.same(rotated.open('scope', cursors.seal('scope', ['a', 1, true])), ['a', 1, true])
  t.match(rotated.seal('scope', []), /^k2\./)
  t.throws(() => createCursors([key(2, 'k1')]).open('scope', cursors.seal('scope', [1])), refused)
  t.throws(() => createCursors([]), /at least one key/)
})

const refused = { code: 'INVALID_CURSOR', statusCode: 422 }

function todosOf(db: Kysely<Database>, { owner_id }: { owner_id: number }) {
  return db.selectFrom('todos').select(['public_id as id', 'title']).where('owner_id', '=', owner_id)
}

async function walk(
  list: ReturnType<typeof cursorList<Database, { owner_id: number }, Database, 'todos', { id: string; title: string }>>,
  values: { owner_id: number },
  limit: number,
  start: string | null = null
) {
  const rows: Array<{ id: string; title: string }> = []
  let cursor = start
  do {
    const part = await list(db, cursors, values, { limit, ...(cursor !== null && { cursor }) })
    t.equal(part.has_more, part.next_cursor !== null)
    rows.push(...part.data)
    cursor = part.next_cursor
  } while (cursor !== null)
  return rows
}

async function addUser(username: string): Promise<number> {
  const { id: tier_id } = await db.selectFrom('tiers').select('id').limit(1).executeTakeFirstOrThrow()
  const user = { username, email: `${username}@example.com`, password_hash: 'none', tier_id }
  return (await db.insertInto('users').values(user).returning('id').executeTakeFirstOrThrow()).id
}

async function addTodo(owner_id: number, title: string, completed = false): Promise<string> {
  const todo = { owner_id, title, completed }
  return (await db.insertInto('todos').values(todo).returning('public_id').executeTakeFirstOrThrow()).public_id
}
