--[[
Puts a copy of a stream in its place, with what was appended since it was made, and without what was trimmed.

  KEYS[1]  stream of the batches, KEYS[2] of their headers, KEYS[3] hash of the stream's state: see append.lua
  KEYS[4]  copy of the batches, KEYS[5] of their headers
  ARGV[1]  id of the first entry that isn't in the copy, if there is one

Returns 1, or 0 when the stream was removed meanwhile.
]]

local ttl = redis.call('PTTL', KEYS[2])
if ttl == -2 or redis.call('EXISTS', KEYS[4]) == 0 then
  redis.call('UNLINK', KEYS[4], KEYS[5])
  return 0
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+')) do
  redis.call('XADD', KEYS[4], entry[1], entry[2][1], entry[2][2])
  redis.call('XADD', KEYS[5], entry[1], '', entry[2][1])
end
local first = string.format('%.0f-0', tonumber(redis.call('HGET', KEYS[3], 'first')) or 1)
for i = 1, 2 do
  redis.call('XTRIM', KEYS[3 + i], 'MINID', first)
  redis.call('RENAME', KEYS[3 + i], KEYS[i])
  if ttl > 0 then redis.call('PEXPIRE', KEYS[i], ttl) else redis.call('PERSIST', KEYS[i]) end
end
return 1
