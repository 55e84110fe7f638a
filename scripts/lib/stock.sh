# shellcheck shell=bash
# Debian's own kernels: getting the packages of one release and preparing a build tree whose Rust
# metadata agrees with that kernel. Debian's header packages carry none, so it is made anew from the
# same source, configuration and compilers.
#
# $CACHE/kernel/RELEASE/ holds vmlinuz, config, System.map, modules/ (lib/modules/RELEASE), source/
# (a link), build/ (O= tree), release (its name), and `ready`, which is written last.

# Raise it when the recipe below changes: prepared kernels are then made again.
STOCK_RECIPE=1

# Prints the folder of the kernel KERNEL, prepared.
stock() {
    local release dir
    toolchain
    release=$(stock_release)
    dir=$CACHE/kernel/$release
    stock_ready "$dir" || with_lock "kernel-$release" stock_locked "$release" "$dir"
    printf '%s\n' "$dir"
}

stock_ready() {
    [ "$(cat "$1/ready" 2>/dev/null)" = "$STOCK_RECIPE" ]
}

# Prints the release to use: KERNEL if it is there or served, else the newest if KERNEL is the default.
stock_release() {
    local wanted=${KERNEL:-$DEFAULT_KERNEL} newest
    [[ $wanted =~ ^[0-9]+\.[0-9]+\.[0-9]+[a-z0-9+~.]*-(cloud-)?amd64$ ]] ||
        die "KERNEL=$wanted is no release name such as $DEFAULT_KERNEL (see: scripts/kernel list)"
    if stock_ready "$CACHE/kernel/$wanted" || [ -n "$(package_version "linux-headers-$wanted")" ]; then
        printf '%s\n' "$wanted"
        return
    fi
    newest=$(kernel_list | grep cloud | tail -n 1) || true
    [ -n "$newest" ] || die "$MIRROR serves no kernel from 7.2 on: is the mirror right (RESIN_MIRROR)?"
    [ "$wanted" = "$DEFAULT_KERNEL" ] ||
        die "KERNEL=$wanted is not served by $MIRROR; these are: $(kernel_list | tr '\n' ' ')"
    say "$wanted is no longer served: taking the newest, $newest"
    printf '%s\n' "$newest"
}

# Prints the releases that are served, oldest first: from 7.2 on, where a kernel has what resin needs.
kernel_list() {
    toolchain
    package_lists
    in_toolchain / apt-cache pkgnames linux-headers- |
        sed -n 's/^linux-headers-\(.*-amd64\)$/\1/p' |
        grep -E '^[0-9.]+\+deb13-(cloud-)?amd64$' | sort -V |
        awk -F. '$1 > 7 || ($1 == 7 && $2 >= 2)'
}

# package_version NAME: its version in trixie-backports, nothing if it is not served.
package_version() {
    package_lists
    in_toolchain / apt-cache madison "$1" | awk -F' *[|] *' '$3 ~ /backports/ { print $2; exit }'
}

# Package lists are fetched once a day at most.
package_lists() {
    local stamp=$TOOLCHAIN/.resin-lists
    [ -z "$(find "$stamp" -mtime -1 2>/dev/null)" ] || return 0
    with_lock package-lists timed "reading the package lists (17 MB)" package_lists_fetch "$stamp"
}

package_lists_fetch() {
    in_toolchain / apt-get -o APT::Sandbox::User=root update
    touch "$1"
}

# fetch_packages DIR NAME=VERSION...: downloads them into DIR and unpacks them below DIR/root.
fetch_packages() {
    local dir=$1 size
    shift
    mkdir -p "$dir"
    size=$(in_toolchain / apt-cache show "$@" | awk '/^Size:/ { sum += $2 } END { printf "%d", sum / 1e6 + 1 }')
    timed "downloading ${*%%=*} ($size MB)" \
        in_toolchain "$dir" apt-get -o APT::Sandbox::User=root download "$@"
    timed "unpacking them" unpack_packages "$dir"
}

unpack_packages() {
    local package
    for package in "$1"/*.deb; do
        in_toolchain "$1" dpkg-deb -x "$package" "$1/root"
        rm "$package"
    done
}

# stock_source VERSION: makes sure that the source package of that version is unpacked.
stock_source() {
    local version=$1 dir=$CACHE/kernel/source-$1
    [ -e "$dir" ] || with_lock "source-$version" stock_source_locked "$version" "$dir"
}

stock_source_locked() {
    local version=$1 dir=$2 name
    [ ! -e "$dir" ] || return 0
    name=linux-source-$(cut -d. -f1,2 <<<"$version")
    rm -rf "$dir.new"
    fetch_packages "$dir.new" "$name=$version"
    timed "unpacking the kernel source (1.7 GB) to $dir" \
        in_toolchain "$dir.new" tar -xf "root/usr/src/$name.tar.xz"
    mv "$dir.new/$name" "$dir"
    rm -rf "$dir.new"
}

stock_locked() {
    local release=$1 dir=$2 version
    ! stock_ready "$dir" || return 0
    need_root "preparing a kernel"
    version=$(package_version "linux-headers-$release")
    rm -rf "$dir"
    mkdir -p "$dir"
    stock_source "$version"
    fetch_packages "$dir/packages" \
        "linux-"{base,binary,modules,headers}"-$release=$version"
    timed "arranging kernel and modules in $dir" stock_arrange "$release" "$dir" "$version"
    timed "preparing the build tree of $release, with Rust metadata (2.5 minutes on 2 cores)" \
        stock_prepare "$release" "$dir"
    rm -rf "$dir/packages"
    printf '%s\n' "$STOCK_RECIPE" >"$dir/ready"
}

stock_arrange() {
    local release=$1 dir=$2 version=$3 tree=$2/packages/root
    ln -s "../source-$version" "$dir/source"
    ln -sfn usr/lib "$tree/lib"
    in_toolchain / depmod -b "$tree" "$release"
    mv "$tree/usr/lib/modules/$release" "$dir/modules"
    mv "$dir/modules/vmlinuz" "$dir/vmlinuz"
    cp "$dir/modules/config" "$dir/config"
    printf '%s\n' "$release" >"$dir/release"
}

stock_prepare() {
    local release=$1 dir=$2 headers=$2/packages/root/usr/src/linux-headers-$1
    mkdir -p "$dir/build"
    cp "$headers/.config" "$dir/build/.config"
    kernel_make "$dir" olddefconfig
    grep -q '^CONFIG_RUST=y' "$dir/build/.config" ||
        die "CONFIG_RUST went off in $dir/build/.config: is the toolchain complete?"
    cp "$headers/Module.symvers" "$dir/build/Module.symvers"
    kernel_make "$dir" modules_prepare
}

# kernel_make DIR ARGUMENT...: make in the kernel tree that is kept in DIR.
# The outer make's variables and job server are none of its business.
kernel_make() {
    local dir=$1 rust_library compiler
    shift
    rust_library=$(cd "$TOOLCHAIN" && echo usr/src/rustc-*/library)
    compiler=CC=x86_64-linux-gnu-gcc-14
    [ ! -e "$dir/llvm" ] || compiler=LLVM=1
    in_toolchain "$dir" env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES \
        make -s -j"$JOBS" -C "$dir/source" O="$dir/build" "$compiler" \
        KERNELRELEASE="$(cat "$dir/release")" RUST_LIB_SRC="/$rust_library" \
        KBUILD_BUILD_USER=resin KBUILD_BUILD_HOST=resin "$@"
}
