-- Forgets outbox entries that Kafka has, if the caller still owns the partition.
--
-- KEYS     meta, outbox
-- ARGV     epoch, nonce, first number to keep
-- Returns  {"ok"} or {"refused", stored epoch, nonce, seq}
local META, OUTBOX = KEYS[1], KEYS[2]
local stored = redis.call('HMGET', META, 'epoch', 'nonce', 'seq')
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then
  return { 'refused', stored[1] or '0', stored[2] or '', stored[3] or '0' }
end
redis.call('XTRIM', OUTBOX, 'MINID', '=', ARGV[3] .. '-0')
return { 'ok' }
