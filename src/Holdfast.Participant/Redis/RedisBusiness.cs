namespace Holdfast.Participant;

/// <summary>
/// What a branch does in Redis, as a Lua chunk that runs in the barrier's own script, so that both happen or neither. It
/// sees <c>op</c> (<c>try</c>, <c>confirm</c>, <c>cancel</c>), <c>key</c> (the one key that it may touch) and <c>args</c> (texts), and
/// returns nothing when it is done, or a text when it refuses; then it must not have written anything.
/// </summary>
/// <param name="Lua">The chunk.</param>
public sealed record RedisBusiness(string Lua)
{
    /// <summary>
    /// A balance in a hash with the fields <c>available</c>, <c>frozen</c> and <c>spent</c>; <c>args[1]</c> is the amount. A try freezes,
    /// a confirm spends what was frozen, a cancel gives it back.
    /// </summary>
    public static RedisBusiness Balance { get; } = new("""
        local n = args[1]
        if op == 'try' then
          local available = redis.call('HGET', key, 'available') or '0'
          if tonumber(available) < tonumber(n) then return 'asked ' .. n .. ', available ' .. available end
          redis.call('HINCRBY', key, 'available', '-' .. n)
          redis.call('HINCRBY', key, 'frozen', n)
        elseif op == 'confirm' then
          redis.call('HINCRBY', key, 'frozen', '-' .. n)
          redis.call('HINCRBY', key, 'spent', n)
        else
          redis.call('HINCRBY', key, 'frozen', '-' .. n)
          redis.call('HINCRBY', key, 'available', n)
        end
        """);

    // Duplicates are looked at before any balance: a retried success must not turn into a refusal.
    private const string Barrier = """
        local op, ttl, expects, key = ARGV[1], ARGV[2], ARGV[3], KEYS[1]
        local args = {}
        for i = 4, #ARGV do args[i - 3] = ARGV[i] end
        local tried = redis.call('HGET', KEYS[2], 'try')
        local marked = redis.call('HGET', KEYS[2], 'key')
        if marked and marked ~= key then return 'key ' .. marked end
        local function mark(field, origin)
          redis.call('HSET', KEYS[2], field, origin, 'key', key)
          redis.call('EXPIRE', KEYS[2], ttl)
        end
        if op == 'try' then
          if tried == 'try' then return 'skip' end
          if tried then return 'refuse cancelled before it was tried' end
        elseif op == 'confirm' then
          if redis.call('HEXISTS', KEYS[2], 'confirm') == 1 then return 'skip' end
          if redis.call('HEXISTS', KEYS[2], 'cancel') == 1 or (expects == '1' and tried ~= 'try') then return 'refuse cancelled, or never tried here' end
        else
          if redis.call('HEXISTS', KEYS[2], 'cancel') == 1 then return 'skip' end
          if redis.call('HEXISTS', KEYS[2], 'confirm') == 1 then return 'refuse confirmed before' end
          if not tried then
            mark('try', 'cancel')
            mark('cancel', 'cancel')
            return 'skip'
          end
        end
        local refused = business(op, key, args)
        if refused then return 'refuse ' .. refused end
        mark(op, op)
        return 'run'
        """;

    internal string Script { get; } = "local function business(op, key, args)\n" + Lua + "\nend\n" + Barrier;
}
