import t from 'tap'
import { addressKey } from '../../../plugins/rate-limit/address.ts'
import { memoryStore } from '../../../plugins/rate-limit/memory-store.ts'
import { checkOf, randomWalk } from './walk.ts'

function store(maxKeys = 1000) {
  const clock = { at: 1_700_000_000_000 }
  return { clock, ...memoryStoreAt(clock, maxKeys) }
}

function memoryStoreAt(clock: { at: number }, maxKeys: number) {
  const memory = memoryStore({ maxKeys, now: () => clock.at })
  // The memory store never has to wait.
  const take = (...args: Parameters<typeof checkOf>) =>
    memory.take(checkOf(...args)) as Awaited<ReturnType<typeof memory.take>>
  return { memory, take }
}

t.test('L07: no span as long as the window ever sees more than the maximum, wherever it begins', (t) => {
  for (let seed = 1; seed <= 12; seed++) {
    const { clock, take } = store()
    const [max, seconds] = [1 + (seed % 9), 1 + (seed % 7)]
    const passed: Array<{ at: number; cost: number }> = []
    for (const { at, cost } of randomWalk(seed, 600, seconds * 1000)) {
      clock.at = at
      const { isAllowed } = take('ip:a', { calls: { max, seconds } }, cost)
      if (isAllowed && cost > 0) passed.push({ at, cost })
    }
    const worst = Math.max(...passed.map(({ at }) => spent(passed, at - seconds * 1000, at)))
    t.ok(worst <= max, `seed ${seed}: ${worst} of ${max}`)
    t.ok(passed.length > 20, 'and calls do pass')
  }
  t.end()
})

function spent(passed: Array<{ at: number; cost: number }>, after: number, until: number): number {
  return passed.reduce((sum, { at, cost }) => (at > after && at <= until ? sum + cost : sum), 0)
}

t.test('L07: a burst at the end of one minute leaves nothing for the beginning of the next', (t) => {
  const { clock, take } = store()
  const calls = (count: number) =>
    Array.from({ length: count }, () => take('ip:a', { calls: { max: 10, seconds: 60 } })).filter((v) => v.isAllowed)
      .length
  clock.at = 1_700_000_040_000 - 1000 // a second before a full minute
  t.equal(calls(20), 10)
  clock.at += 2000
  t.equal(calls(20), 0)
  clock.at += 58_000
  t.equal(calls(20), 10, 'and a minute after the burst all is free')
  t.end()
})

t.test('L07: two periods in turn keep nobody out, and refused calls make no wait longer', (t) => {
  const { clock, take } = store()
  const passes = Array.from({ length: 24 }, (_, n) => {
    const { isAllowed } = take('user:1', { quota: { max: 2, seconds: 3 + (n % 2) } })
    clock.at += 1100
    return isAllowed
  })
  t.ok(passes.filter(Boolean).length >= 8, passes.map(Number).join(' '))
  t.ok(
    passes
      .join(' ')
      .split('true')
      .every((gap) => gap.split('false').length <= 5),
    'five seconds at most'
  )

  clock.at += 10_000
  for (let n = 0; n < 2; n++) t.match(take('user:2', { quota: { max: 2, seconds: 60 } }), { isAllowed: true })
  const { states } = take('user:2', { quota: { max: 2, seconds: 30 } })
  clock.at += 20_000
  t.match(take('user:2', { quota: { max: 2, seconds: 60 } }), { isAllowed: false })
  t.match(take('user:2', { quota: { max: 2, seconds: 30 } }), { isAllowed: false })
  clock.at += (states[0]?.resetMs ?? 0) - 20_000
  t.match(take('user:2', { quota: { max: 2, seconds: 30 } }), { isAllowed: true }, 'as told at first')
  t.end()
})

