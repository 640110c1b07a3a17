#!/usr/bin/env bash
# Fetches what openapi.py runs, once, and prints where it is: a virtual
# environment with what openapi.txt says, and the system's confluent_kafka.
set -euo pipefail

list=$(dirname "$0")/openapi.txt
sum=$(cksum "$list" | cut -d ' ' -f 1)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka/schemathesis-$sum

if [ ! -e "$venv/ready" ]; then
    rm -rf "$venv"
    /usr/bin/python3 -m venv --system-site-packages "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$list" >&2
    touch "$venv/ready"
fi

echo "$venv"
