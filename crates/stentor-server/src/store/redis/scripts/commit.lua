-- One write to one partition: judges the number, the lease, the life and the guards; then changes, appends, publishes.
-- KEYS: state, members, log, numbers, erased
-- ARGV: channel, writer, number, deadline (ms), life, its old epoch, its new epoch, body, longest log,
--   guards and for each: what (f field, m member, s size) with how (+ present, - absent, = equal, > above, < below),
--     name, value or size
--   for fields, then for members: how many to set, names and values by turns; how many to delete, names
--   how many entries to erase, their ids
-- Returns the author, what became of the commit, and:
--   done        id, predecessor
--   logged      id, predecessor, body, epoch, whether the partition ended with it
--   fenced life guard superseded    the newest entry, the guard's index
local state, members, log, numbers, erased = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local channel, writer, number, deadline = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local life, old, new, body, longest = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local by = writer .. '#' .. number
local DAY, HOUR, MINUTE = 86400000, 3600000, 60000

-- Numbers may be too large for Lua's, so they are compared as the decimal digits that they are.
local function above(a, b)
  return #a > #b or (#a == #b and a > b)
end

local function entry_at(id)
  local found = redis.call('XRANGE', log, id, id)[1]
  if not found then
    local by, prev, own, rest = string.match(redis.call('HGET', erased, id) or '', '^(%S+) (%S+) (%S+)\n(.*)$')
    return by and {by = by, prev = prev, own = own, body = rest}
  end
  local entry = {}
  for i = 1, #found[2], 2 do entry[found[2][i]] = found[2][i + 1] end
  return entry
end

