-- Does once everything that the other scripts do, to learn whether this user may. KEYS: five keys that nobody uses.
-- ARGV: a channel.
redis.call('TIME')
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[4], KEYS[5]}) do
  redis.call('HSET', key, 'a', '1')
  redis.call('HMGET', key, 'a')
  redis.call('HGET', key, 'a')
  redis.call('HGETALL', key)
  redis.call('HLEN', key)
  redis.call('HEXISTS', key, 'a')
  redis.call('HDEL', key, 'b')
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', '9', '*', 'a', '1')
redis.call('XDEL', KEYS[3], '0-1')
redis.call('XLEN', KEYS[3])
redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)
redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
redis.call('XTRIM', KEYS[3], 'MINID', '0-1')
redis.call('PEXPIRETIME', KEYS[1])
redis.call('PERSIST', KEYS[1])
redis.call('PEXPIREAT', KEYS[1], '9999999999999')
redis.call('EXISTS', KEYS[1])
redis.call('SPUBLISH', ARGV[1], '')
redis.call('UNLINK', unpack(KEYS))
return 1
