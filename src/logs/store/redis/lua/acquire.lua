--[[
Acquires or renews a lease.

  KEYS[1]  hash of the lease: owner, fence, until (ms by Redis' clock), ttl (ms); without an owner, or until 0, it was released
  ARGV[1]  owner, ARGV[2] for how long, ms
  ARGV[3]  the fence will be above this one
  ARGV[4]  stamp of the lease when the caller saw it a moment ago, or '' if they didn't
  ARGV[5]  1 when it has run out by the caller's clock if it has that stamp still, else 0

Returns { fence (fencing token) }, or while another owner holds the lease { 0, its stamp, ms that it has left, its ttl }.

The fence is a counter, and doesn't depend on the clock. An owner that renews too late keeps it, when nobody else had the lease meanwhile:
what it wrote under it was right. The key expires a day after the lease; whoever needs more gives the fence that is stored with what the
lease protects.

Redis' clock may be set while it runs. A caller who saw a lease knows better than that clock whether it was renewed: it has
another stamp then.
]]

local DAY_MS = 86400000
-- Of a lease that a router without this field holds.
local TTL_MS = 6000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'until', 'ttl')
local owner, fence, ends = lease[1], tonumber(lease[2]) or 0, tonumber(lease[3]) or 0
local above = tonumber(ARGV[3])
local stamp = string.format('%.0f:%.0f', fence, ends)

if not lease[2] and ARGV[4] ~= '' and ARGV[5] == '0' then
  -- The clock was set forward by so much that the key has expired; its owner, who was alive a moment ago, renews it.
  return { 0, ARGV[4], 0, TTL_MS }
elseif ends == 0 or not owner then
  fence = math.max(fence, above) + 1
elseif owner == ARGV[1] then
  if fence <= above then fence = above + 1 end
else
  local expired
  if ARGV[4] == '' then
    expired = ends <= now
  else
    expired = ARGV[4] == stamp and ARGV[5] == '1'
  end
  if not expired then return { 0, stamp, ends - now, tonumber(lease[4]) or TTL_MS } end
  fence = math.max(fence, above) + 1
end

-- No two renewals have the same stamp, even when the clock was set back in between.
local next = now + tonumber(ARGV[2])
if next == ends then next = next + 1 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'fence', fence, 'until', next, 'ttl', ARGV[2])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) + DAY_MS)
return { fence }
