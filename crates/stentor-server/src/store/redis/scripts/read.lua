-- Part of a log. KEYS: state, members, log. ARGV: epoch, XRANGE or XREVRANGE, start, stop, limit.
-- Returns the entries as that command does, and the oldest entry of the log; or nothing where the epoch is another one.
if redis.call('HGET', KEYS[1], '!epoch') ~= ARGV[1] then return false end
return {
  redis.call(ARGV[2], KEYS[3], ARGV[3], ARGV[4], 'COUNT', ARGV[5]),
  redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1),
}
