import { LRUCache } from 'lru-cache'
import type { Principal } from './index.ts'

/** What a credential says for itself: what it is remembered by, and whose it claims to be. */
export interface Credential {
  sid: string
  sub: string
}

/** What the host knows about the bearer of a token. */
export interface Loaded {
  principal: Principal
  /** The facts it rests on, as `<kind>:<key>` of the change feed, e.g. `user:42`, `session:<id>`. */
  tags: string[]
  /** Not to be trusted from then on (milliseconds since 1970), e.g. when the session expires. */
  validUntil?: number
}

export interface PrincipalsOptions<C extends Credential> {
  load(claims: C): Promise<Loaded | null>
  /** Whether changes made elsewhere have been heard of lately; while not, nothing remembered is used. */
  isFresh(): boolean
  cacheSize: number
  maxAgeMs: number
  now(): number
}

export interface Principals<C extends Credential> {
  /** The remembered principal. No I/O. */
  recall(claims: C): Principal | undefined
  /** Asks the host; requests of one session at the same moment ask once. `null`: no longer good. */
  load(claims: C): Promise<Principal | null>
  /** Forgets whatever rests on this tag. */
  drop(tag: string): void
  /** Forgets everything. */
  clear(): void
}

interface Entry {
  sub: string
  principal: Principal
  tags: string[]
  validUntil: number
}

interface Flight {
  sub: string
  startedAt: number
  generation: number
  result: Promise<Principal | null>
}

/** A load is shared only with requests that begin this soon after it, so none gets an answer much older than itself. */
const SHARED_FOR_MS = 500

export function createPrincipals<C extends Credential>({
  load,
  isFresh,
  cacheSize,
  maxAgeMs,
  now
}: PrincipalsOptions<C>): Principals<C> {
  const sessionsByTag = new Map<string, Set<string>>()
  // `max` would reserve its whole space at the start.
  const entries = new LRUCache<string, Entry>({ maxSize: cacheSize, sizeCalculation: () => 1, dispose: unlink })
  const flights = new Map<string, Flight>()
  // Raised by every drop. What was read before a drop may be what the drop is about: it is neither kept nor shared.
  let generation = 0

  function recall({ sid, sub }: C): Principal | undefined {
    if (!isFresh()) return undefined
    const entry = entries.get(sid)
    return entry !== undefined && entry.sub === sub && now() < entry.validUntil ? entry.principal : undefined
  }

  function loadOnce(claims: C): Promise<Principal | null> {
    const { sid, sub } = claims
    const running = flights.get(sid)
    if (running?.sub === sub && running.generation === generation && now() - running.startedAt < SHARED_FOR_MS) {
      return running.result
    }
    const flight: Flight = { sub, startedAt: now(), generation, result: read(claims, generation) }
    flights.set(sid, flight)
    const land = () => {
      if (flights.get(sid) === flight) flights.delete(sid)
    }
    flight.result.then(land, land)
    return flight.result
  }

  async function read(claims: C, begun: number): Promise<Principal | null> {
    const startedAt = now()
    const loaded = await load(claims)
    if (loaded === null || (loaded.validUntil !== undefined && loaded.validUntil <= now())) {
      entries.delete(claims.sid)
      return null
    }
    const principal = Object.freeze(loaded.principal)
    if (begun === generation) {
      const validUntil = Math.min(loaded.validUntil ?? Number.POSITIVE_INFINITY, startedAt + maxAgeMs)
      keep(claims, { sub: claims.sub, principal, tags: loaded.tags, validUntil })
    }
    return principal
  }

  function keep({ sid }: C, entry: Entry): void {
    entries.set(sid, entry)
    for (const tag of entry.tags) {
      const sessions = sessionsByTag.get(tag)
      if (sessions === undefined) sessionsByTag.set(tag, new Set([sid]))
      else sessions.add(sid)
    }
  }

  function unlink(entry: Entry, sid: string): void {
    for (const tag of entry.tags) {
      const sessions = sessionsByTag.get(tag)
      if (sessions?.delete(sid) && sessions.size === 0) sessionsByTag.delete(tag)
    }
  }

  function drop(tag: string): void {
    generation++
    for (const sid of sessionsByTag.get(tag) ?? []) entries.delete(sid)
  }

  function clear(): void {
    generation++
    entries.clear()
  }

  return { recall, load: loadOnce, drop, clear }
}
