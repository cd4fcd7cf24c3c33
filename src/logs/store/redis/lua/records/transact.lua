--[[
Makes changes to the records of one scope, all of them or none.

  KEYS[1]  hash: key → `<version>:<JSON>`
  KEYS[2]  sorted set of the keys, all with score 0, for listing them by prefix
  KEYS[3]  revision: number of transactions so far that were not quiet; counted in the scope of no app alone
  ARGV[1]  channel, ARGV[2] origin, ARGV[3] the scope; the channel is '' for a quiet transaction: nobody is notified
  then for each change:  key | version that the record has to have, or '' | JSON, or '' to delete the record

Returns { 1, revision (0 when it isn't counted) }, or { 0 } when a version didn't hold. The notification is `<origin> <revision> <scope>`.
]]

local versions = {}
for i = 4, #ARGV, 3 do
  local record = redis.call('HGET', KEYS[1], ARGV[i])
  local version = record and tonumber(string.match(record, '^%d+')) or 0
  if ARGV[i + 1] ~= '' and tonumber(ARGV[i + 1]) ~= version then return { 0 } end
  versions[i] = version
end
for i = 4, #ARGV, 3 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f:', versions[i] + 1) .. ARGV[i + 2])
    if versions[i] == 0 then redis.call('ZADD', KEYS[2], 0, ARGV[i]) end
  end
end
if ARGV[1] == '' then return { 1, 0 } end
local number = ARGV[3] == '' and redis.call('INCR', KEYS[3]) or 0
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. number .. ' ' .. ARGV[3])
return { 1, number }
