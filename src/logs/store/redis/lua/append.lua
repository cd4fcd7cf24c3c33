--[[
Appends batches to the streams of apps: allocates sequences to their lines, stores them, trims what is beyond the streams'
retention, notifies readers. Of each stream all batches or none; a stream that can't be written to doesn't hold up the others. In a
Cluster all streams of a call are in one slot.

  KEYS     three or five for each stream:
    +0  stream of the batches: id `<last sequence>-0`, one field: header → the batch's packed records
    +1  stream of their headers alone, same ids, for whatever must not read the lines themselves
    +2  hash of the stream's state: next, first (sequences), total, before (bytes of the stream in all, and of what is trimmed),
        newest_at, oldest_at (ms), generation (of the next two keys: 0 or 1), since (when it began, ms),
        falls (sequences before which the clock was set back, and to which ms: `<sequence>:<ms>,…`, oldest first); and for each origin
        `p:<origin>`: the number of its last call, the first sequence of that (0: it was given up), when it was stored (ms)
    +3  hash of the ids of frames that were stored: id → first sequence, one generation; only for batches with frame ids
    +4  the other generation

  ARGV[1]  lines, ARGV[2] bytes, ARGV[3] age in ms that a stream may hold
  ARGV[4]  how long frame ids are kept at the least, ms; ARGV[5] how many of them at the most (a generation)
  ARGV[6]  origin; ARGV[7] what the names of channels begin with: the notification on that of the app is `<origin> <last sequence>`
  ARGV[8]  number of the call, which names it together with the origin: above that of every call of this origin before
  ARGV[9]  when the origin stops waiting for the answer, ms on this clock (a double): after that nothing is stored, since it will have
           told its senders that nothing is. '-': the answer to the call of this number never came; if it wasn't stored by now, it
           never will be
  then for each stream: head | packed records of each batch, '' for the question

A head is struct '<dI2I1': lowest sequence that may be allocated (higher than the stream's own after a failover that lost lines which
readers got already; what is skipped is a gap, and so a loss that readers count), number of batches, flags (1: five keys; 2: limits of its
own); with such limits struct '<ddd', in place of ARGV[1] to ARGV[3]; then for each batch struct '<I4I4I2': lines, bytes it counts for,
length of its frame id (0: it has none); and that id.

Returns { clock in ms, then for each stream: stored at in ms, then for each batch: first sequence, 1 when the frame was stored before
(else 0) }; for a call that was stored before, the same again. In place of the time 0 when the call was given up, and the error's text when
the stream couldn't be written to (WRONGTYPE with the name of the key): nothing of it is stored, and no values of batches follow. { clock } when the call came too late. When
no stream could be written to, the first error that isn't a stream's own is that of the call: it is one of the server.

A header is struct '<I4I4dd': lines, bytes, stored at in ms, bytes of the stream so far.
The first write is one that Redis rejects when it is out of memory; after it nothing can fail.
]]

local FORMAT = '<I4I4dd'
-- Entries that a call may remove beyond the number that it adds: the work of a call is bounded.
local EXTRA = 32
-- Times in a stream fall when Redis' clock was set back, and not for what clocks of servers differ in a failover.
local FALL_MS = 60000
local FALLS_MAX = 8
-- A longer time between two appends counts as this much of how long frame ids are kept: the clock may have been set forward.
local FRAME_GAP_MS = 60000
-- The keys of a stream that nobody appends to any more expire, so much after its last batch is too old, or less by this much.
local SLACK_MS = 60000
local RENEWAL_MS = 30000
-- When a stream has more than it may hold, up to this part more of it goes; what is too old may stay for so long, or for this part of its age.
local SPARE = 1 / 64
local LATE_MS = 30000
-- Where the app's id is in `tailrace:{<id>}:lines`.
local APP_AT, APP_END = 11, -8
-- What is known of a stream that was removed, or never was, is kept for so long.
local HOUR_MS = 3600000
-- How long the last call of an origin is remembered, and of how many origins.
local PRODUCER_MS = 86400000
local PRODUCERS_MAX = 200
-- A flag of a head.
local OWN_LIMITS = 2

local all_lines, all_bytes, all_age = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
-- Of the stream at hand.
local max_lines, max_bytes, max_age = all_lines, all_bytes, all_age
local frame_ttl, frames_max = tonumber(ARGV[4]), tonumber(ARGV[5])
local origin, channels, call_text = ARGV[6], ARGV[7], ARGV[8]
local call = tonumber(call_text)
local producer = 'p:' .. origin
local asked = ARGV[9] == '-'

local redis_call, format, unpack_struct, match, sub = redis.call, string.format, struct.unpack, string.match, string.sub
local floor, max, min = math.floor, math.max, math.min

