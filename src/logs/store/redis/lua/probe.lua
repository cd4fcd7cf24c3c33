--[[
Tries commands to see which of them the user may run.

  KEYS     keys that the commands use, and that nothing else does
  ARGV[1]  the commands with their arguments, as JSON

Returns { name of a command, what Redis says } for each that is refused for want of a permission. Other errors don't count.
]]

local refused = {}
for _, command in ipairs(cjson.decode(ARGV[1])) do
  local reply = redis.pcall(unpack(command))
  local said = type(reply) == 'table' and reply.err or ''
  if string.find(said, 'NOPERM') or string.find(said, 'executing the script') or string.find(said, 'ACL failure') then
    refused[#refused + 1] = command[1]
    refused[#refused + 1] = said
  end
end
return refused
