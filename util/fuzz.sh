#!/usr/bin/env bash
# Fuzzes the ways of a body's bytes (t/fuzz/json.c) and of a request line
# (t/fuzz/uri.c), and holds the first against Python's json
# (t/fuzz/compare.py); the last line is "N passed, N failed".
#
#   util/fuzz.sh [SECONDS]     for each of the two fuzzers, side by side (60)
#
# They start from t/fuzz/corpus-* and what earlier runs found, which is kept in
# build/fuzz with logs and findings; util/fuzz.sh --merge adds to t/fuzz/corpus-*
# what of it reaches code that nothing there does.  The exit status is 3 when
# nginx's source cannot be had.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

build=$root/build/fuzz
seconds=60 bodies=200000 merge=
passed=0 failed=0
pids=()

usage() { sed -n '/^#   util/s/^#   //p' "$0" >&2; exit 2; }

finish() {
    echo "$passed passed, $failed failed"
    if [ "$failed" -gt 0 ]; then exit 1; fi
    exit 0
}

count() { # exit status, what
    if [ "$1" -eq 0 ]; then
        echo "ok      $2"
        passed=$((passed + 1))
    else
        echo "FAILED  $2"
        failed=$((failed + 1))
    fi
}

case ${1:-} in
    '')      ;;
    --merge) merge=yes ;;
    *)       seconds=$1; [[ $1 =~ ^[0-9]+$ ]] || usage ;;
esac
if [ $# -gt 1 ]; then usage; fi

util/deps.sh build clang test source
source=$(util/nginx-source.sh) || {
    status=$?
    echo "NOT RUN: util/fuzz.sh, for want of nginx's source"
    echo "0 passed, $((status != 3)) failed"
    exit "$status"
}

# nginx's headers need what its configure finds, which util/build.sh has run.
headers=(-Isrc/{http,json,kafka,metrics} -I"$root/build/objs")
for folder in core event event/modules os/unix http http/modules http/v2; do
    headers+=(-I"$source/src/$folder")
done

nginx=("$source"/src/core/ngx_{palloc,string,murmurhash,rbtree}.c
       "$source/src/os/unix/ngx_alloc.c")
module=(src/json/ngx_http_kafka_{lex,yajl,reader}.c
        src/http/ngx_http_kafka_json_messages.c
        src/kafka/ngx_http_kafka_{batch,pool_cache,record,topic_name}.c
        src/metrics/ngx_http_kafka_held.c)
uri=("$source/src/http/ngx_http_parse.c" src/http/ngx_http_kafka_route.c)

# As in util/sanitize.sh; and nginx calls functions by pointers of other types,
# and t/fuzz/ignored.
fuzzer=(clang -g -O1 -fsanitize=fuzzer,address,undefined
        -fno-sanitize=alignment,function -fno-sanitize-recover=undefined
        -fsanitize-ignorelist=t/fuzz/ignored
        -DNGX_DEBUG_PALLOC=1)

compile() {
    local json status=0
    util/build.sh --no-install || return

    # the two take the same time, side by side
    "${fuzzer[@]}" "${headers[@]}" -o "$build/json" \
        t/fuzz/json.c "${nginx[@]}" "${module[@]}" -lyajl &
    json=$!
    "${fuzzer[@]}" "${headers[@]}" -o "$build/uri" \
        t/fuzz/uri.c "${nginx[@]}" "${module[@]}" "${uri[@]}" -lyajl || status=1
    wait "$json" || status=1
    [ "$status" -eq 0 ] || return

    gcc -g -O2 -DNGX_KAFKA_FUZZ_PRINT=1 "${headers[@]}" -o "$build/print" \
        t/fuzz/json.c "${nginx[@]}" "${module[@]}" -lyajl
}

stop() {
    if [ ${#pids[@]} -gt 0 ]; then kill "${pids[@]}" || true; fi
    exit 130
}
trap stop INT TERM HUP

mkdir -p "$build"/{found-json,found-uri}
if ! compile >"$build/compile.log" 2>&1; then
    tail -n 40 "$build/compile.log"
    count 1 "the fuzzers do not compile: build/fuzz/compile.log"
    finish
fi

if [ -n "$merge" ]; then
    for name in json uri; do
        "$build/$name" -merge=1 "t/fuzz/corpus-$name" "$build/found-$name" \
            2>&1 | tail -n 1
    done
    exit 0
fi

declare -A pid_of=()
for name in json uri; do
    rm -f "$build/$name-finding-"*
    "$build/$name" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/$name-finding-" \
        "$build/found-$name" "t/fuzz/corpus-$name" >"$build/$name.log" 2>&1 &
    pid_of[$name]=$!
    pids+=($!)
done

for name in json uri; do
    status=0
    wait "${pid_of[$name]}" || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
    if [ "$status" -ne 0 ]; then tail -n 60 "$build/$name.log"; fi
    count "$status" "t/fuzz/$name.c: ${runs:-?} runs, build/fuzz/$name.log"
done
pids=()

status=0
/usr/bin/python3 t/fuzz/compare.py "$build/print" "$bodies" "$RANDOM" \
    >"$build/compare.log" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then tail -n 40 "$build/compare.log"; fi
count "$status" "t/fuzz/compare.py: $(tail -n 1 "$build/compare.log")"

finish
