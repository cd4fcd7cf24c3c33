--[[
Makes changes to the records of one scope, all of them or none.

  KEYS[1]  hash: key → `<version>:<JSON>`
  KEYS[2]  sorted set of the keys, all with score 0, for listing them by prefix
  KEYS[3]  revision: number of transactions so far that were not quiet; counted in the scope of no app alone
  KEYS[4]  sorted set of `<app>/<key>`, all with score 0, and KEYS[5] the revision for which it is complete; in the scope of no app alone
  ARGV[1]  channel, ARGV[2] origin with the keys, ARGV[3] the scope; the channel is '' for a quiet transaction: nobody is notified
  then for each change:  key | version that the record has to have, or '' | JSON, or '' to delete the record
                         | the app that it belongs to from now on, or ''

Returns { 1, revision (0 when it isn't counted) }, or { 0 } when a version didn't hold. The notification is `<origin> <revision> <scope>`.
]]

local platform = ARGV[3] == ''
local records = {}
local versions = {}
for i = 4, #ARGV, 4 do
  local record = redis.call('HGET', KEYS[1], ARGV[i])
  local version = record and tonumber(string.match(record, '^%d+')) or 0
  if ARGV[i + 1] ~= '' and tonumber(ARGV[i + 1]) ~= version then return { 0 } end
  records[i] = record
  versions[i] = version
end

-- What stays in the index without a record is passed over when it is read.
local function app_of(record)
  local ok, value = pcall(cjson.decode, string.match(record, '^%d+:(.*)$'))
  return ok and type(value) == 'table' and type(value.app) == 'string' and value.app or ''
end

for i = 4, #ARGV, 4 do
  if platform then
    local before = records[i] and app_of(records[i]) or ''
    if before ~= '' and before ~= ARGV[i + 3] then redis.call('ZREM', KEYS[4], before .. '/' .. ARGV[i]) end
    if ARGV[i + 3] ~= '' then redis.call('ZADD', KEYS[4], 0, ARGV[i + 3] .. '/' .. ARGV[i]) end
  end
  if ARGV[i + 2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f:', versions[i] + 1) .. ARGV[i + 2])
    if versions[i] == 0 then redis.call('ZADD', KEYS[2], 0, ARGV[i]) end
  end
end
if ARGV[1] == '' then return { 1, 0 } end
local number = 0
if platform then
  local complete = redis.call('GET', KEYS[5])
  number = redis.call('INCR', KEYS[3])
  if complete and tonumber(complete) == number - 1 then redis.call('SET', KEYS[5], number) end
end
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. number .. ' ' .. ARGV[3])
return { 1, number }
