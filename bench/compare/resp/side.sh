# shellcheck shell=bash
# Side 3: Holdfast over RESP, with the same client, settings, ids and owners as Redis.
# Sold out is not measured here: redis-benchmark ends at the first error reply, and a refusal is one.

resp_tools() { redis_tools; need curl curl; }

resp_sample() {
    local pipeline=$1 count=$2 warm=$(($2 / 5)) key=resp.p$1 held left
    local command=(HOLD.TRY "$random_id" "$random_owner" 600 sku-1 1)
    holdfast_start "$key" || return
    if pipe_bench warmup "$holdfast_resp" "$pipeline" "$warm" "${command[@]}"; then
        pipe_bench "$key" "$holdfast_resp" "$pipeline" "$count" "${command[@]}"
        held=$(holdfast_count sku-1 held)
        left=$(holdfast_count sku-1 available)
        if ((${left:-0} + ${held:-0} != 100000000 || ${held:-0} < count + warm)); then
            failed "$key" "available ${left:-unknown}, held ${held:-unknown}"
        fi
    fi
    holdfast_stop
}

resp_round() {
    resp_sample 1 "$requests_p1"
    resp_sample 32 "$resp_p32"
}
