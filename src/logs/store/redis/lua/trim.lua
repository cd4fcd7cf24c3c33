--[[
Removes what is too old of an app's stream, to which nothing may have been added for long: appends trim only what they add to.

  KEYS[1]  stream of the batches, KEYS[2] of their headers, KEYS[3] hash of the stream's state: see append.lua
  ARGV[1]  age in ms that the stream may hold, ARGV[2] entries that are removed at the most

Returns in how many ms there will be something to remove, 0 when there is more now; -1 when the stream is empty.
]]

local FORMAT = '<I4I4dd'
local max_age, limit = tonumber(ARGV[1]), tonumber(ARGV[2])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local state = redis.call('HMGET', KEYS[3], 'next', 'total', 'oldest_at', 'falls', 'first')
if not state[1] or redis.call('EXISTS', KEYS[2]) == 0 then return -1 end

-- What was stored before the clock was set back, for the last time, is as old as that at least; what is in the future, as old as now.
local fall_first, fall_at = string.match(state[4] or '', '(%d+):(%d+)$')
local function since_when(sequence, at)
  if fall_first and sequence < tonumber(fall_first) then at = math.min(at, tonumber(fall_at)) end
  return math.min(at, now)
end

local oldest_at = since_when(tonumber(state[5]), tonumber(state[3]))
if now - oldest_at <= max_age then
  if oldest_at < tonumber(state[3]) then redis.call('HSET', KEYS[3], 'oldest_at', oldest_at) end
  return oldest_at + max_age - now + 1
end

local cut, before, first
for i, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', limit + 1)) do
  local last = tonumber(string.match(entry[1], '^%d+'))
  local count, _, at, so_far = struct.unpack(FORMAT, entry[2][2])
  -- How old the first one is the state says.
  if i > 1 then oldest_at = since_when(last - count + 1, at) end
  if i > limit or now - oldest_at <= max_age then
    first = last - count + 1
    break
  end
  cut, before = last + 1, so_far
end

if not first then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[3], 'first', state[1], 'before', state[2])
  return -1
end
for i = 1, 2 do redis.call('XTRIM', KEYS[i], 'MINID', string.format('%.0f-0', cut)) end
redis.call('HSET', KEYS[3], 'first', first, 'before', before, 'oldest_at', oldest_at)
return math.max(0, oldest_at + max_age - now + 1)
