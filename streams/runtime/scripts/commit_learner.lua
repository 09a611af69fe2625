-- One commit of the learner: all of it or nothing, since it is one HSET.
--
-- KEYS[1]  the learner's key
-- ARGV     epoch, nonce, seq, then field and value by turns
-- Returns  {"ok"}, {"mine"} (this very commit was applied before) or {"refused", stored epoch, nonce, seq}
local KEY, epoch, nonce, seq = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local stored = redis.call('HMGET', KEY, 'epoch', 'nonce', 'seq')
local stored_seq = stored[3] or '0'
if stored[1] == epoch and stored[2] == nonce then
  if stored_seq == seq then return { 'mine' } end
  if tonumber(stored_seq) + 1 == tonumber(seq) then
    redis.call('HSET', KEY, 'seq', seq, unpack(ARGV, 4))
    return { 'ok' }
  end
end
return { 'refused', stored[1] or '0', stored[2] or '', stored_seq }
