#!/usr/bin/env bash
# Installs the Debian packages that the other scripts need and that are missing.
#
#   util/deps.sh GROUP...             groups: build run clang test kafka
#                                     modules node clients browser source
#                                     package bench matrix coverage
#   util/deps.sh --missing GROUP...   only prints what is missing, one a line
#
# Silent when nothing is missing.  Uses sudo when not root.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka

die() { echo "deps.sh: $*" >&2; exit 1; }

# "a|b" is met by either package; the first that apt knows is installed.
packages() { # group
    case $1 in
        build) echo gcc libc6-dev make nginx nginx-dev librdkafka-dev libyajl-dev ;;
        run)   echo nginx curl ;;
        clang) echo clang libclang-rt-dev ;;
        test)  echo perl libtest-nginx-perl python3 python3-confluent-kafka \
                    python3-prometheus-client python3-markdown-it kcat jq \
                    curl nghttp2-client iproute2 procps ;;
        kafka) echo 'default-jre-headless|openjdk-17-jre-headless' maven openssl ;;
        modules) echo libnginx-mod-http-lua libnginx-mod-http-js ;;
        node)  echo nodejs npm ;;
        clients) echo curl jq python3 python3-requests python3-venv nodejs npm \
                    golang-go ;;
        browser) echo chromium chromium-driver openssl ;;
        source) echo dpkg-dev valgrind ;;
        package) echo build-essential debhelper lintian debootstrap xz-utils ;;
        bench) echo wrk python3 python3-venv python3-confluent-kafka iproute2 \
                    git golang-go libnginx-mod-http-lua lua-nginx-kafka \
                    lua-cjson ;;
        matrix) echo debootstrap debian-archive-keyring git iproute2 ;;
        coverage) echo gcovr ;;
        *)     die "no group \"$1\": build, run, clang, test, kafka, modules," \
                   "node, clients, browser, source, package, bench, matrix or" \
                   "coverage" ;;
    esac
}

installed() { # package
    # Other packages of Node.js have npm within and exclude Debian's.
    if [ "$1" = npm ] && command -v npm >/dev/null; then return; fi
    # Go may be another than Debian's.
    if [ "$1" = golang-go ] && command -v go >/dev/null; then return; fi
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing() { # groups...
    local group names entry name
    for group in "$@"; do
        names=$(packages "$group")
        for entry in $names; do
            for name in ${entry//|/ }; do
                if installed "$name"; then continue 2; fi
            done
            echo "$entry"
        done
    done | sort -u
}

as_root() {
    if [ "$EUID" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
        "$@" </dev/null >>"$tmp/log" 2>&1
}

known() { # package: has apt a version of it to install?
    apt-cache policy "$1" 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null
}

# Debian 12 has no Test::Nginx.  It is one package of plain Perl in Debian sid,
# all of whose dependencies are in Debian 12: fetched through package lists of
# its own, so that nothing of sid is ever seen by the system's apt.
fetch_from_sid() { # package
    local deb=() mirror root=$tmp/sid
    mkdir -p "$cache"
    deb=("$cache/$1"_*_all.deb)
    if [ -e "${deb[0]}" ]; then return; fi

    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
                 'Origin: Debian' 'Label: Debian' | sed -n 1p)
    if [ -z "$mirror" ]; then
        echo "apt has no Debian source that could have $1" >"$tmp/log"
        return 1
    fi

    mkdir -p "$root"/{lists,cache/archives}/partial "$root/none"
    cat >"$root/sources.list" <<END
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main
END
    local options=(
        -qq
        -o Dir::Etc::SourceList="$root/sources.list"
        -o Dir::Etc::SourceParts="$root/none"
        -o Dir::Etc::PreferencesParts="$root/none"
        -o Dir::State::Lists="$root/lists"
        -o Dir::Cache="$root/cache"
        -o Acquire::Languages=none
        -o Acquire::Retries=3
        -o APT::Sandbox::User=root
        -o APT::Update::Post-Invoke-Success::=
    )
    (
        cd "$root"
        apt-get "${options[@]}" update
        apt-get "${options[@]}" download "$1"
        mv ./"$1"_*_all.deb "$cache/"
    ) </dev/null >>"$tmp/log" 2>&1
}

# A package may start its service when it is installed; Debian's nginx would
# take port 80.  A policy-rc.d of ours forbids that for nginx alone, while the
# installation lasts.
policy=/usr/sbin/policy-rc.d

forbid_nginx_start() {
    if [ -e "$policy" ]; then return; fi
    cat >"$tmp/policy-rc.d" <<'END'
#!/bin/sh
[ "$1" != nginx ] || exit 101
END
    as_root install -m 755 "$tmp/policy-rc.d" "$policy"
    our_policy=yes
}

clean() {
    if [ -n "$our_policy" ]; then as_root rm -f "$policy"; fi
    rm -rf "$tmp"
}

install_packages() { # entries...
    local entry name list=() files=() had_nginx=
    tmp=$(mktemp -d)
    chmod 755 "$tmp"
    our_policy=
    trap clean EXIT
    trap 'exit 130' INT TERM HUP

    echo "installing: ${*//|*/}" >&2
    apt update || echo "deps.sh: apt-get update failed; going on" >&2

    for entry in "$@"; do
        for name in ${entry//|/ }; do
            if known "$name"; then list+=("$name"); continue 2; fi
        done
        if [ "$entry" = libtest-nginx-perl ]; then
            if ! fetch_from_sid "$entry"; then
                tail -n 20 "$tmp/log" >&2
                die "could not get $entry from Debian sid"
            fi
            files=("$cache/$entry"_*_all.deb)
            # apt reads a file as the user _apt, who may not enter a home.
            cp "${files[-1]}" "$tmp/"
            list+=("$tmp/${files[-1]##*/}")
            continue
        fi
        die "apt knows no package ${entry//|/ or }"
    done

    if installed nginx; then had_nginx=yes; else forbid_nginx_start; fi
    if ! apt install --no-install-recommends "${list[@]}"; then
        tail -n 30 "$tmp/log" >&2
        die "apt-get install failed"
    fi

    if [ -z "$had_nginx" ] && installed nginx; then
        # Nor shall it start with the machine: nobody asked for a web server.
        as_root update-rc.d nginx disable >>"$tmp/log" 2>&1
        echo "Debian's own nginx service is neither started nor enabled." >&2
    fi
}

only_print=
if [ "${1:-}" = --missing ]; then only_print=yes; shift; fi
if [ $# -eq 0 ]; then die "usage: util/deps.sh [--missing] GROUP..."; fi

needed=
for group in "$@"; do needed+=" $(packages "$group")"; done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "this is no Debian; install by hand what it calls:${needed//|/ or }"
fi

mapfile -t wanted < <(missing "$@")

if [ ${#wanted[@]} -eq 0 ]; then exit 0; fi
if [ -n "$only_print" ]; then printf '%s\n' "${wanted[@]%%|*}"; exit 0; fi
if [ "$EUID" -ne 0 ] && ! command -v sudo >/dev/null; then
    die "missing packages, and neither root nor sudo to install them." \
        "As root: apt-get install --no-install-recommends ${wanted[*]%%|*}"
fi

as_root true || die "sudo did not let us install: ${wanted[*]%%|*}"

install_packages "${wanted[@]}"
