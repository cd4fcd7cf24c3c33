--[[
Appends batches to an app's stream, all of them or none: allocates sequences to their lines, stores them, trims what is
beyond the stream's retention, notifies readers.

  KEYS[1]  stream of the batches: id `<last sequence>-0`, one field: header → the batch's packed records
  KEYS[2]  stream of their headers alone, same ids, for whatever must not read the lines themselves
  KEYS[3]  hash of the stream's state: next, first (sequences), total, before (bytes of the stream in all, and of what is trimmed),
           newest_at, oldest_at (ms), generation (of KEYS[4] and KEYS[5]: 0 or 1), since (when it began, ms),
           falls (sequences before which the clock was set back, and to which ms: `<sequence>:<ms>,…`, oldest first); and for each origin
           `p:<origin>`: the number of its last call, the first sequence of that (0: it was given up), when it was stored (ms)
  KEYS[4]  hash of the ids of frames that were stored: id → first sequence, one generation
  KEYS[5]  the other generation

  ARGV[1]  lines, ARGV[2] bytes, ARGV[3] age in ms that the stream may hold
  ARGV[4]  how long frame ids are kept at the least, ms; ARGV[5] how many of them at the most (a generation)
  ARGV[6]  lowest sequence that may be allocated: higher than the stream's own after a failover that lost lines
           which readers got already; what is skipped is a gap, and so a loss that readers count
  ARGV[7]  channel, ARGV[8] origin: the notification is `<origin> <last sequence>`
  ARGV[9]  number of the call, which names it together with the origin: above that of every call of this origin before
  ARGV[10] when the origin stops waiting for the answer, ms on this clock: after that nothing is stored, since it will have told
           its senders that nothing is. 0: never. '-': the answer to the call of this number never came; if it wasn't stored by now,
           it never will be
  then for each batch:  number of lines | bytes it counts for | frame id or '' | packed records

Returns { clock in ms, stored at in ms, then for each batch: first sequence, 1 when the frame was stored before (else 0) }; for a
call that was stored before, the same again. { clock } when it came too late, { clock, 0 } when it was given up: nothing is stored.

A header is struct '<I4I4dd': lines, bytes, stored at in ms, bytes of the stream so far.
The first write is one that Redis rejects when it is out of memory; after it nothing can fail.
]]

local FORMAT = '<I4I4dd'
-- Entries that a call may remove beyond the number that it adds: the work of a call is bounded.
local EXTRA = 32
-- Times in a stream fall when Redis' clock was set back, and not for what clocks of servers differ in a failover.
local FALL_MS = 60000
local FALLS_MAX = 8
-- A longer time between two appends counts as this much of how long frame ids are kept: the clock may have been set forward.
local FRAME_GAP_MS = 60000
-- The keys of a stream that nobody appends to any more expire, this much after its last batch is too old.
local SLACK_MS = 60000
-- What is known of a stream that was removed, or never was, is kept for so long.
local HOUR_MS = 3600000
-- How long the last call of an origin is remembered, and of how many origins.
local PRODUCER_MS = 86400000
local PRODUCERS_MAX = 200

local max_lines, max_bytes, max_age = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local function id(sequence)
  return string.format('%.0f-0', sequence)
end

