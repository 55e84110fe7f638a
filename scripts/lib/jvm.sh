# shellcheck shell=bash
# Debian's Tomcat or Jetty, embedded in a program of a suite's own. Needs common.sh.

JAVA_LIBS=/usr/share/java

# jvm_make tomcat|jetty SOURCE CLASSES: installs what is missing and compiles SOURCE, the main classes of
# which are TomcatMain and JettyMain, into CLASSES, if something has changed.
jvm_make() {
    # Java's packages want this folder, which minimal images of Debian leave out.
    [ -d /usr/share/man/man1 ] || mkdir -p /usr/share/man/man1
    jvm_packages "$1"
    with_lock "jvm-${3//\//-}" jvm_build "$@"
}

jvm_packages() {
    local jar=$JAVA_LIBS/tomcat10-embed-core.jar package=libtomcat10-embed-java
    [ "$1" = tomcat ] || jar=$JAVA_LIBS/jetty9-server.jar package=libjetty9-java
    host_packages javac=default-jdk-headless setpriv=util-linux
    [ -e "$jar" ] || timed "installing $package on this host" apt_install_on_host "$package"
}

# jvm_path tomcat|jetty: the jars that it needs.
jvm_path() {
    case $1 in
    tomcat) echo "$JAVA_LIBS/tomcat10-embed-core.jar:$JAVA_LIBS/tomcat10-annotations-api.jar" ;;
    jetty)
        printf '%s:' "$JAVA_LIBS"/jetty9-{server,servlet,security,http,io,util,util-ajax}.jar
        echo "$JAVA_LIBS/servlet-api.jar"
        ;;
    esac
}

jvm_build() {
    local kind=$1 source=$2 classes=$3 unwanted=JettyMain
    if [ -e "$classes/.made" ] && [ -z "$(find "$source" -newer "$classes/.made" -print -quit)" ]; then
        return
    fi
    rm -rf "$classes"
    mkdir -p "$classes/base"
    cp -r "$source" "$classes/source"
    if [ "$kind" = jetty ]; then
        unwanted=TomcatMain
        # Jetty 9 is of the time before the packages got their new name.
        find "$classes/source" -name '*.java' -exec sed -i 's/^import jakarta\.servlet/import javax.servlet/' {} +
    fi
    find "$classes/source" -name "$unwanted.java" -delete
    find "$classes/source" -name '*.java' >"$classes/sources"
    timed "compiling $(basename "$(dirname "$source")")'s servlets for $kind" javac -Xlint:all,-path,-processing \
        -Werror --release 17 -cp "$(jvm_path "$kind")" -d "$classes" "@$classes/sources"
    touch "$classes/.made"
}
