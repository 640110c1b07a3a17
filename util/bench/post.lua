-- For wrk: posts the file named after "--", prints a JSON object at the end;
-- times are microseconds.  With "uniform" or "zipf" after the file, whose text
-- is an object, each request has one of 10,000 keys.

local KEYS = 10000
local requests

-- 1 to KEYS, as often as 1/k
local function zipf()
    local sums, sum = {}, 0
    for k = 1, KEYS do
        sum = sum + 1 / k
        sums[k] = sum
    end
    return function()
        local x, low, high = math.random() * sum, 1, KEYS
        while low < high do
            local middle = math.floor((low + high) / 2)
            if sums[middle] < x then low = middle + 1 else high = middle end
        end
        return low
    end
end

local function with_keys(kind)
    local rest = wrk.body:sub(2)
    local draw = kind == "zipf" and zipf()
        or function() return math.random(KEYS) end

    requests = {}
    for k = 1, KEYS do
        requests[k] = wrk.format(nil, nil, nil,
                                 string.format('{"key":"key-%d",%s', k, rest))
    end

    function request() return requests[draw()] end
end

function init(args)
    local file = assert(io.open(args[1], "rb"))
    wrk.method = "POST"
    wrk.body = file:read("*a")
    wrk.headers["Content-Type"] = "application/json"
    file:close()
    if args[2] then with_keys(args[2]) end
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
