# shellcheck shell=bash
# Side 2: the same hold as a Lua script, in two durabilities, 64 connections, pipeline 1 and 32.
# A fresh server for each sample, alone on the machine. Redis' best case: no snapshots, and no rewrite of
# its file during the run.

redis_tools() {
    need redis-server redis-server
    need redis-benchmark redis-tools
    need redis-cli redis-tools
}

# The same client for Redis and for Holdfast: pipe_bench KEY PORT PIPELINE COUNT COMMAND...
# Two random numbers make an id of about 62 bits: an id that comes twice, with another owner, would be a
# conflict, and redis-benchmark stops at the first error reply.
random_id=h-__rand_int__-__rand_int__
random_owner=o-__rand_int__
pipe_bench() {
    local key=$1 server=$2 pipeline=$3 count=$4 log=$work/redis-benchmark.log
    shift 4
    # The tool seeds its random numbers by time and process id, so a warm-up's ids can come again: they get a letter of their own.
    if [[ $key == warmup ]]; then set -- "${@/#h-/w-}"; fi
    if ! tool "$log" 300 redis-benchmark -h 127.0.0.1 -p "$server" -c 64 -P "$pipeline" -n "$count" \
        -r 2000000000 --csv "$@"; then
        failed "$key" redis-benchmark "$log"
        return 1
    fi
    [[ $key == warmup ]] && return
    sample "$key" "$(tail -n 1 "$log" | awk -F'","' '{ print $2 }')"
    sample "$key.p99ms" "$(tail -n 1 "$log" | awk -F'","' '{ print $7 }')"
}

redis_sample() {
    local policy=$1 pipeline=$2 count=$3 warm=$(($3 / 5)) key=redis.$1.p$2 data=$work/redis id sha keys left holds
    rm -rf "$data" && mkdir "$data"
    free_port
    start "$work/redis.log" redis-server --bind 127.0.0.1 --port "$port" --dir "$data" --save '' \
        --appendonly yes --appendfsync "$policy" --auto-aof-rewrite-percentage 0
    id=$started
    if ! until_true 20 "$id" redis-cli -p "$port" ping; then
        failed "$key" "server did not start" "$work/redis.log"
        stop "$id"
        return
    fi
    redis-cli -p "$port" HSET '{sku-1}' available 100000000 limitPerOwner 1000000 >/dev/null
    sha=$(redis-cli -p "$port" -x SCRIPT LOAD <"$here/redis/try.lua")
    keys=('{sku-1}' '{sku-1}:holds' '{sku-1}:due' '{sku-1}:owners')
    if pipe_bench warmup "$port" "$pipeline" "$warm" EVALSHA "$sha" 4 "${keys[@]}" "$random_id" "$random_owner" 600 1; then
        pipe_bench "$key" "$port" "$pipeline" "$count" EVALSHA "$sha" 4 "${keys[@]}" "$random_id" "$random_owner" 600 1
        # Every answer was a hold, and every hold took one unit. (redis-benchmark may send up to a
        # pipeline more from each connection than it was asked for.)
        left=$(redis-cli -p "$port" HGET '{sku-1}' available)
        holds=$(redis-cli -p "$port" ZCARD '{sku-1}:due')
        if ((left + holds != 100000000 || holds < count + warm)); then failed "$key" "available $left, holds $holds"; fi
    fi
    stop "$id"
    rm -rf "$data"
}

redis_round() {
    local policy
    for policy in always everysec; do
        redis_sample "$policy" 1 "$requests_p1"
        redis_sample "$policy" 32 "$redis_p32"
    done
}
