-- wrk: one hold a request, each with an id of its own. Arguments: resource, a word unique to this run.
-- No response callback, which would slow the client down: wrk counts the non-2xx answers by itself.

local threads = 0

function setup(thread)
  thread:set('number', threads)
  threads = threads + 1
end

function init(args)
  local resource, run = args[1], args[2]
  local name = run .. '-' .. number .. '-'
  local head = 'POST /v1/holds HTTP/1.1\r\nHost: ' .. wrk.host .. '\r\nContent-Type: application/json\r\nContent-Length: '
  local first, second = '{"id":"h-' .. name, '","owner":"o-' .. name
  local last = '","ttlSeconds":600,"lines":[{"resource":"' .. resource .. '","quantity":1}]}'
  -- A number of fixed width keeps the length, and with it the whole head, the same for every request.
  local length = #first + #second + #last + 2 * 9
  local beforeId = head .. length .. '\r\n\r\n' .. first
  local count = 100000000
  function request()
    count = count + 1
    return beforeId .. count .. second .. count .. last
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format('RESULT requests=%d seconds=%.6f refused=%d broken=%d p99us=%d',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(99)))
end
