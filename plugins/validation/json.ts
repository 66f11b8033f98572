import { isUtf8 } from 'node:buffer'
import { EmptyBody, MalformedJson } from './errors.ts'

/** What only the text tells. */
interface Outline {
  /** Members of all objects together, doubles counted. */
  members: number
  hasUnicodeEscapes: boolean
}

const quote = 0x22
const backslash = 0x5c
const u = 0x75

/**
 * Reads JSON (RFC 8259) as I-JSON asks (RFC 7493 §2): UTF-8 without BOM, no member named twice, no lone surrogates, no
 * number that JavaScript cannot hold; and neither NUL, which PostgreSQL cannot hold, nor a path to a prototype.
 *
 * @throws MalformedJson, EmptyBody
 */
export function parseJson(body: Buffer, maxDepth: number): unknown {
  if (body.length === 0) throw new EmptyBody()
  if (!isUtf8(body)) throw new MalformedJson('is not valid UTF-8')
  const { members, hasUnicodeEscapes } = outlineOf(body, maxDepth)
  const value = parse(body.toString('utf8'))
  if (countMembers(value, hasUnicodeEscapes) !== members) throw new MalformedJson('names a member twice')
  return value
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new MalformedJson('is not valid JSON')
  }
}

/** One pass over the bytes, before anything is built from them; that they are JSON at all is for the parser to say. */
function outlineOf(body: Buffer, maxDepth: number): Outline {
  const { length } = body
  let members = 0
  let depth = 0
  let hasUnicodeEscapes = false
  for (let i = 0; i < length; i++) {
    switch (body[i]) {
      case quote:
        while (++i < length && body[i] !== quote) {
          if (body[i] === backslash && body[++i] === u) hasUnicodeEscapes = true
        }
        break
      case 0x3a: // :
        members++
        break
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > maxDepth) throw new MalformedJson('is nested too deeply')
        break
      case 0x5d: // ]
      case 0x7d: // }
        depth--
    }
  }
  return { members, hasUnicodeEscapes }
}

/** Looks at everything in the value. Only a `\u` escape can bring NUL or a lone surrogate into JSON in valid UTF-8. */
function countMembers(value: unknown, hasUnicodeEscapes: boolean): number {
  if (typeof value === 'string') {
    if (hasUnicodeEscapes) checkText(value)
    return 0
  }
  if (typeof value === 'number') {
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER) throw new MalformedJson('has a number beyond ±(2^53 − 1)')
    return 0
  }
  if (!isObject(value)) return 0
  let members = 0
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item, hasUnicodeEscapes)
    return members
  }
  for (const key of Object.keys(value)) {
    const member = value[key]
    if (key === '__proto__' || (key === 'constructor' && isObject(member) && Object.hasOwn(member, 'prototype'))) {
      throw new MalformedJson('has a member that is not allowed')
    }
    if (hasUnicodeEscapes) checkText(key)
    members += 1 + countMembers(member, hasUnicodeEscapes)
  }
  return members
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function checkText(text: string): void {
  if (text.includes('\0') || !text.isWellFormed()) throw new MalformedJson('has a character that is not allowed')
}
