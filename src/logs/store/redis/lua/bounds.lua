--[[
Returns what an app's stream holds.

  KEYS[1]  stream of the batches' headers
  KEYS[2]  hash of the stream's state: see append.lua

Returns { first sequence, last sequence, bytes }; an empty stream has first = last + 1.
]]

local state = redis.call('HMGET', KEYS[2], 'next', 'first', 'total', 'before')
local next = tonumber(state[1]) or 1
if redis.call('EXISTS', KEYS[1]) == 0 then return { next, next - 1, 0 } end
if not state[3] then
  local next_there, first, total, before = state_of_headers(KEYS[1])
  if not next_there then return { next, next - 1, 0 } end
  return { first, math.max(next, next_there) - 1, total - before }
end
return { tonumber(state[2]), next - 1, tonumber(state[3]) - tonumber(state[4]) }
