//! Many connections, many requests, small buffers and bad networks: every octet stays right.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::conn::Conn;
use crate::load::{run, Plan, Tally, Traffic};
use crate::pattern;
use crate::scale;
use crate::testing::{sh, Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    mixed,
    a_connection_per_request,
    two_thousand_idle_connections in 120 s,
    a_burst_of_requests in 120 s,
    wrk in 90 s,
    small_buffers in 120 s,
    lost_and_reordered_packets in 120 s,
    connection_limit,
    memory_comes_back in 120 s,
];

/// Fails unless every answer was right.
fn all_right(tally: &Tally, least: u64) -> Outcome {
    ensure!(tally.wrong == 0 && tally.failed == 0, "{tally:?}");
    ensure!(
        tally.right >= least,
        "only {} of {least} requests were made",
        tally.right
    );
    Ok(())
}

fn mixed() -> Outcome {
    let bed = Bed::new()?;
    let requests = scale::count(100, 30);
    let plan = Plan {
        connections: 8,
        requests,
        ..Plan::mixed(bed.addr())
    };
    all_right(&run(&plan), 8 * requests)?;
    let used = bed.origin.connections();
    let requests = bed.origin.requests();
    ensure!(
        used < requests,
        "{requests} requests took {used} backend connections: none was reused"
    );
    Ok(())
}

fn a_connection_per_request() -> Outcome {
    let bed = Bed::new()?;
    let requests = scale::count(80, 20);
    let plan = Plan {
        per_connection: 1,
        requests,
        ..Plan::mixed(bed.addr())
    };
    all_right(&run(&plan), 4 * requests)
}

fn two_thousand_idle_connections() -> Outcome {
    let bed = Bed::with(&[
        ("header-timeout", "1h"),
        ("keepalive-timeout", "1h"),
        ("response-timeout", "1h"),
    ])?;
    let count = scale::count(2000, 500);
    let mut idle = Vec::new();
    for number in 0..count {
        let mut client = bed.client().context(format!("connection {number}"))?;
        // Some of them are idle after a request, the others before the first one.
        if number % 10 == 0 {
            same!(
                client.get("/len/1")?.status,
                200,
                "the status on connection {number}"
            );
        }
        idle.push(client);
    }
    // The others are served as ever meanwhile.
    let plan = Plan {
        requests: scale::count(50, 10),
        ..Plan::mixed(bed.addr())
    };
    let tally = run(&plan);
    all_right(&tally, 1)?;
    // What was idle all the time still answers; all of it would only take longer.
    for (number, client) in idle.iter_mut().enumerate().step_by(5) {
        let seed = number as u64;
        let response = client
            .get(&format!("/len/200?seed={seed}"))
            .context(format!("request {number}"))?;
        same!(
            response.body,
            pattern::body(seed, 200),
            "the body on connection {number}"
        );
    }
    Ok(())
}

/// More requests at once than there are idle connections, all in flight before one is answered.
fn a_burst_of_requests() -> Outcome {
    let bed = Bed::with(&[("header-timeout", "1h"), ("keepalive-timeout", "1h")])?;
    let count = scale::count(300, 100);
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(bed.client()?);
    }
    for round in 0..2 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.request("GET", &format!("/len/3000?seed={}", number + round))?;
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let what = format!("round {round}, connection {number}");
            let response = client.response("GET").context(&what)?;
            same!(response.status, 200, "{what}: the status");
            let right = pattern::body((number + round) as u64, 3000);
            ensure!(response.body == right, "{what}: the body is wrong");
        }
    }
    Ok(())
}

fn wrk() -> Outcome {
    let bed = Bed::new()?;
    let url = format!("http://{}/len/1024", bed.addr());
    let seconds = scale::secs(4).as_secs().min(20);
    let said = sh(&format!("wrk -t2 -c32 -d{seconds}s --timeout 20s {url}"))?;
    ensure!(!said.contains("Non-2xx"), "wrk: {said}");
    ensure!(!said.contains("Socket errors"), "wrk: {said}");
    let line = said.lines().find(|line| line.contains("requests in"));
    let made = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    ensure!(
        made.is_some_and(|made| made > 50),
        "wrk made too few requests: {said}"
    );
    Ok(())
}

/// A setting of /proc/sys, put back when dropped.
pub(super) struct Sysctl {
    path: String,
    old: String,
}