-- Numbers are written out here: given as they are, Redis would print each with all digits of a double, which takes several times as long.
local function text_of(number)
  return format('%d', number)
end

local function id(sequence)
  return format('%d-0', sequence)
end

local function sequence_of(entry)
  return tonumber(match(entry[1], '^%d+'))
end

local time = redis_call('TIME')
local clock = tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000)
if not asked and clock > unpack_struct('<d', ARGV[9]) then return { clock } end

local reply = { clock }

-- The stream at hand: where its keys begin, and its state.
local base, index
local now, next, first, total, before, oldest_at, generation, since, falls

-- What was stored before the clock was set back is as old as that at least, and may have a later time.
local function since_when(sequence, at)
  local fall = falls and falls[#falls]
  if fall and sequence < fall[1] then return min(at, fall[2]) end
  return at
end

local function find_frame(frame_id)
  local found = redis_call('HGET', KEYS[base + 3], frame_id) or redis_call('HGET', KEYS[base + 4], frame_id)
  return found and tonumber(found)
end

local function add_frame(frame_id, sequence)
  if now - since > frame_ttl or redis_call('HLEN', KEYS[base + 3 + generation]) >= frames_max then
    generation = 1 - generation
    since = now
    redis_call('UNLINK', KEYS[base + 3 + generation])
  end
  local key = KEYS[base + 3 + generation]
  if redis_call('HSET', key, frame_id, text_of(sequence)) == 1 and redis_call('HLEN', key) == 1 then
    redis_call('PEXPIRE', key, 2 * frame_ttl)
  end
end

-- Lines, bytes and frame id of the batch at a position of a head, and the position of the next.
local function read_batch(head, at)
  local count, bytes, length, id_at = unpack_struct('<I4I4I2', head, at)
  if length == 0 then return count, bytes, nil, id_at end
  return count, bytes, sub(head, id_at, id_at + length - 1), id_at + length
end

-- The answer to the last call of this origin.
local function add_same_answer(head, at, batches, start, stored_at)
  reply[#reply + 1] = stored_at
  for _ = 1, batches do
    local count, frame_id
    count, _, frame_id, at = read_batch(head, at)
    local named = frame_id and find_frame(frame_id)
    local duplicate = named and named < start
    reply[#reply + 1] = named or start
    reply[#reply + 1] = duplicate and 1 or 0
    if not duplicate then start = (named or start) + count end
  end
end

local function exceeds_retention(late)
  return next - first > max_lines or total - before > max_bytes or now - oldest_at > max_age + late
end

-- Removes up to so many of the oldest batches, and says whether there may be more to remove; the newest always stays.
local function trim(entries)
  local oldest = redis_call('XRANGE', index, '-', '+', 'COUNT', entries + 1)
  local lines_kept, bytes_kept = max_lines - max_lines * SPARE, max_bytes - max_bytes * SPARE
  local cut
  local removed = 0
  for i = 1, #oldest - 1 do
    local _, _, _, so_far = unpack_struct(FORMAT, oldest[i][2][2])
    local count, _, at = unpack_struct(FORMAT, oldest[i + 1][2][2])
    local rest = sequence_of(oldest[i + 1]) - count + 1
    if not exceeds_retention(0) and next - rest < lines_kept and total - so_far < bytes_kept then break end
    before = so_far
    first = rest
    oldest_at = since_when(first, at)
    cut = sequence_of(oldest[i]) + 1
    removed = i
  end
  if cut then
    redis_call('XTRIM', KEYS[base], 'MINID', id(cut))
    redis_call('XTRIM', index, 'MINID', id(cut))
  end
  return removed == entries
end

-- An origin that is new here: those of processes that have ended are forgotten.
local function forget_producers(state_key)
  local fields = redis_call('HGETALL', state_key)
  local oldest, oldest_seen, producers = nil, now, 0
  for i = 1, #fields, 2 do
    if sub(fields[i], 1, 2) == 'p:' then
      local at = tonumber(match(fields[i + 1], '%d+$')) or 0
      if now - at > PRODUCER_MS then
        redis_call('HDEL', state_key, fields[i])
      else
        producers = producers + 1
        if at < oldest_seen then oldest, oldest_seen = fields[i], at end
      end
    end
  end
  if producers >= PRODUCERS_MAX and oldest then redis_call('HDEL', state_key, oldest) end
end

-- When the current generation of frame ids began; only calls that have some, or that come after a pause, need it.
local function read_generation(state_key, gap)
  local kept = redis_call('HMGET', state_key, 'generation', 'since')
  generation, since = tonumber(kept[1]) or 0, tonumber(kept[2]) or now
  if gap < 0 then
    since = since + gap
  elseif gap > FRAME_GAP_MS then
    since = since + gap - FRAME_GAP_MS
  end
  return tonumber(kept[1]), tonumber(kept[2])
end

-- Is there the same entry, of a call that failed half-way, as its user wasn't allowed to go on, and that is tried again?
local function has_same(key, last, field, value)
  local entry = redis_call('XRANGE', key, id(last), id(last))[1]
  if not entry then return false end
  local there, content = entry[2][1], entry[2][2]
  -- Of a header the lines and bytes, not when it was made.
  if key == index then return sub(content, 1, 8) == sub(value, 1, 8) end
  return sub(there, 1, 8) == sub(field, 1, 8) and content == value
end

-- Adds an entry to one of the two streams, which is made if it isn't there, and says whether it was.
-- Something else that is stored without its state may have the id: then the entry gets the next one, whose first sequence is returned.
local function add_entry(key, last, field, value, count)
  local added = redis.pcall('XADD', key, 'NOMKSTREAM', id(last), field, value)
  if type(added) == 'table' and added.err then
    if not string.find(added.err, 'equal or smaller', 1, true) then error(added.err, 0) end
    if has_same(key, last, field, value) then return false end
    -- What is an error now, too, leaves nothing more behind: a key of another kind, a state that may not be written.
    local next_there = max(next_of_batches(index) or 1, next_of_batches(KEYS[base]) or 1)
    redis_call('HSET', KEYS[base + 2], 'next', text_of(next_there))
    redis_call('XADD', key, id(next_there + count - 1), field, value)
    return false, next_there
  end
  if added then return false end
  redis_call('XADD', key, id(last), field, value)
  return true
end

-- One stream: its head, where its batches are in that, and the argument before its packed records.
local function append(head, at, lowest, batches, has_frames, arg)
  local lines, state_key = KEYS[base], KEYS[base + 2]
  local state = redis_call('HMGET', state_key, 'next', 'first', 'total', 'before', 'newest_at', 'oldest_at', producer, 'falls')
  local mine = state[7]
  local was_first, was_before, was_oldest_at = tonumber(state[2]), tonumber(state[4]), tonumber(state[6])
  local was_generation, was_since
  next = max(tonumber(state[1]) or 1, lowest)
  first = was_first or next
  total = tonumber(state[3]) or 0
  before = was_before or 0
  local newest_at = tonumber(state[5]) or clock
  if not state[3] then
    -- A stream that is new, or whose state was thrown away.
    local next_there, first_there, total_there, before_there, newest_there, oldest_there = state_of_headers(index)
    if next_there then
      first, total, before, newest_at, was_oldest_at = first_there, total_there, before_there, newest_there, oldest_there
    else
      next_there = next_of_batches(lines)
    end
    next = max(next, next_there or 1)
  end
  now = clock
  if now < newest_at and newest_at - now <= FALL_MS then now = newest_at end
  oldest_at = was_oldest_at or now
  local gap = now - newest_at
  generation, since = nil, nil
  if has_frames or gap < 0 or gap > FRAME_GAP_MS then was_generation, was_since = read_generation(state_key, gap) end

  falls = nil
  if state[8] or gap < 0 then
    falls = {}
    for sequence, fell_to in string.gmatch(state[8] or '', '(%d+):(%d+)') do
      falls[#falls + 1] = { tonumber(sequence), tonumber(fell_to) }
    end
    if gap < 0 then falls[#falls + 1] = { next, now } end
    while #falls > 0 and (falls[1][1] <= first or #falls > FALLS_MAX) do table.remove(falls, 1) end
    oldest_at = since_when(first, oldest_at)
  end

  -- `<number of the call> <first sequence, or 0> <stored at in ms>`
  if mine then
    local last_call = tonumber(match(mine, '^%d+'))
    if last_call >= call then
      local start, stored_at = match(mine, '(%d+) (%d+)$')
      if last_call > call or start == '0' then
        reply[#reply + 1] = 0
      else
        add_same_answer(head, at, batches, tonumber(start), tonumber(stored_at))
      end
      return
    end
  end
  if asked then
    redis_call('HSET', state_key, producer, call_text .. ' 0 ' .. text_of(clock))
    if not state[3] then redis_call('PEXPIRE', state_key, HOUR_MS) end
    reply[#reply + 1] = 0
    return
  end

  -- How long the keys live is put off twice in the time that they have to spare.
  local expires = not state[3] or floor(now / RENEWAL_MS) ~= floor(newest_at / RENEWAL_MS)
  reply[#reply + 1] = now
  local start
  local added = 0
  for i = 1, batches do
    local count, bytes, frame_id
    count, bytes, frame_id, at = read_batch(head, at)
    local duplicate = frame_id and find_frame(frame_id)
    if duplicate then
      reply[#reply + 1] = duplicate
      reply[#reply + 1] = 1
    else
      local header = struct.pack(FORMAT, count, bytes, now, total + bytes)
      local is_new, next_there = add_entry(index, next + count - 1, '', header, count)
      if is_new then
        first, before, oldest_at, falls = next, total, now, nil
        expires = true
      end
      next = next_there or next
      is_new, next_there = add_entry(lines, next + count - 1, header, ARGV[arg + i], count)
      if is_new then expires = true end
      -- The header before it is of no entry: a gap.
      if next_there then redis_call('XADD', index, id(next_there + count - 1), '', header) end
      next = next_there or next
      total = total + bytes
      start = start or next
      if frame_id then add_frame(frame_id, next) end
      reply[#reply + 1] = next
      reply[#reply + 1] = 0
      next = next + count
      added = added + 1
    end
  end
  if added == 0 then return end

  -- More goes than has to: then it isn't with each append.
  if exceeds_retention(min(LATE_MS, max_age * SPARE)) and trim(added + 1) then trim(EXTRA) end
  if not mine then forget_producers(state_key) end

  local next_text, total_text, now_text = text_of(next), text_of(total), text_of(now)
  local position = call_text .. ' ' .. text_of(start) .. ' ' .. now_text
  if first == was_first and before == was_before and oldest_at == was_oldest_at then
    redis_call('HSET', state_key, 'next', next_text, 'total', total_text, 'newest_at', now_text, producer, position)
  else
    redis_call('HSET', state_key, 'next', next_text, 'first', text_of(first), 'total', total_text, 'before', text_of(before),
      'newest_at', now_text, 'oldest_at', text_of(oldest_at), producer, position)
  end
  if generation ~= was_generation or since ~= was_since then
    redis_call('HSET', state_key, 'generation', text_of(generation), 'since', text_of(since))
  end
  -- The state of a stream that was removed may have been about to expire.
  if not state[3] then redis_call('PERSIST', state_key) end
  if falls and #falls > 0 then
    for i, fall in ipairs(falls) do falls[i] = format('%d:%d', fall[1], fall[2]) end
    redis_call('HSET', state_key, 'falls', table.concat(falls, ','))
  elseif state[8] then
    redis_call('HDEL', state_key, 'falls')
  end
  -- It is stored: when the user may not do the rest any more, readers find it by themselves, and permissions are checked elsewhere.
  if expires then
    local lives = text_of(max_age + SLACK_MS)
    redis.pcall('PEXPIRE', lines, lives)
    redis.pcall('PEXPIRE', index, lives)
  end
  redis.pcall('PUBLISH', channels .. sub(lines, APP_AT, APP_END), origin .. ' ' .. text_of(next - 1))
end

-- Which key of the stream at hand is of another kind than it should be.
local function key_of_other_kind(count)
  local reads = { { 'XRANGE', '-', '+', 'COUNT', 1 }, { 'XRANGE', '-', '+', 'COUNT', 1 }, { 'HLEN' }, { 'HLEN' }, { 'HLEN' } }
  for i = 1, count do
    local key = KEYS[base + i - 1]
    local found = redis.pcall(reads[i][1], key, unpack(reads[i], 2))
    if type(found) == 'table' and found.err then return key end
  end
  return ''
end

base = 1
local arg = 10
local first_failure
local succeeded = false
while base <= #KEYS do
  index = KEYS[base + 1]
  local head = ARGV[arg]
  local lowest, batches, flags, at = unpack_struct('<dI2I1', head)
  if flags >= OWN_LIMITS then
    max_lines, max_bytes, max_age, at = unpack_struct('<ddd', head, at)
    flags = flags - OWN_LIMITS
  else
    max_lines, max_bytes, max_age = all_lines, all_bytes, all_age
  end
  local replied = #reply
  local done, failure = pcall(append, head, at, lowest, batches, flags == 1, arg)
  if done then
    succeeded = true
  else
    -- A table in Redis 7, and a text before.
    local text = type(failure) == 'table' and failure.err or tostring(failure)
    if string.find(text, 'WRONGTYPE', 1, true) then
      text = 'WRONGTYPE ' .. key_of_other_kind(flags == 1 and 5 or 3)
      -- The stream's own: the next may have another.
      succeeded = true
    end
    first_failure = first_failure or text
    for i = #reply, replied + 1, -1 do reply[i] = nil end
    reply[replied + 1] = text
  end
  base = base + (flags == 1 and 5 or 3)
  arg = arg + 1 + batches
end
if succeeded then return reply end
return redis.error_reply(first_failure)
