#!/usr/bin/env bash
# Compiles nginx with the module in it (--add-module) and tests that; the last
# line is "N passed, N failed".
#
#   util/static.sh [FILE...]    t/*.t, or these test files
#   util/static.sh --build      only builds; prints the nginx to start
#
# nginx is Debian's source package with Debian's options.  What was compiled is
# kept in ${XDG_CACHE_HOME:-~/.cache}/ngx_http_kafka, logs are in build/static.
# The exit status is 3 when nginx's source cannot be had.
#
# Environment: JOBS, as for util/test.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka
build=$root/build/static

usage() { sed -n '/^#   util/s/^#   //p' "$0" >&2; exit 2; }

configure() { # folder
    rm -rf "$cache/nginx-static-"*
    mkdir -p "$1"
    cp -a "$source" "$1/source"
    copy_module "$1"
    (
        cd "$1/source"
        . ./conf_flags
        ./configure "${NGX_CONF_FLAGS[@]}" --add-module=../module
    )
    touch "$1/configured"
}

# Only what changed, so that make compiles nothing else.
copy_module() { # folder
    local file
    mkdir -p "$1"/module/src/{http,json,kafka,metrics}
    for file in config src/*.[ch] src/*/*.[ch]; do
        cmp -s "$file" "$1/module/$file" || cp "$file" "$1/module/$file"
    done
}

build() {
    local key dir
    key=$({ gcc --version; cat "$source/conf_flags" config; ls -R src; } | cksum)
    dir=$(basename "$source")
    dir=$cache/${dir/source/static}-${key%% *}
    exec 8>"$cache/nginx-static.lock"
    flock 8
    if [ ! -e "$dir/configured" ]; then configure "$dir"; fi
    copy_module "$dir"
    if grep -e -z,nodelete "$dir/source/objs/Makefile"; then
        echo "what is for a shared object is in the program's link" >&2
        return 1
    fi
    make -s -j"$(nproc)" -C "$dir/source"
    cp "$dir/source/objs/nginx" "$build/nginx.new"
    mv "$build/nginx.new" "$build/nginx"
}

only_build=
if [ "${1:-}" = --build ]; then
    only_build=yes
    shift
    if [ $# -gt 0 ]; then usage; fi
fi

util/deps.sh build test source
mkdir -p "$build"
source=$(util/nginx-source.sh) || {
    status=$?
    echo "NOT RUN: util/static.sh, for want of nginx's source"
    echo "0 passed, $((status != 3)) failed"
    exit "$status"
}

if [ -n "$only_build" ]; then
    build >&2
    echo "$build/nginx"
    exit
fi

echo "static:"
if ! util/static.sh --build >"$build/build.log" 2>&1; then
    tail -n 40 "$build/build.log"
    echo "FAILED  static: it could not be built: build/static/build.log"
    echo "0 passed, 1 failed"
    exit 1
fi

files=("$@")
if [ $# -eq 0 ]; then files=(t/*.t); fi
TEST_LOGS=$build/logs TEST_NGINX_BINARY=$build/nginx \
    TEST_NGINX_LOAD_MODULES='' util/test.sh "${files[@]}" 2>&1 |
    sed '$!s/^/    /'
