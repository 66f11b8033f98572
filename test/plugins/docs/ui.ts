import type { Page } from 'playwright-core'

/** Signs in through the Authorize dialog of Swagger UI, as a reader of the page does. */
export async function authorize(page: Page, username: string, password: string): Promise<void> {
  await page.locator('.auth-wrapper').getByRole('button', { name: 'Authorize' }).click()
  const dialog = page.locator('.auth-container', { hasText: 'OAuth2, password' })
  await dialog.getByLabel('username:').fill(username)
  await dialog.getByLabel('password:').fill(password)
  await dialog.getByRole('button', { name: 'Apply given OAuth2 credentials' }).click()
  await dialog.getByText('Authorized').waitFor()
  await dialog.getByRole('button', { name: 'Close' }).click()
}

/** Runs an operation by "Try it out" and tells what the page then shows of the answer. */
export async function tryOut(page: Page, tag: string, operationId: string): Promise<{ status: string; body: string }> {
  const operation = page.locator(`#operations-${tag}-${operationId}`)
  await operation.locator('.opblock-summary-control').click()
  await operation.getByRole('button', { name: 'Try it out' }).click()
  await operation.getByRole('button', { name: 'Execute' }).click()
  const answer = operation.locator('.live-responses-table tbody tr.response')
  return {
    status: await answer.locator('.response-col_status').innerText(),
    body: await answer.locator('.response-col_description').innerText()
  }
}

/** Uses ReDoc's search and follows the hit to the operation. */
export async function searchRedoc(page: Page, text: string, summary: string): Promise<void> {
  await page.getByPlaceholder('Search').fill(text)
  await page.locator('[data-role="search:results"]').getByText(summary).click()
  await page.getByRole('heading', { name: summary }).waitFor()
}
