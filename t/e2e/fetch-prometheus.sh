#!/usr/bin/env bash
# Fetches Debian's Prometheus and promtool, once, and prints the folder of these
# programs.  They are not installed: that would start a service.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka
path=$cache/prometheus

if [ ! -x "$path/usr/bin/promtool" ]; then
    mkdir -p "$cache"
    packages=(prometheus)
    # newer releases have it in a package of its own
    if apt-cache show promtool >/dev/null 2>&1; then packages+=(promtool); fi
    new=$(mktemp -d "$path.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    (cd "$new" && apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 \
        download "${packages[@]}") >&2
    for deb in "$new"/*.deb; do dpkg -x "$deb" "$new/root"; done
    rm -rf "$path"
    mv -T "$new/root" "$path"
fi

echo "$path/usr/bin"
