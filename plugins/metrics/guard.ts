import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIPv6 } from 'node:net'
import type { onRequestHookHandler } from 'fastify'
import { MetricsForbidden, MetricsUnauthorized } from './errors.ts'

const minTokenLength = 16

/** Lets in who knows the token, or, when there is none, clients on this machine. */
export function metricsGuard(token: string | undefined): onRequestHookHandler {
  return token === undefined ? loopbackGuard() : tokenGuard(token)
}

function tokenGuard(token: string): onRequestHookHandler {
  if (token.length < minTokenLength) throw new RangeError(`metrics: token needs at least ${minTokenLength} characters`)
  const expected = digest(token)

  return (request, _reply, done) => {
    const given = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
    // Digests have one length, so the comparison tells nothing about the token, its length included.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return done()
    const challenge = given === undefined ? 'Bearer realm="metrics"' : 'Bearer realm="metrics", error="invalid_token"'
    done(Object.assign(new MetricsUnauthorized(), { headers: { 'www-authenticate': challenge } }))
  }
}

function loopbackGuard(): onRequestHookHandler {
  const loopback = new BlockList()
  loopback.addSubnet('127.0.0.0', 8, 'ipv4')
  loopback.addAddress('::1', 'ipv6')

  return (request, _reply, done) => {
    // The address of the socket, never one from a header. Behind a proxy on this machine that address is
    // loopback for the whole world: what it forwards is refused too.
    const { remoteAddress = '' } = request.socket
    const isLocal = loopback.check(remoteAddress, isIPv6(remoteAddress) ? 'ipv6' : 'ipv4')
    const isForwarded = proxyHeaders.some((name) => request.headers[name] !== undefined)
    if (isLocal && !isForwarded) return done()
    done(Object.assign(new MetricsForbidden(), { solution: 'Ask from the same machine, or configure a metrics token' }))
  }
}

const proxyHeaders = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via']

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
