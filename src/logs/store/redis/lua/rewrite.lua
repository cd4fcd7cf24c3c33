--[[
Makes a copy of a stream without lines that were deleted, call by call; the last call puts it in the stream's place, with what was appended
since it was made, and without what was trimmed.

  KEYS[1]  copy of the batches, KEYS[2] of their headers: see append.lua
  KEYS[3]  with the last call: stream of the batches, KEYS[4] of their headers, KEYS[5] hash of the stream's state
  ARGV[1]  for how long the copy is kept, ms; with the last call: id of the first entry that isn't in the copy, if there is one
  then for each entry:  id | header | packed records

Returns 1, or 0 when the stream was removed meanwhile.
]]

if #KEYS == 2 then
  for i = 2, #ARGV, 3 do
    redis.call('XADD', KEYS[1], ARGV[i], ARGV[i + 1], ARGV[i + 2])
    redis.call('XADD', KEYS[2], ARGV[i], '', ARGV[i + 1])
  end
  for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
  return 1
end

-- -2: there is no such key.
local ttl = redis.call('PTTL', KEYS[4])
if ttl == -2 or redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  return 0
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[3], ARGV[1], '+')) do
  redis.call('XADD', KEYS[1], entry[1], entry[2][1], entry[2][2])
  redis.call('XADD', KEYS[2], entry[1], '', entry[2][1])
end
local first = string.format('%.0f-0', tonumber(redis.call('HGET', KEYS[5], 'first')) or 1)
for i = 1, 2 do
  redis.call('XTRIM', KEYS[i], 'MINID', first)
  redis.call('RENAME', KEYS[i], KEYS[2 + i])
  if ttl > 0 then redis.call('PEXPIRE', KEYS[2 + i], ttl) else redis.call('PERSIST', KEYS[2 + i]) end
end
return 1
