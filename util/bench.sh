#!/usr/bin/env bash
# Measures the module against what it is made of and against what one would
# take instead, by turns, on a real Kafka on 127.0.0.1.  Prints tables of
# medians and ratios, and what became of the targets; build/bench/results.json
# has all figures, build/bench/*.svg the plots.
#
#   util/bench.sh [--short|--long] [OPTION...] [PART...]
#
#   parts:
#     single      one message a request, 1 to 512 connections, 1 and 2 workers
#     batch       10 to 10,000 messages a request
#     replicas    some of both with three brokers, replication 3
#     peers       lua-resty-kafka, a Go and a Python service, on Kafka 3.9
#     memory      growth over many messages; peaks of large and of slow bodies
#     fairness    who waits while another one sends large batches
#     first       the first message of a worker, and of a topic
#     keys        messages with keys: round trips, partitions; a Go service
#     sweep       (only by name) properties against round trips, partitions and
#                 connections; goes on where an earlier run was ended
#
#   options, for those who compare:
#     --rounds N, --seconds N     how often, and how long each sample is
#     --partitions N              of the topic (1)
#     --set NAME=VALUE            a property for the module and for librdkafka
#     --against FILE.so           another build of the module, in turn
#     --out FILE                  instead of build/bench/results.json
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

here=$root/util/bench
bench=$root/build/bench
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka

usage() { sed -n '/^#   /s/^#   //p' "$0" >&2; exit 2; }

# A network and processes of its own, of which none is left over whatever
# happens; else bench.py ends them.
cage=() ending=TERM
find_cage() {
    # shellcheck disable=SC2016
    local try=(unshare --net --pid --fork --kill-child --mount-proc
        bash -c 'ip link set lo up && { "$@"; exit; }' bash)
    if [ "$EUID" -eq 0 ] && "${try[@]}" true 2>/dev/null; then
        cage=("${try[@]}") ending=KILL
    fi
}

compile() { # name options...
    "${CC:-gcc}" -O2 -g -Wall -Wextra -Werror -o "$bench/$1" "${@:2}"
}

make_venv() {
    local sum venv
    sum=$(cksum "$here/requirements.txt" | cut -d ' ' -f 1)
    venv=$cache/bench-python-$sum
    if [ ! -e "$venv/ready" ]; then
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv"
        "$venv/bin/pip" install -q --disable-pip-version-check \
            -r "$here/requirements.txt"
        touch "$venv/ready"
    fi
    export BENCH_PYTHON=$venv/bin/python
}

for word in "$@"; do
    case $word in -h|--help) usage ;; esac
done

mkdir -p "$bench"
util/deps.sh build kafka bench
util/build.sh --no-install

compile produce "$here/produce.c" -lrdkafka
compile relay -pthread "$here/relay.c"
compile turns.so -shared -fPIC "$here/turns.c"
compile mock t/mock/mock.c -Wno-unused-parameter -lrdkafka
(
    cd "$here/go"
    CGO_ENABLED=0 go build -buildvcs=false -o "$bench/go-service" .
)
make_venv

unset KAFKA_LIB
util/kafka fetch
KAFKA_VERSION=3.9.1 util/kafka fetch

export TEST_NGINX_LOAD_MODULES=$root/build/ngx_http_kafka_module.so
export KAFKA_MOCK=$bench/mock PYTHONDONTWRITEBYTECODE=1
find_cage

TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'kill -$ending "$pid"; wait "$pid" || true; exit 130' INT TERM HUP

# In the background, or a signal would wait for its end.
"${cage[@]}" /usr/bin/python3 "$here/bench.py" "$@" </dev/null &
pid=$!
wait "$pid"
