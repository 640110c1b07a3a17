#!/usr/bin/env bash
# Looks for lost messages with the long form of t/e2e/loss.py: 100,000 messages
# while nginx and three brokers have a hard time.  Prints a table for each run;
# the last line is "N runs, N failed".
#
#   util/soak.sh [MINUTES]     again and again for that long (once)
#
# What each run printed is in build/soak-logs/RUN.  util/test.sh runs it, and
# tells of the environment.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

logs=$root/build/soak-logs
runs=0 failed=0 pid=''

usage() { sed -n '/^#   util/s/^#   //p' "$0" >&2; exit 2; }

if [ $# -gt 1 ] || ! [[ ${1:-0} =~ ^[0-9]+$ ]]; then usage; fi
end=$((SECONDS + 10#${1:-0} * 60))

stop() {
    if [ -n "$pid" ]; then kill "$pid" || true; wait "$pid" || true; fi
    exit 130
}
trap stop INT TERM HUP

rm -rf "$logs"
while [ "$runs" -eq 0 ] || [ "$SECONDS" -lt "$end" ]; do
    runs=$((runs + 1))
    mkdir -p "$logs/$runs"
    status=0

    # In the background, or a signal would wait for its end.
    LOSS=long TEST_LOGS=$logs/$runs util/test.sh loss.py \
        >"$logs/$runs/test.log" 2>&1 </dev/null &
    pid=$!
    wait "$pid" || status=$?
    pid=''

    echo "run $runs"
    cat "$logs/$runs/loss.py.out" || true
    if [ "$status" -ne 0 ]; then
        echo "FAILED: build/soak-logs/$runs"
        tail -n 60 "$logs/$runs/test.log"
        failed=$((failed + 1))
    fi
    echo
done

echo "$runs runs, $failed failed"
if [ "$failed" -gt 0 ]; then exit 1; fi
