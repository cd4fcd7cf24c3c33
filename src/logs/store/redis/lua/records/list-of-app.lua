--[[
Lists the records of no app that belong to an app, in the order of their keys, a page at a time. The index of them is made (again) where
there is none, or a router of an earlier version has changed records since.

  KEYS[1]  hash: key → `<version>:<JSON>`
  KEYS[2]  sorted set of the keys, all with score 0
  KEYS[3]  revision: number of transactions so far
  KEYS[4]  sorted set of `<app>/<key>`, all with score 0, and KEYS[5] the revision for which it is complete
  ARGV[1]  lower bound and ARGV[2] upper bound of `<app>/<key>`, as ZRANGEBYLEX takes them
  ARGV[3]  how many at the most
  ARGV[4]  `<app>/`

Returns { key, value, key, value … }; a value is '' where there is no such record any more.
]]

local PAGE = 1000

local function index()
  redis.call('UNLINK', KEYS[4])
  local from = '-'
  while true do
    local keys = redis.call('ZRANGEBYLEX', KEYS[2], from, '+', 'LIMIT', 0, PAGE)
    if #keys == 0 then return end
    for i, record in ipairs(redis.call('HMGET', KEYS[1], unpack(keys))) do
      if record and string.find(record, '"app"', 1, true) then
        local json = string.match(record, '^%d+:(.*)$')
        local ok, value = pcall(cjson.decode, json)
        local app
        if ok then app = type(value) == 'table' and value.app
        else app = string.match(json, '"app":"([^"\\]+)"') end
        if type(app) == 'string' then redis.call('ZADD', KEYS[4], 0, app .. '/' .. keys[i]) end
      end
    end
    from = '(' .. keys[#keys]
  end
end

local revision = redis.call('GET', KEYS[3]) or '0'
if redis.call('GET', KEYS[5]) ~= revision then
  index()
  redis.call('SET', KEYS[5], revision)
end

local members = redis.call('ZRANGEBYLEX', KEYS[4], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
if #members == 0 then return {} end
local keys = {}
for i, member in ipairs(members) do keys[i] = string.sub(member, #ARGV[4] + 1) end
local values = redis.call('HMGET', KEYS[1], unpack(keys))
local reply = {}
for i, key in ipairs(keys) do
  reply[#reply + 1] = key
  reply[#reply + 1] = values[i] or ''
end
return reply
