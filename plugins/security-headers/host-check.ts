import type { onRequestHookHandler } from 'fastify'
import { HostNotAllowed } from './errors.ts'

// A name or a bracketed IPv6 address, then perhaps a port. Anything else in a Host header is an attack or a mistake.
const hostPattern = /^(\[[0-9a-f:.]+\]|[a-z0-9_][a-z0-9_.-]*)(?::\d{0,5})?$/i

/**
 * Refuses requests that are addressed to another host: rebound DNS names, and forged ones that could end up in links.
 * @throws {TypeError} at registration for an entry that no Host header can match.
 */
export function hostCheck(allowedHosts: readonly string[]): onRequestHookHandler {
  const names = new Set<string>()
  const suffixes = new Set<string>()
  for (const entry of allowedHosts) {
    const isWildcard = entry.startsWith('*.')
    const name = hostName(isWildcard ? entry.slice(2) : entry)
    if (name === undefined || /:\d*$/.test(entry)) {
      throw new TypeError(`allowedHosts: use a name without scheme and port, *.name or [IPv6]: ${entry}`)
    }
    if (isWildcard) suffixes.add(`.${name}`)
    else names.add(name)
  }

  return (request, _reply, done) => {
    // Behind a trusted proxy `request.host` is the forwarded one: then both have to pass.
    const { host } = request
    const direct = request.headers.host ?? host
    if (isAllowed(host) && (direct === host || isAllowed(direct))) return done()
    // Probes and scrapers address an instance by its own address.
    if (request.routeOptions.config.anyHost === true) return done()
    done(new HostNotAllowed())
  }

  function isAllowed(host: string): boolean {
    if (names.has(host)) return true
    const name = hostName(host)
    return name !== undefined && (names.has(name) || hasSuffix(name))
  }

  function hasSuffix(name: string): boolean {
    if (suffixes.size === 0) return false
    for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
      if (suffixes.has(name.slice(dot))) return true
    }
    return false
  }
}

/** The name alone, lower case, without port and trailing dot; IPv6 in its one canonical spelling. */
function hostName(host: string): string | undefined {
  const name = hostPattern.exec(host)?.[1]?.toLowerCase()
  if (name === undefined) return undefined
  if (name.startsWith('[')) return URL.parse(`http://${name}`)?.hostname
  return name.endsWith('.') ? name.slice(0, -1) : name
}
