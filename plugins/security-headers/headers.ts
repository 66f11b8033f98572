export interface HeaderOptions {
  /** Strict-Transport-Security: `true` always, `false` never, `'auto'` (default) when the request came over TLS. */
  hsts?: boolean | 'auto'
  /** `max-age` of HSTS, at least a year. Default two years. */
  hstsMaxAgeSeconds?: number
  /** Other values for single headers; `false` drops one. */
  headers?: Readonly<Record<string, string | false>>
}

export type Headers = Readonly<Record<string, string>>

const yearSeconds = 31_536_000

/**
 * The headers of every answer, by lower-case name. A pure function of the options, so that a writer of raw
 * answers (`clientErrorHandler`, `frameworkErrors`) can be handed the same ones.
 * @throws {RangeError} for an HSTS age below a year.
 */
export function constantHeaders(options: HeaderOptions = {}): Headers {
  return Object.freeze({
    ...adjusted(
      {
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'private, no-store'
      },
      options
    ),
    ...(options.hsts === true && tlsHeaders(options))
  })
}

/** What is added over TLS; browsers ignore these on plain http, some with an error in the console. */
export function tlsHeaders(options: HeaderOptions = {}): Headers {
  const { hsts = 'auto', hstsMaxAgeSeconds = 2 * yearSeconds } = options
  if (!(hstsMaxAgeSeconds >= yearSeconds)) throw new RangeError(`hstsMaxAgeSeconds must be at least ${yearSeconds}`)
  return adjusted(
    {
      'cross-origin-opener-policy': 'same-origin',
      ...(hsts !== false && { 'strict-transport-security': `max-age=${hstsMaxAgeSeconds}; includeSubDomains` })
    },
    options
  )
}

function adjusted(defaults: Headers, { headers = {} }: HeaderOptions): Headers {
  const result: Record<string, string> = { ...defaults }
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase()
    if (value === false) delete result[key]
    else result[key] = value
  }
  return result
}
