-- One commit of a partition: all of it or nothing.
--
-- KEYS     meta, due, risk, outbox, triggered, erased, pending, then one key a record, then one a record to delete
-- ARGV[1]  MessagePack: {epoch, nonce, seq, commit id, records, due ids, due times, ids to look at no more, risk ids, risks,
--          {topic, offset, ...}, state or false, {number, topic, key, value, ...}, triggered names, triggered times,
--          time before which triggers are forgotten or false, pending {field, value, ...}, fields pending no more,
--          lengths of the twelve lists, what is taken away or false, id of the commit it follows or false}
--          Taken away: {customers gone, triggered names, outbox numbers, {digest, time, ...}, digests to forget,
--          fingerprint of the digests' secret, lengths of the five lists}
--          epoch, seq and offsets are decimal strings: a Lua number would round them above 2^53 and print them as 1e+15.
-- Returns  {"ok"}, {"mine"} (this very commit was applied before) or {"refused", stored epoch, nonce, seq, commit id}.
--
-- An error after the first write undoes nothing, so everything that can fail is looked at before it. Every key is
-- declared: while a cluster moves the slot, the server then says TRYAGAIN before the script starts.
local META, DUE, RISK, OUTBOX, TRIGGERED, ERASED, PENDING, FIXED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], 7
local SLICE = 1000 -- pairs; with its own arguments, Lua's unpack takes at most 7,997 values

local function malformed(what)
  return redis.error_reply('MALFORMED commit: ' .. what)
end

-- The length is told apart, because a nil in a list would shorten it unseen.
local function all(values, kind, length)
  if type(values) ~= 'table' or #values ~= length then return false end
  for i = 1, #values do
    if type(values[i]) ~= kind then return false end
  end
  return true
end

local function finite(values, length)
  if not all(values, 'number', length) then return false end
  for i = 1, #values do
    local v = values[i]
    if v ~= v or v == math.huge or v == -math.huge then return false end
  end
  return true
end

local decoded, body, rest = pcall(cmsgpack.unpack, ARGV[1])
if not decoded or type(body) ~= 'table' or rest ~= nil or #body ~= 21 then return malformed('not one array of 21') end
local epoch, nonce, seq, commit_id = body[1], body[2], body[3], body[4]
local records, due_ids, due_s, no_longer_due = body[5], body[6], body[7], body[8]
local risk_ids, risks, offsets, state, entries = body[9], body[10], body[11], body[12], body[13]
local triggered, triggered_s, forget_before_s, pending, settled = body[14], body[15], body[16], body[17], body[18]
local lengths, leaving, follows = body[19], body[20], body[21]

local function count(text) return type(text) == 'string' and text:match('^%d+$') end

