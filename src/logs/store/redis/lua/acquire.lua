--[[
Acquires or renews a lease.

  KEYS[1]  hash of the lease: owner, fence, until (ms)
  ARGV[1]  owner, ARGV[2] for how long, ms

Returns the fence (fencing token), or nothing while another owner holds the lease.

An owner that renews too late keeps its fence, when nobody else had the lease meanwhile: what it wrote under it was right. A new owner's
fence is above every earlier one and not below the clock, so that it grows even when the key has expired (a day
after the lease) or was lost in a failover.
]]

local DAY_MS = 86400000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'until')
local fence = tonumber(lease[2]) or 0
if lease[1] ~= ARGV[1] then
  if (tonumber(lease[3]) or 0) > now then return false end
  fence = math.max(fence + 1, now)
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'fence', fence, 'until', now + tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) + DAY_MS)
return fence
