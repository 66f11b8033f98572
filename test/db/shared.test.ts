import t from 'tap'
import { shared } from '../../db/shared.ts'

t.test('values of the same JSON are one, frozen, and no others are', async (t) => {
  const lists = [['read', 'write'], ['read', 'write'], ['read write'], ['write', 'read'], ['read,write'], []]
  const kept = lists.map(shared)
  t.same(kept, lists)
  t.equal(kept[0], kept[1])
  t.equal(new Set(kept).size, 5)
  t.throws(() => (kept[0] as string[]).push('everything'), TypeError)
  t.throws(() => Object.assign(shared({ id: '1', name: 'free' }), { name: 'pro' }), TypeError)
})

t.test('however many there are, a value stays what it is, and few are kept', async (t) => {
  const first = shared({ id: 'first' })
  const ids = Array.from({ length: 3000 }, (_, n) => `${n}`)
  t.same(
    ids.map((id) => shared({ id }).id),
    ids
  )
  t.same(shared({ id: 'first' }), first)
  t.not(shared({ id: 'first' }), first)
})
