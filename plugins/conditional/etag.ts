import { hash } from 'node:crypto'

/** The entity tag of a body: strong, 128 bits of its SHA-256. */
export const bodyTag = (body: string): string => `"${hash('sha256', body, 'base64url').slice(0, 22)}"`

/** The entity tag of a row's representation by one schema. */
export const rowTag = (version: number, schemaHash: string): string => `"${version}-${schemaHash}"`

/** Short name of a schema: another schema makes another body of the same row, other headers do not. */
export function hashSchema(schema: unknown): string {
  const { headers: _, ...body } = Object(schema)
  return hash('sha256', JSON.stringify(body), 'base64url').slice(0, 8)
}

/** Whether `If-None-Match` names the tag, by weak comparison (RFC 9110 §13.1.2). */
export function namesTag(ifNoneMatch: string, tag: string): boolean {
  if (ifNoneMatch === tag || ifNoneMatch.trim() === '*') return true
  return tagsIn(ifNoneMatch).some((other) => other.replace(/^W\//, '') === tag)
}

/**
 * The row versions that `If-Match` admits, by strong comparison (RFC 9110 §13.1.1): none for tags that are weak, of
 * another schema, or no tags of ours at all. `undefined`: any version will do.
 */
export function versionsIn(ifMatch: string, schemaHash: string): number[] | undefined {
  if (ifMatch.trim() === '*') return undefined
  return tagsIn(ifMatch).flatMap((tag) => {
    const [, version, hash] = /^"(\d{1,9})-([\w-]{8})"$/.exec(tag) ?? []
    return hash === schemaHash ? [Number(version)] : []
  })
}

/** Weak ones keep their `W/`. */
export const tagsIn = (list: string): string[] => list.match(/(?:W\/)?"[^"]*"/g) ?? []
