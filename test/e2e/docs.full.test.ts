import t from 'tap'
import { authorize, searchRedoc, tryOut } from '../plugins/docs/ui.ts'
import { BROWSER_TIMEOUT_MS, startBrowser } from '../support/browser.ts'
import { startServer } from '../support/server.ts'

const PLAIN_HTTP_HOST = 'plinth.test'

t.setTimeout(BROWSER_TIMEOUT_MS)

t.test('the docs of the running service work in a browser, by address and by a plain-http host name', async (t) => {
  const browser = await startBrowser(t, [PLAIN_HTTP_HOST])
  const server = await startServer(t)

  for (const host of ['127.0.0.1', PLAIN_HTTP_HOST]) {
    const origin = server.url.replace('127.0.0.1', host)
    const page = await browser.newPage()

    await page.goto(`${origin}/docs`)
    await authorize(page, 'demo', 'User-demo-1')
    const { status, body } = await tryOut(page, 'users', 'getMe')
    t.match(status, /^200/, host)
    t.match(body, /"username": "demo"/, host)

    await page.goto(`${origin}/redoc`)
    await searchRedoc(page, 'todo', 'Create a todo')
  }
  t.same(browser.problems, [])
})
