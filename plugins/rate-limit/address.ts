import { isIP, isIPv4, isIPv6 } from 'node:net'

/**
 * What an address counts as: an IPv4 address as itself, also when it comes mapped into IPv6; an IPv6 address as its /64,
 * which is what one customer gets, so that nobody has more than one quota. A port does not count, and whatever a proxy has
 * written that is no address is one client.
 */
export function addressKey(ip: string | undefined): string {
  if (ip === undefined) return 'unknown'
  if (isIPv4(ip)) return ip
  if (!isIPv6(ip)) {
    const [, address] = /^\[([^\]]+)\](?::\d+)?$/.exec(ip) ?? /^([\d.]+):\d+$/.exec(ip) ?? []
    return address !== undefined && isIP(address) ? addressKey(address) : 'unknown'
  }
  const groups = groupsOf(ip.split('%', 1)[0] ?? '')
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
  if (isMapped) return [groups[6], groups[7]].flatMap((group = 0) => [group >> 8, group & 255]).join('.')
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::`
}

/** The eight 16-bit groups of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  const [left = [], right = []] = address.split('::').map(partsOf)
  return [...left, ...new Array(8 - left.length - right.length).fill(0), ...right]
}

function partsOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return Number.parseInt(part, 16)
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}
