-- Part of a log. KEYS: state, members, log. ARGV: epoch, XRANGE or XREVRANGE, start, stop, limit.
-- Returns the entries as that command does, the oldest entry of the log, and the partition's newest one; or nothing
-- where the epoch is another one.
local is = redis.call('HMGET', KEYS[1], '!epoch', '!last')
if is[1] ~= ARGV[1] then return false end
return {
  redis.call(ARGV[2], KEYS[3], ARGV[3], ARGV[4], 'COUNT', ARGV[5]),
  redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1),
  is[2],
}
