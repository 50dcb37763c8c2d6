-- All leases. KEYS: leases, over, sweeps, run marker. Returns the time now, since when the store is up, and the leases,
-- writers and values by turns. A server that no heartbeat has seen yet has been up since now.
local clock = redis.call('TIME')
local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
local run = redis.call('HMGET', KEYS[4], 'server', 'since')
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
return {now, run[1] == server and run[2] or now, redis.call('HGETALL', KEYS[1])}
