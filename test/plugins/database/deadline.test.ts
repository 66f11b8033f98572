import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createDeadline, LATE } from '../../../plugins/database/deadline.ts'

/** A callback that notes how it is called. */
function noted() {
  const calls: unknown[] = []
  const callback = (error: Error | null, result: string) => void calls.push(error === null ? result : error.message)
  return { calls, callback }
}

t.test('what answers in time is told once, what does not is an error once', async (t) => {
  const inTime = createDeadline(100)
  const [quick, never, slow] = [noted(), noted(), noted()]
  const answers = [quick, never, slow].map(({ callback }) => inTime<string>(callback))
  answers[0]?.(null, 'quick')
  answers[0]?.(null, 'again')
  t.same(quick.calls, ['quick'])
  await sleep(60)
  const later = noted()
  const answerLater = inTime<string>(later.callback)
  await sleep(70)
  t.same([never.calls, slow.calls, later.calls], [[LATE], [LATE], []], 'each has its own time')
  answers[2]?.(null, 'slow')
  answerLater(new Error('failed'), '')
  await sleep(70)
  t.same([quick.calls, slow.calls, later.calls], [['quick'], [LATE], ['failed']])
})

t.test('thousands at once, and none again after a pause', async (t) => {
  const inTime = createDeadline(100)
  const all = Array.from({ length: 5000 }, noted)
  const answers = all.map(({ callback }) => inTime<string>(callback))
  for (const [index, answer] of answers.entries()) if (index % 100 !== 0) answer(null, String(index))
  await sleep(150)
  t.ok(all.every(({ calls }, index) => calls.length === 1 && calls[0] === (index % 100 === 0 ? LATE : String(index))))
  const last = noted()
  inTime<string>(last.callback)
  await sleep(150)
  t.same(last.calls, [LATE])
})

t.test('one that throws when it is late keeps no other from being told, nor those to come', async (t) => {
  const inTime = createDeadline(50)
  const thrown: unknown[] = []
  t.capture(process, 'emit', (event: string, error: unknown) => {
    if (event === 'uncaughtException') thrown.push(error)
    return true
  })
  const fault = new Error('late, and wrong')
  inTime(() => {
    throw fault
  })
  const second = noted()
  inTime<string>(second.callback)
  await sleep(100)
  const third = noted()
  inTime<string>(third.callback)
  await sleep(100)
  t.same([second.calls, third.calls], [[LATE], [LATE]])
  t.same(thrown, [fault])
})

t.test('no deadline at all, and yet called once', async (t) => {
  const { calls, callback } = noted()
  const answer = createDeadline(0)<string>(callback)
  answer(null, 'first')
  answer(new Error('second'), '')
  await sleep(20)
  t.same(calls, ['first'])
})
