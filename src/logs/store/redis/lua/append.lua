--[[
Appends batches to an app's stream, all of them or none: allocates sequences to their lines, stores them, trims what is
beyond the stream's retention, notifies readers.

  KEYS[1]  stream of the batches: id `<last sequence>-0`, one field: header → the batch's packed records
  KEYS[2]  stream of their headers alone, same ids, for whatever must not read the lines themselves
  KEYS[3]  hash of the stream's state: next, first (sequences), total, before (bytes of the stream in all, and of what is trimmed),
           newest_at, oldest_at (ms), generation (of KEYS[4] and KEYS[5]: 0 or 1), since (when it began, ms),
           falls (sequences before which the clock was set back, and to which ms: `<sequence>:<ms>,…`, oldest first)
  KEYS[4]  hash of the ids of frames that were stored: id → first sequence, one generation
  KEYS[5]  the other generation

  ARGV[1]  lines, ARGV[2] bytes, ARGV[3] age in ms that the stream may hold
  ARGV[4]  how long frame ids are kept at the least, ms; ARGV[5] how many of them at the most (a generation)
  ARGV[6]  lowest sequence that may be allocated: higher than the stream's own after a failover that lost lines
           which readers got already; what is skipped is a gap, and so a loss that readers count
  ARGV[7]  channel, ARGV[8] origin: the notification is `<origin> <last sequence>`
  then for each batch:  number of lines | bytes it counts for | frame id or '' | packed records

Returns { stored at in ms, then for each batch: first sequence, 1 when the frame was stored before (else 0) }.

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

local max_lines, max_bytes, max_age = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local function id(sequence)
  return string.format('%.0f-0', sequence)
end

local function sequence_of(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local state = redis.call('HMGET', KEYS[3], 'next', 'first', 'total', 'before', 'newest_at', 'oldest_at', 'generation', 'since', 'falls')
local next = math.max(tonumber(state[1]) or 1, tonumber(ARGV[6]))
local first = tonumber(state[2]) or next
local total = tonumber(state[3]) or 0
local before = tonumber(state[4]) or 0
local newest_at = tonumber(state[5]) or now
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
for sequence, at in string.gmatch(state[9] or '', '(%d+):(%d+)') do
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

if redis.call('EXISTS', KEYS[2]) == 0 then
  first, before, oldest_at, falls = next, total, now, {}
end

local function find_frame(frame_id)
  local found = redis.call('HGET', KEYS[4], frame_id) or redis.call('HGET', KEYS[5], frame_id)
  return found and tonumber(found)
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

local reply = { now }
local added = 0
for i = 9, #ARGV, 4 do
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

redis.call('HSET', KEYS[3], 'next', next, 'first', first, 'total', total, 'before', before,
  'newest_at', now, 'oldest_at', oldest_at, 'generation', generation, 'since', since)
if #falls > 0 then
  for i, fall in ipairs(falls) do falls[i] = string.format('%.0f:%.0f', fall[1], fall[2]) end
  redis.call('HSET', KEYS[3], 'falls', table.concat(falls, ','))
elseif state[9] then
  redis.call('HDEL', KEYS[3], 'falls')
end
if redis.call('PTTL', KEYS[2]) < max_age + SLACK_MS / 2 then
  redis.call('PEXPIRE', KEYS[1], max_age + SLACK_MS)
  redis.call('PEXPIRE', KEYS[2], max_age + SLACK_MS)
end
redis.call('PUBLISH', ARGV[7], ARGV[8] .. ' ' .. string.format('%.0f', next - 1))
return reply
