#!/usr/bin/env bash
# Tests the module with other versions of what it is built and run with: with
# the nginx, librdkafka and compilers of other releases of Debian, and with
# other versions of Kafka.
#
#   util/matrix.sh [COLUMN...] [FILE...]
#
# A column is a release of Debian (bookworm trixie sid), where all that
# "util/test.sh --quick" does is done, or a Kafka (kafka-VERSION, or kafka-newest
# for Maven's newest), where on Debian 12 the tests run that need a real Kafka.
# FILE... are test files, to run only these.  "sid+3.9.1" is Debian sid with that
# Kafka.  All the columns of the table in CONTRIBUTING.md, without any.
#
# Prints a table, in Markdown; the last line is "N passed, N failed".  What the
# tests printed is in build/matrix/COLUMN.
#
# The releases are made with debootstrap, once, in
# ~/.cache/ngx_http_kafka/debian; remove a folder there to have a newer one.  A
# release runs in namespaces of its own: nothing stays mounted, and nothing that
# was started goes on.  Tests have a network of their own in there.
#
# Environment:
#   JOBS    see util/test.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka
releases=$cache/debian
build=$root/build/matrix
all=(bookworm trixie sid kafka-3.9.1 kafka-4.1.1 kafka-newest)
kafka_tests=(kafka.py overdue.py)

die() { echo "matrix.sh: $*" >&2; exit 1; }

. "$root/util/tree.sh"

make_release() { # release
    local dir=$releases/$1 new
    if [ -d "$dir" ]; then return; fi

    new=$(mktemp -d "$dir.XXXXXX")
    chmod 755 "$new"
    tree_make "$1" "$new"
    cat >"$new/etc/apt/apt.conf.d/99matrix" <<'END'
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
END
    mv "$new" "$dir"
}

# What is committed and what is not yet, but nothing that was built.
copy_project() { # folder
    rm -rf "$1/project"
    mkdir "$1/project"
    git -C "$root" ls-files -z --cached --others --exclude-standard |
        (cd "$root" && xargs -0 ls -d 2>/dev/null | tar -cT - -f -) |
        tar -x --no-same-owner -C "$1/project"
}

prepare() { # release
    make_release "$1"
    cp -L /etc/resolv.conf "$releases/$1/etc/resolv.conf"
    copy_project "$releases/$1"
    inside "$releases/$1" -- /project/util/deps.sh \
        build test clang kafka modules node
    inside "$releases/$1" -- /project/t/e2e/fetch-prometheus.sh
}

# What was fetched once, each tree has.
share_downloads() {
    local dir
    shared=()
    for dir in "$cache"/kafka-* "$cache"/upstash-kafka-*; do
        shared+=("$dir=root/.cache/ngx_http_kafka/${dir##*/}")
    done
}

# Prints the version of Kafka that a name stands for, once it was fetched.
kafka_version() { # version or "newest"
    local version=$1 jar
    if [ "$version" = newest ]; then
        # Its command-line tools may come to Maven later than the broker.
        rm -rf "$cache/kafka-RELEASE"
        KAFKA_VERSION=RELEASE "$root/util/kafka" fetch
        jar=$(cd "$cache/kafka-RELEASE" && echo kafka-tools-[0-9]*.jar)
        rm -rf "$cache/kafka-RELEASE"
        version=${jar#kafka-tools-}
        version=${version%.jar}
    fi
    KAFKA_VERSION=$version "$root/util/kafka" fetch
    echo "$version"
}

versions() { # folder
    # shellcheck disable=SC2016
    inside "$1" -- bash -c '
        version() { dpkg-query -W -f "\${Version}" "$1" | sed "s/[-+~].*//"; }
        echo "$(version nginx) | $(version librdkafka1) |" \
            "gcc $(gcc -dumpfullversion), clang $(clang -dumpversion)"'
}

# Appends to the rows of the table; leaves the counts in passed and failed.
run_column() { # name
    local release=bookworm kafka=4.1.1 tests=(--quick) log=$build/$1
    local good=0 bad=1 began=$SECONDS row='? | ? | ?'
    case $1 in
        kafka-*) kafka=${1#kafka-}; tests=("${kafka_tests[@]}") ;;
        *+*)     release=${1%%+*} kafka=${1#*+} ;;
        *)       release=$1 ;;
    esac
    if [ ${#files[@]} -gt 0 ]; then tests=("${files[@]}"); fi

    rm -rf "$log"
    mkdir -p "$log"
    echo "$1: ${tests[*]}"

    # In the background, since an "if" would have errors ignored within.
    kafka_version "$kafka" >"$log/kafka" 2>"$log/prepare" &
    if wait $! && kafka=$(<"$log/kafka") && share_downloads &&
        { prepare "$release" >>"$log/prepare" 2>&1 & wait $!; }
    then
        began=$SECONDS
        row=$(versions "$releases/$release")
        inside "$releases/$release" --net -- JOBS="${JOBS:-2}" \
            KAFKA_VERSION="$kafka" /project/util/test.sh "${tests[@]}" 2>&1 |
            tee "$log/test" | sed -u '$d; s/^/    /' || true
        cp -r "$releases/$release/project/build/test-logs" "$log/logs" || true
        sed -n 's/.* \.\.\. skipped/    SKIPPED/p' "$log"/logs/*.py.err || true
        read -r good bad < <(sed -nE \
            '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log/test") ||
            good=0 bad=1
    else
        tail -n 30 "$log/prepare"
        echo "FAILED  $1: it could not be made: ${log#"$root"/}/prepare"
    fi

    rows+=("$release | $row | $kafka | $good | $bad | $((SECONDS - began))")
    passed=$((passed + good))
    failed=$((failed + bad))
}

print_table() {
    echo
    echo '| Debian | nginx | librdkafka | compilers | Kafka | passed | failed | s |'
    echo '| --- | --- | --- | --- | --- | --- | --- | --- |'
    printf '| %s |\n' "${rows[@]}"
    echo
}

columns=() files=() rows=() passed=0 failed=0
for name in "$@"; do
    case $name in
        *.t|*.py) files+=("$name") ;;
        bookworm*|trixie*|sid*|kafka-*) columns+=("$name") ;;
        *) sed -n '/^#   util/s/^#   //p' "$0" >&2; exit 2 ;;
    esac
done
if [ ${#columns[@]} -eq 0 ]; then columns=("${all[@]}"); fi

if [ "$EUID" -ne 0 ]; then die "debootstrap and mounts are for root"; fi
umask 022
mkdir -p "$releases" "$build"
"$root/util/deps.sh" matrix kafka node
"$root/t/e2e/fetch-client.sh" >/dev/null

exec 9>"$releases/lock"
flock 9

for column in "${columns[@]}"; do run_column "$column"; done
print_table
echo "$passed passed, $failed failed"
if [ "$failed" -gt 0 ] || [ "$passed" -eq 0 ]; then exit 1; fi
