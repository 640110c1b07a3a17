#!/usr/bin/env bash
# Fetches Debian's Prometheus, once, and prints the folder of its programs.  It
# is not installed: that would start its service.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka
path=$cache/prometheus

if [ ! -x "$path/usr/bin/prometheus" ]; then
    mkdir -p "$cache"
    new=$(mktemp -d "$path.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    (cd "$new" && apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 \
        download prometheus) >&2
    dpkg -x "$new"/prometheus_*.deb "$new/root"
    mv -T "$new/root" "$path"
fi

echo "$path/usr/bin"
