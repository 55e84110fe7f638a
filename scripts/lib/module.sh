# shellcheck shell=bash
# Building resin.ko. Objects go to build/, so that the source folders stay clean.

# module stock|debug: builds build/KIND/resin.ko against that kernel.
module() {
    local kind=$1 dir
    dir=$("$kind")
    with_lock "module-$kind-$(tree_id)" module_locked "$kind" "$dir"
}

# Two trees of the project do not wait for one another.
tree_id() { cksum <<<"$REPO" | cut -d' ' -f1; }

module_locked() {
    local kind=$1 dir=$2 start=$SECONDS
    module_output "$kind" "$dir"
    say "building build/$kind/resin.ko for $(cat "$dir/release")"
    module_make "$dir" "$REPO/build/$kind" >&2 ||
        die "the module does not build: see the messages above"
    say "  done in $((SECONDS - start)) s"
}

# Makes build/KIND, empty if what is in it was made for another kernel.
module_output() {
    local output=$REPO/build/$1 dir=$2
    [ "$(cat "$output/kernel" 2>/dev/null)" = "$dir" ] || rm -rf "$output"
    mkdir -p "$output"
    printf '%s\n' "$dir" >"$output/kernel"
}

# Without the kernel's vmlinux there is nothing to make BTF from: off, instead of a word on each build.
module_make() {
    local dir=$1 output=$2
    shift 2
    kernel_make "$dir" M="$REPO" MO="$output" CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules
}

# Builds the crate with clippy in rustc's place; its findings are warnings on stderr.
clippy() {
    local dir
    dir=$(stock)
    with_lock "module-clippy-$(tree_id)" clippy_locked "$dir"
}

clippy_locked() {
    module_output clippy "$1"
    rm -f "$REPO/build/clippy/src/resin.o"
    module_make "$1" "$REPO/build/clippy" CLIPPY=1 >&2
}

# install: puts build/stock/resin.ko where modprobe finds it on this machine (or below INSTALL_MOD_PATH).
install_module() {
    local dir release modules
    dir=$(stock)
    release=$(cat "$dir/release")
    modules=${INSTALL_MOD_PATH:-}/lib/modules/$release
    [ -d "$modules" ] || die "$modules is not there: that kernel is not installed. Install it (apt install" \
        "linux-image-$release), or name yours, as in: make install KERNEL=\$(uname -r)"
    need_root "installing the module"
    host_packages depmod=kmod
    mkdir -p "$modules/updates"
    cp "$REPO/build/stock/resin.ko" "$modules/updates/resin.ko"
    depmod -b "${INSTALL_MOD_PATH:-/}" "$release"
    say "installed $modules/updates/resin.ko: load it with modprobe resin"
}

# check_kdir DIR: says what is amiss with a kernel tree before make fails in it with riddles.
check_kdir() {
    local dir=$1 release tool
    [ -e "$dir/Makefile" ] || die "KDIR=$dir is no kernel build tree"
    grep -qs '^CONFIG_RUST=y' "$dir/include/config/auto.conf" ||
        die "KDIR=$dir: that kernel has no CONFIG_RUST=y, or was not prepared (make modules_prepare)"
    [ -e "$dir/rust/libkernel.rmeta" ] ||
        die "KDIR=$dir carries no Rust metadata (Debian's header packages never do):" \
            "run plain make, which prepares a tree for KERNEL=$(cat "$dir/include/config/kernel.release")"
    [ -s "$dir/Module.symvers" ] || die "KDIR=$dir has no Module.symvers: copy that of the kernel's package"
    for tool in rustc bindgen; do
        command -v $tool >/dev/null || die "KDIR builds use this machine's own tools, and there is no $tool"
    done
    release=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\{0,1\}\([^"]*\).*/\1/p' "$dir/include/config/auto.conf")
    [ "$release" = "$(rustc --version)" ] ||
        die "KDIR=$dir was prepared with $release, here is $(rustc --version): Rust metadata wants the same"
}
