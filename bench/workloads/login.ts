import { hash } from 'argon2'
import { type Fixture, httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'

const PEOPLE = 100
const password = 'Correct-horse-1'

/** `POST /api/v1/auth/login` with the right password: what a sign-in costs on top of its hash. */
const login: Workload = {
  baseline: 'login',
  goal: 0.88,
  hooks: 'log, request id, timing, headers, metrics, limits, audit',
  requests: signIns,
  // As many as hash at once: nothing is left in the queue when a slice ends.
  connections: 2
}

/** Sign-ins of people who have a password from now on. */
export async function signIns({ db }: Fixture): Promise<string[]> {
  const password_hash = await hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })
  const people = Array.from({ length: PEOPLE }, (_, n) => `user${n + 1}`)
  await db.updateTable('users').set({ password_hash }).where('username', 'in', people).execute()
  return people.map((identifier, n) => httpRequest(n, '/api/v1/auth/login', {}, { identifier, password }))
}

export default login
