--[[
Lists records of one scope in the order of their keys, a page at a time.

  KEYS[1]  hash: key → `<version>:<JSON>`
  KEYS[2]  sorted set of the keys, all with score 0
  ARGV[1]  lower bound and ARGV[2] upper bound, as ZRANGEBYLEX takes them
  ARGV[3]  how many at the most

Returns { key, value, key, value … }.
]]

local keys = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
if #keys == 0 then return {} end
local values = redis.call('HMGET', KEYS[1], unpack(keys))
local reply = {}
for i, key in ipairs(keys) do
  reply[#reply + 1] = key
  reply[#reply + 1] = values[i]
end
return reply