local function sequence_of(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local deadline = tonumber(ARGV[10])
if deadline and deadline > 0 and clock > deadline then return { clock } end
local call, producer = tonumber(ARGV[9]), 'p:' .. ARGV[8]
local state = redis.call('HMGET', KEYS[3], 'next', 'first', 'total', 'before', 'newest_at', 'oldest_at', 'generation', 'since', producer, 'falls')
local next = math.max(tonumber(state[1]) or 1, tonumber(ARGV[6]))
local first = tonumber(state[2]) or next
local total = tonumber(state[3]) or 0
local before = tonumber(state[4]) or 0
local newest_at = tonumber(state[5]) or clock
local now = clock
if now < newest_at and newest_at - now <= FALL_MS then now = newest_at end
local oldest_at = tonumber(state[6]) or now
local generation = tonumber(state[7]) or 0
local since = tonumber(state[8]) or now
local gap = now - newest_at
if gap < 0 then
  since = since + gap
elseif gap > FRAME_GAP_MS then
  since = since + gap - FRAME_GAP_MS
end

local falls = {}
for sequence, at in string.gmatch(state[10] or '', '(%d+):(%d+)') do
  falls[#falls + 1] = { tonumber(sequence), tonumber(at) }
end
if gap < 0 then falls[#falls + 1] = { next, now } end
while #falls > 0 and (falls[1][1] <= first or #falls > FALLS_MAX) do table.remove(falls, 1) end

-- What was stored before the clock was set back is as old as that at least, and may have a later time.
local function since_when(sequence, at)
  local fall = falls[#falls]
  if fall and sequence < fall[1] then return math.min(at, fall[2]) end
  return at
end
oldest_at = since_when(first, oldest_at)

local function find_frame(frame_id)
  local found = redis.call('HGET', KEYS[4], frame_id) or redis.call('HGET', KEYS[5], frame_id)
  return found and tonumber(found)
end

-- The answer to the last call of this origin.
local function same_answer(start, at)
  local reply = { clock, at }
  for i = 11, #ARGV, 4 do
    local named = ARGV[i + 2] ~= '' and find_frame(ARGV[i + 2])
    local duplicate = named and named < start
    reply[#reply + 1] = named or start
    reply[#reply + 1] = duplicate and 1 or 0
    if not duplicate then start = (named or start) + tonumber(ARGV[i]) end
  end
  return reply
end

-- `<number of the call> <first sequence, or 0> <stored at in ms>`
local mine = state[9]
if mine then
  local last_call = tonumber(string.match(mine, '^%d+'))
  if last_call >= call then
    local start, at = string.match(mine, '(%d+) (%d+)$')
    if last_call > call or start == '0' then return { clock, 0 } end
    return same_answer(tonumber(start), tonumber(at))
  end
end
if not deadline then
  redis.call('HSET', KEYS[3], producer, call .. ' 0 ' .. clock)
  if not state[3] then redis.call('PEXPIRE', KEYS[3], HOUR_MS) end
  return { clock, 0 }
end

if redis.call('EXISTS', KEYS[2]) == 0 then
  first, before, oldest_at, falls = next, total, now, {}
end

local function add_frame(frame_id, sequence)
  if now - since > tonumber(ARGV[4]) or redis.call('HLEN', KEYS[4 + generation]) >= tonumber(ARGV[5]) then
    generation = 1 - generation
    since = now
    redis.call('UNLINK', KEYS[4 + generation])
  end
  local key = KEYS[4 + generation]
  if redis.call('HSET', key, frame_id, sequence) == 1 and redis.call('HLEN', key) == 1 then
    redis.call('PEXPIRE', key, 2 * tonumber(ARGV[4]))
  end
end

local reply = { clock, now }
local start = next
local added = 0
for i = 11, #ARGV, 4 do
  local count, bytes, frame_id = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), ARGV[i + 2]
  local duplicate = frame_id ~= '' and find_frame(frame_id)
  if duplicate then
    reply[#reply + 1] = duplicate
    reply[#reply + 1] = 1
  else
    total = total + bytes
    local header = struct.pack(FORMAT, count, bytes, now, total)
    local last = next + count - 1
    redis.call('XADD', KEYS[1], id(last), header, ARGV[i + 3])
    redis.call('XADD', KEYS[2], id(last), '', header)
    if frame_id ~= '' then add_frame(frame_id, next) end
    reply[#reply + 1] = next
    reply[#reply + 1] = 0
    next = last + 1
    added = added + 1
  end
end
if added == 0 then return reply end

local function exceeds_retention()
  return next - first > max_lines or total - before > max_bytes or now - oldest_at > max_age
end

if exceeds_retention() then
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', added + EXTRA + 1)
  local cut
  -- The newest batch always stays.
  for i = 1, #oldest - 1 do
    if not exceeds_retention() then break end
    local _, _, _, so_far = struct.unpack(FORMAT, oldest[i][2][2])
    local count, _, at = struct.unpack(FORMAT, oldest[i + 1][2][2])
    before = so_far
    first = sequence_of(oldest[i + 1]) - count + 1
    oldest_at = since_when(first, at)
    cut = sequence_of(oldest[i]) + 1
  end
  if cut then
    redis.call('XTRIM', KEYS[1], 'MINID', id(cut))
    redis.call('XTRIM', KEYS[2], 'MINID', id(cut))
  end
end

-- An origin that is new here: those of processes that have ended are forgotten.
if not mine then
  local fields = redis.call('HGETALL', KEYS[3])
  local oldest, oldest_seen, producers = nil, now, 0
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'p:' then
      local at = tonumber(string.match(fields[i + 1], '%d+$')) or 0
      if now - at > PRODUCER_MS then
        redis.call('HDEL', KEYS[3], fields[i])
      else
        producers = producers + 1
        if at < oldest_seen then oldest, oldest_seen = fields[i], at end
      end
    end
  end
  if producers >= PRODUCERS_MAX and oldest then redis.call('HDEL', KEYS[3], oldest) end
end

redis.call('HSET', KEYS[3], 'next', next, 'first', first, 'total', total, 'before', before,
  'newest_at', now, 'oldest_at', oldest_at, 'generation', generation, 'since', since,
  producer, call .. ' ' .. start .. ' ' .. now)
-- The state of a stream that was removed may have been about to expire.
if not state[3] then redis.call('PERSIST', KEYS[3]) end
if #falls > 0 then
  for i, fall in ipairs(falls) do falls[i] = string.format('%.0f:%.0f', fall[1], fall[2]) end
  redis.call('HSET', KEYS[3], 'falls', table.concat(falls, ','))
elseif state[10] then
  redis.call('HDEL', KEYS[3], 'falls')
end
if redis.call('PTTL', KEYS[2]) < max_age + SLACK_MS / 2 then
  redis.call('PEXPIRE', KEYS[1], max_age + SLACK_MS)
  redis.call('PEXPIRE', KEYS[2], max_age + SLACK_MS)
end
redis.call('PUBLISH', ARGV[7], ARGV[8] .. ' ' .. string.format('%.0f', next - 1))
return reply
