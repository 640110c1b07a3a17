-- For wrk: posts the file named after "--", prints a JSON object at the end;
-- times are microseconds.

function init(args)
    local file = assert(io.open(args[1], "rb"))
    wrk.method = "POST"
    wrk.body = file:read("*a")
    wrk.headers["Content-Type"] = "application/json"
    file:close()
end

function done(summary, latency)
    local e = summary.errors
    local errors = e.connect + e.read + e.write + e.status + e.timeout
    print(string.format(
        '{"requests": %d, "seconds": %.6f, "p50": %d, "p99": %d, "max": %d,'
            .. ' "errors": %d}',
        summary.requests, summary.duration / 1e6, latency:percentile(50),
        latency:percentile(99), latency.max, errors))
end
