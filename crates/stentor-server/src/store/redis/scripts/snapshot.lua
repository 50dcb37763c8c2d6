-- A whole partition at one moment. KEYS: state, members. Returns fields and members, names and values by turns.
return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
