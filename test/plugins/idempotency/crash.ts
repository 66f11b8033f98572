/** A new account on a running server; the headers of its requests. */
export async function signUp(url: string): Promise<Record<string, string>> {
  const account = { email: 'ana@example.com', username: 'ana', password: 'Correct-horse-1' }
  const post = (path: string, body: object) =>
    fetch(`${url}/api/v1/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body)
    })
  await post('register', account)
  const login = await post('login', { identifier: 'ana', password: account.password, delivery: 'body' })
  const { data } = (await login.json()) as { data: { access_token: string } }
  return { authorization: `Bearer ${data.access_token}` }
}

export function create(url: string, headers: Record<string, string>, key: string): Promise<Response> {
  return fetch(`${url}/api/v1/todos`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': `"${key}"` },
    body: JSON.stringify({ title: key })
  })
}
