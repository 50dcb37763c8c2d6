-- Removes the oldest entries of a log. KEYS: state, members, log, numbers, erased. ARGV: the oldest id to keep, how many to
-- keep at most. What is gone shows in the oldest entry that is left: it names a predecessor.
-- The entry that ended a partition is not history; it goes by itself.
local log, erased = KEYS[3], KEYS[5]
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local removed = redis.call('XTRIM', log, 'MINID', ARGV[1]) + redis.call('XTRIM', log, 'MAXLEN', ARGV[2])
if redis.call('EXISTS', erased) == 0 then return removed end

-- Of what was erased, that stays which is young enough and still joins on to the log.
local function below(id, bound)
  local ms, seq = string.match(id, '^(%d+)%-(%d+)$')
  local bound_ms, bound_seq = string.match(bound, '^(%d+)%-(%d+)$')
  ms, bound_ms = tonumber(ms), tonumber(bound_ms)
  return ms < bound_ms or (ms == bound_ms and tonumber(seq) < tonumber(bound_seq))
end

local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
local joined, prev = {}, nil
for i = 1, oldest and #oldest[2] or 0, 2 do
  if oldest[2][i] == 'prev' then prev = oldest[2][i + 1] end
end
while prev do
  local id = string.match(prev, '^(%d+%-%d+)/')
  local stub = id and redis.call('HGET', erased, id)
  if stub then joined[id] = true end
  prev = stub and string.match(stub, '^%S+ (%S+) ')
end
local all = redis.call('HGETALL', erased)
for i = 1, #all, 2 do
  local id = all[i]
  if below(id, ARGV[1]) or not oldest or (below(id, oldest[1]) and not joined[id]) then
    redis.call('HDEL', erased, id)
  end
end
return removed
