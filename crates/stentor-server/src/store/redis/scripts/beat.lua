-- One heartbeat: publishes to the caller's own channel, and keeps the marker that is gone when the store was emptied.
-- KEYS: run marker. ARGV: channel, text to publish, a fresh marker.
-- Returns the marker and the server's own run id: where either is new, entries may be lost.
local clock = redis.call('TIME')
local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local run = redis.call('HMGET', KEYS[1], 'marker', 'server')
local marker = run[1] or ARGV[3]
if not run[1] or run[2] ~= server then
  redis.call('HSET', KEYS[1], 'marker', marker, 'server', server, 'since', now)
end
redis.call('SPUBLISH', ARGV[1], ARGV[2])
return {marker, server}
