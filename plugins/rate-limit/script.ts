import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { BUCKETS, CELLS } from './window.ts'

/**
 * Takes any number of checks: KEYS are the windows of all of them in a row; ARGV is, for each check, its number of keys
 * and its cost, then max and window in milliseconds for each key. Replies, in the same order, with whether it is allowed,
 * then for each key whether it is exceeded, what remains, and the milliseconds of `State.resetMs`.
 *
 * A value is the width of a bucket and the number of the newest one, then, as in `window.ts`, the last moments and the
 * calls: 220 bytes. The clock is the server's. A key is written together with its time to live, by one SET.
 */
export const SCRIPT = `
local CELLS = ${CELLS}
local FORMAT = '<dd' .. string.rep('d', CELLS) .. string.rep('I4', CELLS)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000

local function read(window)
  local calls, lasts = {}, {}
  for i = 1, CELLS do calls[i], lasts[i] = 0, 0 end
  local value = redis.call('GET', window.key)
  if value then
    local kept = { struct.unpack(FORMAT, value) }
    local age = window.index - kept[2]
    if kept[1] == window.width and age >= 0 then
      for i = 1, CELLS - age do lasts[i + age], calls[i + age] = kept[i + 2], kept[i + 2 + CELLS] end
    else
      for i = 1, CELLS do calls[1] = calls[1] + kept[i + 2 + CELLS] end
      lasts[1] = now
    end
  end
  window.calls, window.lasts, window.used = calls, lasts, 0
end

local function msUntilForgotten(window, i)
  return window.lasts[i] + window.ms - now
end

local function msUntilFree(window, amount)
  local freed = 0
  for i = CELLS, 1, -1 do
    local ms = msUntilForgotten(window, i)
    if ms > 0 then freed = freed + window.calls[i] end
    if freed >= amount then return math.ceil(math.min(ms, window.ms)) end
  end
  return window.ms
end

local reply, key, arg = {}, 0, 1
while ARGV[arg] do
  local size, cost = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1])
  arg = arg + 2
  local windows, isAllowed = {}, true
  for n = 1, size do
    local window = { key = KEYS[key + n], max = tonumber(ARGV[arg]), ms = tonumber(ARGV[arg + 1]) }
    arg = arg + 2
    window.width = window.ms / ${BUCKETS}
    window.index = math.floor(now / window.width)
    read(window)
    for i = 1, CELLS - 1 do window.used = window.used + window.calls[i] end
    if msUntilForgotten(window, CELLS) > 0 then window.used = window.used + window.calls[CELLS] end
    window.isExceeded = cost > 0 and window.used + cost > window.max
    if window.isExceeded then isAllowed = false end
    windows[n] = window
  end
  key = key + size
  reply[#reply + 1] = isAllowed and 1 or 0
  for n = 1, size do
    local window = windows[n]
    if isAllowed and cost > 0 then
      window.calls[1] = window.calls[1] + cost
      window.lasts[1] = math.max(window.lasts[1], now)
      window.used = window.used + cost
      local cells = {}
      for i = 1, CELLS do cells[i], cells[i + CELLS] = window.lasts[i], window.calls[i] end
      local value = struct.pack(FORMAT, window.width, window.index, unpack(cells))
      redis.call('SET', window.key, value, 'PX', math.ceil(CELLS * window.width))
    end
    local amount = window.isExceeded and window.used + cost - window.max or 1
    reply[#reply + 1] = window.isExceeded and 1 or 0
    reply[#reply + 1] = math.max(0, window.max - window.used)
    reply[#reply + 1] = (window.isExceeded or window.used > 0) and msUntilFree(window, amount) or 0
  end
end
return reply
`

const SHA = createHash('sha1').update(SCRIPT).digest('hex')

/** Runs the script by its hash, and sends its text when the server does not know it (any more). */
export async function evaluate(client: Redis, keys: string[], args: string[]): Promise<number[]> {
  try {
    return (await client.evalsha(SHA, keys.length, ...keys, ...args)) as number[]
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return (await client.eval(SCRIPT, keys.length, ...keys, ...args)) as number[]
  }
}
