-- Forgets the Kafka generation and consumer group of the learner and fences whoever it is.
--
-- KEYS[1]  the learner's key
-- Returns  1, or 0 if there is nothing to reset
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'generation', -1, 'nonce', '', 'group', '')
return 1
