-- Gives a lease up for good. KEYS: leases, over, sweeps. ARGV: writer.
-- Who gave one up is remembered for a week, so that a paused node that wakes cannot take it again.
local WEEK = 604800000
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local over = redis.call('HGETALL', KEYS[2])
for i = 1, #over, 2 do
  if tonumber(over[i + 1]) + WEEK < now then redis.call('HDEL', KEYS[2], over[i]) end
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', now))
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return 1
