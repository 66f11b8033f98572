import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { accessTokensPlugin } from '../../../plugins/access-tokens/index.ts'
import { type AuthOptions, authPlugin, type Loaded, type Principal } from '../../../plugins/auth/index.ts'
import type { Changes } from '../../../plugins/changes/index.ts'

/** All that the plugin itself asks of a principal; the service of this repository adds to the type. */
export const principal = (id: string, session_id: string, permissions: string[] = [], is_admin = false) =>
  ({ id, session_id, permissions, is_admin }) as unknown as Principal

/** A host of the plugin: its sessions are a map, and its change feed is in memory and can be held up. */
export interface Host {
  app: FastifyInstance
  clock: { ms: number }
  /** What `load` finds, by session. */
  sessions: Map<string, Loaded>
  /** The sessions that were asked for, in order. */
  loads: string[]
  feed: { isFresh: boolean; change(kind: string, key: string): void; gap(): void }
  /** Adds a session and returns the Authorization header of a token for it. */
  signIn(user: string, session: string, permissions?: string[], isAdmin?: boolean): { authorization: string }
}

export async function startHost(t: Test, options: Partial<AuthOptions> = {}): Promise<Host> {
  const app = Fastify()
  t.teardown(() => app.close())
  const clock = { ms: 1_800_000_000_000 }
  const sessions = new Map<string, Loaded>()
  const loads: string[] = []
  const listeners = new Map<string, (key: string) => void>()
  const feed = {
    isFresh: true,
    change: (kind: string, key: string) => listeners.get(kind)?.(key),
    gap: () => listeners.get('')?.('')
  }
  const changes: Pick<Changes, 'on' | 'onGap' | 'isFresh'> = {
    on: (kind, listener) => listeners.set(kind, listener),
    onGap: (listener) => listeners.set('', listener),
    isFresh: () => feed.isFresh
  }
  app.decorate('changes', changes as Changes) // all that the plugin uses of a feed
  await app.register(accessTokensPlugin, {
    keys: [{ algorithm: 'HS256', secret: 'a secret of thirty-two bytes, at the least' }],
    issuer: 'issuer',
    audience: 'audience',
    realm: 'test',
    now: () => clock.ms
  })
  await app.register(authPlugin, {
    kinds: ['session', 'user'],
    now: () => clock.ms,
    load: async ({ sid }) => {
      loads.push(sid)
      return sessions.get(sid) ?? null
    },
    ...options
  })

  app.get('/public', { config: { auth: 'public' } }, (request) => ({ who: request.principal }))
  app.get('/optional', { config: { auth: 'optional' } }, (request) => ({ who: request.principal }))
  app.get('/required', { config: { auth: 'required' } }, (request) => ({ who: request.caller }))
  app.get('/caller', { config: { auth: 'optional' } }, (request) => ({ who: request.caller }))

  return {
    app,
    clock,
    sessions,
    loads,
    feed,
    signIn(user, session, permissions, isAdmin) {
      sessions.set(session, {
        principal: principal(user, session, permissions, isAdmin),
        tags: [`user:${user}`, `session:${session}`]
      })
      return { authorization: `Bearer ${app.accessTokens.sign({ sub: user, sid: session }).token}` }
    }
  }
}