-- What is asked of the state and the members, read at once.
local field_names, member_names = {'!epoch', '!last'}, {}
local guards = tonumber(ARGV[10])
local at = 11
for i = 1, guards do
  local what = string.sub(ARGV[at], 1, 1)
  if what == 'f' then field_names[#field_names + 1] = ARGV[at + 1] end
  if what == 'm' then member_names[#member_names + 1] = ARGV[at + 1] end
  at = at + 3
end
local fields = redis.call('HMGET', state, unpack(field_names))
local size = redis.call('HLEN', members)
local held = #member_names > 0 and redis.call('HMGET', members, unpack(member_names)) or {}
local epoch, last = fields[1], fields[2]
local count = redis.call('XLEN', log)

-- A number runs once. Each entry names its writer's one before it, so an older number is found along that chain.
local known = redis.call('HMGET', numbers, writer, 'ended')
local used, logged = nil, '-'
if known[1] then used, logged = string.match(known[1], '^(%d+) (%S+) ') end
if used and not above(number, used) then
  local id = logged
  while id ~= '-' do
    local entry = entry_at(id)
    local author, its = string.match(entry and entry.by or '', '^(.*)#(%d+)$')
    if author ~= writer or above(number, its) then break end
    if its == number then
      local whose = epoch or string.match(known[2] or '', '/(.*)$')
      return {by, 'logged', id, entry.prev, entry.body, whose, epoch and '0' or '1'}
    end
    id = entry.own
  end
  return {by, 'superseded', epoch and last or ''}
end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- A number is of use until the commits that carry lower ones are all fenced out by their deadlines.
local until_ms = math.max(now, math.min(deadline, now + HOUR)) + MINUTE

local function expire(key)
  if redis.call('PEXPIRETIME', key) < until_ms then
    redis.call('PEXPIREAT', key, string.format('%.0f', until_ms))
  end
end

local function remember(id)
  if not used and redis.call('HLEN', numbers) >= 16 then
    local all = redis.call('HGETALL', numbers)
    for i = 1, #all, 2 do
      local stamp = string.match(all[i + 1], '^%d+ %S+ (%d+)$')
      if stamp and tonumber(stamp) + DAY < now then redis.call('HDEL', numbers, all[i]) end
    end
  end
  redis.call('HSET', numbers, writer, number .. ' ' .. id .. ' ' .. string.format('%.0f', until_ms))
end

local function refuse(what, index)
  remember(logged)
  if not epoch then expire(numbers) end
  return {by, what, epoch and last or '', index or 0}
end

if now >= deadline then return refuse('fenced') end
local alive = epoch or ''
if alive ~= old then return refuse('life') end

local field_at, member_at = 3, 1
at = 11
for i = 1, guards do
  local what, how = string.sub(ARGV[at], 1, 1), string.sub(ARGV[at], 2, 2)
  local wanted, value = ARGV[at + 2], nil
  if what == 'f' then value, field_at = fields[field_at], field_at + 1 end
  if what == 'm' then value, member_at = held[member_at], member_at + 1 end
  local holds
  if what == 's' then
    local bound = tonumber(wanted)
    holds = (how == '=' and size == bound) or (how == '>' and size > bound) or (how == '<' and size < bound)
  else
    holds = (how == '+' and value) or (how == '-' and not value) or (how == '=' and value == wanted)
  end
  if not holds then return refuse('guard', i - 1) end
  at = at + 3
end

-- From here on everything holds, and nothing below may fail half-way.
local ms, seq = now, 0
local newest = last or known[2]
if newest then
  local last_ms, last_seq = string.match(newest, '^(%d+)%-(%d+)')
  if last_ms and ms <= tonumber(last_ms) then ms, seq = tonumber(last_ms), tonumber(last_seq) + 1 end
end
local id = string.format('%.0f-%.0f', ms, seq)
local previous = (life == 'within' or life == 'end') and last or '-'

local function in_parts(command, key, first, count)
  for i = first, first + count - 1, 1000 do
    redis.call(command, key, unpack(ARGV, i, math.min(i + 999, first + count - 1)))
  end
end

local function change(key)
  local sets = tonumber(ARGV[at]) * 2
  in_parts('HSET', key, at + 1, sets)
  at = at + 1 + sets
  local deletes = tonumber(ARGV[at])
  in_parts('HDEL', key, at + 1, deletes)
  at = at + 1 + deletes
end

remember(id)
if life == 'within' then
  redis.call('HSET', state, '!last', id .. '/' .. by)
else
  redis.call('UNLINK', state, members, log, erased)
  if life == 'end' then
    redis.call('HSET', numbers, 'ended', id .. '/' .. old)
    expire(numbers)
  else
    redis.call('PERSIST', numbers)
    redis.call('HDEL', numbers, 'ended')
    redis.call('HSET', state, '!epoch', new, '!last', id .. '/' .. by)
  end
end
-- An entry that is erased leaves the log; what it changed stays beside, for the chain and for retries.
local function erase()
  for i = at + 1, at + tonumber(ARGV[at]) do
    local entry = redis.call('XRANGE', log, ARGV[i], ARGV[i])[1] and entry_at(ARGV[i])
    if entry then
      local kept = {}
      for item in string.gmatch(entry.body, '[^\n]+') do
        if not string.find(item, '^[:@]') then kept[#kept + 1] = item end
      end
      local head = table.concat({entry.by, entry.prev, entry.own}, ' ')
      redis.call('HSET', erased, ARGV[i], head .. '\n' .. table.concat(kept, '\n'))
      redis.call('XDEL', log, ARGV[i])
    end
  end
end

if life ~= 'end' then
  change(state)
  change(members)
  erase()
end
redis.call('XADD', log, 'MAXLEN', '~', longest, id, 'by', by, 'prev', previous, 'own', life == 'within' and logged or '-',
  'body', body)
-- The entry that ends a partition stays for a while, for a retry to find.
if life == 'end' then expire(log) end
redis.pcall('SPUBLISH', channel, table.concat({'E', id, new, by, previous, life == 'end' and '1' or '0'}, ' ') ..
  '\n' .. body)
return {by, 'done', id, previous}
