#!/usr/bin/env bash
# Fetches the npm client that kafka.py runs, once, and prints where it is.
set -euo pipefail

version=1.3.5
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka/upstash-kafka-$version
path=$cache/node_modules/@upstash/kafka

if [ ! -e "$path/package.json" ]; then
    mkdir -p "$cache"
    npm install --silent --no-audit --no-fund --ignore-scripts \
        --prefix "$cache" "@upstash/kafka@$version" >/dev/null
fi

echo "$path"
