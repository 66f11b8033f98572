import { httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'
import { signIns } from './login.ts'

/** `GET /` while eight clients sign in without pause: hashing must not hold up whoever else is there. */
const loginFlood: Workload = {
  baseline: 'login',
  goal: 20,
  hooks: 'log, request id, timing, headers, metrics, limits',
  requests: () => Array.from({ length: 1000 }, (_, n) => httpRequest(n, '/')),
  connections: 2,
  meanwhile: { requests: signIns, connections: 8 }
}

export default loginFlood