t.test('waiting exactly as long as told is enough, a millisecond less is not', (t) => {
  for (let seed = 1; seed <= 5; seed++) {
    const { clock, take } = store()
    const quotas = { fast: { max: 3, seconds: 2 }, slow: { max: 7, seconds: 11 } }
    const waits: number[] = []
    const late: boolean[] = []
    const early: boolean[] = []
    for (const { at } of randomWalk(seed, 300, 3000)) {
      clock.at = Math.max(clock.at, at)
      const { isAllowed, states } = take('user:1', quotas)
      if (isAllowed) continue
      const waitMs = Math.max(...states.map(({ isExceeded, resetMs }) => (isExceeded ? resetMs : 0)))
      clock.at += waitMs - 1
      waits.push(waitMs)
      if (waitMs > 1) early.push(take('user:1', quotas).isAllowed)
      clock.at += 1
      late.push(take('user:1', quotas).isAllowed)
    }
    t.ok(waits.length > 10 && Math.max(...waits) <= 11_000, 'never longer than the window')
    t.notOk(early.includes(true), 'too early')
    t.notOk(late.includes(false), 'in time')
  }
  t.end()
})

t.test('all quotas of a call are charged or none, a refused call is not charged, and looking is free', (t) => {
  const { take } = store()
  const quotas = { wide: { max: 10, seconds: 60 }, narrow: { max: 2, seconds: 60 } }
  const remaining = (cost: number) => take('user:1', quotas, cost).states.map((state) => state.remaining)
  t.same(remaining(0), [10, 2])
  t.same(remaining(1), [9, 1])
  t.same(remaining(1), [8, 0])
  t.same(remaining(1), [8, 0], 'refused')
  t.same(remaining(0), [8, 0])
  t.ok(take('user:1', quotas, 0).isAllowed, 'looking is never refused')
  t.match(take('user:1', { wide: { max: 10, seconds: 60 } }, 9), { isAllowed: false, states: [{ remaining: 8 }] })
  t.match(take('user:1', { wide: { max: 10, seconds: 60 } }, 8), { isAllowed: true, states: [{ remaining: 0 }] })
  t.match(take('user:2', quotas), { isAllowed: true, states: [{ remaining: 9 }, { remaining: 1 }] }, 'others are free')
  t.end()
})

t.test('a window of another length takes over what was used, and a clock that went back frees nothing', (t) => {
  const { clock, take } = store()
  for (let call = 0; call < 4; call++) take('user:1', { calls: { max: 5, seconds: 3600 } })
  t.match(take('user:1', { calls: { max: 5, seconds: 60 } }), { isAllowed: true, states: [{ remaining: 0 }] })
  t.match(take('user:1', { calls: { max: 5, seconds: 3600 } }), { isAllowed: false })
  clock.at -= 86_400_000
  const { isAllowed, states } = take('user:1', { calls: { max: 5, seconds: 60 } })
  t.notOk(isAllowed)
  t.ok((states[0]?.resetMs ?? 0) <= 60_000, 'nor locks anybody out for longer than the window')
  t.end()
})

t.test('memory is bounded, and forgetting a client that was at its limit is counted', (t) => {
  const { clock, memory, take } = store(1000)
  const quota = { calls: { max: 1, seconds: 60 } }
  for (let address = 0; address < 1500; address++) take(`ip:${address}`, quota)
  t.equal(memory.size, 1000)
  t.equal(memory.evictedFull, 500)
  t.ok(take('ip:0', quota).isAllowed, 'the oldest was forgotten')
  t.notOk(take('ip:1499', quota).isAllowed, 'the newest was not')
  clock.at += 61_000
  const before = memory.evictedFull
  for (let address = 2000; address < 2500; address++) take(`ip:${address}`, quota)
  t.equal(memory.evictedFull, before, 'one whose quota is free again is no loss')
  t.end()
})

t.test('P14: an address counts in one way, however it is spelt, and an IPv6 address by its /64', (t) => {
  const cases: Array<[ip: string | undefined, key: string]> = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::'],
    ['2001:0DB8:0001:0002::ffff', '2001:db8:1:2::'],
    ['2001:db8::1', '2001:db8:0:0::'],
    ['fe80::1%eth0', 'fe80:0:0:0::'],
    ['::1', '0:0:0:0::'],
    ['1::', '1:0:0:0::'],
    [undefined, 'unknown'],
    ['192.0.2.1:65535', '192.0.2.1'],
    ['[2001:db8:1:2::1]:443', '2001:db8:1:2::'],
    ['[2001:db8:1:2::1]', '2001:db8:1:2::'],
    ['[[::1]]', 'unknown'],
    ['192.0.2.999:80', 'unknown'],
    ['x'.repeat(500), 'unknown']
  ]
  for (const [ip, key] of cases) t.equal(addressKey(ip), key, String(ip))
  t.end()
})
