# shellcheck shell=bash
# The toolchain: a Debian trixie root with the very compilers that built Debian's kernel
# (rustc 1.85.1, bindgen 0.71.1, gcc 14). The module's Rust metadata must come from the same rustc,
# and one toolchain for host tests, guest tools and kernels means one behaviour on every host.

MIRROR=${RESIN_MIRROR:-http://deb.debian.org/debian}
TOOLCHAIN=$CACHE/toolchain
TOOLCHAIN_SUITES=(trixie trixie-updates trixie-backports)
TOOLCHAIN_PACKAGES=(
    # kernel and module
    gcc-14 gcc g++ libc6-dev make bc bison flex libelf-dev libssl-dev kmod cpio xz-utils zstd python3
    dwarves perl patch rsync
    # Rust
    rustc rust-src rustfmt rust-clippy bindgen cargo pkg-config git ca-certificates
    shellcheck
    # the debug kernel: KASAN together with Rust needs clang
    clang lld llvm
    debian-archive-keyring
)

# Makes the root, or adds to it what the list above has got since.
toolchain() {
    toolchain_ready && return
    need_root "making the toolchain root"
    with_lock toolchain toolchain_locked
}

toolchain_ready() {
    [ -n "${RESIN_IN_ROOT:-}" ] ||
        [ "$(cat "$TOOLCHAIN/.resin-packages" 2>/dev/null)" = "${TOOLCHAIN_PACKAGES[*]}" ]
}

toolchain_locked() {
    toolchain_ready && return
    if [ -e "$TOOLCHAIN/.resin-packages" ]; then
        timed "adding packages to the toolchain root" toolchain_add
    else
        host_packages mmdebstrap=mmdebstrap
        # The first releases of Debian 12 do not know trixie's keys.
        [ -e /usr/share/keyrings/debian-archive-trixie-stable.gpg ] || ! command -v apt-get >/dev/null ||
            timed "updating debian-archive-keyring on this host" apt_install_on_host debian-archive-keyring
        rm -rf --one-file-system "$TOOLCHAIN.new" "$TOOLCHAIN"
        timed "making the toolchain root (Debian trixie, 350 MB from $MIRROR) in $TOOLCHAIN" toolchain_make
        mv "$TOOLCHAIN.new" "$TOOLCHAIN"
    fi
    printf '%s\n' "${TOOLCHAIN_PACKAGES[*]}" >"$TOOLCHAIN/.resin-packages"
}

toolchain_make() {
    local suite sources=() keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    for suite in "${TOOLCHAIN_SUITES[@]}"; do
        sources+=("deb [signed-by=$keyring] $MIRROR $suite main")
    done
    mkdir -p "$CACHE"
    mmdebstrap --mode=root --variant=apt --architectures=amd64 \
        --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --include="${TOOLCHAIN_PACKAGES[*]}" \
        trixie "$TOOLCHAIN.new" "${sources[@]}"
}

toolchain_add() {
    in_toolchain / apt-get update
    in_toolchain / env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${TOOLCHAIN_PACKAGES[@]}"
}

# in_toolchain DIR COMMAND...: runs COMMAND inside the root, in DIR, in a mount namespace of its own:
# the tree, the cache, /tmp and DIR are seen at their own paths, and nothing stays mounted.
in_toolchain() {
    local dir=$1
    shift
    if [ -n "${RESIN_IN_ROOT:-}" ]; then
        (cd "$dir" && exec "$@")
        return
    fi
    need_root "running a command inside the toolchain root"
    mkdir -p "$CACHE/cargo"
    # shellcheck disable=SC2016 # the variables belong to the inner shells
    unshare --mount --propagation private -- bash -c '
        set -euo pipefail
        root=$1 repo=$2 cache=$3 dir=$4
        shift 4
        for part in /proc /sys /dev /tmp; do mount --rbind "$part" "$root$part"; done
        # Names and certificates are those of the host.
        for part in /etc/resolv.conf /etc/hosts /etc/ssl/certs; do
            [ -e "$part" ] || continue
            [ -e "$root$part" ] || touch "$root$part"
            mount --bind "$part" "$root$part"
        done
        for part in "$repo" "$cache" "$dir"; do
            case $part in /|/tmp|/tmp/*) continue ;; esac
            mkdir -p "$root$part"
            mount --bind "$part" "$root$part"
        done
        exec chroot "$root" bash -c "cd \"\$1\" && shift && exec \"\$@\"" bash "$dir" "$@"
    ' bash "$TOOLCHAIN" "$REPO" "$CACHE" "$dir" \
        env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        RESIN_IN_ROOT=1 RESIN_CACHE="$CACHE" CARGO_HOME="$CACHE/cargo" \
        CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$REPO/build/cargo}" "$@"
}
