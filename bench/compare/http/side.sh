# shellcheck shell=bash
# Side 4: one hold a POST, beside the bare GET of the same server; then the same POST when sold out.

http_tools() { need wrk wrk; need curl curl; }

# http_run KEY CONNECTIONS PATH SCRIPT KIND [ARGUMENT...]; KIND says what every answer must be.
http_run() {
    local key=$1 connections=$2 path=$3 script=$4 kind=$5 log=$work/wrk.log
    local requests='' time='' refused='' broken='' p99us='' word words
    shift 5
    if ! tool "$log" $((seconds + 60)) wrk -t 2 -c "$connections" -d "${seconds}s" --timeout 10s --latency \
        -s "$here/http/$script" "http://127.0.0.1:$holdfast_http$path" -- "$@"; then
        failed "$key" wrk "$log"
        return
    fi
    read -ra words < <(grep '^RESULT' "$log")
    for word in "${words[@]}"; do
        case $word in
            requests=*) requests=${word#*=} ;;
            seconds=*) time=${word#*=} ;;
            refused=*) refused=${word#*=} ;;
            broken=*) broken=${word#*=} ;;
            p99us=*) p99us=${word#*=} ;;
        esac
    done
    if [[ -z $requests || $requests == 0 || $broken != 0 ]] ||
        [[ $kind == success && $refused != 0 ]] || [[ $kind == refusal && $refused != "$requests" ]]; then
        failed "$key" "requests ${requests:-none}, not 2xx ${refused:-?}, broken ${broken:-?}" "$log"
        return
    fi
    [[ $key == warmup ]] && return
    sample "$key" "$(awk -v n="$requests" -v s="$time" 'BEGIN { printf "%.2f", n / s }')"
    sample "$key.p99ms" "$(awk -v us="$p99us" 'BEGIN { printf "%.3f", us / 1000 }')"
}

http_round() {
    local connections before after
    holdfast_start http || return
    holdfast_send PUT /v1/resources/sku-2 '{"limitPerOwner":1000000}'
    holdfast_send POST /v1/resources/sku-2/adjustments '{"id":"a2","delta":1,"reason":"bench"}'
    holdfast_send POST /v1/holds '{"id":"last","owner":"o","ttlSeconds":3600,"lines":[{"resource":"sku-2","quantity":1}]}'
    seconds=3 http_run warmup 64 /health/live health.lua success
    seconds=3 http_run warmup 64 /v1/holds hold.lua success sku-1 "w$round"
    for connections in 64 256; do
        http_run "http.health.$connections" "$connections" /health/live health.lua success
        http_run "http.hold.$connections" "$connections" /v1/holds hold.lua success sku-1 "r$round-$connections"
        holdfast_quiet
        before=$(holdfast_written)
        http_run "http.soldout.$connections" "$connections" /v1/holds hold.lua refusal sku-2 "s$round-$connections"
        after=$(holdfast_written)
        sample "http.soldout.$connections.bytes" $((after - before))
    done
    holdfast_stop
}
