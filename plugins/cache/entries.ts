import { decodeEntry, encodeEntry, type Payload } from './entry.ts'
import { createFlights } from './flights.ts'
import type { CacheStore } from './store.ts'
import { EPOCH, newVersion, tagKey } from './versions.ts'

export interface EntriesOptions {
  /** `null`: nothing is kept, every look-up is a bypass. */
  store: CacheStore | null
  /** Milliseconds since 1970. */
  now(): number
  /** How long one waits for an answer that another request makes, in milliseconds. */
  waitMs: number
  /** Longer bodies, in characters, are not kept. */
  maxBodySize: number
}

export interface Terms {
  ttlMs: number
  /** How long after its TTL an entry may still be used while somebody makes a new one. */
  staleMs: number
  /** Written into the entry, for readers that do not know them. Default `false`. */
  namesTags?: boolean
}

export type Result = 'hit' | 'miss' | 'stale' | 'bypass'

/** With a payload: the answer. Without one: make it, and give it to `settle`, if there is one (`null`: not to be kept). */
export interface Opened {
  result: Result
  payload?: Payload
  settle?(payload: Payload | null): void
}

export interface Entries {
  /** Looks for the entry; on a miss the first one is asked to make it, and the others wait for it. Never rejects. */
  open(key: string, tags: readonly string[], terms: Terms): Promise<Opened>
  /** The payload of an entry that names its tags, if it is fresh. Never rejects. */
  peek(key: string): Promise<Payload | undefined>
  invalidate(tags: readonly string[]): Promise<void>
}

/** Entries live a little shorter than they may, each by its own measure, so that they do not all end at once. */
const JITTER = 0.1

export function createEntries({ store, now, waitMs, maxBodySize }: EntriesOptions): Entries {
  const flights = createFlights<Payload>(waitMs)
  const claims = new Map<string, Promise<string>>()

  const bypass = (): Opened => ({ result: 'bypass' })
  const open = (key: string, tags: readonly string[], terms: Terms): Promise<Opened> =>
    store === null ? Promise.resolve(bypass()) : lookUp(store, key, tags, terms).catch(bypass)

  async function lookUp(store: CacheStore, key: string, tags: readonly string[], terms: Terms): Promise<Opened> {
    const tagKeys = [EPOCH, ...tags.map(tagKey)]
    const [text, ...known] = await store.read([entryKey(key), ...tagKeys])
    const entry = text === undefined ? undefined : decodeEntry(text)
    const isCurrent = entry !== undefined && isSame(known, entry.versions)
    if (isCurrent && entry.freshUntil > now()) return { result: 'hit', payload: entry }

    // Before the value is made: a change that comes in meanwhile then finds a version to replace.
    const versions = known.every((version) => version !== undefined)
      ? known
      : await Promise.all(tagKeys.map((tag, at) => known[at] ?? claim(store, tag)))
    // Only who has read the same versions may share: for others a change has come in between.
    const name = `${key}\n${versions}`
    const running = flights.find(name)
    if (running === undefined) {
      const flight = flights.begin(name)
      return { result: 'miss', settle }

      function settle(payload: Payload | null): void {
        flight.land(payload)
        // Until it is there, who has read too early joins the flight. Nobody waits for it, and what fails is made anew.
        keep(store, key, tagKeys, versions, terms, payload)
          .catch(() => undefined)
          .then(flight.end)
      }
    }
    if (isCurrent) return { result: 'stale', payload: entry }
    const payload = await running.wait()
    return payload === null ? { result: 'miss' } : { result: 'hit', payload }
  }

  async function keep(
    store: CacheStore,
    key: string,
    tags: string[],
    versions: string[],
    terms: Terms,
    payload: Payload | null
  ) {
    if (payload === null || payload.body.length > maxBodySize) return
    const freshMs = terms.ttlMs * (1 - JITTER * Math.random())
    const made = { ...payload, freshUntil: now() + freshMs, versions, tags: terms.namesTags ? tags : undefined }
    await store.write(entryKey(key), encodeEntry(made), freshMs + terms.staleMs, tags)
  }

  function claim(store: CacheStore, tag: string): Promise<string> {
    const running = claims.get(tag)
    if (running !== undefined) return running
    const claimed = store.claim(tag, newVersion()).finally(() => claims.delete(tag))
    claims.set(tag, claimed)
    return claimed
  }

  async function peek(key: string): Promise<Payload | undefined> {
    try {
      const [text] = (await store?.read([entryKey(key)])) ?? []
      const entry = text === undefined ? undefined : decodeEntry(text)
      if (store === null || entry?.tags === undefined || entry.freshUntil <= now()) return undefined
      const versions = await store.read(entry.tags)
      return isSame(versions, entry.versions) ? entry : undefined
    } catch {
      return undefined
    }
  }

  return { open, peek, invalidate: async (tags) => store?.replace([...new Set(tags)].map(tagKey)) }
}

const entryKey = (key: string) => `e:${key}`

/** A version that is absent is like no other one. */
const isSame = (versions: ReadonlyArray<string | undefined>, others: readonly string[]) =>
  versions.length === others.length && versions.every((version, at) => version !== undefined && version === others[at])
