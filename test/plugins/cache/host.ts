import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { type CacheOptions, cachePlugin } from '../../../plugins/cache/index.ts'
import { conditionalPlugin } from '../../../plugins/conditional/index.ts'

export interface Host {
  app: FastifyInstance
  /** Posts by user; what the routes answer with. */
  posts: Map<string, string[]>
  /** How often each handler ran, by URL. */
  runs: Map<string, number>
  clock: { ms: number }
  /** Awaited by each read after it has read. */
  gate: { wait(): Promise<void> }
  get(url: string, user?: string, headers?: Record<string, string>): Promise<Answer>
  write(method: 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object): Promise<Answer>
}

export interface Answer {
  status: number
  body: string
  /** `X-Cache`. */
  result: unknown
  headers: Record<string, unknown>
}

const query = (...names: string[]) => ({
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(names.map((name) => [name, { type: 'integer', minimum: 1, default: 1 }]))
})

/** A service with the plugin and nothing else: posts of users in memory, and a private note of each caller. */
export async function startHost(t: Pick<Test, 'teardown'>, options: Partial<CacheOptions> = {}): Promise<Host> {
  const app = Fastify()
  t.teardown(() => app.close())
  const clock = { ms: Date.now() }
  const caller: CacheOptions['caller'] = ({ headers }) =>
    typeof headers['x-user'] === 'string' ? headers['x-user'] : null
  await app.register(cachePlugin, { caller, now: () => clock.ms, ...options })
  await app.register(conditionalPlugin)

  const host: Omit<Host, 'get' | 'write'> = {
    app,
    posts: new Map(),
    runs: new Map(),
    clock,
    gate: { wait: async () => undefined }
  }
  addRoutes(host)
  await app.ready()

  async function ask(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, headers = {}, payload?: object) {
    const { statusCode, body, ...answer } = await app.inject({ method, url, headers, ...(payload && { payload }) })
    return { status: statusCode, body, result: answer.headers['x-cache'], headers: answer.headers }
  }
  return {
    ...host,
    get: (url, user, headers) => ask('GET', url, { ...headers, ...(user && { 'x-user': user }) }),
    write: (method, url, payload) => ask(method, url, {}, payload)
  }
}

function addRoutes({ app, posts, runs, gate }: Omit<Host, 'get' | 'write'>): void {
  async function read<T>(url: string, value: () => T): Promise<T> {
    runs.set(url, (runs.get(url) ?? 0) + 1)
    const found = value()
    await gate.wait()
    return found
  }
  const of = (user: string) => posts.get(user) ?? []

  app.get<{ Params: { user: string }; Querystring: { page: number } }>(
    '/users/:user/posts',
    {
      config: {
        etag: 'body',
        cache: { key: '{user}_posts:page_{page}', ttl: 60, stale: 30, shared: true, tags: ['user:{user}:posts'] }
      },
      schema: { querystring: query('page') }
    },
    ({ params: { user }, query: { page }, url }) => read(url, () => ({ user, page, posts: of(user) }))
  )
  app.get<{ Params: { user: string; post_id: string } }>(
    '/users/:user/posts/:post_id',
    { config: { etag: 'body', cache: { prefix: '{user}_post', id: 'post_id', ttl: 60, shared: true } } },
    async ({ params: { user, post_id }, url }, reply) => {
      const post = await read(url, () => of(user)[Number(post_id)])
      return post === undefined ? reply.code(404).send({ error: 'none' }) : { post }
    }
  )
  app.patch<{ Params: { user: string; post_id: string }; Body: { text?: string } }>(
    '/users/:user/posts/:post_id',
    { config: { cache: { prefix: '{user}_post', id: 'post_id', invalidates: ['user:{user}:posts'] } } },
    async ({ params: { user, post_id }, body: { text } }, reply) => {
      if (text === undefined) return reply.code(422).send({ error: 'no text' })
      if (text === 'boom') throw new Error('after nothing was written')
      posts.set(user, of(user).with(Number(post_id), text))
      return { text }
    }
  )
  app.get('/note', { config: { cache: { key: 'note', tags: ['notes:{@caller}'] } } }, ({ headers, url }) =>
    read(url, () => ({ of: headers['x-user'] ?? 'nobody' }))
  )
  app.get('/cookie', { config: { cache: { key: 'cookie', shared: true } } }, async (request, reply) => {
    reply.header('set-cookie', 'session=1')
    return read(request.url, () => ({}))
  })
  app.get('/news', { config: { auth: 'public', etag: 'body', cache: { key: 'news', client: true } } }, ({ url }) =>
    read(url, () => ({ news: [] }))
  )
}
