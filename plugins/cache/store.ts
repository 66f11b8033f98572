/** Where answers and the versions of their tags are kept. Everything in it may go at any time. */
export interface CacheStore {
  /**
   * What is under the keys, in their order.
   *
   * @throws when that cannot be told, or when a change to one of them has not got through yet
   */
  read(keys: readonly string[]): Promise<Array<string | undefined>>
  /** Keeps the value for `ttlMs`, and its tags for as long as tags are kept. */
  write(key: string, value: string, ttlMs: number, tags: readonly string[]): Promise<void>
  /** Gives a tag that has no version this one, for a while; resolves with the version it has then. */
  claim(tag: string, version: string): Promise<string>
  /** Gives tags that have a version another one: at once, or else before anybody here reads them again. Never rejects. */
  replace(tags: readonly string[]): Promise<void>
  /** Changes that have not got through yet. */
  pending?(): number
}

/** Longer than any answer is kept. */
export const TAG_TTL_MS = 2 * 86_400_000
/** Until there is an answer to keep: reading what does not exist must not fill the store. */
export const CLAIM_TTL_MS = 30_000
