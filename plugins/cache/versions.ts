import { randomUUID } from 'node:crypto'

/** Never a counter: whatever happens to a store, a version that was replaced does not come back. */
export const newVersion = (): string => randomUUID()

/** What every entry carries beside its tags, as no tag can be spelt. Changing its version is the last resort that drops all. */
export const EPOCH = 'epoch'

/** The key under which the version of a tag is kept. */
export const tagKey = (tag: string): string => `t:${tag}`
