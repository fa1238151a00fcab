# shellcheck shell=bash
# Side 7: payments. Callbacks over HTTP into a durable journal for each channel, beside the verification of as many
# signatures alone; checkouts from hold to paid through the simulated provider.

payments_tools() { :; }

payments_round() {
    local channel value
    if [[ ! -x $holdfast ]]; then failed payments "$holdfast is not there"; return; fi
    mkdir -p "$work/tmp"
    if ! tool "$work/bench.log" 600 env TMPDIR="$work/tmp" "$holdfast" bench --payments callbacks --count "$((holds_few / 20))" --callers 64; then
        failed payments.callbacks "bench" "$work/bench.log"
    else
        for channel in standard-webhooks stripe wechatpay alipay; do
            value=$(rate_of "$channel callbacks per second")
            if [[ -n $value ]]; then sample "payments.$channel" "$value"; else failed "payments.$channel" "no rate" "$work/bench.log"; fi
            value=$(rate_of "$channel verifications alone per second")
            if [[ -n $value ]]; then sample "payments.$channel.alone" "$value"; fi
        done
    fi
    if ! tool "$work/bench.log" 600 env TMPDIR="$work/tmp" "$holdfast" bench --payments checkouts --count "$((holds_few / 40))" --callers 64; then
        failed payments.checkouts "bench" "$work/bench.log"
    else
        value=$(rate_of 'checkouts from hold to paid per second')
        if [[ -n $value ]]; then sample payments.checkouts "$value"; else failed payments.checkouts "no rate" "$work/bench.log"; fi
    fi
}
