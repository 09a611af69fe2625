-- Which commands the caller's user may not run; nothing is run.
--
-- KEYS[1]  a key of ours
-- ARGV[1]  MessagePack: a list of commands, each with arguments
-- Returns  the places in the list, from 1, of those that are refused; none where the server cannot tell (before 7.0)
local refused = {}
if not redis.acl_check_cmd then return refused end
for at, command in ipairs(cmsgpack.unpack(ARGV[1])) do
  local known, allowed = pcall(redis.acl_check_cmd, unpack(command))
  if known and not allowed then refused[#refused + 1] = at end
end
return refused
