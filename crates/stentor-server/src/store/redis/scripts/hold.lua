-- Takes or renews a lease. KEYS: leases, over. ARGV: writer, its node, length (ms), information.
-- Returns what became of it, the lease's end, and the time now.
local writer, node = ARGV[1], ARGV[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function answer(what, ends) return {what, string.format('%.0f', ends), string.format('%.0f', now)} end

local own = redis.call('HGET', KEYS[1], writer)
if own then
  if tonumber(string.match(own, '^%d+')) <= now then return answer('over', now) end
elseif redis.call('HEXISTS', KEYS[2], writer) == 1 then
  return answer('over', now)
else
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local ends = tonumber(string.match(all[i + 1], '^%d+'))
    if string.match(all[i], '^(.*)@[^@]*$') == node and ends > now then return answer('taken', ends) end
  end
end
local ends = now + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], writer, string.format('%.0f', ends) .. ' ' .. ARGV[4])
return answer('held', ends)
