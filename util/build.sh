#!/usr/bin/env bash
# Builds the module for Debian's nginx: build/ngx_http_kafka_module.so
#
#   util/build.sh [--no-install]
#
# Environment:
#   CC          the compiler (gcc)
#   CC_OPT      more options for it
#   LD_OPT      more options for the linker
#   BUILD       where everything goes (build)
#   NGINX_SRC   nginx's source, of the very version and options of the nginx
#               that will load the module (/usr/share/nginx/src, of nginx-dev)
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cc=${CC:-gcc}
build=$(realpath -m "${BUILD:-$root/build}")
source=$(realpath -m "${NGINX_SRC:-/usr/share/nginx/src}")
module=ngx_http_kafka_module.so

die() { echo "build.sh: $*" >&2; exit 1; }

case ${1:-} in
    '')           "$root/util/deps.sh" build ;;
    --no-install) ;;
    *)            die "usage: util/build.sh [--no-install]" ;;
esac

# What to say when something that a package would bring is not there.
hint() {
    local list
    list=$("$root/util/deps.sh" --missing build | tr '\n' ' ') || return 0
    if [ -n "$list" ]; then
        echo "Packages that are missing: apt-get install ${list% }" >&2
    fi
}

for tool in "${cc%% *}" make; do
    command -v "$tool" >/dev/null || { hint; die "there is no $tool"; }
done

configure=$source/configure
if [ ! -f "$configure" ]; then configure=$source/auto/configure; fi
if [ ! -f "$configure" ]; then
    hint
    die "no source of nginx in $source (Debian's package nginx-dev has it)"
fi

mkdir -p "$build"
exec 9>"$build/lock"
flock 9

# Warnings are errors.  Not in configure, whose own test programs are not clean:
# features that nginx has would not be found.
warnings="-Wall -Wextra -Werror -Wno-unused-parameter"

# Debian's own flags.  The current folder is in them: always the same one, or
# what was built from another would be built again.
flags() { (cd "$root" && dpkg-buildflags --get "$1" 2>/dev/null); }

cc_opt=$(flags CFLAGS || echo -g -O2)
cc_opt+=" $(flags CPPFLAGS || true)"
cc_opt+=" -fPIC ${CC_OPT:-}"
ld_opt="$(flags LDFLAGS || true) ${LD_OPT:-}"

# The options that nginx itself was built with: a module must match them.
NGX_CONF_FLAGS=(--with-compat --with-threads)
if [ -f "$source/conf_flags" ]; then . "$source/conf_flags"; fi

# All that decides what configure writes; when it changes, start again.
state() {
    printf '%s\n' "$cc" "$cc_opt" "$warnings" "$ld_opt" \
        "${NGX_CONF_FLAGS[@]}" "$root" "$source" "$("${cc%% *}" --version)"
    cksum <"$root/config"
    find "$source/auto" "$source/src" -type f -printf '%p %s %T@\n' |
        sort | cksum
    (cd "$root/src" && ls -R)
}

objs=$build/objs
if [ "$(state)" != "$(cat "$build/state" 2>/dev/null)" ]; then
    rm -rf "$build/state" "$objs" "$build/nginx"
    mkdir -p "$build/nginx"

    # nginx is configured in a tree of links, since configure writes a Makefile
    # beside itself unless Debian has taught it not to.
    cp -as "$source/." "$build/nginx"
    rm -f "$build/nginx/Makefile"

    echo "configuring for $(sed -n 's/.* NGINX_VERSION .*"\(.*\)"/nginx \1/p' \
        "$source/src/core/nginx.h") with $cc" >&2
    if ! (cd "$build/nginx" && bash "${configure#"$source"/}" \
            --builddir="$objs" --with-cc="$cc" --with-cc-opt="$cc_opt" \
            --with-ld-opt="$ld_opt" "${NGX_CONF_FLAGS[@]}" \
            --add-dynamic-module="$root") >"$build/configure.log" 2>&1
    then
        tail -n 8 "$build/configure.log" >&2
        hint
        die "nginx's configure failed: $build/configure.log, $objs/autoconf.err"
    fi
    sed -i "s/^CFLAGS = .*/& $warnings/" "$objs/Makefile"
    state >"$build/state"
fi

make -s -j"$(nproc)" -C "$build/nginx" -f "$objs/Makefile" modules >&2

# The file that a running nginx has mapped is replaced, never written to.
if ! cmp -s "$objs/$module" "$build/$module"; then
    cp "$objs/$module" "$build/$module.new"
    mv "$build/$module.new" "$build/$module"
    echo "built $build/$module" >&2
fi
