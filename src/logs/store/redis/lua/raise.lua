--[[
Raises the next sequence of a stream: after a failover that lost lines which readers got already, new lines must not get
the sequences of the lost ones.

  KEYS[1]  hash of the stream's state: see append.lua
  ARGV[1]  lowest sequence that may be allocated next

Returns the next sequence.
]]

local HOUR_MS = 3600000
local state = redis.call('HMGET', KEYS[1], 'next', 'total')
local next = tonumber(state[1]) or 1
if next >= tonumber(ARGV[1]) then return next end
redis.call('HSET', KEYS[1], 'next', ARGV[1])
-- Of a stream that was removed: whoever still follows it raises it again. When something is appended, it stays.
if not state[2] then redis.call('PEXPIRE', KEYS[1], HOUR_MS) end
return tonumber(ARGV[1])
