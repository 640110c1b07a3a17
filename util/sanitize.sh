#!/usr/bin/env bash
# Runs tests on an nginx and a module that watch themselves; the last line is
# "N passed, N failed".
#
#   util/sanitize.sh [KIND...]        these kinds, or all
#   util/sanitize.sh --build KIND     only builds; prints the nginx to start
#
#   addresses   t/*.t, t/e2e/metrics.py and those of t/e2e/faults_*.py that start
#               nginx under AddressSanitizer, LeakSanitizer and
#               UndefinedBehaviorSanitizer
#   threads     some of t/*.t and a load (t/lib/load.py) under ThreadSanitizer
#   memcheck    some of t/*.t under valgrind's memcheck
#
# A report on any process fails the run.  What is known of others' code and
# harmless is in t/lib/*.suppress.
#
# nginx is built from Debian's source package, once, into
# ${XDG_CACHE_HOME:-~/.cache}/ngx_http_kafka, with each allocation from a pool
# one of its own; the module is built each time.  Reports and logs are in
# build/sanitize.  The exit status is 3 when nginx's source cannot be had.
#
# Environment: JOBS, as for util/test.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka
kinds=(addresses threads memcheck)
passed=0 failed=0

# threads and memcheck are ten times slower.  The files that they leave out
# start nginx anew in each block, or wait.  The longest come first.
some=(t/routes.t t/json.t t/message.t)

usage() { sed -n '/^#   util/s/^#   //p' "$0" >&2; exit 2; }

finish() {
    echo "$passed passed, $failed failed"
    if [ "$failed" -gt 0 ] || [ "$passed" -eq 0 ]; then exit 1; fi
    exit 0
}

# nginx calls memcpy() with null pointers and a length of 0, and reads words
# where they lie: the module is not to.
flags() { # kind, nginx or module
    local common="-g -O1 -fno-omit-frame-pointer -U_FORTIFY_SOURCE"
    common+=" -DNGX_DEBUG_PALLOC=1"
    case $1-$2 in
        addresses-nginx)  echo "$common -fsanitize=address,undefined" \
                               "-fno-sanitize=alignment,nonnull-attribute" ;;
        addresses-module) echo "$common -fsanitize=address,undefined" ;;
        # for nginx's __sync_synchronize(), of which the sanitizer knows nothing
        threads-*)        echo "$common -fsanitize=thread -Wno-tsan" ;;
        memcheck-*)       echo "$common" ;;
    esac
}

replace() { # file, what, with what: no regular expressions, no "|"
    local what=${2//\*/\\*}
    grep -q -- "$what" "$1" || { echo "no \"$2\" in $1"; return 1; }
    sed -i "s|$what|${3//&/\\&}|" "$1"
}

# What nginx does stays the same, but the sanitizers see it: the first pool,
# when nginx refuses to start, and its stores to volatile words that other
# threads wait for.  They would need suppressions of much more than that.
change_nginx() { # source
    replace "$1/src/core/nginx.c" '*cycle, init_cycle;' \
        '*cycle; static ngx_cycle_t init_cycle;'
    replace "$1/src/os/unix/ngx_atomic.h" '*(lock) = 0' \
        '__atomic_store_n(lock, 0, __ATOMIC_RELEASE)'
    replace "$1/src/core/ngx_spinlock.c" '*lock == 0' \
        '__atomic_load_n(lock, __ATOMIC_ACQUIRE) == 0'
    replace "$1/src/core/ngx_thread_pool.c" '*lock = 0;' \
        '__atomic_store_n(lock, 0, __ATOMIC_RELEASE);'
    replace "$1/src/core/ngx_thread_pool.c" 'while (lock)' \
        'while (__atomic_load_n(&lock, __ATOMIC_ACQUIRE))'
}

# Leaves the folder of such an nginx in $nginx; builds it if need be.
build_nginx() { # kind
    local key flags
    flags=$(flags "$1" nginx)
    key=$({ gcc --version; cat "$source/conf_flags"; echo "$flags"
            declare -f change_nginx; } | cksum)
    nginx=$(basename "$source")
    nginx=$cache/${nginx/source/$1}-${key%% *}
    if [ -x "$nginx/nginx" ]; then return; fi

    rm -rf "$cache/nginx-$1-"*
    mkdir -p "$nginx"
    cp -a "$source" "$nginx/source"
    change_nginx "$nginx/source"
    cd "$nginx/source"
    . ./conf_flags
    "${fixed[@]}" ./configure --builddir="$nginx/objs" \
        --with-cc-opt="$flags" --with-ld-opt="$flags" "${NGX_CONF_FLAGS[@]}"
    make -s -j"$(nproc)" -f "$nginx/objs/Makefile"
    mv "$nginx/objs/nginx" "$nginx/nginx"
    cd "$root"
}

# What tests start as nginx: each of its processes writes what it has to report
# beside the logs of the test file.
write_wrapper() { # kind
    local command=("${fixed[@]}")
    case $1 in
        threads)
            gcc -g -O1 -Wall -Wextra -Werror -fPIC -shared \
                -o "$build/c11threads.so" t/lib/c11threads.c
            command+=("LD_PRELOAD=$build/c11threads.so") ;;
        memcheck)
            command=(valgrind -q --vgdb=no --num-callers=40 --leak-check=full
                --show-possibly-lost=no --errors-for-leak-kinds=definite
                --keep-debuginfo=yes --gen-suppressions=all
                --suppressions="$root/t/lib/memcheck.suppress") ;;
    esac
    command=("${command[@]@Q}")
    if [ "$1" = memcheck ]; then command+=('--log-file="$report.%p"'); fi

    cat >"$build/nginx.new" <<END
