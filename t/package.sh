#!/usr/bin/env bash
# Installs the package, uses it, upgrades, removes and purges it; the last line
# is "N passed, N failed".
#
#   t/package.sh FILE.deb
#
# It changes the system that it runs on: util/package.sh --test runs it in a bare
# Debian without systemd or a network, where nginx and curl are installed and
# apt's cache has what the package depends on.
set -euo pipefail

deb=$(realpath "$1")
name=libnginx-mod-http-kafka
link=/etc/nginx/modules-enabled/50-mod-http-kafka.conf
module=/usr/lib/nginx/modules/ngx_http_kafka_module.so
dropin=/usr/lib/systemd/system/nginx.service.d/$name.conf
doc=/usr/share/doc/$name
conf=/etc/nginx/conf.d/kafka.conf
policy=/usr/sbin/policy-rc.d
passed=0 failed=0

check() { # name command...
    local what=$1
    shift
    if "$@" </dev/null >/tmp/log 2>&1; then
        echo "ok      package: $what"
        passed=$((passed + 1))
    else
        echo "FAILED  package: $what"
        tail -n 30 /tmp/log
        failed=$((failed + 1))
    fi
}

not() { ! "$@"; }

apt() {
    timeout 120 apt-get -y -o Dpkg::Use-Pty=0 --no-install-recommends \
        --allow-downgrades "$@"
}

files() {
    find / -xdev \( -path /proc -o -path /dev -o -path /sys -o -path /run \
        -o -path /tmp -o -path /var/log -o -path /var/cache \) -prune \
        -o -printf '%p %l\n' | grep -v '^/var/lib/dpkg/.*-old ' | sort
}

master() { cat /run/nginx.pid; }
loads() { nginx -T 2>/dev/null | grep -x "load_module modules/ngx_http_kafka_module.so;"; }
links() { [ "$(readlink "$1")" = /usr/share/nginx/modules-available/mod-http-kafka.conf ]; }
mapped() { grep -F " $module" "/proc/$(master)/maps"; }

wait_for() { # command...
    local i
    for ((i = 0; i < 200; i++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.05
    done
    echo "not within 10 s: $*"
    return 1
}

produces() {
    curl -sS --max-time 20 http://127.0.0.1:8080/produce/greetings/hello_kafka |
        grep -E '^\{"topic":"greetings","partition":[0-3],"offset":[0-9]+,'
}

use_example() {
    cp "$doc/examples/kafka.conf" "$conf" && nginx -t &&
        service nginx reload && wait_for produces
}

restart() {
    service nginx restart && wait_for produces
}

# Another version of the same files.
next_version() {
    rm -rf /tmp/next
    dpkg-deb -R "$deb" /tmp/next &&
        sed -i 's/^Version: .*/&+next/' /tmp/next/DEBIAN/control &&
        dpkg-deb -b /tmp/next /tmp/next.deb
}

upgrade() {
    next_version && apt install /tmp/next.deb &&
        dpkg-query -W -f '${Version}' "$name" | grep '+next$' &&
        links "$link" && produces
}

# nginx's unit stops it with what the drop-in says last.
stops() {
    local command=()
    read -ra command < <(sed -n 's/^ExecStop=-//p' "$dropin")
    grep -x 'ExecStop=' "$dropin" && timeout 25 "${command[@]}" &&
        not kill -0 "$1"
}

# What scripts of packages may do to services.
services() { # 0: all; 101: nothing
    printf '#!/bin/sh\nexit %s\n' "$1" >"$policy"
    chmod 755 "$policy"
}

# An installation where nothing may be started, as in the making of an image.

nginx -t 2>/dev/null      # makes folders
files >/tmp/before
services 101
check "install where no service may start" apt install "$deb"
check "nothing was started" not pgrep -x nginx
check "the configuration loads the module" loads
check "nginx -t" nginx -t
check "purge there" apt purge --autoremove "$name"
rm "$policy"
files >/tmp/after
check "purge leaves nothing there" diff /tmp/before /tmp/after

# Beside an nginx that runs.

services 0

check "nginx starts without it" service nginx start
check "it has no such module" not mapped
check "install" apt install "$deb"
check "the link is Debian's usual one" links "$link"
check "nginx was reloaded with the module" wait_for mapped
check "the example serves" use_example
check "a drop-in for the unit" test -f "$dropin"

check "reinstall" apt install --reinstall "$deb"
check "a message after that" produces
check "upgrade" upgrade
check "a message after a restart" restart
check "downgrade" apt install "$deb"
rm "$link"
check "reinstall where it was disabled" apt install --reinstall "$deb"
check "it stays disabled" not test -e "$link"
ln -s /usr/share/nginx/modules-available/mod-http-kafka.conf "$link"

check "remove while it is in use" apt remove "$name"
check "a running nginx goes on" produces
check "but the configuration is refused" not nginx -t
check "its link is out of use" links "$link.removed"
check "install again" apt install "$deb"
check "the link is back" links "$link"
check "nginx -t after that" nginx -t

rm "$conf"
check "remove" apt remove "$name"
check "nginx -t without it" nginx -t
check "nothing loads it" not loads
check "purge after remove" apt purge --autoremove "$name"
check "install once more" apt install "$deb"
check "the drop-in's command stops nginx" stops "$(master)"
check "purge" apt purge --autoremove "$name"
rm "$policy"
files >/tmp/after
check "purge leaves nothing" diff /tmp/before /tmp/after

echo "$passed passed, $failed failed"
