# shellcheck shell=bash
# Side 6: transactions. Built-in holds in process; two participants over HTTP, beside as many bare calls; barrier and a
# statement in each of two branches on PostgreSQL, beside the same statements without coordinator and barrier.

transactions_tools() { postgres_tools; }

# transactions_sample KIND COUNT CALLERS [MORE...]: what the bench prints, under transactions.KIND and .bare
transactions_sample() {
    local kind=$1 count=$2 callers=$3 key=transactions.$1 label value
    shift 3
    if ! tool "$work/bench.log" 600 env TMPDIR="$work/tmp" "$holdfast" bench --transactions "$kind" --count "$count" --callers "$callers" "$@"; then
        failed "$key" "bench" "$work/bench.log"
        return
    fi
    value=$(rate_of 'transactions per second')
    if [[ -z $value ]]; then
        failed "$key" "no 'transactions per second'" "$work/bench.log"
        return
    fi
    sample "$key" "$value"
    for label in 'bare calls per second' 'without coordinator per second'; do
        value=$(rate_of "$label")
        if [[ -n $value ]]; then sample "$key.bare" "$value"; fi
    done
    value=$(rate_of 'calls per second')
    if [[ -n $value ]]; then sample "$key.calls" "$value"; fi
}

transactions_round() {
    if [[ ! -x $holdfast ]]; then failed transactions "$holdfast is not there"; return; fi
    mkdir -p "$work/tmp"
    transactions_sample holds "$holds_few" 1024
    transactions_sample http "$((holds_few / 20))" 256
    if ! postgres_start; then
        failed transactions.sql "server did not start" "$work/pg_ctl.log"
        return
    fi
    sql -d postgres -c 'DROP DATABASE IF EXISTS holdfast' -c 'CREATE DATABASE holdfast' >/dev/null 2>&1
    transactions_sample sql "$((holds_few / 50))" 64 --connection "Host=127.0.0.1;Port=$postgres_port;Username=postgres;Database=holdfast;Max Auto Prepare=20;Auto Prepare Min Usages=2"
    postgres_stop
}
