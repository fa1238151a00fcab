# shellcheck shell=bash
# A Holdfast server of its own for a sample: started as a user starts it, with everything on.

holdfast_id=0
holdfast_http=
holdfast_resp=

holdfast_get() { curl -sf -m 10 "http://127.0.0.1:$holdfast_http$1"; }

# holdfast_send METHOD PATH JSON
holdfast_send() {
    curl -sf -m 10 -o /dev/null -X "$1" -H 'Content-Type: application/json' -d "$3" "http://127.0.0.1:$holdfast_http$2"
}

# holdfast_start KEY: an empty server with 100,000,000 of sku-1; the first start may build, so it has time.
holdfast_start() {
    local key=$1 log=$work/holdfast.log
    [[ -x $holdfast ]] || { failed "$key" "$holdfast is not there"; return 1; }
    rm -rf "$work/holdfast"
    free_port
    holdfast_http=$port
    free_port
    holdfast_resp=$port
    start "$log" "$holdfast" serve --data "$work/holdfast" --http "127.0.0.1:$holdfast_http" --resp "127.0.0.1:$holdfast_resp"
    holdfast_id=$started
    if ! until_true 600 "$holdfast_id" holdfast_get /health/ready; then
        failed "$key" "server did not become ready" "$log"
        stop "$holdfast_id"
        return 1
    fi
    if ! holdfast_send PUT /v1/resources/sku-1 '{"limitPerOwner":1000000}' ||
        ! holdfast_send POST /v1/resources/sku-1/adjustments '{"id":"a1","delta":100000000,"reason":"bench"}'; then
        failed "$key" "resource not made" "$log"
        stop "$holdfast_id"
        return 1
    fi
}

holdfast_stop() {
    stop "$holdfast_id"
    rm -rf "$work/holdfast"
}

# holdfast_count RESOURCE FIELD: a number of the resource's document.
holdfast_count() { holdfast_get "/v1/resources/$1" | grep -o "\"$2\":[-0-9]*" | head -n 1 | cut -d: -f2; }

# Bytes that the server's processes caused to be written to disk so far, by the kernel's own account.
holdfast_written() {
    local id total=0 bytes
    for id in $(pgrep -g "$holdfast_id"); do
        bytes=$(awk '/^write_bytes/ { print $2 }' "/proc/$id/io" 2>/dev/null)
        total=$((total + ${bytes:-0}))
    done
    echo "$total"
}

# Waits until what follows a hold (views) has been written too: no byte for a second; a minute at most.
holdfast_quiet() {
    local last now tick
    last=$(holdfast_written)
    for ((tick = 0; tick < 60; tick++)); do
        sleep 1
        now=$(holdfast_written)
        ((now == last)) && return
        last=$now
    done
}