impl Sysctl {
    /// Sets it.
    pub(super) fn set(name: &str, value: &str) -> Result<Sysctl, Failure> {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let old = fs::read_to_string(&path).context(name)?;
        fs::write(&path, value).context(name)?;
        Ok(Sysctl { path, old })
    }
}

impl Drop for Sysctl {
    fn drop(&mut self) {
        let _ = fs::write(&self.path, &self.old);
    }
}

/// engine.md 9: what found most bugs of the first version.
fn small_buffers() -> Outcome {
    let _rmem = Sysctl::set("net.ipv4.tcp_rmem", "4096 8192 16384")?;
    let _wmem = Sysctl::set("net.ipv4.tcp_wmem", "4096 8192 16384")?;
    let bed = Bed::new()?;
    let requests = scale::count(60, 12);
    let sizes = vec![100, 200_000, 17_000, 65_536, 0, 300_000];
    let plan = Plan {
        connections: 6,
        requests,
        sizes,
        ..Plan::mixed(bed.addr())
    };
    all_right(&run(&plan), 6 * requests)
}

/// A queueing discipline on the loopback, removed when dropped.
pub(super) struct Netem;

impl Netem {
    /// Sets netem with these options.
    pub(super) fn set(options: &str) -> Result<Netem, Failure> {
        sh(&format!("tc qdisc add dev lo root netem {options}"))?;
        Ok(Netem)
    }
}

impl Drop for Netem {
    fn drop(&mut self) {
        let _ = sh("tc qdisc del dev lo root");
    }
}

fn lost_and_reordered_packets() -> Outcome {
    let bed = Bed::new()?;
    let requests = scale::count(30, 8);
    let sizes = vec![100, 50_000, 1000, 200_000, 0];
    for options in [
        "loss 3%",
        "delay 3ms reorder 25% 50%",
        "loss 2% duplicate 2% corrupt 1%",
    ] {
        let netem = Netem::set(options)?;
        let plan = Plan {
            requests,
            sizes: sizes.clone(),
            ..Plan::mixed(bed.addr())
        };
        let tally = run(&plan);
        drop(netem);
        all_right(&tally, 4 * requests).context(options)?;
    }
    bed.works()
}

fn connection_limit() -> Outcome {
    let bed = Bed::with(&[("max-connections", "10")])?;
    let mut open = Vec::new();
    for number in 0..10 {
        let mut client = bed.client()?;
        same!(
            client.get("/len/1")?.status,
            200,
            "the status on connection {number} of 10"
        );
        open.push(client);
    }
    // One more is refused, closed or left waiting, but not served while the ten are there.
    let mut more = bed.client()?;
    let _ = more.request("GET", "/len/2");
    let served = bed.origin.requests();
    let _ = more.silent(Duration::from_millis(300));
    same!(
        bed.origin.requests(),
        served,
        "the requests served beyond the limit"
    );
    open.truncate(5);
    let room =
        || Conn::open(bed.addr()).is_ok_and(|mut c| c.get("/len/3").is_ok_and(|r| r.status == 200));
    let again = scale::wait_until(Duration::from_secs(10), room);
    ensure!(
        again,
        "nobody is served after connections below the limit were closed"
    );
    for client in &mut open {
        same!(
            client.get("/len/1")?.status,
            200,
            "the status on an old connection"
        );
    }
    Ok(())
}

/// Kibibytes of slab memory, which is where connections and what belongs to them live.
fn slab() -> Result<u64, Failure> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("SUnreclaim:"));
    let value = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    value.ok_or_else(|| Failure("no SUnreclaim in /proc/meminfo".into()))
}

fn memory_comes_back() -> Outcome {
    let bed = Bed::new()?;
    let round = || -> Outcome {
        let traffic = Traffic::start(&Plan {
            per_connection: 1,
            ..Plan::mixed(bed.addr())
        });
        thread::sleep(scale::secs(2).min(Duration::from_secs(6)));
        let tally = traffic.stop();
        all_right(&tally, 10)
    };
    round()?;
    let first = slab()?;
    for _ in 0..3 {
        round()?;
    }
    // Every round makes hundreds of connections: one leaked socket each would be megabytes.
    let small = scale::wait_until(Duration::from_secs(10), || {
        slab().is_ok_and(|now| now < first + 4096)
    });
    ensure!(small, "slab memory grew from {first} to {} KiB", slab()?);
    Ok(())
}
