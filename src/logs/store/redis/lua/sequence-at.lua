--[[
Finds the last sequence that was stored before a time, by binary search.

  KEYS[1]  stream of the batches' headers
  KEYS[2]  hash of the stream's state: see append.lua
  ARGV[1]  milliseconds since 1970

Returns the sequence; that of the line before the stream's first when everything is newer.

Times rise, but where the clock was set back: what lies between two such places is searched by itself, the newest first.
]]

local at = tonumber(ARGV[1])
local state = redis.call('HMGET', KEYS[2], 'next', 'first', 'falls')
local newest = (tonumber(state[1]) or 1) - 1
if redis.call('EXISTS', KEYS[1]) == 0 then return newest end
local oldest = tonumber(state[2])
if not oldest then
  local next_there, first = state_of_headers(KEYS[1])
  if not next_there then return newest end
  newest, oldest = math.max(newest, next_there - 1), first
end

-- The last of the sequences above `low` up to `high` that was stored before the time, or `low`.
local function search(low, high)
  while low < high do
    local middle = math.floor((low + high + 1) / 2)
    local entry = redis.call('XRANGE', KEYS[1], string.format('%.0f-0', middle), '+', 'COUNT', 1)[1]
    if not entry then
      high = middle - 1
    else
      local last = tonumber(string.match(entry[1], '^%d+'))
      local count, _, stored_at = struct.unpack('<I4I4dd', entry[2][2])
      if stored_at >= at then
        high = math.min(last - count, middle - 1)
      else
        low = last
      end
    end
  end
  return low
end

local begins = { oldest }
for sequence in string.gmatch(state[3] or '', '(%d+):') do
  if tonumber(sequence) > oldest then begins[#begins + 1] = tonumber(sequence) end
end
local high = newest
for i = #begins, 1, -1 do
  local low = begins[i] - 1
  local found = search(low, high)
  if found > low or i == 1 then return math.max(found, oldest - 1) end
  high = low
end
