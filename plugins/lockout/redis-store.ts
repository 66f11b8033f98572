import { createHash } from 'node:crypto'
import type { Guard } from '../redis/index.ts'
import { PENDING_MS, RETRY_MS, type Rule, SPARE_ENTRIES } from './ledger.ts'
import { memoryStore } from './memory-store.ts'
import type { Attempt, LockoutStore } from './store.ts'

/** `Redis` and `Cluster` of ioredis both have it. */
interface ScriptClient {
  eval(script: string, numberOfKeys: number, ...keysAndArgs: Args): Promise<unknown>
  evalsha(sha: string, numberOfKeys: number, ...keysAndArgs: Args): Promise<unknown>
}

/**
 * Ledgers that all processes share. What Redis cannot be asked because of an outage, `fallback` is asked: then each process
 * counts for itself.
 *
 * @param guard `app.redisGuard` of the redis plugin, around a client for a single server or a Cluster
 */
export function redisStore(
  guard: Pick<Guard<ScriptClient>, 'call'>,
  fallback: LockoutStore = memoryStore()
): LockoutStore {
  async function run<T>(ledger: string, args: Args, otherwise: () => Promise<T>): Promise<T | number> {
    try {
      return Number(await guard.call((client) => evaluate(client, [`lockout:${ledger}`, ...args])))
    } catch (error) {
      if (isOutage(error)) return otherwise()
      throw error
    }
  }

  return {
    async enter(ledger, attempt, rule) {
      return run(ledger, argsOf('enter', attempt, rule), () => fallback.enter(ledger, attempt, rule))
    },
    async fail(ledger, attempt, rule) {
      const reached = await run(ledger, argsOf('fail', attempt, rule), () => fallback.fail(ledger, attempt, rule))
      return Boolean(reached)
    },
    async takeBack(ledger, attempt, rule, isProven) {
      const args = argsOf(isProven ? 'proven' : 'takeBack', attempt, rule)
      await run(ledger, args, () => fallback.takeBack(ledger, attempt, rule, isProven))
    }
  }
}

type Args = Array<string | number>

type Operation = 'enter' | 'fail' | 'takeBack' | 'proven'

const argsOf = (operation: Operation, { id, by }: Attempt, { limit, windowMs, maxDelayMs }: Rule): Args => [
  operation,
  id,
  by,
  limit,
  windowMs,
  maxDelayMs
]

const isOutage = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'REDIS_UNAVAILABLE'

/** Runs the script by its hash, and sends its text when the server does not know it (any more). */
async function evaluate(client: ScriptClient, keysAndArgs: Args): Promise<unknown> {
  try {
    return await client.evalsha(sha, 1, ...keysAndArgs)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return client.eval(script, 1, ...keysAndArgs)
  }
}

// The rules of ledger.ts and memory-store.ts once more, on the clock of Redis. A ledger is one string of JSON under one key:
// one slot of a Cluster, one expiry. One script for all operations: whoever takes an attempt back has entered it before, so
// the server knows the script, and the call is not overtaken by the next attempt.
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local operation, id, by = ARGV[1], ARGV[2], ARGV[3]
local limit, window, max_delay = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local entries = {}
local function keep_if(is_kept, all)
  local kept = {}
  for _, entry in ipairs(all) do
    if is_kept(entry) then kept[#kept + 1] = entry end
  end
  entries = kept
end
local function save()
  while #entries > limit + ${SPARE_ENTRIES} do table.remove(entries, 1) end
  if #entries == 0 then return redis.call('DEL', KEYS[1]) end
  redis.call('SET', KEYS[1], cjson.encode(entries), 'PX', math.max(window, ${PENDING_MS}))
end

local function wait_for()
  if #entries < limit then return 0 end
  local first, last, is_under_way = math.huge, 0, false
  for _, entry in ipairs(entries) do
    first, last = math.min(first, entry.at), math.max(last, entry.at)
    is_under_way = is_under_way or entry.pending ~= nil
  end
  if max_delay > 0 then
    local delay = math.min(max_delay, 1000 * 2 ^ (#entries - limit))
    return math.min(delay, last + delay - now)
  end
  if is_under_way then return ${RETRY_MS} end
  return math.min(window, first + window - now)
end

local function enter()
  local wait = wait_for()
  if wait > 0 then return wait end
  entries[#entries + 1] = { by = by, at = now, pending = id }
  save()
  return 0
end

local function fail()
  keep_if(function(entry) return entry.pending ~= id end, entries)
  entries[#entries + 1] = { by = by, at = now }
  local failures = 0
  for _, entry in ipairs(entries) do
    if not entry.pending then failures = failures + 1 end
  end
  if max_delay == 0 and failures >= limit then
    for _, entry in ipairs(entries) do entry.at = now end
  end
  save()
  return failures == limit and 1 or 0
end

local function take_back(is_proven)
  keep_if(function(entry)
    if entry.pending then return entry.pending ~= id end
    return not (is_proven and entry.by == by)
  end, entries)
  save()
  return 0
end

keep_if(function(entry)
  return math.abs(now - entry.at) < (entry.pending and ${PENDING_MS} or window)
end, cjson.decode(redis.call('GET', KEYS[1]) or '[]'))
if operation == 'enter' then return enter() end
if operation == 'fail' then return fail() end
return take_back(operation == 'proven')
`

const sha = createHash('sha1').update(script).digest('hex')
