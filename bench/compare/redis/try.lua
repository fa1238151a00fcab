-- One hold in Redis, with what `HOLD.TRY id owner ttl resource quantity` checks and keeps in Holdfast.
--
-- KEYS[1] {sku}         hash   available, limitPerOwner
-- KEYS[2] {sku}:holds   hash   hold id -> "state owner quantity"
-- KEYS[3] {sku}:due     zset   hold id by its deadline, for expiry
-- KEYS[4] {sku}:owners  hash   owner -> units held and consumed
-- ARGV    id, owner, ttl in seconds, quantity
--
-- All keys are declared and share one hash tag, so this runs in a cluster too. The way that nearly every
-- call takes has six calls, each of which is needed: it writes first and looks at what the write says
-- (HSETNX: new id? HINCRBY: how many now?) in place of reading and writing. Refusals leave nothing behind.
-- Less than Holdfast does: one line a hold, no opening hours, no hash chain, no proof afterwards.

local call = redis.call
local id, owner, quantity = ARGV[1], ARGV[2], tonumber(ARGV[4])
local stock = call('HMGET', KEYS[1], 'available', 'limitPerOwner')
local available = tonumber(stock[1] or -1)
local limit = tonumber(stock[2] or math.huge)
local record = 'held ' .. owner .. ' ' .. ARGV[4]

if available >= quantity and call('HSETNX', KEYS[2], id, record) == 1 then
  if call('HINCRBY', KEYS[4], owner, quantity) <= limit then
    call('HINCRBY', KEYS[1], 'available', -quantity)
    call('ZADD', KEYS[3], call('TIME')[1] + ARGV[3], id)
    return redis.status_reply('held')
  end
  call('HINCRBY', KEYS[4], owner, -quantity)
  call('HDEL', KEYS[2], id)
  return redis.error_reply('LIMIT_EXCEEDED limit ' .. limit)
end

-- Not a plain new hold. The order of these answers is Holdfast's: what the id is already, then the
-- resource, the owner's limit, the stock.
local known = call('HGET', KEYS[2], id)
if known == record then return redis.status_reply('held') end
if known then
  local state = string.match(known, '^%a+')
  return redis.error_reply(state == 'held' and 'CONFLICT another body' or string.upper(state))
end
if available < 0 then return redis.error_reply('UNKNOWN_RESOURCE') end
if tonumber(call('HGET', KEYS[4], owner) or 0) + quantity > limit then
  return redis.error_reply('LIMIT_EXCEEDED limit ' .. limit)
end
return redis.error_reply('INSUFFICIENT asked ' .. quantity .. ' available ' .. available)
