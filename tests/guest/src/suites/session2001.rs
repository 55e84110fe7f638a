//! The session of 2001, and everything that can go wrong with a port.

use std::net::{SocketAddr, TcpListener, TcpStream};

use nix::errno::Errno;

use super::proc::{all_refused, refused};
use super::proc_writes::logged;
use crate::conn::Conn;
use crate::gateway::{self, insmod, rmmod, Gateway};
use crate::leftovers::Log;
use crate::origin::Origin;
use crate::testing::{sh, shell, Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    to_the_letter,
    default_port,
    port_zero_loads_without_listening,
    bad_parameters,
    port_in_use,
    loading_twice,
    server_port_moves,
    server_port_in_use,
    server_port_bad_values,
    server_port_zero_stops_listening,
    missing_capability,
    ordinary_user_may_read_only,
];

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn listens(port: u16) -> bool {
    TcpStream::connect(local(port)).is_ok()
}

fn to_the_letter() -> Outcome {
    sh("insmod resin.ko port=81")?;
    let names = sh("ls /proc/net/resin")?;
    for name in ["server_port", "srun-0", "srun-count"] {
        ensure!(
            names.lines().any(|line| line == name),
            "ls shows no {name}: {names:?}"
        );
    }
    ensure!(
        !names.lines().any(|line| line == "srun-1"),
        "there is a srun-1: {names:?}"
    );
    same!(
        sh("cat /proc/net/resin/server_port")?,
        "81\n",
        "server_port"
    );
    same!(sh("cat /proc/net/resin/srun-count")?, "1\n", "srun-count");
    same!(
        sh("cat /proc/net/resin/srun-0")?,
        "127.0.0.1 6802\n",
        "srun-0"
    );
    sh("echo \"10.0.2.2 6810\" > /proc/net/resin/srun-0")?;
    same!(
        sh("cat /proc/net/resin/srun-0")?,
        "10.0.2.2 6810\n",
        "srun-0 once it is moved"
    );

    let origin = Origin::start()?;
    sh(&format!(
        "echo \"127.0.0.1 {}\" > /proc/net/resin/srun-0",
        origin.addr().port()
    ))?;
    let page = sh("curl -sS http://127.0.0.1:81/echo-head")?;
    ensure!(
        page.starts_with("GET /echo-head HTTP/1.1\r\n"),
        "curl got {page:?}"
    );

    sh("rmmod resin")?;
    ensure!(!listens(81), "something listens on port 81 after rmmod");
    ensure!(
        shell("ls /proc/net/resin")?.status.code() != Some(0),
        "/proc/net/resin is still there"
    );
    Ok(())
}

fn default_port() -> Outcome {
    sh("insmod resin.ko")?;
    same!(gateway::read("server_port")?, "80", "server_port");
    // Nothing listens on 127.0.0.1:6802, which is the default backend.
    same!(
        Conn::open(local(80))?.get("/")?.status,
        502,
        "the status without a backend"
    );
    Ok(())
}

fn port_zero_loads_without_listening() -> Outcome {
    insmod("port=0")?;
    same!(gateway::read("server_port")?, "0", "server_port");
    ensure!(!listens(80), "something listens on port 80");
    gateway::write("server_port", "8081")?;
    ensure!(listens(8081), "nothing listens on the port written later");
    Ok(())
}

fn bad_parameters() -> Outcome {
    for bad in [
        "65536",
        "70000",
        "-1",
        "abc",
        "80x",
        "8 0",
        "1e3",
        "99999999999999999999",
    ] {
        let run = shell(&format!("insmod resin.ko 'port={bad}'"))?;
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        ensure!(!run.status.success(), "insmod port={bad} succeeded");
        let reasons = ["Invalid", "range", "Range"];
        ensure!(
            reasons.iter().any(|word| said.contains(word)),
            "port={bad}: insmod said {said:?}"
        );
        ensure!(!gateway::loaded(), "port={bad}: the module is loaded");
        ensure!(
            !gateway::path("").exists(),
            "port={bad}: /proc/net/resin exists"
        );
    }
    Ok(())
}

fn port_in_use() -> Outcome {
    let mut log = Log::from_now();
    let holder = TcpListener::bind(("0.0.0.0", PORT))?;
    let failure = insmod(&format!("port={PORT}")).err();
    let said = failure
        .context_none("insmod succeeded with the port in use")?
        .0;
    ensure!(
        said.contains("ddress") && said.contains("in use"),
        "insmod said {said:?}"
    );
    ensure!(
        !gateway::loaded() && !gateway::path("").exists(),
        "something of the module stayed"
    );
    let lines = log.lines();
    let reason = |line: &&String| line.contains("resin") && line.contains(&PORT.to_string());
    ensure!(
        lines.iter().any(|line| reason(&line)),
        "no reason in the kernel log: {lines:?}"
    );
    drop(holder);
    insmod(&format!("port={PORT}")).context("once the port is free")
}

/// `Option::ok_or_else` for a failure that has to be there.
trait ContextNone<T> {
    fn context_none(self, what: &str) -> Result<T, Failure>;
}

impl<T> ContextNone<T> for Option<T> {
    fn context_none(self, what: &str) -> Result<T, Failure> {
        self.ok_or_else(|| Failure(what.into()))
    }
}

fn loading_twice() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    let second = insmod("port=8090")
        .err()
        .context_none("the second insmod succeeded")?
        .0;
    ensure!(second.contains("exists"), "insmod said {second:?}");
    same!(
        gateway::read("server_port")?,
        PORT.to_string(),
        "server_port of the first"
    );
    ensure!(
        listens(gateway.addr().port()),
        "the first does not listen any more"
    );
    rmmod()?;
    Ok(())
}

