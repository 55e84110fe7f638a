# shellcheck shell=bash
# What scripts/kernel and its parts share: where things are kept, how to speak, how to lock.

# The tree (REPO) and the folder outside it that holds downloads and built kernels (CACHE).
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${RESIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/resin}
JOBS=${JOBS:-$(nproc)}
export REPO CACHE JOBS
# depmod and the like, also for those who came by su.
PATH=$PATH:/usr/sbin:/sbin

# All progress goes to stderr: stdout belongs to the answer (a folder's name).
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# with_lock NAME COMMAND...: runs COMMAND while no other call holds the lock NAME.
# The lock is the kernel's, on a file in the cache, so a killed call leaves nothing behind.
with_lock() {
    local name=$1
    shift
    mkdir -p "$CACHE/lock"
    (
        flock --nonblock 9 || {
            say "waiting for another call that works on $name"
            flock 9
        }
        "$@" 9>&-
    ) 9>"$CACHE/lock/$name"
}

# timed TEXT COMMAND...: says TEXT, runs COMMAND, says how long it took. COMMAND's output goes to a
# log, whose end is shown if it fails.
timed() {
    local text=$1 log status start=$SECONDS
    shift
    mkdir -p "$CACHE/log"
    log=$(mktemp "$CACHE/log/$(date +%Y%m%d-%H%M%S)-XXXXXX.log")
    say "$text"
    # Not `if ! "$@"`: that would switch off `set -e` inside COMMAND.
    set +e
    (
        set -e
        "$@"
    ) >"$log" 2>&1 </dev/null
    status=$?
    set -e
    if [ $status -ne 0 ]; then
        tail -n 30 "$log" >&2
        die "that failed after $((SECONDS - start)) s: $* (whole log: $log)"
    fi
    rm -f "$log"
    say "  done in $((SECONDS - start)) s"
}

# need_root WHAT: packages and chroot want root.
need_root() {
    [ "$(id -u)" = 0 ] || die "$1 needs root: run it as root or with sudo"
}

# host_packages COMMAND=PACKAGE...: installs the packages whose command is missing on this host.
host_packages() {
    local pair missing=()
    for pair; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    need_root "installing ${missing[*]}"
    command -v apt-get >/dev/null || die "missing ${missing[*]}, and this is no Debian: install them by hand"
    timed "installing ${missing[*]} on this host" apt_install_on_host "${missing[@]}"
}

apt_install_on_host() {
    export DEBIAN_FRONTEND=noninteractive
    local wait="DPkg::Lock::Timeout=600"
    apt-get -o "$wait" install -y --no-install-recommends "$@" && return
    apt-get -o "$wait" update
    apt-get -o "$wait" install -y --no-install-recommends "$@"
}
