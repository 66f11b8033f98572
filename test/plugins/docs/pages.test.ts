import { once } from 'node:events'
import { get } from 'node:http'
import { registerHooks } from 'node:module'
import type { RouteOptions } from 'fastify'
import Fastify from 'fastify'
import t from 'tap'
import docs from '../../../plugins/docs/index.ts'
import { sampleApp } from './sample-app.ts'

const PAGES = ['/docs', '/docs/', '/redoc']
const ASSETS = ['/docs/static/swagger-ui.css', '/docs/static/swagger-ui-bundle.js', '/redoc/redoc.standalone.js']
const DOCUMENTS = ['/openapi.json', '/openapi.yaml', '/docs/json', '/docs/yaml']
const info = { title: 'Sample API', version: '1.2.3' }

/** Unlike `inject` and `fetch` this sends the path as it is written. */
async function status(origin: string, path: string): Promise<number | undefined> {
  const [response] = await once(get(origin, { path, agent: false }), 'response')
  response.resume()
  return response.statusCode
}

t.test('pages, assets and the document are served', async (t) => {
  const app = await sampleApp()
  for (const url of [...PAGES, ...ASSETS, ...DOCUMENTS]) t.equal((await app.inject(url)).statusCode, 200, url)
  const [json, yaml] = await Promise.all(['/openapi.json', '/openapi.yaml'].map((url) => app.inject(url)))
  t.same(json?.json(), app.docs.document())
  t.match(yaml?.headers['content-type'], 'application/yaml')
  t.match(yaml?.body, /^openapi: 3\.1\.0\n/)
})

t.test('nothing is mounted when access is closed, and the document is still there for programs', async (t) => {
  const app = await sampleApp({ access: 'closed' })
  for (const url of [...PAGES, ...ASSETS, ...DOCUMENTS]) t.equal((await app.inject(url)).statusCode, 404, url)
  t.equal(app.docs.document().info.title, 'Sample API')
})

t.test('no path climbs out of the assets (V19)', async (t) => {
  const app = await sampleApp()
  const paths = [
    '..%2f..%2fpackage.json',
    '..%5c..%5cpackage.json',
    '%2e%2e/%2e%2e/package.json',
    '../../package.json',
    'swagger-ui.css%00',
    '%00',
    '%5cpackage.json',
    '/etc/passwd',
    '%2fetc%2fpasswd',
    './swagger-ui.css',
    'csp.json',
    'constructor',
    ''
  ]
  t.teardown(() => app.close())
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const path of paths) t.equal(await status(origin, `/docs/static/${path}`), 404, path)
  t.equal(await status(origin, '/docs/static/swagger-ui.css'), 200)
})

t.test('every route of the scope is public and hidden, for hooks of the host that look later', async (t) => {
  const routes: RouteOptions[] = []
  const app = Fastify()
  app.addHook('onRoute', (route) => void routes.push(route))
  await app.register(docs, { access: 'open', info })
  await app.ready()

  t.ok(routes.length > 10)
  for (const { url, config, schema } of routes)
    t.match({ config, schema }, { config: { auth: 'public' }, schema: { hide: true } }, url)
})

t.test('the pages have a policy of their own, which holds on plain http, and the host keeps its own', async (t) => {
  const app = Fastify()
  app.addHook('onSend', async (_request, reply) => {
    reply.header('content-security-policy', "default-src 'none'; upgrade-insecure-requests")
    reply.header('cross-origin-opener-policy', 'same-origin')
  })
  await app.register(docs, { access: 'open', info, servers: [{ url: 'https://api.example.com/v1' }] })
  app.get('/', async () => 'host')

  const [ui, redoc, host] = await Promise.all(['/docs', '/redoc', '/'].map((url) => app.inject(url)))
  const policy = String(ui?.headers['content-security-policy'])
  t.match(policy, "script-src 'self'; style-src 'self'; ")
  t.match(policy, "connect-src 'self' https://api.example.com;")
  t.match(redoc?.headers['content-security-policy'], 'worker-src blob:')
  for (const page of [ui, redoc]) {
    t.notMatch(page?.headers['content-security-policy'], /upgrade-insecure|unsafe-eval|script-src[^;]*unsafe/)
    t.notOk(page?.headers['cross-origin-opener-policy'])
  }
  t.match(host?.headers['content-security-policy'], 'upgrade-insecure-requests')
})

t.test('a client that has the document gets 304, also when a proxy made the tag weak', async (t) => {
  const app = await sampleApp()
  for (const url of DOCUMENTS) {
    const { headers } = await app.inject(url)
    t.equal(headers['cache-control'], 'private, no-cache')
    for (const tag of [headers.etag, `W/${headers.etag}`, `"other", ${headers.etag}`]) {
      const again = await app.inject({ url, headers: { 'if-none-match': tag } })
      t.same([again.statusCode, again.body, again.headers.etag], [304, '', headers.etag])
    }
    t.equal((await app.inject({ url, headers: { 'if-none-match': '"other"' } })).statusCode, 200)
  }
})

t.test('the ReDoc page is whole offline and safe from its own title', async (t) => {
  const app = await sampleApp({ info: { title: '<script>"Ada\'s" & co</script>', version: '1' } })
  for (const url of ['/docs', '/redoc']) {
    const { body } = await app.inject(url)
    t.match(body, '<title>&#60;script&#62;&#34;Ada&#39;s&#34; &#38; co&#60;/script&#62;</title>')
    t.notMatch(body, /https?:\/\//)
  }
  t.notMatch((await app.inject('/redoc/redoc.standalone.js')).body, 'cdn.redoc.ly')
})

t.test('without ReDoc the other pages are served and one line of the log says why', async (t) => {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (specifier.startsWith('redoc/')) throw new Error('not installed')
      return next(specifier, context)
    }
  })
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => void lines.push(line) } } })
  await app.register(docs, { access: 'open', info })
  hooks.deregister()

  t.equal((await app.inject('/redoc')).statusCode, 404)
  t.equal((await app.inject('/docs')).statusCode, 200)
  t.equal(lines.length, 1)
  t.match(lines[0], '/redoc is not served')
})