if not count(epoch) or not count(seq) then return malformed('epoch or seq') end
if type(nonce) ~= 'string' or type(commit_id) ~= 'string' then return malformed('nonce or commit id') end
if follows ~= false and type(follows) ~= 'string' then return malformed('commit it follows') end
if not all(lengths, 'number', 12) then return malformed('lengths') end
local gone = {}
if leaving ~= false then
  if type(leaving) ~= 'table' or #leaving ~= 7 or not all(leaving[7], 'number', 5) then return malformed('what is taken away') end
  for i = 1, 5 do
    if not all(leaving[i], 'string', leaving[7][i]) then return malformed('list ' .. i .. ' of what is taken away') end
  end
  if type(leaving[6]) ~= 'string' or (#leaving[4] > 0 and leaving[6] == '') then return malformed('fingerprint') end
  if #leaving[4] % 2 ~= 0 then return malformed('erased') end
  for i = 2, #leaving[4], 2 do
    if not leaving[4][i]:match('^%d+$') then return malformed('time of an erasure') end
  end
  for i = 1, #leaving[3] do
    if not leaving[3][i]:match('^%d+$') then return malformed('outbox number to take away') end
  end
  gone = leaving[1]
end
if not all(records, 'string', #KEYS - FIXED - #gone) or #records ~= lengths[1] then return malformed('records do not match the keys') end
if not all(due_ids, 'string', lengths[2]) or not finite(due_s, lengths[2]) or lengths[2] ~= lengths[3] then return malformed('due') end
if not all(no_longer_due, 'string', lengths[4]) then return malformed('due to remove') end
if not all(risk_ids, 'string', lengths[5]) or not finite(risks, lengths[5]) or lengths[5] ~= lengths[6] then return malformed('risk') end
if not all(offsets, 'string', lengths[7]) or #offsets % 2 ~= 0 then return malformed('offsets') end
for i = 2, #offsets, 2 do
  if not offsets[i]:match('^%-?%d+$') then return malformed('offset of ' .. offsets[i - 1]) end
end
if state ~= false and type(state) ~= 'string' then return malformed('state') end
if type(entries) ~= 'table' or #entries ~= lengths[8] or #entries % 4 ~= 0 then return malformed('outbox') end
if not all(triggered, 'string', lengths[9]) or not finite(triggered_s, lengths[9]) or lengths[9] ~= lengths[10] then return malformed('triggered') end
if not all(pending, 'string', lengths[11]) or #pending % 2 ~= 0 then return malformed('pending') end
if not all(settled, 'string', lengths[12]) then return malformed('pending no more') end
if forget_before_s ~= false and not finite({ forget_before_s }, 1) then return malformed('time before which triggers are forgotten') end

-- The fence.
local stored = redis.call('HMGET', META, 'epoch', 'nonce', 'seq', 'commit_id', 'outbox_no')
if stored[1] ~= epoch or stored[2] ~= nonce then
  return { 'refused', stored[1] or '0', stored[2] or '', stored[3] or '0', stored[4] or '' }
end
local stored_seq = stored[3] or '0'
if stored_seq == seq and stored[4] == commit_id then return { 'mine' } end
local refused = { 'refused', stored[1], stored[2], stored_seq, stored[4] or '' }
if tonumber(stored_seq) + 1 ~= tonumber(seq) then return refused end
if follows and follows ~= (stored[4] or '') then return refused end

-- What would fail half way: keys of another type, outbox numbers that the stream refuses.
local kinds = { [DUE] = 'zset', [RISK] = 'zset', [OUTBOX] = 'stream' }
if #triggered > 0 or forget_before_s or leaving then kinds[TRIGGERED] = 'zset' end
if leaving then kinds[ERASED] = 'hash' end
if #pending + #settled > 0 then kinds[PENDING] = 'hash' end
for key, kind in pairs(kinds) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then return malformed(key .. ' is a ' .. found .. ', not a ' .. kind) end
end
-- So would a right that our user lacks (which servers before 7.0 do not tell).
local needed = { { 'HSET', META, 'seq', seq } }
local function needs(wanted, ...)
  if wanted then needed[#needed + 1] = { ... } end
end
needs(#records > 0, 'MSET', META, '')
needs(#due_s + #risks > 0, 'ZADD', DUE, '0', '')
needs(#triggered > 0, 'ZADD', TRIGGERED, '0', '')
needs(forget_before_s, 'ZREMRANGEBYSCORE', TRIGGERED, '0', '0')
needs(#no_longer_due > 0, 'ZREM', DUE, '')
needs(#entries > 0, 'XADD', OUTBOX, '*', 't', '')
needs(#pending > 0, 'HSET', PENDING, '', '')
needs(#settled > 0, 'HDEL', PENDING, '')
if leaving then
  needs(#gone > 0, 'UNLINK', META)
  needs(#gone + #leaving[2] > 0, 'ZREM', DUE, '')
  needs(#leaving[3] > 0, 'XDEL', OUTBOX, '0-1')
  needs(#leaving[5] > 0, 'HDEL', ERASED, '')
end
for i = 1, redis.acl_check_cmd and #needed or 0 do
  if not redis.acl_check_cmd(unpack(needed[i])) then
    return redis.error_reply('NOPERM this user has no permissions to run the ' .. needed[i][1]:lower() .. ' command, which a commit needs')
  end
end
local outbox_no = tonumber(stored[5] or '0')
for i = 1, #entries, 4 do
  outbox_no = outbox_no + 1
  if entries[i] ~= outbox_no then return malformed('outbox number ' .. tostring(entries[i]) .. ', expected ' .. outbox_no) end
  for j = i + 1, i + 3 do
    if type(entries[j]) ~= 'string' then return malformed('outbox entry ' .. outbox_no) end
  end
end
if #entries > 0 and redis.call('EXISTS', OUTBOX) == 1 then
  local info = redis.call('XINFO', 'STREAM', OUTBOX)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' and tonumber(info[i + 1]:match('^%d+')) >= entries[1] then
      return malformed('outbox stream is ahead of meta')
    end
  end
end

-- From here on nothing may fail. HSET comes first: a server out of memory or read-only refuses it, and so all.
redis.call('HSET', META, 'seq', seq, 'commit_id', commit_id, 'outbox_no', string.format('%.0f', outbox_no))
if state then redis.call('HSET', META, 'state', state) end
for i = 1, #offsets, 2 do
  redis.call('HSET', META, 'offset:' .. offsets[i], offsets[i + 1])
end

-- Calls command with (first[i], second[i], first[i + 1], ...) in slices.
local function in_slices(first, second, skip, call)
  for from = 1, #second, SLICE do
    local upto, args, n = math.min(from + SLICE - 1, #second), {}, 0
    for i = from, upto do
      args[n + 1], args[n + 2] = first[i + skip], second[i]
      n = n + 2
    end
    call(args, n)
  end
end

-- Calls command with the head and values in slices, which are of even length: pairs stay together.
local function one_by_one(values, command, ...)
  local head = { ... }
  for from = 1, #values, SLICE do
    local args = { unpack(head) }
    for i = from, math.min(from + SLICE - 1, #values) do args[#args + 1] = values[i] end
    redis.call(command, unpack(args))
  end
end

in_slices(KEYS, records, FIXED, function(args, n) redis.call('MSET', unpack(args, 1, n)) end)
in_slices(due_s, due_ids, 0, function(args, n) redis.call('ZADD', DUE, unpack(args, 1, n)) end)
in_slices(risks, risk_ids, 0, function(args, n) redis.call('ZADD', RISK, unpack(args, 1, n)) end)
in_slices(triggered_s, triggered, 0, function(args, n) redis.call('ZADD', TRIGGERED, unpack(args, 1, n)) end)
if forget_before_s then redis.call('ZREMRANGEBYSCORE', TRIGGERED, '-inf', string.format('(%.0f', forget_before_s)) end
for from = 1, #no_longer_due, SLICE do
  redis.call('ZREM', DUE, unpack(no_longer_due, from, math.min(from + SLICE - 1, #no_longer_due)))
end
one_by_one(pending, 'HSET', PENDING)
one_by_one(settled, 'HDEL', PENDING)
if leaving then
  local keys, ids = {}, {}
  for i = 1, #gone do keys[i] = KEYS[FIXED + #records + i] end
  for i = 1, #leaving[3] do ids[i] = leaving[3][i] .. '-0' end
  one_by_one(keys, 'UNLINK')
  one_by_one(gone, 'ZREM', DUE)
  one_by_one(gone, 'ZREM', RISK)
  one_by_one(leaving[2], 'ZREM', TRIGGERED)
  one_by_one(ids, 'XDEL', OUTBOX)
  one_by_one(leaving[5], 'HDEL', ERASED)
  if #leaving[4] > 0 then redis.call('HSET', ERASED, 'key', leaving[6]) end
  one_by_one(leaving[4], 'HSET', ERASED)
end
for i = 1, #entries, 4 do
  local id = string.format('%.0f-0', entries[i])
  redis.call('XADD', OUTBOX, id, 't', entries[i + 1], 'k', entries[i + 2], 'v', entries[i + 3])
end
return { 'ok' }
