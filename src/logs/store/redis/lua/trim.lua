--[[
Removes what an app's stream may not hold any more: what is too old, to which nothing may have been added for long, since appends trim
only what they add to; and what is too much since its limits have become smaller. Its keys live as long as its lines may.

  KEYS[1]  stream of the batches, KEYS[2] of their headers, KEYS[3] hash of the stream's state: see append.lua
  ARGV[1]  lines, ARGV[2] bytes, ARGV[3] age in ms that the stream may hold, ARGV[4] entries that are removed at the most

Returns in how many ms there will be something to remove, 0 when there is more now; -1 when the stream is empty.
]]

local FORMAT = '<I4I4dd'
local SLACK_MS = 60000
local max_lines, max_bytes, max_age, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local state = redis.call('HMGET', KEYS[3], 'next', 'total', 'oldest_at', 'falls', 'first', 'before', 'newest_at')
if not state[1] or redis.call('EXISTS', KEYS[2]) == 0 then return -1 end
local next, total, first, before = tonumber(state[1]), tonumber(state[2]), tonumber(state[5]), tonumber(state[6]) or 0

-- An append sets how long they live for its own time's age; that may have become longer.
local lives = max_age + SLACK_MS + math.min(0, (tonumber(state[7]) or now) - now)
for i = 1, 2 do
  local ttl = redis.call('PTTL', KEYS[i])
  if ttl >= 0 and ttl < lives - SLACK_MS / 2 then redis.call('PEXPIRE', KEYS[i], string.format('%.0f', lives)) end
end

-- What was stored before the clock was set back, for the last time, is as old as that at least; what is in the future, as old as now.
local fall_first, fall_at = string.match(state[4] or '', '(%d+):(%d+)$')
local function since_when(sequence, at)
  if fall_first and sequence < tonumber(fall_first) then at = math.min(at, tonumber(fall_at)) end
  return math.min(at, now)
end

local oldest_at = since_when(first, tonumber(state[3]))
local function is_too_old()
  return now - oldest_at > max_age
end
local function is_too_much()
  return next - first > max_lines or total - before > max_bytes
end
if not is_too_old() and not is_too_much() then
  if oldest_at < tonumber(state[3]) then redis.call('HSET', KEYS[3], 'oldest_at', oldest_at) end
  return oldest_at + max_age - now + 1
end

local entries = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', limit + 1)
local cut, stays
for i, entry in ipairs(entries) do
  local last = tonumber(string.match(entry[1], '^%d+'))
  local count, _, at, so_far = struct.unpack(FORMAT, entry[2][2])
  -- Of the first one the state says how old it is.
  if i > 1 then
    first = last - count + 1
    oldest_at = since_when(first, at)
  end
  local is_newest = i == #entries and i <= limit
  stays = i > limit or not is_too_old() and (is_newest or not is_too_much())
  if stays then break end
  cut, before = last + 1, so_far
end

if not stays then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[3], 'first', state[1], 'before', state[2])
  return -1
end
if cut then
  for i = 1, 2 do redis.call('XTRIM', KEYS[i], 'MINID', string.format('%.0f-0', cut)) end
  redis.call('HSET', KEYS[3], 'first', first, 'before', before, 'oldest_at', oldest_at)
  if #entries > limit and is_too_much() then return 0 end
elseif oldest_at < tonumber(state[3]) then
  redis.call('HSET', KEYS[3], 'oldest_at', oldest_at)
end
return math.max(0, oldest_at + max_age - now + 1)