#!/bin/sh
report=\${TEST_NGINX_SERVROOT:-nginx.servroot}
report=\${report%.servroot}.report
suppressions=suppressions='$root/t/lib'
# each module has a list of names, which is called the same
export ASAN_OPTIONS=detect_odr_violation=0:strict_string_checks=1:log_path=\$report
ASAN_OPTIONS=\$ASAN_OPTIONS:detect_stack_use_after_return=1
export LSAN_OPTIONS=print_suppressions=0:\$suppressions/leaks.suppress
export TSAN_OPTIONS=history_size=4:\$suppressions/threads.suppress:log_path=\$report
export UBSAN_OPTIONS=print_stacktrace=1:log_path=\$report
exec ${command[*]} '$nginx/nginx' "\$@"
END
    chmod +x "$build/nginx.new"
    mv "$build/nginx.new" "$build/nginx-$1"
}

# librdkafka's own code is not compiled for ThreadSanitizer, which thus does not
# see it count references.  Only reports where nginx or the module did one of the
# two things, itself or by a call to the C library, are left in.  Only librdkafka
# uses C11's threads, where its own frames may be missing.
without_librdkafka() { # reports...
    if [ $# -eq 0 ]; then return; fi
    perl -0777 -pi -e '
        sub ours {
            my ($stack) = @_;
            my @of = grep { !/^(?:libtsan|libc|ld-linux)/ }
                          $stack =~ /\((\S+)\+0x[0-9a-f]+\)$/mg;
            return @of && $of[0] =~ /^(?:nginx|ngx_http_kafka_module\.so)$/;
        }
        $_ = join "", grep {
            # what follows tells of memory and threads, and who made them
            my ($done) = split /^  (?:Location|Mutex|Thread) /m;
            /WARNING/ && grep { ours($_) } split /\n\n/, $done;
        } split /^={18}\n/m;
    ' "$@"
}

build() { # kind
    local flags nginx
    flags=$(flags "$1" module)
    exec 8>"$cache/nginx-$1.lock"
    flock 8
    build_nginx "$1"
    BUILD=$build NGINX_SRC=$nginx/source CC=gcc CC_OPT=$flags LD_OPT=$flags \
        util/build.sh --no-install
    write_wrapper "$1"
}

# What it prints is indented, but for the reports; the counts go into the sum.
run() { # kind
    local kind=$1 logs=$build/logs bad=0 good=0 reports=() report
    local files=("${some[@]}")
    rm -rf "$logs"
    mkdir -p "$logs"

    echo "$kind:"
    if ! util/sanitize.sh --build "$kind" >"$logs/build.log" 2>&1; then
        tail -n 40 "$logs/build.log"
        echo "FAILED  $kind: nginx or the module could not be built:" \
            "${logs#"$root"/}/build.log"
        failed=$((failed + 1))
        return
    fi

    case $kind in
        addresses)
            files=(t/*.t t/e2e/faults_kafka.py t/e2e/metrics.py
                   t/e2e/faults_{brokers,memory,clients,processes,hostile}.py) ;;
        threads)   files=(t/errors.t "${some[@]}" t/lib/load.py) ;;
        memcheck)  export TEST_NGINX_TIMEOUT=60 ;;
    esac
    TEST_LOGS=$logs TEST_SANITIZER=$kind TEST_NGINX_BINARY=$build/nginx-$kind \
        TEST_NGINX_LOAD_MODULES=$build/ngx_http_kafka_module.so \
        util/test.sh "${files[@]}" >"$logs/tests.log" 2>&1 || true
    sed '$d; s/^/    /' "$logs/tests.log"
    unset TEST_NGINX_TIMEOUT

    read -r good bad < <(sed -nE \
        '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$logs/tests.log") ||
        { tail -n 1 "$logs/tests.log"; bad=1; }
    passed=$((passed + good))
    failed=$((failed + bad))

    if [ "$kind" = threads ]; then
        mapfile -t reports < <(find "$logs" -name '*.report.*')
        without_librdkafka "${reports[@]}"
    fi
    mapfile -t reports < <(find "$logs" -name '*.report.*' -size +0 | sort)
    for report in "${reports[@]:0:5}"; do
        echo "== ${report#"$root"/}"
        head -n 60 "$report"
    done
    if [ ${#reports[@]} -eq 0 ]; then
        echo "ok      $kind: no report"
        passed=$((passed + 1))
    else
        echo "FAILED  $kind: ${#reports[@]} processes reported:" \
            "${logs#"$root"/}/*.report.*"
        failed=$((failed + ${#reports[@]}))
    fi
}

only_build=
if [ "${1:-}" = --build ]; then
    only_build=yes
    shift
    if [ $# -ne 1 ]; then usage; fi
fi
for kind in "$@"; do
    [[ " ${kinds[*]} " = *" $kind "* ]] || usage
done
if [ $# -gt 0 ]; then kinds=("$@"); fi

util/deps.sh build test source
source=$(util/nginx-source.sh) || {
    status=$?
    echo "NOT RUN: util/sanitize.sh, for want of nginx's source"
    echo "0 passed, $((status != 3)) failed"
    exit "$status"
}

# Randomly placed memory, as newer kernels place it, is where the sanitizers of
# 2022 have theirs.
fixed=(env)
if setarch -R true 2>/dev/null; then fixed=(setarch -R env); fi

for kind in "${kinds[@]}"; do
    build=$root/build/sanitize/$kind
    mkdir -p "$build"
    if [ -z "$only_build" ]; then
        run "$kind"
    else
        build "$kind" >&2
        echo "$build/nginx-$kind"
    fi
done

if [ -z "$only_build" ]; then finish; fi
