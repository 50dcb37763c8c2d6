-- A few fields and the number of members. KEYS: state, members. ARGV: names of fields, at least one.
return {redis.call('HMGET', KEYS[1], unpack(ARGV)), redis.call('HLEN', KEYS[2])}
