-- Makes the caller the owner of a partition, or says why not; a refusal changes nothing.
--
-- KEYS[1]  meta
-- ARGV     generation, partition count, layout version, newest record version that the caller reads, the one it writes,
--          nonce, consumer group, topic prefix
-- Returns  {"ok", field, value, ...} with meta as it is now, or {reason, stored value, ...}
local META = KEYS[1]
local generation, partitions, layout, newest, record, nonce, group, prefix = unpack(ARGV)

local stored = redis.call('HMGET', META, 'generation', 'partitions', 'layout', 'record', 'nonce', 'group', 'topic_prefix')
if stored[3] and stored[3] ~= layout then return { 'layout', stored[3] } end
if stored[4] and tonumber(stored[4]) > tonumber(newest) then return { 'record', stored[4] } end
-- an empty group: not known, as in what earlier versions wrote and after a reset
if (stored[6] or '') ~= '' and (stored[6] ~= group or stored[7] ~= prefix) then return { 'system', stored[6], stored[7] } end
if stored[2] and stored[2] ~= partitions then return { 'partitions', stored[2] } end
if stored[1] and tonumber(stored[1]) > tonumber(generation) then return { 'generation', stored[1] } end

-- The same generation by the same nonce is the retry of a call whose answer was lost.
if stored[1] ~= generation or stored[5] ~= nonce then
  -- of what is stored, some rows stay as new as they are, whatever the caller writes
  if stored[4] and tonumber(stored[4]) > tonumber(record) then record = stored[4] end
  redis.call('HINCRBY', META, 'epoch', 1)
  redis.call('HSET', META, 'generation', generation, 'partitions', partitions, 'layout', layout, 'record', record,
    'nonce', nonce, 'group', group, 'topic_prefix', prefix)
end
local reply = redis.call('HGETALL', META)
table.insert(reply, 1, 'ok')
return reply
