import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, onResponseHookHandler } from 'fastify'
import type { BoundHistogram, Histogram } from './histogram.ts'
import type { Registry } from './registry.ts'

type RequestHistogram = Histogram<'method' | 'route' | 'status'>

/** The route label of everything that matched no route: paths of strangers never become labels. */
const unmatched = '(unmatched)'
/** Likewise for methods without a route: nobody can add series by inventing them. */
const knownMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const otherMethod = '(other)'

/** Measures every request of routes declared after this call, and every request that matches none. */
export function measureRequests(app: FastifyInstance, registry: Registry, buckets?: readonly number[]): void {
  // No limit: routes, their methods and status codes are finite.
  const histogram = registry.histogram(
    'http_request_duration_seconds',
    'Time from the first hook to the last byte of the answer',
    ['method', 'route', 'status'],
    buckets,
    Infinity
  )
  let inFlight = 0
  registry.gauge('http_requests_in_flight', 'Requests being worked on now', () => inFlight)
  const aborted = registry
    .counter('http_requests_aborted_total', 'Requests whose client left before the answer was out')
    .bind({})

  // One function for all requests, bound to none: it is called as a listener of the response, which is its `this`.
  function release(this: ServerResponse): void {
    inFlight--
    if (!this.writableFinished) aborted.inc()
  }

  app.addHook('onRequest', (_request, reply, done) => {
    inFlight++
    // `close` comes exactly once, also when the client leaves; `onResponse` does not.
    reply.raw.on('close', release)
    done()
  })

  const observeUnmatched = observer(histogram, unmatched, knownMethods)
  app.addHook('onResponse', (request, reply, done) => {
    if (request.is404) observeUnmatched(request, reply)
    done()
  })

  app.addHook('onRoute', (route) => {
    const observe = observer(histogram, route.url, [route.method].flat())
    const onResponse: onResponseHookHandler = (request, reply, done) => {
      // A handler may give up with `callNotFound()`: the hook above has counted it.
      if (!request.is404) observe(request, reply)
      done()
    }
    route.onResponse = [onResponse, ...[route.onResponse ?? []].flat()]
  })
}

/** Everything that can be looked up is looked up here, once per route; a request finds its series by status code alone. */
function observer(histogram: RequestHistogram, route: string, methods: readonly string[]) {
  const byMethod: Record<string, Map<number, BoundHistogram>> = Object.create(null)
  for (const method of methods) byMethod[method] = new Map()
  const rest = new Map<number, BoundHistogram>()

  return (request: FastifyRequest, reply: FastifyReply): void => {
    const byStatus = byMethod[request.method] ?? rest
    const status = reply.statusCode
    let series = byStatus.get(status)
    if (series === undefined) {
      const method = byStatus === rest ? otherMethod : request.method
      series = histogram.bind({ method, route, status: String(status) })
      byStatus.set(status, series)
    }
    series.observe(reply.elapsedTime / 1000)
  }
}
