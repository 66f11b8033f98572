import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { DocsOptions } from '../../../plugins/docs/index.ts'
import { BROWSER_TIMEOUT_MS, startBrowser } from '../../support/browser.ts'
import { sampleApp } from './sample-app.ts'
import { authorize, searchRedoc, tryOut } from './ui.ts'

const HOST = 'plain-http.test'

t.setTimeout(BROWSER_TIMEOUT_MS)

async function listen(t: Test, options: Partial<DocsOptions> = {}): Promise<number> {
  const app = await sampleApp(options)
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  // A TCP server's address is an AddressInfo.
  return (app.server.address() as AddressInfo).port
}

for (const host of ['127.0.0.1', HOST]) {
  t.test(`Swagger UI on http://${host}: Authorize by password, then an authorised call`, async (t) => {
    const port = await listen(t)
    const browser = await startBrowser(t, [HOST])
    const page = await browser.newPage()

    await page.goto(`http://${host}:${port}/docs`)
    await authorize(page, 'ada', 'lovelace')
    const { status, body } = await tryOut(page, 'users', 'readMe')

    t.match(status, /^200/)
    t.match(body, /"username": "ada"/)
    t.same(browser.problems, [])
  })

  t.test(`ReDoc on http://${host}: the search finds an operation`, async (t) => {
    const port = await listen(t)
    const browser = await startBrowser(t, [HOST])
    const page = await browser.newPage()

    await page.goto(`http://${host}:${port}/redoc`)
    await searchRedoc(page, 'oneself', 'Read oneself')

    t.same(browser.problems, [])
  })
}

t.test('guarded: a browser that signs in once sees both pages whole', async (t) => {
  let checks = 0
  const check = async (username: string, password: string) => {
    checks += 1
    return username === 'ada' && password === 'lovelace'
  }
  const port = await listen(t, { access: { check } })
  const browser = await startBrowser(t)
  const page = await browser.newPage({ httpCredentials: { username: 'ada', password: 'lovelace' } })

  await page.goto(`http://127.0.0.1:${port}/docs`)
  await authorize(page, 'ada', 'lovelace')
  t.match((await tryOut(page, 'users', 'readMe')).body, /"username": "ada"/)
  await page.goto(`http://127.0.0.1:${port}/redoc`)
  await searchRedoc(page, 'oneself', 'Read oneself')

  t.same(browser.problems, [])
  t.equal(checks, 1)
})
