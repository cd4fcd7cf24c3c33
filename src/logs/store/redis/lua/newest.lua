--[[
Returns the last sequence of many streams in one call.

  KEYS[n]  hashes of the streams' states: see append.lua

Returns one number a key: the last sequence, 0 for a stream that doesn't exist.
]]

local newest = {}
for i, key in ipairs(KEYS) do
  newest[i] = (tonumber(redis.call('HGET', key, 'next')) or 1) - 1
end
return newest
