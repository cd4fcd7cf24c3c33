--[[
Releases a lease, if it is still held; its fence is kept.

  KEYS[1]  hash of the lease: owner, fence, until (ms)
  ARGV[1]  fence under which it was taken

Returns 1 when it was held, else 0.
]]

if tonumber(redis.call('HGET', KEYS[1], 'fence')) ~= tonumber(ARGV[1]) then return 0 end
redis.call('HDEL', KEYS[1], 'owner', 'until')
return 1
