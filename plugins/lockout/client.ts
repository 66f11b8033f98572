import { isIP, isIPv4, SocketAddress } from 'node:net'

/**
 * One name for all addresses that one client has at its disposal, however they are spelled: an IPv4 address (also as
 * IPv4-mapped IPv6), or the /64 of an IPv6 address. A port, which some proxies add, is left out. What is no address at all
 * is `unknown`: a proxy that forwards nonsense gives its clients one name together, not a new one for each request.
 */
export function clientName(ip: string): string {
  const [, bracketed] = /^\[([^\]]+)\](?::\d+)?$/.exec(ip) ?? []
  const [, beforePort] = /^([\d.]+):\d+$/.exec(ip) ?? []
  const [address = ''] = (bracketed ?? beforePort ?? ip).split('%')
  const family = isIP(address)
  if (family === 4) return address
  if (family === 6) return nameOfIPv6(new SocketAddress({ address, family: 'ipv6' }).address)
  return 'unknown'
}

/** `address` is canonical (RFC 5952). */
function nameOfIPv6(address: string): string {
  const mapped = address.replace(/^::ffff:/, '')
  if (isIPv4(mapped)) return mapped
  const [head = [], tail = []] = address.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const zeros = address.includes('::') ? Array(8 - head.length - tail.length).fill('0') : []
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(':')}::/64`
}
