"""Visits real JVMs through the gateway: sessions.py GATEWAY SESSIONS CLASSES TOMCAT-PATH JETTY-PATH PORT..."""

import collections
import concurrent.futures
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time

NAMES = ("tom1", "tom2", "jet1", "jet2")
MAINS = {"tom": ("tomcat", "resin.sessions.TomcatMain"), "jet": ("jetty", "resin.sessions.JettyMain")}
CLIENTS = 8


class Jvm:
    """A container; killed when this process ends."""

    def __init__(self, name, port, classes, paths):
        self.name, self.port = name, port
        self.kind, self.main = MAINS[name[:3]]
        self.classes, self.path = f"{classes}/{self.kind}", paths[self.kind]
        self.process = None

    def start(self):
        base = f"{self.classes}/base-{self.name}"
        os.makedirs(base, exist_ok=True)
        command = ["setpriv", "--pdeathsig", "KILL", "java", "-cp", f"{self.classes}:{self.path}", "-Xmx128m"]
        command += ["-XX:+UseSerialGC", "-Djava.awt.headless=true", self.main, str(self.port), base, self.name]
        with open(f"{base}/log", "w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            sys.exit(f"sessions.py: {self.name} does not start: see {base}/log")

    def send(self, number):
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()


class Visitor:
    """A browser with one session."""

    def __init__(self):
        self.cookie = self.home = None
        self.visits = 0

    def visit(self, connection, path="/"):
        """Returns who has answered, and how often he has seen this session."""
        connection.request("GET", path, headers={"Cookie": self.cookie} if self.cookie else {})
        response = connection.getresponse()
        body = response.read().decode()
        if response.status != 200:
            raise AssertionError(f"{response.status} for {self.cookie}: {body[:200]!r}")
        cookie = response.getheader("Set-Cookie")
        if cookie:
            self.cookie = cookie.split(";")[0]
        name, visits = body.split()
        return name, int(visits)

    def return_home(self, connection, path="/"):
        """One more visit; fails unless it is the same JVM, which knows the session."""
        seen = self.visit(connection, path)
        if self.home is None:
            self.home = seen[0]
        self.visits += 1
        if seen != (self.home, self.visits):
            raise AssertionError(f"{self.cookie} of {self.home} had {self.visits - 1} visits; now it is {seen}")


class Suite:
    def __init__(self, gateway, jvms):
        self.gateway, self.jvms = gateway, jvms
        self.local = threading.local()
        self.passed = self.failed = 0
        self.pool = concurrent.futures.ThreadPoolExecutor(CLIENTS)

    def connection(self):
        """This thread's connection."""
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.gateway, timeout=120)
        return self.local.connection

    def each(self, visitors, action):
        """Does it with all of them; what has failed is returned."""

        def safely(visitor):
            try:
                action(visitor, self.connection())
            except (AssertionError, OSError, http.client.HTTPException) as error:
                self.connection().close()
                return f"{type(error).__name__}: {error}"
            return None

        return [error for error in self.pool.map(safely, visitors) if error]

    def check(self, text, errors):
        print(f"test {text} ... {'FAILED' if errors else 'ok'}", flush=True)
        for error in errors[:10]:
            print(f"    {error}")
        self.failed += bool(errors)
        self.passed += not errors

    def state(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway, timeout=60)
        connection.request("GET", "/caucho-status?format=json")
        status = json.load(connection.getresponse())
        connection.close()
        return status["backends"][number]["state"]

    def wait_for(self, number, state):
        end = time.monotonic() + 60
        while self.state(number) != state:
            if time.monotonic() > end:
                return [f"{NAMES[number]} is {self.state(number)}, not {state}, after a minute"]
            time.sleep(0.1)
        return []


def home(visitor, connection):
    visitor.return_home(connection)


def stay(suite, count):
    """Sessions of all four, each of which comes back."""
    visitors = [Visitor() for _ in range(count)]
    errors = []
    for _ in range(3):
        errors += suite.each(visitors, home)
    suite.check(f"{count} sessions come home three times", errors)
    homes = collections.Counter(visitor.home for visitor in visitors)
    few = [f"{homes}" for name in NAMES if homes[name] < count // 8]
    suite.check("all four have their share", few)
    return visitors


def pause(suite, visitors, number):
    """A JVM stands still for some seconds, as in a garbage collection."""
    own = [visitor for visitor in visitors if visitor.home == NAMES[number]][:CLIENTS]
    suite.jvms[number].send(signal.SIGSTOP)
    try:
        waiting = threading.Thread(target=lambda: errors.extend(suite.each(own, home)))
        errors = []
        waiting.start()
        paused = suite.wait_for(number, "paused")
        strangers = [Visitor() for _ in range(12)]
        connection = http.client.HTTPConnection("127.0.0.1", suite.gateway, timeout=60)
        for stranger in strangers:
            stranger.return_home(connection)
        lost = [f"a new session for {NAMES[number]}" for one in strangers if one.home == NAMES[number]]
    finally:
        suite.jvms[number].send(signal.SIGCONT)
    waiting.join()
    suite.check(f"{NAMES[number]} stands still and is known to", paused)
    suite.check("new sessions go to others meanwhile", lost)
    suite.check("its own wait and are at home still", errors)
    suite.check("it is ok again", suite.wait_for(number, "ok"))
    suite.check("all others have noticed nothing", suite.each(visitors, home))


def death(suite, visitors, number):
    """A JVM is killed while all visit, and started again."""
    name = NAMES[number]
    others = [visitor for visitor in visitors if visitor.home != name]
    orphans = [visitor for visitor in visitors if visitor.home == name]

    def adopt(visitor, connection):
        # It has lost its session, and begins another one where it is let in.
        visitor.home, visitor.visits = visitor.visit(connection)

    killer = threading.Timer(0.3, suite.jvms[number].send, [signal.SIGKILL])
    killer.start()
    errors = suite.each(others, home)
    killer.join()
    suite.check(f"{name} is killed: all others stay at home", errors)
    suite.check("its sessions begin anew elsewhere", suite.each(orphans, adopt))
    suite.check("and they stay there", suite.each(orphans, home))
    suite.jvms[number].start()
    end, newcomers, failures = time.monotonic() + 60, [], []
    while name not in newcomers and time.monotonic() < end:
        stranger = Visitor()
        failures += suite.each([stranger], home)
        newcomers.append(stranger.home)
    suite.check("no new session fails meanwhile", failures)
    suite.check("it gets sessions again once it is back", [] if name in newcomers else [f"{newcomers[-20:]}"])
    suite.check("all others are where they were", suite.each(others + orphans, home))


def main():
    gateway, count, classes, tomcat, jetty, *ports = sys.argv[1:]
    paths = {"tomcat": tomcat, "jetty": jetty}
    jvms = [Jvm(name, int(port), classes, paths) for name, port in zip(NAMES, ports)]
    for jvm in jvms:
        jvm.start()
        print(f"sessions.py: {jvm.name} listens on {jvm.port}", file=sys.stderr)
    suite = Suite(int(gateway), jvms)
    visitors = stay(suite, int(count))
    for number in (0, 2):
        pause(suite, visitors, number)
    for number in (1, 3):
        death(suite, visitors, number)
    print(f"{suite.passed} passed, {suite.failed} failed")
    sys.exit(suite.failed > 0)


main()
