import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { memoryStore } from '../../../plugins/rate-limit/memory-store.ts'
import { checkOf } from './walk.ts'

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')

t.test('a million distinct addresses cost the memory store at most 50 MB', (t) => {
  const usedMb = () => {
    gc()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return (heapUsed + arrayBuffers) / 1e6
  }
  const before = usedMb()
  const memory = memoryStore({ maxKeys: 80_000, now: () => performance.now() })
  for (let n = 0; n < 1_000_000; n++) {
    memory.take(
      checkOf(`ip:10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, { 'per-address': { max: 100, seconds: 3600 } })
    )
  }
  const grownMb = usedMb() - before
  t.comment(`${memory.size} counters, ${grownMb.toFixed(1)} MB`)
  t.equal(memory.size, 80_000)
  t.ok(grownMb <= 50, `${grownMb.toFixed(1)} MB`)
  t.end()
})
