import { randomBytes } from 'node:crypto'

/** Never a counter: whatever happens to a store, a version that was replaced does not come back. */
export const newVersion = (): string => randomBytes(12).toString('base64url')

/** The tag of every entry. Changing its version is the last resort that drops all of them. */
export const EPOCH = 't:*'

/** The key under which the version of a tag is kept. */
export const tagKey = (tag: string): string => `t:${tag}`
