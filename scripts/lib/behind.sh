# shellcheck shell=bash
# A guest with the gateway in it, for suites whose clients and backends run on this host.
# Needs common.sh.

# gateway_start: boots a guest, loads the module; sets GATEWAY_PORT, where it listens on 127.0.0.1.
# The guest's 10.0.2.2 is this host's 127.0.0.1. Ends with the shell that called it.
gateway_start() {
    gateway_dir=$(mktemp -d)
    trap gateway_kill EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkfifo "$gateway_dir/stdin"
    : >"$gateway_dir/stdout"
    GATEWAY_PORT=$(free_port)
    # shellcheck disable=SC2016 # the variables belong to the guest's shell
    "$REPO/scripts/guest" --timeout "${GATEWAY_TIMEOUT:-3600}" --forward "$GATEWAY_PORT:80" -- bash -c '
        insmod resin.ko port=80 || exit
        echo "gateway: done 0"
        n=0
        while IFS= read -r line && [ "$line" != quit ]; do
            eval "$line" 2>&1
            echo "gateway: done $((n += 1)) $?"
        done
        rmmod resin
    ' <"$gateway_dir/stdin" >"$gateway_dir/stdout" &
    gateway_pid=$!
    exec {gateway_in}>"$gateway_dir/stdin"
    gateway_count=0
    gateway_wait
    say "the gateway listens on 127.0.0.1:$GATEWAY_PORT"
    export GATEWAY_PORT
}

# gateway_say COMMAND: runs a line of shell in the guest, prints what it prints.
gateway_say() {
    local before
    before=$(wc -l <"$gateway_dir/stdout")
    printf '%s\n' "$1" >&"$gateway_in"
    gateway_count=$((gateway_count + 1))
    gateway_wait
    tail -n "+$((before + 1))" "$gateway_dir/stdout" | sed "/^gateway: done $gateway_count /,\$d"
    grep -q "^gateway: done $gateway_count 0" "$gateway_dir/stdout" || die "in the guest, this failed: $1"
}

# gateway_backend PORT: that port of this host is the only backend.
gateway_backend() { gateway_say "echo '10.0.2.2 $1' > /proc/net/resin/srun-0"; }

# gateway_stop: unloads the module and ends the guest. Fails if the kernel complained meanwhile.
gateway_stop() {
    local status=0
    # A word and no end of file: other children may have inherited the descriptor.
    echo quit >&"$gateway_in"
    exec {gateway_in}>&-
    wait "$gateway_pid" || status=$?
    gateway_pid=''
    [ "$status" = 0 ] || {
        tail -n 60 "$gateway_dir/stdout" >&2
        die "the guest ended with status $status"
    }
}

# Until the guest has done what it was told.
gateway_wait() {
    until grep -q "^gateway: done $gateway_count\b" "$gateway_dir/stdout"; do
        kill -0 "$gateway_pid" 2>/dev/null || {
            tail -n 60 "$gateway_dir/stdout" >&2
            die "the guest ended too early"
        }
        sleep 0.1
    done
}

# shellcheck disable=SC2317 # a trap calls it
gateway_kill() {
    if [ -n "${gateway_pid:-}" ] && kill "$gateway_pid" 2>/dev/null; then
        wait "$gateway_pid" || true
    fi
    rm -rf "$gateway_dir"
}

# A port of 127.0.0.1 on which nobody listens.
free_port() {
    local port
    for ((port = 8180; port < 8280; port++)); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
    done
    die "no free port between 8180 and 8279"
}
