import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { startApp } from '../support/app.ts'
import { operations } from './operations.ts'

const app = await startApp(t)

t.test('no route hides from the document, and thereby from the matrix', async (t) => {
  const found = new Set<string>()
  const collect = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const verb of [method].flat()) if (verb !== 'HEAD') found.add(`${verb} ${url.replace(/:(\w+)/g, '{$1}')}`)
    })
  }
  // Fastify tells of each instance that is made.
  subscribe('fastify.initialization', collect)
  const other = await startApp(t, {})
  unsubscribe('fastify.initialization', collect)
  const documented = new Set(operations(other).map(([name]) => name))
  const hidden = [...found].filter((name) => !documented.has(name) && !/^GET \/(docs|redoc|openapi\.)/.test(name))
  t.same(hidden, [])
  t.ok(found.size >= documented.size, 'all were met')
})

t.test('every operation is complete in the document', async (t) => {
  const ids = new Set<string>()
  for (const [name, { operationId, tags, summary, description, responses }] of operations(app)) {
    t.match(operationId, /^[a-z]+([A-Z][a-z]+)*$/, `${name} has an operationId`)
    t.notOk(ids.has(operationId), `${operationId} is unique`)
    ids.add(operationId)
    t.ok(tags.length === 1 && summary && description, `${name} has a tag, a summary and a description`)
    t.ok(
      Object.keys(responses).some((status) => status.startsWith('2')),
      `${name} documents its success`
    )
    t.ok(
      responses['500'] || responses.default || name.includes('/health') || name.includes('/metrics'),
      `${name} documents failures`
    )
  }
})

t.test('Z10 no id in the document is a number: internal keys stay inside', async (t) => {
  const ids: string[] = []
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [name, value] of Object.entries(node)) {
      const isId = /^(id|\w+_id)$/.test(name) && path.endsWith('properties')
      if (isId) ids.push(`${path}.${name} ${[value.type].flat().join()}`)
      visit(value, `${path}.${name}`)
    }
  }
  visit(app.docs.document(), '')
  t.ok(ids.length >= 15, 'it has ids')
  t.same(
    ids.filter((id) => /integer|number/.test(id)),
    []
  )
})
