# shellcheck shell=bash
# A real JVM: Debian's Tomcat with the application of tests/webapp, on loopback, without a system
# service. It lives as long as the process that started it, and not a moment longer.
# Needs common.sh.

TOMCAT_HOME=/usr/share/tomcat10
WEBAPP=$REPO/build/webapp

# tomcat_start: makes what is missing, starts the JVM, waits until it answers; sets TOMCAT_PORT.
tomcat_start() {
    # Java's packages want this folder, which minimal images of Debian leave out.
    [ -d /usr/share/man/man1 ] || mkdir -p /usr/share/man/man1
    # tomcat10-common has no service: that is in the package tomcat10, which is not wanted.
    host_packages javac=default-jdk-headless "$TOMCAT_HOME/bin/catalina.sh=tomcat10-common" \
        curl=curl setpriv=util-linux
    with_lock webapp webapp_build
    # One start at a time: a port that is free for one is free for the other too. Not with_lock,
    # whose subshell would be the JVM's parent; the JVM itself must not hold the lock.
    local port lock
    exec {lock}>"$CACHE/lock/tomcat"
    flock "$lock"
    for ((port = 6802; port < 6902; port++)); do
        port_in_use "$port" && continue
        if tomcat_try "$port" "$lock"; then
            exec {lock}>&-
            return
        fi
        say "port $port did not work out, trying the next one"
    done
    die "no free port between 6802 and 6901: end what listens there (ss -ltnp)"
}

# port_in_use PORT: does anything listen on loopback there?
port_in_use() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Compiles the servlets against Tomcat's own API, if a source changed since the last time.
webapp_build() {
    local source=$REPO/tests/webapp stamp=$WEBAPP/.made
    if [ -e "$stamp" ] && [ -z "$(find "$source" "$TOMCAT_HOME/bin" -newer "$stamp" -print -quit)" ]; then
        return
    fi
    rm -rf "$WEBAPP"
    mkdir -p "$WEBAPP"
    cp -r "$source/web/." "$WEBAPP/"
    timed "compiling the servlet application" javac -Xlint:all -Werror --release 17 \
        -cp "$TOMCAT_HOME/lib/servlet-api.jar" -d "$WEBAPP/WEB-INF/classes" "$source"/src/resin/demo/*.java
    touch "$stamp"
}

# tomcat_try PORT LOCK: starts Tomcat there, without the descriptor LOCK. Fails if it ended by itself, say because somebody was
# faster with the port.
tomcat_try() {
    local port=$1 lock=$2 base=$CACHE/tomcat/$1 parent=$BASHPID pid start=$SECONDS
    rm -rf "$base"
    mkdir -p "$base/conf" "$base/temp" "$base/logs" "$base/work"
    cp "$REPO/tests/webapp/conf/"*.xml "$base/conf/"
    say "starting Tomcat on 127.0.0.1:$port (log: $base/log)"
    tomcat_exec "$parent" "$port" "$base" >"$base/log" 2>&1 </dev/null {lock}>&- &
    pid=$!
    until curl -fs --max-time 30 -o "$base/page" "http://127.0.0.1:$port/"; do
        kill -0 "$pid" 2>/dev/null || break
        if ((SECONDS - start > 180)); then
            kill -KILL "$pid"
            tail -n 20 "$base/log" >&2
            die "Tomcat does not answer after 180 s: see its log, $base/log"
        fi
        sleep 0.2
    done
    if ! kill -0 "$pid" 2>/dev/null; then
        grep -q 'BindException' "$base/log" && return 1
        tail -n 20 "$base/log" >&2
        die "Tomcat ended by itself: see its log, $base/log"
    fi
    TOMCAT_PORT=$port
    export TOMCAT_PORT
    say "  Tomcat answers after $((SECONDS - start)) s"
}

# tomcat_exec PARENT PORT BASE: becomes the JVM. The kernel kills it when PARENT ends, however that
# comes about; nothing has to be tidied up by a trap.
tomcat_exec() {
    export CATALINA_HOME=$TOMCAT_HOME CATALINA_BASE=$3
    export CATALINA_OPTS="-Dresin.port=$2 -Dresin.webapp=$WEBAPP -Xmx256m -XX:+UseSerialGC"
    CATALINA_OPTS+=" -Dorg.apache.catalina.startup.EXIT_ON_INIT_FAILURE=true -Djava.awt.headless=true"
    unset CLASSPATH JAVA_OPTS
    # setpriv asks for the signal; a parent that was gone before that would never send it.
    # shellcheck disable=SC2016 # the variables belong to the inner shell
    exec setpriv --pdeathsig KILL bash -c '
        [ "$PPID" = "$1" ] || exit 1
        exec "$2/bin/catalina.sh" run
    ' bash "$1" "$TOMCAT_HOME"
}
