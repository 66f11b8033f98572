import type { GuardedClient } from './guard.ts'

const CLUSTER_KEYS = 16

/**
 * The default probe. It writes, because a Redis that is read-only or full still answers PING, and would be declared healthy
 * just to fail the next calls again. On a Cluster it writes to slots all over: every master has to take part.
 */
export async function probeByWrite(client: GuardedClient): Promise<void> {
  const keys = Array.from({ length: client.isCluster ? CLUSTER_KEYS : 1 }, (_, index) => `guard:probe:${index}`)
  await Promise.all(keys.map((key) => client.set(key, '', 'PX', 1000)))
}
