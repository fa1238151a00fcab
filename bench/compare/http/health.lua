-- wrk: the plain GET that wrk sends by itself, nothing done a request; only the result line is ours.
function done(summary, latency)
  local errors = summary.errors
  print(string.format('RESULT requests=%d seconds=%.6f refused=%d broken=%d p99us=%d',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(99)))
end
