# shellcheck shell=bash
# The debug kernel: Debian's source of KERNEL's version, built with scripts/debug.config. KASAN wants
# clang when Rust is on, hence LLVM=1 for it and for every module built against it.
#
# $CACHE/kernel/debug-VERSION-HASH/ has the same files as a stock kernel's folder, less modules:
# everything is built in.

DEBUG_CONFIG=$REPO/scripts/debug.config
# Raise it when the recipe below changes: the debug kernel is then built again.
DEBUG_RECIPE=1

# Prints the folder of the debug kernel, built.
debug() {
    local source version hash dir
    source=$(stock)
    source=$(readlink -f "$source/source")
    version=${source##*/source-}
    hash=$({
        echo "$DEBUG_RECIPE"
        debug_config_lines
    } | sha256sum | cut -c1-10)
    dir=$CACHE/kernel/debug-${version%%-*}-$hash
    [ -e "$dir/ready" ] || with_lock "kernel-${dir##*/}" debug_locked "$source" "$dir"
    printf '%s\n' "$dir"
}

# The fragment without its comments, which are free to change without a build.
debug_config_lines() { grep -E '^(# )?CONFIG_' "$DEBUG_CONFIG"; }

# A build that was stopped half-way goes on where it was: make knows what is done.
debug_locked() {
    local source=$1 dir=$2 version
    [ ! -e "$dir/ready" ] || return 0
    need_root "building the debug kernel"
    mkdir -p "$dir/build"
    ln -sfn "../${source##*/}" "$dir/source"
    touch "$dir/llvm"
    version=${source##*/source-}
    printf '%s\n' "${version%%-*}-resin-debug" >"$dir/release"
    [ -e "$dir/config" ] || timed "configuring the debug kernel in $dir" debug_configure "$dir"
    timed "building the debug kernel (25 minutes on 2 idle cores, once)" debug_build "$dir"
    touch "$dir/ready"
}

debug_configure() {
    local dir=$1 line lost=0
    kernel_make "$dir" tinyconfig
    debug_config_lines >>"$dir/build/.config"
    kernel_make "$dir" olddefconfig
    while read -r line; do
        debug_config_holds "$line" "$dir/build/.config" || {
            echo "scripts/debug.config: not taken: $line"
            lost=$((lost + 1))
        }
    done < <(debug_config_lines)
    [ $lost = 0 ] || die "the kernel does not take $lost lines of scripts/debug.config"
    cp "$dir/build/.config" "$dir/config"
}

# Whether a line of the fragment is in the configuration; "not set" may also mean not mentioned.
debug_config_holds() {
    local line=$1 config=$2 name
    case $line in
    '# '*) name=$(cut -d' ' -f2 <<<"$line") ;;
    *=n) name=${line%=n} ;;
    *)
        grep -qxF "$line" "$config"
        return
        ;;
    esac
    ! grep -q "^$name=" "$config"
}

debug_build() {
    local dir=$1
    kernel_make "$dir" bzImage modules
    cp "$dir/build/arch/x86/boot/bzImage" "$dir/vmlinuz"
    cp "$dir/build/System.map" "$dir/System.map"
    mkdir -p "$dir/modules"
    cp "$dir/build/modules.builtin" "$dir/build/modules.order" "$dir/modules/"
}
