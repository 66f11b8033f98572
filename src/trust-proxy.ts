import { compile } from '@fastify/proxy-addr'
import { LRUCache } from 'lru-cache'

const MAX_REMEMBERED = 10_000
/** Of an IPv6 address with an IPv4 one in it. Longer text, which a client may write instead of one, is not remembered. */
const MAX_ADDRESS_CHARS = 45

/**
 * `TRUST_PROXY` as Fastify's `trustProxy`, which takes no hop counts: they trust whoever connects directly. Remembers which
 * addresses are trusted: to parse one takes longer than the rest of finding out who calls.
 */
export function trustProxy(ranges: string[]): false | ((address: string, hop: number) => boolean) {
  if (ranges.length === 0) return false
  const isTrusted = compile(ranges)
  // `max` would reserve its whole space at the start.
  const remembered = new LRUCache<string, boolean>({ maxSize: MAX_REMEMBERED, sizeCalculation: () => 1 })
  const recall = (address: string, hop: number) => {
    const known = remembered.get(address)
    if (known !== undefined) return known
    const found = isTrusted(address, hop)
    if (address.length <= MAX_ADDRESS_CHARS) remembered.set(address, found)
    return found
  }

  // What was found last at a hop, of the proxy and of who is behind it: each request asks several times.
  const none = { address: '', found: false }
  const last = [none, none]
  return (address, hop) => {
    const known = last[hop]
    if (known?.address === address) return known.found
    const found = recall(address, hop)
    if (known !== undefined) last[hop] = { address, found }
    return found
  }
}
