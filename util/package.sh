#!/usr/bin/env bash
# Builds Debian's source and binary packages of the module for the Debian that
# it runs on, and prints the binary one's name; what lintian finds is an error.
#
#   util/package.sh            builds build/package/libnginx-mod-http-kafka_*.deb
#   util/package.sh --test     and tries it; the last line is "N passed, N failed"
#
# --test installs, uses, upgrades, removes and purges it in a bare Debian.
#
# It is built in a copy, as any user; the test needs root.  The bare Debian is
# made with debootstrap, once, in ${XDG_CACHE_HOME:-~/.cache}/ngx_http_kafka.
# Logs are in build/package.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka
build=$root/build/package
name=libnginx-mod-http-kafka

. "$root/util/tree.sh"

die() { echo "package.sh: $*" >&2; exit 1; }
usage() { sed -n '/^#   util/s/^#   //p' "$0" >&2; exit 2; }

# A release must not forget the package.
check_version() {
    local head
    head=$(sed -n 's/^## //p;T;q' CHANGELOG.md)
    if [ "${head/ - unreleased/\~dev}" != "$upstream" ]; then
        die "debian/changelog is of $upstream, CHANGELOG.md of $head"
    fi
    if ! grep -q "VERSION  *\"${upstream%\~dev}\"" src/ngx_http_kafka_version.h ||
        ! grep -q "^  version: ${upstream%\~dev}\$" docs/openapi.yaml
    then
        die "src/ngx_http_kafka_version.h or docs/openapi.yaml is not of" \
            "$upstream"
    fi
}

# All files of the project, with the same time each time.
copy_source() {
    local dir=$build/$name-$upstream
    mkdir "$dir"
    tar --exclude-vcs --exclude=./build --exclude=./t/servroot* \
        --exclude=__pycache__ -cf - . | tar -xf - -C "$dir"
    tar --sort=name --mtime="@$(dpkg-parsechangelog -S Timestamp)" \
        --owner=0 --group=0 --numeric-owner --exclude="$name-$upstream/debian" \
        -C "$build" -cJf "$build/${name}_$upstream.orig.tar.xz" \
        "$name-$upstream"
}

# There is no address for mail that lintian could like.  It is by the policy of
# Debian 12: other releases' lintian knows other tags, and has more to wish for.
lint() {
    local as_root=() fail=error,warning,info,pedantic
    if [ "$release" != bookworm ]; then fail=error,warning; fi
    if [ "$EUID" -eq 0 ]; then as_root=(--allow-root); fi
    # It leaves files in the folder for temporary ones.
    mkdir "$build/tmp"
    TMPDIR=$build/tmp lintian "${as_root[@]}" --info --display-info --pedantic \
        --fail-on "$fail" \
        --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog \
        --suppress-tags alien-tag \
        "$build"/*.changes
}

make_package() {
    check_version
    copy_source
    (cd "$build/$name-$upstream" && dpkg-buildpackage -us -uc)
    lint
}

# A Debian with nginx and curl and nothing of the module, but what its package
# depends on in apt's cache; a new one when this machine's nginx is another.
make_bare() {
    local key new
    key=$(dpkg-query -W -f '${Version}' nginx)
    if [ "$(cat "$bare.key" 2>/dev/null)" = "$key" ]; then return; fi

    rm -rf "$bare" "$bare".*
    new=$bare.new
    mkdir -p "$new"
    tree_make "$release" "$new"
    apt-config dump --format '%f "%v";%n' Acquire \
        >"$new/etc/apt/apt.conf.d/99acquire"

    inside "$new" -- apt-get -qq update
    inside "$new" -- apt-get -qq -y --no-install-recommends install \
        nginx curl procps
    inside "$new" -- apt-get -qq -y --no-install-recommends install \
        --download-only librdkafka1 libyajl2
    rm "$new/usr/sbin/policy-rc.d"
    mv "$new" "$bare"
    echo "$key" >"$bare.key"
}

finish() {
    echo "$passed passed, $failed failed"
    if [ "$failed" -gt 0 ]; then exit 1; fi
    exit 0
}

not_run() { # reason
    echo "NOT RUN: the test of the package, $1"
    finish
}

test_package() {
    local tree=$build/tree good=0 bad=0
    if [ "$EUID" -ne 0 ]; then not_run "which needs root"; fi
    if ! inside / --net -- true 2>"$build/namespaces.log"; then
        not_run "for want of namespaces: $(tail -n 1 "$build/namespaces.log")"
    fi

    mkdir -p "$cache"
    exec 8>"$bare.lock"
    flock 8
    if ! util/package.sh --bare >"$build/bare.log" 2>&1; then
        tail -n 20 "$build/bare.log"
        not_run "for want of a bare Debian: build/package/bare.log"
    fi

    trap 'rm -rf "$build/tree"' EXIT
    rm -rf "$tree"
    cp -a --reflink=auto "$bare" "$tree"
    flock -u 8
    cp "$deb" "$root/t/package.sh" "$tree/root/"
    inside "$tree" --net -- bash /root/package.sh "/root/${deb##*/}" 2>&1 |
        tee "$build/test.log" | sed '$d' || true

    read -r good bad < <(sed -nE \
        '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$build/test.log") || {
        tail -n 1 "$build/test.log"
        echo "FAILED  package: its test came to no end"
        bad=1
    }
    passed=$((passed + good))
    failed=$((failed + bad))
}

if [ $# -gt 1 ]; then usage; fi
case ${1:-} in '' | --test | --make | --bare) ;; *) usage ;; esac

util/deps.sh build package
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
bare=$cache/bare-$release
version=$(dpkg-parsechangelog -S Version)
upstream=${version%-*}
deb=$build/${name}_${version}_$(dpkg --print-architecture).deb

# Processes of their own, for "set -e" does nothing in what is asked for with if.
case ${1:-} in
    --make) make_package; exit ;;
    --bare) make_bare; exit ;;
esac

rm -rf "$build"
mkdir -p "$build"
passed=0 failed=0
if util/package.sh --make >"$build/build.log" 2>&1; then
    passed=1
else
    tail -n 40 "$build/build.log"
    echo "FAILED  package: it could not be built, or lintian found something:" \
        "build/package/build.log"
    failed=1
fi

if [ "${1:-}" = --test ]; then
    if [ "$failed" -eq 0 ]; then
        echo "ok      package"
        test_package
    fi
    finish
elif [ "$failed" -eq 0 ]; then
    echo "$deb"
fi
exit "$failed"
