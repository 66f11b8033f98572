import { EventEmitter } from 'node:events'
import { type GuardOptions, guard } from '../../../plugins/redis/index.ts'

/** As much of a client as a guard looks at. */
export class Client extends EventEmitter {
  status = 'ready'
  connect = async () => undefined
  set = async () => undefined
}

/** A connected client and its guard. */
export function guardedClient(options: GuardOptions<Client> = {}) {
  const client = new Client()
  return { client, redisGuard: guard(client, options) }
}

export const never = () => new Promise<never>(() => undefined)
export const answer = async () => 'answer'
