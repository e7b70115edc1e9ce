-- The bench's work, done by wrk: POST small JSON. wrk counts statuses beyond 399 itself; the last line is JSON.
wrk.method = "POST"
wrk.body = '{"userId":1,"couponId":3}'
wrk.headers["Content-Type"] = "application/json"

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"failures":%d,"seconds":%.6f,"latency_us":{"p50":%d,"p95":%d,"p99":%d}}\n',
    summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    summary.duration / 1e6, latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
