-- Part of a log. KEYS: state, members, log, numbers, erased. ARGV: epoch, XRANGE or XREVRANGE, start, stop, limit.
-- Returns the entries as that command does, and the oldest entry of the log; or nothing where the epoch is another one.
-- Erased entries are not in the stream: they are found by the entries after them, which name them.
local log, erased = KEYS[3], KEYS[5]
if redis.call('HGET', KEYS[1], '!epoch') ~= ARGV[1] then return false end
local page = redis.call(ARGV[2], log, ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)
if redis.call('EXISTS', erased) == 0 then return {page, oldest} end

-- The erased entry right before this one, if it is one.
local function before(entry)
  local prev
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'prev' then prev = entry[2][i + 1] end
  end
  local id = string.match(prev or '', '^(%d+%-%d+)/')
  local by, its, own, body = string.match(id and redis.call('HGET', erased, id) or '', '^(%S+) (%S+) (%S+)\n(.*)$')
  return by and {id, {'by', by, 'prev', its, 'own', own, 'body', body}}
end

local function parts(id)
  local ms, seq = string.match(id, '^%(?(%d+)%-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

-- Whether the id is lower than this bound; either may begin with the mark of a bound that is not included.
local function below(id, bound)
  local ms, seq = parts(id)
  local bound_ms, bound_seq = parts(bound)
  return ms < bound_ms or (ms == bound_ms and seq < bound_seq)
end

local whole, start = {}, ARGV[3]
local excluded = string.sub(start, 1, 1) == '('
if ARGV[2] == 'XRANGE' then
  for _, entry in ipairs(page) do
    local stubs, stub = {}, before(entry)
    while stub and not below(stub[1], start) and not (excluded and '(' .. stub[1] == start) do
      stubs[#stubs + 1] = stub
      stub = before(stub)
    end
    for i = #stubs, 1, -1 do whole[#whole + 1] = stubs[i] end
    whole[#whole + 1] = entry
  end
else
  local next_one = start ~= '+' and redis.call('XRANGE', log, string.sub(start, 2), '+', 'COUNT', 1)[1]
  local stub = next_one and before(next_one)
  while stub do
    if below(stub[1], start) then whole[#whole + 1] = stub end
    stub = before(stub)
  end
  for _, entry in ipairs(page) do
    whole[#whole + 1] = entry
    stub = before(entry)
    while stub do
      whole[#whole + 1] = stub
      stub = before(stub)
    end
  end
end
for i = #whole, tonumber(ARGV[5]) + 1, -1 do whole[i] = nil end
local first = oldest[1]
while first do
  oldest[1] = first
  first = before(first)
end
return {whole, oldest}
