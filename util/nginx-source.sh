#!/usr/bin/env bash
# Fetches Debian's source package of the installed nginx, unpacks it with
# Debian's patches, once, and prints the folder where it is.
#
#   util/nginx-source.sh
#
# Where the mirror no longer has the installed version's source, another
# revision of the same nginx stands in for it, and that is said each time.  The
# exit status is 3 when there is none at all.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ngx_http_kafka
installed=$(dpkg-query -W -f '${Version}' nginx)
link=$cache/nginx-source-for-$installed

# Package lists with sources, apart from the system's, which may have none.
options() {
    local lines
    mkdir -p "$tmp"/{lists,cache/archives}/partial "$tmp/none"
    # shellcheck disable=SC2016
    lines=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' \
                'Created-By: Packages' 'Origin: Debian' | sort -u)
    if [ -z "$lines" ]; then
        echo "nginx-source.sh: apt has no Debian source of packages" >&2
        exit 3
    fi
    sed "s|.*|deb-src [signed-by=$keyring] & main|" \
        <<<"$lines" >"$tmp/sources.list"
    options=(
        -qq
        -o Dir::Etc::SourceList="$tmp/sources.list"
        -o Dir::Etc::SourceParts="$tmp/none"
        -o Dir::Etc::PreferencesParts="$tmp/none"
        -o Dir::State::Lists="$tmp/lists"
        -o Dir::Cache="$tmp/cache"
        -o Acquire::Languages=none
        -o Acquire::Retries=3
        -o APT::Sandbox::User=root
        -o APT::Update::Post-Invoke-Success::=
    )
}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The installed version, then the others of the same nginx, the newest first.
versions() {
    echo "$installed"
    apt-cache "${options[@]}" showsrc nginx | sed -n 's/^Version: //p' |
        grep -F "${installed%%-*}-" | grep -vxF "$installed" | sort -urV
}

unpack() { # version
    # The last file is what build.sh takes nginx's options from.
    dpkg-source --no-check -x nginx_*.dsc source &&
        cp /usr/share/nginx/src/conf_flags source/ &&
        rm -rf "$cache/nginx-source-$1" &&
        mv source "$cache/nginx-source-$1" &&
        ln -sfn "nginx-source-$1" "$link"
}

fetch() {
    local version
    options
    cd "$tmp" || return
    apt-get "${options[@]}" update || return 3

    for version in $(versions); do
        if apt-get "${options[@]}" source --download-only "nginx=$version"; then
            unpack "$version"
            return
        fi
        rm -f nginx_*.dsc
    done
    return 3
}

mkdir -p "$cache"
exec 9>"$link.lock"
flock 9

if [ ! -e "$link/configure" ]; then
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    trap 'rm -rf "$tmp"' EXIT
    status=0
    fetch </dev/null >"$tmp/log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        cat "$tmp/log" >&2
        echo "THE SOURCE OF NGINX $installed COULD NOT BE HAD" >&2
        exit "$status"
    fi
fi

real=$(realpath "$link")
if [ "$real" != "$cache/nginx-source-$installed" ]; then
    echo "NGINX'S SOURCE IS OF ${real##*/nginx-source-}: the mirror has none of" \
        "the installed $installed" >&2
fi
echo "$real"
