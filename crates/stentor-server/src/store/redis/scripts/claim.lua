-- Claims the sweep after a dead writer. KEYS: leases, over, sweeps. ARGV: dead, by, margin (ms), length (ms).
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local lease = redis.call('HGET', KEYS[1], ARGV[1])
if not lease or tonumber(string.match(lease, '^%d+')) + tonumber(ARGV[3]) > now then return 0 end
local claim = redis.call('HGET', KEYS[3], ARGV[1])
if claim then
  local ends, who = string.match(claim, '^(%d+) (.*)$')
  if tonumber(ends) > now and who ~= ARGV[2] then return 0 end
end
redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', now + tonumber(ARGV[4])) .. ' ' .. ARGV[2])
return 1
