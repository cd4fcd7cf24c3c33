--[[
Tells the time of the server that holds a key.

  KEYS[1]  any key

Returns milliseconds since 1970.
]]

local time = redis.call('TIME')
return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
