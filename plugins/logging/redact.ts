import { stdSerializers } from 'pino'

const CENSORED = '[redacted]'
const MAX_DEPTH = 6
const MAX_KNOWN_KEYS = 2000

/** Matched anywhere in a key, whatever its case, `-` or `_`: `Set-Cookie`, `refresh_token`, `newPassword`, `x-api-key`. */
const SECRET_NAMES = ['authorization', 'cookie', 'password', 'passphrase', 'secret', 'token', 'apikey', 'privatekey']

type Fields = Record<string, unknown>

/** Both return their argument with the values of secret keys replaced, at any depth, and never change it. */
export interface Redactor {
  /** For the fields of a line. Keys that have a serializer are left to it. */
  fields(fields: Fields): Fields
  /** For one value, such as what a serializer made. Errors become plain objects. */
  value(value: unknown): unknown
}

/**
 * @param names further parts of the names of secret keys
 * @param serialized top-level keys that serializers take care of
 */
export function redactor(names: readonly string[], serialized: ReadonlySet<string>): Redactor {
  const parts = [...SECRET_NAMES, ...names.map(normalize)]
  const known = new Map<string, boolean>()

  return {
    fields(fields) {
      let result = fields
      for (const key in fields) {
        const value = fields[key]
        const safe = isSecret(key) ? censor(value) : serialized.has(key) ? value : withoutSecrets(value)
        if (safe === value) continue
        if (result === fields) result = { ...fields }
        result[key] = safe
      }
      return result
    },
    value: withoutSecrets
  }

  function withoutSecrets(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    try {
      return inner(value, 0, new Set())
    } catch {
      // A getter or `toJSON` of a logged object threw; a log call never does.
      return '[unreadable]'
    }
  }

  function isSecret(key: string): boolean {
    const verdict = known.get(key)
    if (verdict !== undefined) return verdict
    const normal = normalize(key)
    const secret = parts.some((part) => normal.includes(part))
    // Keys may come from outside (a logged object), so the memory for them is bounded.
    if (known.size < MAX_KNOWN_KEYS) known.set(key, secret)
    return secret
  }

  function inner(value: unknown, depth: number, seen: Set<object>): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (ArrayBuffer.isView(value)) return '[binary]'
    // Each object once a line: a graph full of cycles, such as a socket, stays linear.
    if (depth > MAX_DEPTH || seen.has(value)) return '[object]'
    seen.add(value)
    if (Array.isArray(value)) return value.map((item) => inner(item, depth + 1, seen))
    if ('toJSON' in value && typeof value.toJSON === 'function') return inner(value.toJSON(), depth + 1, seen)
    const result: Fields = {}
    for (const [key, field] of Object.entries(value instanceof Error ? stdSerializers.err(value) : value)) {
      result[key] = isSecret(key) ? censor(field) : inner(field, depth + 1, seen)
    }
    return result
  }
}

/** Whether there was a value stays visible. */
function censor(value: unknown): unknown {
  return value === undefined || value === null ? value : CENSORED
}

function normalize(key: string): string {
  return key.toLowerCase().replace(/[-_ ]/g, '')
}
