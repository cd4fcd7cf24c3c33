--[[
Appends a batch of another store to an app's stream, with the sequences and the time that it had there.

  KEYS[1]  stream of the batches, KEYS[2] of their headers, KEYS[3] hash of the stream's state: see append.lua
  ARGV[1]  first sequence, ARGV[2] number of lines, ARGV[3] bytes it counts for, ARGV[4] stored at in ms
  ARGV[5]  packed records
  ARGV[6]  for how long the keys are kept, ms

Returns 1, or 0 when the stream is already past the batch's first line.
]]

local first, count, bytes, at = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local state = redis.call('HMGET', KEYS[3], 'next', 'total', 'before', 'newest_at')
if (tonumber(state[1]) or 1) > first then return 0 end
local total = (tonumber(state[2]) or 0) + bytes
at = math.max(at, tonumber(state[4]) or 0)
local fresh = redis.call('EXISTS', KEYS[2]) == 0
local id = string.format('%.0f-0', first + count - 1)
local header = struct.pack('<I4I4dd', count, bytes, at, total)
redis.call('XADD', KEYS[1], id, header, ARGV[5])
redis.call('XADD', KEYS[2], id, '', header)
redis.call('HSET', KEYS[3], 'next', first + count, 'total', total, 'newest_at', at)
if fresh then redis.call('HSET', KEYS[3], 'first', first, 'before', total - bytes, 'oldest_at', at) end
if not state[2] then redis.call('PERSIST', KEYS[3]) end
for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], ARGV[6]) end
return 1
