# shellcheck shell=bash
# What scripts/kernel and its parts share: where things are kept, how to speak, how to lock.

# What fails in a $(command) ends that, too.
shopt -s inherit_errexit

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
# log, whose end is shown if it fails, and what to do about it.
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
        say "that failed after $((SECONDS - start)) s: $* (whole log: $log)"
        die "$(remedy "$log")"
    fi
    rm -f "$log"
    say "  done in $((SECONDS - start)) s"
}

# remedy LOG: says in one line how to mend what has failed, by what the log says.
remedy() {
    local log=$1 package
    says() { grep -qiE -- "$1" "$log"; }
    if says 'no space left on device|disk quota exceeded|enough free space'; then
        echo "the disk is full:$(df -h --output=avail "$CACHE" | tail -n 1) are free at $CACHE;" \
            "make room, or name another place with RESIN_CACHE"
    elif says 'unable to locate package|no installation candidate|unable to find a source package|version .* was not found'; then
        package=$(grep -iE 'package|version' "$log" | grep -oiE -m 1 \
            "unable to .*|package '?[^ ']+'? has no installation.*|version .* was not found.*" || true)
        echo "a package is not served ($package): apt-get update, and see that the sources have it" \
            "(/etc/apt; RESIN_MIRROR for what is not installed on this host)"
    elif says '404 +not found'; then
        echo "the package lists are older than the mirror: apt-get update for this host," \
            "rm $CACHE/toolchain/.resin-lists for what is not installed on it"
    elif says 'no_pubkey|is not signed|invalid signature|not valid yet|release file .* expired'; then
        echo "the mirror's signatures are not believed: is the clock right (date)?" \
            "If so: apt-get install debian-archive-keyring"
    elif says 'could not resolve|name resolution|temporary failure resolving|failed to (connect|fetch)|could not connect|unable to connect|connection (timed out|refused|failed|reset)|network is unreachable|newconnectionerror|max retries exceeded'; then
        echo "the network failed: is ${MIRROR:-what the log names} reached from here (http_proxy)?" \
            "RESIN_MIRROR names another mirror of Debian. Then run it again"
    elif says 'out of memory|cannot allocate memory|(^|[ :])killed|signal 9|signal: 9'; then
        echo "memory ran out: do less at a time (JOBS=1), or give the machine more"
    elif says 'could not get lock|dpkg was interrupted'; then
        echo "the package manager is in use, or was cut off: let it end, then: dpkg --configure -a"
    elif says 'operation not permitted|permission denied'; then
        echo "something is not permitted: run it as root, in a machine or container that may mount and chroot"
    else
        echo "mend what the lines above say and run it again: what is done is not repeated"
    fi
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
