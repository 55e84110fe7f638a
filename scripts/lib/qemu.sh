# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # what scripts/guest sets and reads
# How scripts/guest starts QEMU. Uses its variables: work, image, boot, smp, mem, icount, seed, plugin, diskless,
# forwards, shares, timeout, interactive, network, stdin, feed; sets qemu_status. Needs common.sh.

# Distributions keep it out of PATH; up to Debian 12 it came with QEMU.
find_virtiofsd() {
    local path
    for path in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do
        [ ! -x $path ] || virtiofsd=$path
    done
    if [ -z "${virtiofsd:-}" ]; then
        host_packages /usr/libexec/virtiofsd=virtiofsd
        virtiofsd=/usr/libexec/virtiofsd
    fi
}

# start_virtiofsd NUMBER DIR: serves DIR to the guest at the socket share-NUMBER.
start_virtiofsd() {
    local socket=$work/share-$1 options=(--shared-dir "$2" --cache auto --sandbox none)
    rm -f "$socket" "$socket.pid"
    [[ $virtiofsd != /usr/lib/qemu/* ]] || options=(-o "source=$2" -o cache=auto)
    setpriv --pdeathsig TERM "$virtiofsd" --socket-path="$socket" "${options[@]}" \
        </dev/null >"$socket.log" 2>&1 &
    children+=($!)
    local tries=0
    until [ -S "$socket" ]; do
        if ! kill -0 "${children[-1]}" 2>/dev/null || [ $((tries += 1)) -gt 200 ]; then
            cat "$socket.log" >&2
            die "cannot share $2: see virtiofsd's messages above"
        fi
        sleep 0.05
    done
}

# Is KVM there, and does it really run a kernel? A /dev/kvm that opens proves nothing. The answer
# holds until the host boots again.
kvm_works() {
    local verdict
    verdict=$CACHE/guest/kvm-$(cat /proc/sys/kernel/random/boot_id)
    [ -r /dev/kvm ] && [ -w /dev/kvm ] || return
    if [ ! -e "$verdict" ]; then
        say "trying whether KVM works here"
        rm -f "$CACHE"/guest/kvm-*
        timeout -k 1 20 qemu-system-x86_64 -M q35 -nodefaults -nic none -display none -no-reboot \
            -accel kvm -cpu host -smp 2 -m 512 -kernel "$boot/vmlinux" -initrd "$boot/initrd" \
            -append "console=ttyS0 panic=-1 quiet resin.trial" \
            -serial "file:$work/trial.log" </dev/null >/dev/null 2>&1 || true
        if grep -q 'resin: the trial boot succeeded' "$work/trial.log" 2>/dev/null; then
            echo yes >"$verdict"
        else
            say "  it does not: the guest is emulated (TCG)"
            echo no >"$verdict"
        fi
    fi
    [ "$(cat "$verdict")" = yes ]
}

accelerator() {
    if [ "$icount" = yes ]; then
        # ERMS and FSRM would count one instruction per byte copied.
        qemu+=(-accel "tcg,thread=single,tb-size=512" -icount "shift=0,sleep=off" -cpu "max,-erms,-fsrm"
            -seed "$seed" -rtc "base=2026-01-01T00:00:00,clock=vm")
        [ -z "$plugin" ] || qemu+=(-plugin "$plugin")
        append+=" nokaslr norandmaps"
    elif [ "${RESIN_ACCEL:-}" != tcg ] && kvm_works; then
        qemu+=(-accel kvm -cpu host)
    else
        # Without ERMS and FSRM copies go eight octets at a time, which TCG does twice as fast.
        qemu+=(-accel "tcg,thread=multi,tb-size=512" -cpu "max,-erms,-fsrm")
    fi
}

# port NAME NUMBER BACKEND: a virtio port that the guest sees as /dev/vport*pNUMBER.
port() {
    qemu+=(-chardev "$3,id=$1" -device "virtserialport,bus=ports.0,nr=$2,chardev=$1")
}

# Without disks: the kernel's log and what the command says go to files by serial ports, which take
# every octet at once. A pipe may be full, which no instruction count would survive.
diskless_devices() {
    local name
    qemu+=(-nic none -initrd "$work/initrd")
    for name in kernel.log out err report; do
        : >"$work/$name"
        qemu+=(-chardev "file,id=$name,path=$work/$name" -serial "chardev:$name")
    done
}

devices() {
    local netdev="user,id=net,ipv6=off" i
    qemu+=(
        -initrd "$boot/initrd"
        -drive "file=$image,format=raw,if=virtio,snapshot=on,cache=unsafe"
        -drive "file=$boot/modules.ext4,format=raw,if=virtio,readonly=on,cache=unsafe"
        -drive "file=$work/payload.tar,format=raw,if=virtio,readonly=on"
        -chardev "file,id=log,path=$work/kernel.log" -serial chardev:log
        -device "virtio-serial,id=ports,max_ports=8"
    )
    port report 4 "file,path=$work/report"
    if [ "$interactive" = yes ]; then
        qemu+=(-chardev "stdio,id=tty,mux=on,signal=off" -device "virtconsole,bus=ports.0,nr=0,chardev=tty")
        port in 1 null
        port out 2 null
        port err 3 null
    else
        port in 1 "stdio,signal=off"
        port out 2 "pipe,path=$work/out"
        port err 3 "pipe,path=$work/err"
    fi
    if [ "$network" = yes ]; then
        for i in "${forwards[@]}"; do netdev+=",hostfwd=tcp:127.0.0.1:${i%:*}-10.0.2.15:${i#*:}"; done
        qemu+=(-netdev "$netdev" -device "virtio-net-pci,netdev=net,romfile=")
    fi
    [ ${#shares[@]} -gt 0 ] || return 0
    qemu+=(-object "memory-backend-memfd,id=mem,size=${mem}M,share=on" -machine memory-backend=mem)
    for i in "${!shares[@]}"; do
        start_virtiofsd "$i" "${shares[i]}"
        qemu+=(-chardev "socket,id=share$i,path=$work/share-$i"
            -device "vhost-user-fs-pci,chardev=share$i,tag=share$i")
    done
}

# pump NAME: passes on what the guest writes to that port. If nobody wants it any more, the guest
# ends, as a command would by SIGPIPE.
pump() {
    cat "$work/$1.out" || kill -PIPE $$
}

# follow PID: passes on what the guest writes to its files until PID, which writes them, has ended.
follow() {
    tail -s 0.2 --pid="$1" -c +1 -f "$work/err" >&2 &
    tail -s 0.2 --pid="$1" -c +1 -f "$work/out" || kill -PIPE $$
    wait $!
}

# If QEMU never opened its pipes, the pumps still wait for it.
release_pumps() {
    if [ -p "$work/err.out" ]; then : <>"$work/out.out" <>"$work/err.out"; fi
}

run_qemu() {
    local name pumps=() append="console=ttyS0 panic=-1 loglevel=4 rcupdate.rcu_cpu_stall_timeout=60"
    # Calibrating clocks and testing ciphers is a third of what a boot executes.
    append+=" tsc=reliable cryptomgr.notests"
    local -a qemu=(qemu-system-x86_64 -M "q35,hpet=off" -nodefaults -display none -no-reboot -no-user-config
        -smp "$smp" -m "$mem" -kernel "$boot/vmlinux")
    : >"$work/report"
    : >"$work/kernel.log"
    accelerator
    if [ "$diskless" = yes ]; then diskless_devices; else devices; fi
    qemu+=(-append "$append")
    # Whatever becomes of us, nothing outlives us: setpriv has the kernel end QEMU with its parent.
    local -a supervised=(setpriv --pdeathsig TERM timeout --foreground -k 5 "$timeout"
        setpriv --pdeathsig KILL "${qemu[@]}")
    qemu_status=0
    [ -n "$stdin" ] || exec {stdin}<&0
    # Always in the background, for traps wait until a foreground command ends.
    if [ "$interactive" = yes ]; then
        "${supervised[@]}" <&"$stdin" 2>"$work/qemu.err" &
        children+=($!)
        wait "${children[-1]}" || qemu_status=$?
    elif [ "$diskless" = yes ]; then
        "${supervised[@]}" </dev/null >/dev/null 2>"$work/qemu.err" &
        children+=($!)
        follow "${children[-1]}"
        wait "${children[-1]}" || qemu_status=$?
    else
        for name in in out err; do
            rm -f "$work/$name.in" "$work/$name.out"
            mkfifo "$work/$name.in" "$work/$name.out"
        done
        pump out &
        pumps+=($!)
        pump err >&2 &
        pumps+=($!)
        # QEMU makes its stdin non-blocking, which must not befall ours. What is read ahead waits for
        # the next QEMU, if this one comes to nothing.
        if [ -z "$feed" ]; then
            exec {feed}< <(exec cat <&"$stdin")
            children+=($!)
        fi
        "${supervised[@]}" <&"$feed" >/dev/null 2>"$work/qemu.err" &
        children+=($!)
        wait "${children[-1]}" || qemu_status=$?
        release_pumps
        wait "${pumps[@]}" || true
    fi
    if [ -s "$work/qemu.err" ]; then
        grep -v 'terminating on signal 15' "$work/qemu.err" >&2 || true
    fi
}

# Boots the guest, and once more if its kernel died on the way to our init: it patches its own code
# while another CPU executes it, which QEMU's emulation of several CPUs does not always get right.
boot_guest() {
    run_qemu
    if ! grep -q 'resin-guest: start' "$work/kernel.log" && grep -q 'Kernel panic' "$work/kernel.log"; then
        say "the kernel died before the guest's init, as emulated ones sometimes do; booting once more:"
        grep -m 1 -A 30 -E 'BUG|Oops|RIP: |Kernel panic' "$work/kernel.log" >&2
        run_qemu
    fi
}
