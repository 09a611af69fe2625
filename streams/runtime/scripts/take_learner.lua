-- Makes the caller the learner, or says why not; a refusal changes nothing.
--
-- KEYS[1]  the learner's key
-- ARGV     generation, nonce, layout version, consumer group, topic prefix
-- Returns  {"ok", field, value, ...} as it is now, or {reason, stored value, ...}
local KEY = KEYS[1]
local generation, nonce, layout, group, prefix = unpack(ARGV)

local stored = redis.call('HMGET', KEY, 'generation', 'nonce', 'layout', 'group', 'topic_prefix')
if stored[3] and stored[3] ~= layout then return { 'layout', stored[3] } end
-- an empty group: not known, as after a reset
if (stored[4] or '') ~= '' and (stored[4] ~= group or stored[5] ~= prefix) then return { 'system', stored[4], stored[5] } end
if stored[1] and tonumber(stored[1]) > tonumber(generation) then return { 'generation', stored[1] } end

-- The same generation by the same nonce is the retry of a call whose answer was lost.
if stored[1] ~= generation or stored[2] ~= nonce then
  redis.call('HINCRBY', KEY, 'epoch', 1)
  redis.call('HSET', KEY, 'generation', generation, 'nonce', nonce, 'layout', layout, 'group', group, 'topic_prefix', prefix)
end
local reply = redis.call('HGETALL', KEY)
table.insert(reply, 1, 'ok')
return reply
