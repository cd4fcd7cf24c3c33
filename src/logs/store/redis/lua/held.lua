--[[
Returns how many bytes many streams hold in one call.

  KEYS[n]  hashes of the streams' states: see append.lua

Returns one number a key: bytes, 0 for a stream that doesn't exist.
]]

local held = {}
for i, key in ipairs(KEYS) do
  local state = redis.call('HMGET', key, 'total', 'before')
  held[i] = (tonumber(state[1]) or 0) - (tonumber(state[2]) or 0)
end
return held
