#!/usr/bin/env bash
# Looks for lies with t/e2e/soak.py: callers send messages while three brokers,
# their topics and nginx have all kinds of trouble at once; then Kafka is read
# back and compared with the answers.  Prints a table; the last line is
# "N passed, N failed".
#
#   util/soak.sh [--plain] [--once] [MINUTES]     for that long (10)
#
#   --plain     with Debian's nginx instead of one with AddressSanitizer, by
#               util/sanitize.sh
#   --once      a duplicate by an idempotent producer fails, too
#
# What else it printed is in build/soak-logs.
#
# Environment: SOAK_SEED, the seed that an earlier run printed; and that of
# util/test.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

logs=$root/build/soak-logs
kind=addresses minutes=''

usage() { sed -n '/^#   /s/^#   //p' "$0" >&2; exit 2; }

for word in "$@"; do
    case $word in
        --plain) kind='' ;;
        --once)  export SOAK_ONCE=yes ;;
        *)       if [ -n "$minutes" ] || ! [[ $word =~ ^[0-9]+$ ]]; then
                     usage
                 fi
                 minutes=$((10#$word)) ;;
    esac
done

rm -rf "$logs"
mkdir -p "$logs"
if [ -n "$kind" ]; then
    TEST_NGINX_BINARY=$(util/sanitize.sh --build "$kind" 2>"$logs/build.log") ||
        { tail -n 40 "$logs/build.log"; exit 1; }
    TEST_NGINX_LOAD_MODULES=$root/build/sanitize/$kind/ngx_http_kafka_module.so
    export TEST_NGINX_BINARY TEST_NGINX_LOAD_MODULES TEST_SANITIZER=$kind
fi

# To start, to end and to read all back takes its time.
seconds=$((${minutes:-10} * 60))
export SOAK_SECONDS=$seconds TEST_LIMIT=$((seconds + seconds / 4 + 600))
export TEST_LOGS=$logs

pid=''
stop() {
    if [ -n "$pid" ]; then kill "$pid" || true; wait "$pid" || true; fi
    exit 130
}
trap stop INT TERM HUP

# In the background, or a signal would wait for its end.
status=0
util/test.sh soak.py >"$logs/test.log" 2>&1 </dev/null &
pid=$!
wait "$pid" || status=$?
pid=''

cat "$logs/soak.py.out" || true
for report in "$logs"/soak.py.report.*; do
    if [ -s "$report" ]; then echo "== $report"; head -n 60 "$report"; fi
done
cat "$logs/test.log"
exit "$status"
