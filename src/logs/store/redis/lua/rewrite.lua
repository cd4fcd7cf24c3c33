--[[
Adds entries to the copy of a stream that takes its place when lines were deleted (rewrite-end.lua).

  KEYS[1]  copy of the batches, KEYS[2] of their headers: see append.lua
  ARGV[1]  for how long the copy is kept, ms
  then for each entry:  id | header | packed records

Returns the number of entries in the copy.
]]

for i = 2, #ARGV, 3 do
  redis.call('XADD', KEYS[1], ARGV[i], ARGV[i + 1], ARGV[i + 2])
  redis.call('XADD', KEYS[2], ARGV[i], '', ARGV[i + 1])
end
for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
return (#ARGV - 1) / 3
