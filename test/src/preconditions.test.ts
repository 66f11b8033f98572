import t from 'tap'
import { callers, matrix, type Row, type World } from '../access-matrix.ts'
import { startApp } from '../support/app.ts'
import { type Caller, type Stage, setStage } from '../support/world.ts'

const app = await startApp(t)

const paths = app.docs.document().paths as Record<string, Record<string, { responses: object }>>
/** Writes to what has an ETag when it is read; the spelling of the matrix. */
const writes = Object.entries(matrix).flatMap(([name, row]) => {
  const [method = '', path = ''] = name.split(' ')
  const operations = paths[path.replace(/\{(other|deleted)_/, '{')] ?? {}
  const isTagged = Object.keys(operations.get?.responses ?? {}).includes('304')
  return isTagged && /^(PATCH|PUT|DELETE)$/.test(method) ? [{ name, method, path, row, operations }] : []
})

/** Who gets a 2xx. */
const writerOf = (row: Row) => callers.find((_, index) => (row.verdicts[index] ?? 500) < 300) as Caller

function visit(stage: Stage, { path, row }: (typeof writes)[number]) {
  const url = path.replaceAll(/\{(\w+)\}/g, (_, id) => stage.world[id as keyof World])
  const payload = row.body?.(stage.world)
  const headersOf = (who: (typeof callers)[number]) => (who === 'anonymous' ? {} : stage.people[who].headers)
  return {
    async read(who: Caller): Promise<string> {
      return String((await app.inject({ url, headers: headersOf(who) })).headers.etag)
    },
    async write(method: string, who: (typeof callers)[number], ifMatch: string): Promise<number> {
      const headers = { ...headersOf(who), 'if-match': ifMatch }
      // The matrix holds known methods only.
      return (await app.inject({ method: method as 'PATCH', url, headers, ...(payload && { payload }) })).statusCode
    }
  }
}

t.test('C07: what has an ETag is changed and deleted on condition, and the document says so', async (t) => {
  t.ok(writes.length >= 16, `all were met: ${writes.length}`)
  for (const { name, method, operations } of writes) {
    const { responses } = operations[method.toLowerCase()] ?? { responses: {} }
    t.ok(Object.keys(responses).includes('412'), name)
  }
})

t.test('C07: another state than If-Match names is left alone by each of them', async (t) => {
  const stage = await setStage(app)
  for (const each of writes) {
    const { name, method, row } = each
    const writer = writerOf(row)
    const { read, write } = visit(stage, each)
    const etag = await read(writer)
    for (const other of ['"nothing"', `W/${etag}`, etag.replaceAll('"', ''), etag.replace(/^"./, '"~')]) {
      t.equal(await write(method, writer, other), 412, `${name} ${other}`)
    }
    for (const [index, who] of callers.entries()) {
      const verdict = row.verdicts[index] ?? 0
      if (verdict >= 400)
        t.equal(await write(method, who, '"nothing"'), verdict, `${name}: who may not gets ${verdict}`)
    }
    t.equal(await read(writer), etag, `${name} changed nothing`)
    t.equal(await write(method, writer, `"nothing", ${etag}`), row.verdicts[callers.indexOf(writer)], name)
    await stage.renew(writer)
    const fresh = visit(stage, each)
    t.equal(await fresh.write(method, writer, '*'), row.verdicts[callers.indexOf(writer)], `${name} *`)
    await stage.renew(writer)
  }
})

t.test('C08: of two changes with the same If-Match one succeeds, whatever is changed', async (t) => {
  const stage = await setStage(app)
  for (const each of writes) {
    const { name, method, row } = each
    const writer = writerOf(row)
    const { read, write } = visit(stage, each)
    const etag = await read(writer)
    const statuses = await Promise.all([write(method, writer, etag), write(method, writer, etag)])
    const [first = 0, second = 0] = statuses.sort()
    t.equal(first, row.verdicts[callers.indexOf(writer)], name)
    // What is gone, or goes by another name now, is absent; an account that is gone calls no more.
    const isGone = method === 'DELETE' || name.endsWith('/tiers/{name}')
    t.ok(isGone ? [401, 404].includes(second) : second === 412, `${name} ${second}`)
    await stage.renew(writer)
  }
})
