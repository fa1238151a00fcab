# shellcheck shell=bash
# Side 5: the loop in the caller's own process, as an embedding application has it, on both journals.

process_tools() { postgres_tools; }
process_prepare() { postgres_prepare; }

# The bench prints plain lines; these read the number of "LABEL: 1,234,567", and the 99th percentile in
# milliseconds ("latency p99 ms: 1.25").
rate_of() {
    awk -v label="$1" 'index(tolower($0), label) == 1 { gsub(/[^0-9.]/, ""); print; exit }' "$work/bench.log"
}
p99_of() {
    awk -F': *' '$1 == "latency p99 ms" { print $2; exit }' "$work/bench.log"
}

process_sample() {
    local journal=$1 callers=$2 count=$3 key=process.$1.$2 more=() holds refusals p99
    if [[ $journal == postgres ]]; then
        sql -d postgres -c 'DROP DATABASE IF EXISTS holdfast' -c 'CREATE DATABASE holdfast' >/dev/null 2>&1 ||
            { failed "$key" "database not made"; return; }
        more=(--connection "Host=127.0.0.1;Port=$postgres_port;Username=postgres;Database=holdfast")
    fi
    # The bench's own files go where the other sides' are, not to a /tmp that may be memory.
    if ! tool "$work/bench.log" 600 env TMPDIR="$work/tmp" "$holdfast" bench --journal "$journal" "${more[@]}" \
        --callers "$callers" --count "$count" --resources 1; then
        failed "$key" "bench" "$work/bench.log"
        return
    fi
    holds=$(rate_of 'holds per second')
    refusals=$(rate_of 'refusals per second')
    p99=$(p99_of)
    if [[ -z $holds ]]; then
        failed "$key" "no 'holds per second'" "$work/bench.log"
        return
    fi
    sample "$key" "$holds"
    if [[ -n $refusals ]]; then sample "$key.refusals" "$refusals"; fi
    if [[ -n $p99 ]]; then sample "$key.p99ms" "$p99"; fi
    cp "$work/bench.log" "$work/bench.$journal.$callers.txt"
}

process_round() {
    local journal
    if [[ ! -x $holdfast ]]; then failed process "$holdfast is not there"; return; fi
    mkdir -p "$work/tmp"
    for journal in sqlite postgres; do
        if [[ $journal == postgres ]] && ! postgres_start; then
            failed process.postgres "server did not start" "$work/pg_ctl.log"
            return
        fi
        process_sample "$journal" 64 "$holds_few"
        process_sample "$journal" 1024 "$holds_many"
        process_sample "$journal" 10000 "$holds_many"
    done
    postgres_stop
}