fn server_port_moves() -> Outcome {
    let origin = Origin::start()?;
    let gateway = Gateway::load(PORT)?;
    gateway.backend(0, origin.addr())?;
    let mut busy = Conn::open(gateway.addr())?;
    busy.request("GET", "/slow/40?chunk=4&ms=50&seed=3")?;
    ensure!(!busy.nibble(1)?.is_empty(), "the answer does not begin");

    gateway::write("server_port", "8082")?;
    same!(gateway::read("server_port")?, "8082", "server_port");
    same!(
        Conn::open(local(8082))?.get("/len/3")?.length,
        3,
        "the answer on the new port"
    );
    ensure!(!listens(PORT), "the old port is still listened on");

    // What was under way on the old port comes to its end.
    let rest = busy.nibble(1 << 16)?;
    let mut seen = rest;
    while !seen.ends_with(&crate::pattern::body(3, 40)) {
        let more = busy.nibble(1 << 16)?;
        ensure!(
            !more.is_empty(),
            "the answer under way was cut: {:?}",
            crate::conn::preview(&seen)
        );
        seen.extend(more);
    }

    gateway::write("server_port", "8082").context("the port it has already")?;
    ensure!(
        listens(8082),
        "it stopped listening when told the port it has"
    );
    gateway::write("server_port", &PORT.to_string()).context("back to the first port")?;
    ensure!(listens(PORT) && !listens(8082), "it did not move back");
    Ok(())
}

fn server_port_in_use() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    let holder = TcpListener::bind(("0.0.0.0", 8083))?;
    let reason = "another socket listens on that port";
    refused("server_port", "8083", Errno::EADDRINUSE, reason)?;
    ensure!(listens(gateway.addr().port()), "it let go of the old port");
    drop(holder);
    gateway::write("server_port", "8083").context("once the port is free")
}

fn server_port_bad_values() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    let bad: [(Errno, &str, &[&str]); 4] = [
        (
            Errno::ERANGE,
            "is out of range: write 0 to 65535",
            &["65536"],
        ),
        (
            Errno::EINVAL,
            "is not a number",
            &["-1", "abc", "0x50", "+80", "8080.", "1e3"],
        ),
        (Errno::EINVAL, "a port is missing", &[""]),
        (
            Errno::EINVAL,
            "\"81\" is one word too many",
            &["80 81", "80\n81"],
        ),
    ];
    all_refused("server_port", &bad)?;
    ensure!(
        listens(gateway.addr().port()),
        "it does not listen any more"
    );
    gateway::try_write_octets("server_port", b"8084").context("without a newline")?;
    ensure!(listens(8084), "it does not listen on the new port");
    gateway::write("server_port", "  8085 ").context("with white space around")?;
    Ok(())
}

fn server_port_zero_stops_listening() -> Outcome {
    let origin = Origin::start()?;
    let gateway = Gateway::load(PORT)?;
    gateway.backend(0, origin.addr())?;
    let mut open = Conn::open(gateway.addr())?;
    same!(open.get("/len/1")?.status, 200, "the status before");
    gateway::write("server_port", "0")?;
    same!(gateway::read("server_port")?, "0", "server_port");
    ensure!(!listens(PORT), "it still listens");
    gateway::write("server_port", &PORT.to_string())?;
    same!(
        Conn::open(gateway.addr())?.get("/len/1")?.status,
        200,
        "the status when it listens again"
    );
    Ok(())
}

fn missing_capability() -> Outcome {
    Gateway::load(PORT)?;
    let mut log = Log::from_now();
    for (file, text) in [
        ("server_port", "8086"),
        ("srun-0", "10.0.0.1 1"),
        ("srun-count", "2"),
        ("config", "header-timeout 9s"),
        ("cache", "entries 17"),
        ("cache-mapping", "url-pattern / max-age 9s"),
    ] {
        let before = gateway::read(file)?;
        let path = format!("/proc/net/resin/{file}");
        let run = shell(&format!(
            "capsh --drop=cap_net_admin -- -c \"echo '{text}' > {path}\""
        ))?;
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        ensure!(
            !run.status.success(),
            "{file} could be written without cap_net_admin"
        );
        ensure!(
            said.contains("not permitted"),
            "{file}: the shell said {said:?}"
        );
        same!(gateway::read(file)?, before, "{file} afterwards");
        let why = "to write takes CAP_NET_ADMIN in the network namespace's user namespace";
        let reason = format!("{file}: {why}");
        same!(gateway::read("last-error")?, reason, "last-error");
        logged(&mut log, &reason)?;
    }
    Ok(())
}

fn ordinary_user_may_read_only() -> Outcome {
    Gateway::load(PORT)?;
    let nobody = |command: &str| shell(&format!("setpriv --reuid 65534 --clear-groups {command}"));
    let read = nobody("cat /proc/net/resin/server_port")?;
    same!(
        String::from_utf8_lossy(&read.stdout),
        format!("{PORT}\n"),
        "what nobody reads"
    );
    let written = nobody("bash -c 'echo 8087 > /proc/net/resin/server_port'")?;
    ensure!(!written.status.success(), "nobody could write server_port");
    same!(
        gateway::read("server_port")?,
        PORT.to_string(),
        "server_port"
    );
    let said = String::from_utf8_lossy(&written.stderr).into_owned();
    ensure!(
        said.contains("denied") || said.contains("not permitted"),
        "the shell said {said:?}"
    );
    Ok(())
}
