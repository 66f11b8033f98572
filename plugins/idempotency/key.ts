import { hash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { IdempotencyKeyMalformed } from './errors.ts'

const MAX_LENGTH = 255
/** A string of RFC 8941 §3.3.3: printable ASCII in double quotes, in which `\` stands before `"` and `\`. */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/
/** What many clients send instead: a UUID or the like without quotes. */
const BARE = /^[\w.:~+/=-]+$/

/**
 * The key that a header names: `"abc"` and `abc` are the same one.
 *
 * @throws IdempotencyKeyMalformed
 */
export function parseKey(header: string | string[]): string {
  // Node joins a repeated header with a comma, which neither form admits.
  const text = String(header).trim()
  const key = QUOTED.exec(text)?.[1]?.replaceAll(/\\(.)/g, '$1') ?? BARE.exec(text)?.[0] ?? ''
  if (key.length === 0 || key.length > MAX_LENGTH) throw new IdempotencyKeyMalformed()
  return key
}

/** Tells one request to a route from another, whatever the order of their fields. */
export function fingerprint({ params, query, body }: FastifyRequest): string {
  return hash('sha256', JSON.stringify([params, query, body ?? null], inOrder), 'base64url')
}

function inOrder(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
