import { isIPv6 } from 'node:net'

/** One client: an IPv4 address, or the /64 that a provider gives to one customer of IPv6. */
export function clientOf(ip: string): string {
  const address = ip.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIPv6(address)) return address.slice(0, 64)
  // The URL parser writes every spelling of an address the same way, without its zone.
  const { hostname } = new URL(`http://[${address.split('%')[0]}]`)
  const [left = '', right] = hostname.slice(1, -1).split('::')
  const groups = left.split(':').filter(Boolean)
  const last = right?.split(':').filter(Boolean) ?? []
  const zeros = Array(Math.max(0, 8 - groups.length - last.length)).fill('0')
  return `${[...groups, ...zeros, ...last].slice(0, 4).join(':')}::/64`
}
