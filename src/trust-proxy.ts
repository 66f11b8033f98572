import { compile } from '@fastify/proxy-addr'
import { LRUCache } from 'lru-cache'

const MAX_REMEMBERED = 10_000
/** Of an IPv6 address with an IPv4 one in it. What a client writes instead of an address is not kept. */
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
  const lookUp = (address: string, hop: number) => {
    const known = remembered.get(address)
    if (known !== undefined) return known
    const found = isTrusted(address, hop)
    if (address.length <= MAX_ADDRESS_CHARS) remembered.set(address, found)
    return found
  }

  // The last address of a hop, the proxy and who is behind it: each request asks several times.
  const none = { address: '', isTrusted: false }
  const last = [none, none]
  return (address, hop) => {
    const known = last[hop]
    if (known?.address === address) return known.isTrusted
    const isTrusted = lookUp(address, hop)
    if (known !== undefined) last[hop] = { address, isTrusted }
    return isTrusted
  }
}
