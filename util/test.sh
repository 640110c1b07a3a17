#!/usr/bin/env bash
# Installs what is missing, builds with gcc and with clang, checks the style and
# the documents, runs the tests, again with the Debian package (util/package.sh),
# in a static build (util/static.sh), under the sanitizers (util/sanitize.sh), and
# the fuzzers for a minute (util/fuzz.sh); the last line is "N passed, N failed".
#
#   util/test.sh               all of that
#   util/test.sh --quick       without the package, the static build, sanitizers,
#                              fuzzers and the long tests
#   util/test.sh FILE...       only these files of t/ or t/e2e/, built with gcc
#
# What fails soon comes first.  Files run side by side: they wait more than they
# compute.  One part runs after another: what fuzzes beside a test takes its
# time, and a test of deadlines fails.
#
# What each file printed is in build/test-logs.
#
# Environment:
#   JOBS                how many files of t/ and t/e2e/ run at once (2)
#   TEST_LIMIT          seconds for one file (600)
#   TEST_LOGS           another folder for what they print
#   TEST_NGINX_BINARY   /usr/sbin/nginx
#   TEST_NGINX_LOAD_MODULES
#                       the module to test, instead of building it; empty when
#                       it is in the nginx
#   KAFKA_LIB           see util/kafka
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

build=$root/build
logs=$(realpath -m "${TEST_LOGS:-$build/test-logs}")
limit=${TEST_LIMIT:-600}
passed=0 failed=0 not_run=''
declare -A file_of=() began=()

usage() { sed -n '/^#   util/s/^#   //p' "$0" >&2; exit 2; }

finish() {
    echo -n "$not_run"
    echo "$passed passed, $failed failed"
    if [ "$failed" -gt 0 ] || [ "$passed" -eq 0 ]; then exit 1; fi
    exit 0
}

# Counts one: a build or a check.
step() { # name command...
    local name=$1
    shift
    if "$@" </dev/null >"$logs/$name.log" 2>&1; then
        echo "ok      $name"
        passed=$((passed + 1))
    else
        echo "FAILED  $name: ${logs#"$root"/}/$name.log"
        tail -n 40 "$logs/$name.log"
        failed=$((failed + 1))
        return 1
    fi
}

