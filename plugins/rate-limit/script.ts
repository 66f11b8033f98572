import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { BUCKETS, CELLS } from './window.ts'

/** Width and number of the newest bucket, its last moment, that of the oldest other one in use, that of the 17th; calls. */
const HEAD = '<dddddI4I4I4'
const HEAD_BYTES = 5 * 8 + 3 * 4
/** Moments, then calls, of the buckets in between. */
const BETWEEN = CELLS - 2

/**
 * Takes any number of checks, those of one kind in a row. ARGV is for each kind: keys of a check, keys of it and its `next`,
 * cost, number of checks, then max and window in milliseconds of each key. KEYS are the windows of all checks. Replies, for
 * each key, with what remains and the milliseconds of `State.resetMs`, negative when the key is exceeded; with zeros for a
 * `next` that it did not come to. All of them are doubles in one string: reading a list, the client spends more on each number
 * than the server on the check.
 *
 * A value holds what `window.ts` does, in 232 bytes. What changes within one bucket comes first, with sums over the rest:
 * the rest is read and written again only when a bucket has passed. The clock is the server's. A key is written together
 * with its time to live, by one SET.
 */
export const SCRIPT = `
local BETWEEN = ${BETWEEN}
local REST = '<' .. string.rep('d', BETWEEN) .. string.rep('I4', BETWEEN)
local NOTHING = struct.pack('<dd', 0, 0)
local EMPTY = string.rep('\\0', BETWEEN * 12)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000

-- last, oldest, edge: moments of the newest bucket, the oldest of those in between that is in use, and the 17th;
-- calls, sum, edgeCalls: of the newest bucket, of it and those in between, and of the 17th.
local function start(window)
  window.last, window.oldest, window.edge, window.calls, window.sum, window.edgeCalls = 0, 0, 0, 0, 0, 0
  window.rest = EMPTY
end

local function cells(window)
  local rest = { struct.unpack(REST, window.rest) }
  local lasts, calls = { window.last }, { window.calls }
  for i = 1, BETWEEN do lasts[i + 1], calls[i + 1] = rest[i], rest[i + BETWEEN] end
  lasts[BETWEEN + 2], calls[BETWEEN + 2] = window.edge, window.edgeCalls
  return lasts, calls
end

local function shift(window, age)
  local lasts, calls = cells(window)
  start(window)
  local rest = {}
  for i = 1, BETWEEN do
    local last, count = lasts[i + 1 - age] or 0, calls[i + 1 - age] or 0
    rest[i], rest[i + BETWEEN] = last, count
    window.sum = window.sum + count
    if count > 0 then window.oldest = last end
  end
  window.rest = struct.pack(REST, unpack(rest))
  window.edge, window.edgeCalls = lasts[BETWEEN + 2 - age] or 0, calls[BETWEEN + 2 - age] or 0
end

local function write(window)
  local head = struct.pack('${HEAD}', window.width, window.index, window.last, window.oldest, window.edge,
    window.calls, window.sum, window.edgeCalls)
  redis.call('SET', window.key, head .. window.rest, 'PX', math.ceil(${CELLS} * window.width))
end

local function read(window)
  local value = redis.pcall('GET', window.key)
  -- What is no window, e.g. of another release, begins anew: it must not stop the checks beside it.
  if type(value) ~= 'string' or string.len(value) ~= ${HEAD_BYTES + 12 * BETWEEN} then return start(window) end
  local width, index
  width, index, window.last, window.oldest, window.edge, window.calls, window.sum, window.edgeCalls =
    struct.unpack('${HEAD}', value)
  window.rest = string.sub(value, ${HEAD_BYTES + 1})
  local present = window.index
  if width ~= window.width or present < index then
    -- When the single calls came is unknown, but none came later than the last one, nor than now.
    local last, all = math.min(window.last, now), window.sum
    if window.edge + ${BUCKETS} * width > now then all = all + window.edgeCalls end
    start(window)
    window.last, window.calls, window.sum = last, all, all
    index = math.floor(last / window.width)
    if present - index < ${CELLS} then
      window.index = index
      write(window)
      window.index = present
    end
  elseif window.last > now then
    window.last = now
    write(window)
  end
  if present > index then shift(window, present - index) end
end

local function msUntilFree(window, amount)
  local lasts, calls = cells(window)
  local freed = 0
  for i = BETWEEN + 2, 1, -1 do
    local ms = lasts[i] + window.ms - now
    if ms > 0 then freed = freed + calls[i] end
    if freed >= amount then return math.ceil(math.min(ms, window.ms)) end
  end
  return window.ms
end

local function msUntilOneIsFree(window)
  local first = window.last
  if window.oldest > 0 then first = window.oldest end
  if window.edgeCalls > 0 and window.edge + window.ms > now then first = window.edge end
  return math.ceil(math.min(first + window.ms - now, window.ms))
end

local reply, key, arg = {}, 0, 1

-- Charges all of these windows or none, and tells how they stand.
local function take(windows, from, to, cost)
  local isAllowed = true
  for n = from, to do
    local window = windows[n]
    read(window)
    window.used = window.sum
    if window.edge + window.ms > now then window.used = window.used + window.edgeCalls end
    window.isExceeded = cost > 0 and window.used + cost > window.max
    if window.isExceeded then isAllowed = false end
  end
  for n = from, to do
    local window = windows[n]
    if isAllowed and cost > 0 then
      window.calls, window.sum, window.used = window.calls + cost, window.sum + cost, window.used + cost
      window.last = math.max(window.last, now)
      write(window)
    end
    local amount = window.isExceeded and window.used + cost - window.max or 1
    local ms = 0
    if window.used > 0 and amount == 1 then
      ms = msUntilOneIsFree(window)
    elseif window.isExceeded then
      ms = msUntilFree(window, amount)
    end
    reply[#reply + 1] = struct.pack('<dd', math.max(0, window.max - window.used), window.isExceeded and -ms or ms)
  end
  return isAllowed
end

while ARGV[arg] do
  local first, size = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1])
  local cost, times = tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3])
  arg = arg + 4
  local windows = {}
  for n = 1, size do
    local window = { max = tonumber(ARGV[arg]), ms = tonumber(ARGV[arg + 1]) }
    arg = arg + 2
    window.width = window.ms / ${BUCKETS}
    window.index = math.floor(now / window.width)
    windows[n] = window
  end
  for _ = 1, times do
    for n = 1, size do windows[n].key = KEYS[key + n] end
    key = key + size
    if take(windows, 1, first, cost) then
      take(windows, first + 1, size, cost)
    else
      for _ = first + 1, size do reply[#reply + 1] = NOTHING end
    end
  end
end
return table.concat(reply)
`

const SHA = createHash('sha1').update(SCRIPT).digest('hex')

/** Runs the script by its hash, and sends its text when the server does not know it (any more). */
export async function evaluate(client: Redis, keys: string[], args: string[]): Promise<DataView> {
  const { buffer, byteOffset, byteLength } = await run(client as BinaryClient, keys, args)
  return new DataView(buffer, byteOffset, byteLength)
}

/** Methods that reply with bytes; of these the client's types know others only. */
type BinaryClient = Redis & Record<'evalshaBuffer' | 'evalBuffer', (...args: Array<string | number>) => Promise<Buffer>>

async function run(client: BinaryClient, keys: string[], args: string[]): Promise<Buffer> {
  try {
    return await client.evalshaBuffer(SHA, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return await client.evalBuffer(SCRIPT, keys.length, ...keys, ...args)
  }
}

/** What one key takes in a reply. */
export const REPLY_BYTES = 16
