import { type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'

/** For the tests with a browser, which is slow on a busy machine; a page that hangs still fails. */
export const BROWSER_TIMEOUT_MS = 120_000

export interface TestBrowser {
  /** A page with cookies and credentials of its own. */
  newPage(options?: BrowserContextOptions): Promise<Page>
  /** What went wrong in any page so far: console errors and warnings, uncaught errors, failed and refused requests. */
  problems: string[]
}

/**
 * A headless Chromium with a fresh profile that lives as long as the test.
 * @param hosts names that resolve to 127.0.0.1, to visit the service by a name that is not localhost
 */
export async function startBrowser(t: Test, hosts: string[] = []): Promise<TestBrowser> {
  t.setTimeout(BROWSER_TIMEOUT_MS)
  const rules = hosts.map((host) => `MAP ${host} 127.0.0.1`).join(',')
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-proxy-server',
      ...(rules ? [`--host-resolver-rules=${rules}`] : [])
    ]
  })
  t.teardown(() => browser.close())

  const problems: string[] = []
  return {
    problems,
    async newPage(options) {
      const page = await browser.newPage(options)
      page.setDefaultTimeout(BROWSER_TIMEOUT_MS / 2)
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`)
      })
      page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`))
      page.on('requestfailed', (request) => problems.push(`failed: ${request.url()} ${request.failure()?.errorText}`))
      page.on('response', (response) => {
        if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`)
      })
      return page
    }
  }
}