# Counts what another script counts: its last line says how many.
part() { # script
    local log=$logs/${1##*/}.log good bad
    "$@" </dev/null 2>&1 | tee "$log" | sed -u '$d' || true
    if grep '^NOT RUN: ' "$log" >"$logs/not-run"; then
        not_run+=$(<"$logs/not-run")$'\n'
    fi
    if read -r good bad < <(sed -nE \
            '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log"); then
        passed=$((passed + good))
        failed=$((failed + bad))
    else
        tail -n 1 "$log"
        echo "FAILED  $1: it came to no end"
        failed=$((failed + 1))
    fi
}

compile_mock() { # compiler output
    "$1" -g -O2 -Wall -Wextra -Werror -Wno-unused-parameter \
        -o "$2" t/mock/mock.c -lrdkafka
}

compile_relay() { # compiler output
    "$1" -g -O2 -Wall -Wextra -Werror -pthread -o "$2" util/bench/relay.c
}

# Each file has a network of its own, so that ports never clash and "listen
# PORT" reaches nobody, and where possible (not in a chroot) a process table of
# its own, so that nothing that it started outlives it.  A shell is the first
# process in it, for it buries what is orphaned there.
cage=() inside=()
find_cage() {
    local user=() processes=(--pid --fork --kill-child --mount-proc)
    # shellcheck disable=SC2016
    local shell=(bash -c 'ip link set lo up && { "$@"; exit; }' bash)

    if [ "$EUID" -ne 0 ]; then
        # Still the same user, as whom nginx would not try to change to another.
        user=(--map-current-user --keep-caps)
        inside=(setpriv --inh-caps=-all --ambient-caps=-all)
    fi

    cage=(unshare "${user[@]}" --net "${processes[@]}" "${shell[@]}")
    if try_cage; then return; fi
    cage=(unshare "${user[@]}" --net "${shell[@]}")
    if try_cage; then return; fi

    echo "no network namespaces ($(tail -n 1 "$logs/namespaces.log")):" \
        "the files run one after another in the network of this machine"
    cage=() inside=() jobs=1
}

try_cage() {
    "${cage[@]}" "${inside[@]}" true 2>"$logs/namespaces.log"
}

# Prints how many passed and failed in what a file printed.  Whatever ends a
# file early, or skips all of it, is a failure.
tally() { # file status log
    perl -MTAP::Parser -e '
        use strict;
        use warnings;

        my ($file, $status, $log) = @ARGV;
        my ($passed, $failed, $broken) = (0, 0, $status != 0);

        open my $in, "<", $file =~ /\.py$/ ? "$log.err" : "$log.out" or die;
        my $text = do { local $/; <$in> } // "";

        if ($file =~ /\.py$/) {
            my ($ran) = $text =~ /^Ran (\d+) tests? in /m;
            my ($words) = $text =~ /^(?:OK|FAILED) \((.*)\)$/m;
            my %n = map { split /=/ } split /, /, $words // "";

            $failed = ($n{failures} // 0) + ($n{errors} // 0)
                      + ($n{"unexpected successes"} // 0);
            $passed = ($ran // 0) - $failed - ($n{skipped} // 0);
            $passed = 0 if $passed < 0;

        } else {
            my $parser = TAP::Parser->new({ tap => "$text\n" });
            $parser->run;

            $passed = $parser->passed - $parser->skipped;
            $failed = $parser->failed;
            $broken ||= $parser->parse_errors;
        }

        $failed = 1 if !$failed && ($broken || !$passed);
        print "$passed $failed\n";
    ' "$@"
}

start() { # file
    local command log
    log=$logs/$(basename "$1")
    case $1 in
        *.py) command=(/usr/bin/python3 "$1" -v) ;;
        *)    command=(env PERL5OPT='-It/lib -MLoopback' perl "$1") ;;
    esac
    rm -rf "$log".*
    TEST_NGINX_SERVROOT=$log.servroot \
        timeout -k 5 "$limit" "${cage[@]}" "${inside[@]}" "${command[@]}" \
        </dev/null >"$log.out" 2>"$log.err" &
    file_of[$!]=$1
    began[$!]=$SECONDS
}

reap() {
    local status=0 pid='' file log good bad seconds
    wait -n -p pid "${!file_of[@]}" || status=$?
    file=${file_of[$pid]}
    log=$logs/$(basename "$file")
    seconds=$((SECONDS - began[$pid]))
    read -r good bad < <(tally "$file" "$status" "$log")
    passed=$((passed + good))
    failed=$((failed + bad))

    if [ "$bad" -eq 0 ]; then
        echo "ok      $file: $good passed, $seconds s"
    else
        echo "FAILED  $file: $good passed, $bad failed, exit status $status:" \
            "${log#"$root"/}.{out,err}"
        if [ "$seconds" -ge "$limit" ]; then echo "ended after $limit s"; fi
        grep -a '^not ok' "$log.out" | head -n 40 || true
        tail -n 80 "$log.err"
    fi
    unset "file_of[$pid]"
}

run() { # how many at once, files...
    local at_once=$1 file
    shift
    for file in "$@"; do
        if [ ${#file_of[@]} -ge "$at_once" ]; then reap; fi
        start "$file"
    done
    while [ ${#file_of[@]} -gt 0 ]; do reap; done
}

stop() {
    if [ ${#file_of[@]} -gt 0 ]; then kill "${!file_of[@]}" || true; wait; fi
    exit 130
}

files=() scripts=()
choose() { # file
    case $1 in
        *.t)  files+=("$1") ;;
        *.py) scripts+=("$1") ;;
        *)    echo "test.sh: $1 is no test" >&2; exit 2 ;;
    esac
}

# Minutes to seconds, and a browser, which is large.  The longest come first, or
# one would run alone at the end.
long=(t/e2e/{life,clients,openapi,faults_kafka,outcome,loss,browser,soak}.py
      t/e2e/{faults_brokers,certificates,demo,faults_memory}.py
      t/e2e/faults_{clients,processes,hostile}.py)

quick=
case ${1:-} in
    --quick) quick=yes; shift; if [ $# -gt 0 ]; then usage; fi ;;
    -*)      usage ;;
esac

for name in "$@"; do
    for file in "$name" "t/$name" "t/e2e/$name"; do
        if [ -f "$file" ]; then choose "$file"; continue 2; fi
    done
    echo "test.sh: no test file $name" >&2
    exit 2
done
if [ $# -eq 0 ]; then
    shopt -s nullglob
    for file in t/*.t t/e2e/*.py; do
        if [[ " ${long[*]} " != *" $file "* ]]; then choose "$file"; fi
    done
    if [ -z "$quick" ]; then scripts+=("${long[@]}"); fi
fi

trap stop INT TERM HUP
mkdir -p "$build/clang" "$logs"

groups=(build test)
if [ $# -eq 0 ]; then groups+=(clang); fi
if [ ${#scripts[@]} -gt 0 ]; then groups+=(kafka node); fi
case " ${scripts[*]} " in *openapi.py*|*clients.py*) groups+=(clients) ;; esac
case " ${scripts[*]} " in *subrequests.py*|*documents.py*) groups+=(modules) ;; esac
case " ${scripts[*]} " in *browser.py*|*demo.py*) groups+=(browser) ;; esac
if ! util/deps.sh "${groups[@]}"; then failed=1; finish; fi

ready=yes
if [ -z "${TEST_NGINX_LOAD_MODULES+set}" ]; then
    export TEST_NGINX_LOAD_MODULES=$build/ngx_http_kafka_module.so
    step build-gcc env CC=gcc BUILD="$build" util/build.sh --no-install ||
        ready=
fi
step mock-gcc compile_mock gcc "$build/kafka-mock" || ready=
step relay-gcc compile_relay gcc "$build/kafka-relay" || ready=
if [ $# -eq 0 ]; then
    step build-clang env CC=clang BUILD="$build/clang" \
        util/build.sh --no-install || true
    step mock-clang compile_mock clang "$build/clang/kafka-mock" || true
    step style util/style.pl || true
    step documents util/check_docs.py || true
fi
if [ -z "$ready" ]; then finish; fi

export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
export TEST_NGINX_BINARY=${TEST_NGINX_BINARY:-/usr/sbin/nginx}
export KAFKA_MOCK=$build/kafka-mock
export KAFKA_RELAY=$build/kafka-relay
export KAFKA_UTIL=$root/util/kafka

jobs=${JOBS:-2}
find_cage

# The network inside a cage leads nowhere: what is fetched is fetched before.
if [ ${#scripts[@]} -gt 0 ]; then
    if ! { util/kafka fetch && t/e2e/fetch-client.sh >/dev/null &&
        case " ${scripts[*]} " in
            *faults_kafka.py*) env -u KAFKA_LIB KAFKA_VERSION=3.9.1 util/kafka fetch ;;
        esac &&
        case " ${scripts[*]} " in
            *openapi.py*) t/e2e/fetch-schemathesis.sh >/dev/null ;;
        esac &&
        case " ${scripts[*]} " in
            *recipes.py*) t/e2e/fetch-prometheus.sh >/dev/null ;;
        esac; }
    then
        scripts=()
        failed=$((failed + 1))
    fi
fi
run "$jobs" "${files[@]}" "${scripts[@]}"
if [ $# -eq 0 ] && [ -z "$quick" ]; then
    part util/package.sh --test
    part util/static.sh
    part util/sanitize.sh
    part util/fuzz.sh
fi

finish
