--[[
In front of scripts that read a stream's state: what its entries say of it, when the state isn't there. Redis throws keys away one by one
with any maxmemory-policy but noeviction; a stream whose sequences began anew would take no lines until all of its entries are gone.
See append.lua for the fields.
]]

local function last_of(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

-- Of the batches' headers: next, first, total, before, newest_at, oldest_at; nil when there are none.
local function state_of_headers(index)
  local newest = redis.call('XREVRANGE', index, '+', '-', 'COUNT', 1)[1]
  if not newest then return nil end
  local oldest = redis.call('XRANGE', index, '-', '+', 'COUNT', 1)[1]
  local _, _, newest_at, total = struct.unpack('<I4I4dd', newest[2][2])
  local count, bytes, oldest_at, so_far = struct.unpack('<I4I4dd', oldest[2][2])
  return last_of(newest) + 1, last_of(oldest) - count + 1, total, so_far - bytes, newest_at, oldest_at
end

-- Of the batches alone, when their headers are gone, too: their ids are taken all the same.
local function next_of_batches(lines)
  local newest = redis.call('XREVRANGE', lines, '+', '-', 'COUNT', 1)[1]
  return newest and last_of(newest) + 1
end
