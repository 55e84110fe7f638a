# shellcheck shell=bash
# Building resin.ko. Objects go to build/, so that the source folders stay clean.

# module stock|debug: builds build/KIND/resin.ko against that kernel.
module() {
    local kind=$1 dir
    dir=$("$kind")
    with_lock "module-$kind-$(cksum <<<"$REPO" | cut -d' ' -f1)" module_locked "$kind" "$dir"
}

module_locked() {
    local kind=$1 dir=$2 output=$REPO/build/$1 start=$SECONDS release
    release=$(cat "$dir/release")
    # Objects for another kernel must not be taken for ours.
    [ "$(cat "$output/kernel" 2>/dev/null)" = "$release" ] || rm -rf "$output"
    mkdir -p "$output"
    printf '%s\n' "$release" >"$output/kernel"
    say "building build/$kind/resin.ko for $release"
    kernel_make "$dir" M="$REPO" MO="$output" "${MODULE_TARGET:-modules}" >&2 ||
        die "the module does not build: see the messages above"
    say "  done in $((SECONDS - start)) s"
}
