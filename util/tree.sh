# Sourced by scripts that need another Debian, in a folder: a tree.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Folders of this machine that a tree has, too, each as "folder=its name there".
shared=()

# The lines of sources.list for a release, from the mirrors that apt has here.
tree_sources() { # release
    local uri label
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(LABEL)' \
            'Created-By: Packages' 'Origin: Debian' | sort -u |
        while read -r uri label; do
            case $1/$label in
                */Debian)              echo "$uri $1" ;;
                sid/Debian-Security)   ;;
                */Debian-Security)     echo "$uri $1-security" ;;
            esac
        done | sed "s|.*|deb [signed-by=$keyring] & main|"
}

# Makes a tree of little more than apt, in which no service starts.
tree_make() { # release folder
    local list mirror
    list=$(tree_sources "$1")
    mirror=$(sed -nE 's/.*\] (.*) '"$1"' main$/\1/p;T;q' <<<"$list")
    if [ -z "$mirror" ]; then
        echo "apt has no Debian source of $1"
        return 1
    fi

    # It mounts /proc.
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child \
        debootstrap --variant=minbase "$1" "$2" "$mirror"
    echo "$list" >"$2/etc/apt/sources.list"
    mkdir -p "$2/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$2/etc/ssl/certs/" || true
    cp -L /etc/resolv.conf "$2/etc/"
    printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d"
    chmod 755 "$2/usr/sbin/policy-rc.d"
}

# Runs a command in a tree, with no way to leave anything behind: mounts and
# processes end with it.
inside() { # folder unshare's-options... -- command...
    local dir=$1 options=()
    shift
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift

    # A tree is bound onto itself, for only the root of a mount can hold
    # test.sh's own tables of processes.
    # shellcheck disable=SC2016
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child \
        "${options[@]}" -- bash -ec '
            dir=$1
            shift
            ip link set lo up || true
            mount --rbind "$dir" "$dir"
            cd "$dir"
            mount -t proc proc proc
            mount --rbind /dev dev
            while [ "$1" != -- ]; do
                mkdir -p "${1#*=}"
                mount --bind "${1%%=*}" "${1#*=}"
                shift
            done
            shift
            exec chroot . env -i "$@"
        ' bash "$dir" "${shared[@]}" -- HOME=/root LC_ALL=C.UTF-8 \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        "$@" </dev/null
}
