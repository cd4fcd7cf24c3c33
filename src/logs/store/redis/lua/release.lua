--[[
Releases a lease, if it is still held; its fence is kept for a minute.

  KEYS[1]  hash of the lease: owner, fence, until (ms)
  ARGV[1]  fence under which it was taken

Returns 1 when it was held, else 0.
]]

local MINUTE_MS = 60000
if tonumber(redis.call('HGET', KEYS[1], 'fence')) ~= tonumber(ARGV[1]) then return 0 end
redis.call('HDEL', KEYS[1], 'owner', 'until')
redis.call('PEXPIRE', KEYS[1], MINUTE_MS)
return 1
