-- Removes the oldest entries of a log. KEYS: state, members, log. ARGV: the oldest id to keep, how many to keep at most.
-- What is gone shows in the oldest entry that is left: it names a predecessor.
-- The entry that ended a partition is not history; it goes by itself.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return redis.call('XTRIM', KEYS[3], 'MINID', ARGV[1]) + redis.call('XTRIM', KEYS[3], 'MAXLEN', ARGV[2])
