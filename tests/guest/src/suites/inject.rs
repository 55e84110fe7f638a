//! Allocations that fail: on kernels with fault injection (the debug kernel) only.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::conn::Fault;
use crate::gateway::{self, Gateway};
use crate::load::{Plan, Traffic};
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome, PORT};
use crate::{ensure, tests};

tests![
    traffic in 120 s unless no_injection,
    connections_at_rest in 120 s unless no_injection,
    proc_writes unless no_injection,
    loading in 120 s unless no_injection,
];

const FAULTS: [&str; 2] = ["failslab", "fail_page_alloc"];

fn no_injection() -> Option<&'static str> {
    let there = |name: &str| Path::new("/sys/kernel/debug").join(name).exists();
    let all = FAULTS.iter().all(|name| there(name));
    (!all).then_some("this kernel has no fault injection")
}

/// Failing allocations; switched off when dropped.
struct Injection;

impl Injection {
    /// So many of a hundred allocations fail, of those that may not wait or of all.
    fn start(percent: u32, also_waiting: bool) -> Result<Injection, Failure> {
        for fault in FAULTS {
            let set = |name: &str, value: &str| {
                let path = format!("/sys/kernel/debug/{fault}/{name}");
                fs::write(&path, value).context(path)
            };
            let ignore = if also_waiting { "N" } else { "Y" };
            set("ignore-gfp-wait", ignore)?;
            if fault == "fail_page_alloc" {
                set("min-order", "0")?;
            }
            // With all allocations, only those of our own process: the machine must live.
            set("task-filter", if also_waiting { "Y" } else { "N" })?;
            set("interval", "1")?;
            set("times", "-1")?;
            set("space", "0")?;
            set("verbose", "0")?;
            set("probability", &percent.to_string())?;
        }
        Ok(Injection)
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        for fault in FAULTS {
            let _ = fs::write(format!("/sys/kernel/debug/{fault}/probability"), "0");
        }
    }
}

/// Makes this thread's allocations fail, where only filtered tasks' do, until it is dropped.
struct Starving(File);

impl Starving {
    fn here() -> Result<Starving, Failure> {
        let path = "/proc/thread-self/make-it-fail";
        let mut switch = File::create(path).context(path)?;
        switch.write_all(b"1").context(path)?;
        Ok(Starving(switch))
    }
}

impl Drop for Starving {
    fn drop(&mut self) {
        // To open it now would need memory.
        self.0.write_all(b"0").expect("it is switched off");
    }
}

fn traffic() -> Outcome {
    let bed = Bed::with(&[
        ("response-timeout", "3s"),
        ("read-timeout", "3s"),
        ("send-timeout", "3s"),
    ])?;
    let injection = Injection::start(3, false)?;
    let traffic = Traffic::start(&Plan::mixed(bed.addr()));
    thread::sleep(scale::secs(3).min(Duration::from_secs(20)));
    // No test process may starve for good before it is told to stop.
    drop(injection);
    let tally = traffic.stop();
    ensure!(tally.wrong == 0, "{tally:?}");
    ensure!(tally.right > 0, "nothing went through: {tally:?}");
    // Nothing hangs afterwards: all is served, and what failed is given up.
    let plan = Plan {
        requests: 20,
        ..Plan::mixed(bed.addr())
    };
    let after = crate::load::run(&plan);
    ensure!(
        after.wrong == 0 && after.failed == 0,
        "afterwards: {after:?}"
    );
    bed.works()
}

/// They need memory to go on. Who gets none is served later, or told so, or ended: nobody is forgotten.
fn connections_at_rest() -> Outcome {
    let bed = Bed::with(&[("keepalive-timeout", "10s"), ("header-timeout", "10s")])?;
    let count = 200;
    let clients: Result<Vec<_>, _> = (0..count).map(|_| bed.client()).collect();
    let mut clients = clients?;
    // As long as two sweeps.
    thread::sleep(scale::time(Duration::from_millis(500)));
    let injection = Injection::start(60, false)?;
    for client in &mut clients {
        client.request("GET", "/len/10?seed=5")?;
    }
    thread::sleep(Duration::from_secs(2));
    drop(injection);
    let mut right = 0;
    for client in &mut clients {
        match client.response("GET") {
            Ok(answer) if answer.status == 200 => right += u64::from(answer.body.len() == 10),
            Ok(answer) => ensure!(answer.status >= 500, "{}", answer.status),
            Err(Fault::Timeout(what)) => return Err(Failure(format!("nobody answers {what}"))),
            // Ended, for want of memory or of time.
            Err(_) => {}
        }
    }
    ensure!(right > 0, "nobody was served");
    bed.works()
}

fn proc_writes() -> Outcome {
    Gateway::load(PORT)?;
    let rounds = scale::count(2000, 300);
    let mut failed = 0;
    let injection = Injection::start(10, true)?;
    let starving = Starving::here()?;
    for round in 0..rounds {
        let port = 1000 + round;
        let outcome = gateway::try_write("srun-0", &format!("10.0.0.1 {port}"))
            .and_then(|()| gateway::try_write("srun-count", &format!("{}", 1 + round % 4)))
            .and_then(|()| gateway::try_write("config", "header-timeout 9s"))
            .and_then(|()| gateway::try_write("cache", "entries 17"))
            .and_then(|()| gateway::try_write("cache-mapping", "url-regexp ^/x max-age 9s"));
        failed += u64::from(outcome.is_err());
        let _ = gateway::read("config");
        let _ = gateway::read("cache-mapping");
    }
    drop(starving);
    drop(injection);
    ensure!(failed > 0, "no write failed: nothing was injected");
    gateway::write("srun-count", "1")?;
    gateway::write("srun-0", "10.0.0.1 80").context("afterwards")?;
    ensure!(
        gateway::read("srun-0")? == "10.0.0.1 80",
        "srun-0 afterwards"
    );
    Ok(())
}

/// insmod inherits the filter: every allocation of loading can fail.
fn loading() -> Outcome {
    let (mut loaded, mut failed) = (0, 0);
    for round in 0..scale::count(100, 30) {
        let injection = Injection::start(1 + (round % 5) as u32, true)?;
        let starving = Starving::here()?;
        let outcome = gateway::insmod(&format!("port={PORT}"));
        drop(starving);
        drop(injection);
        if gateway::loaded() {
            loaded += 1;
            gateway::rmmod().context(format!("round {round}"))?;
        } else {
            failed += 1;
            let why = outcome.err().map(|failure| failure.0).unwrap_or_default();
            ensure!(
                !gateway::path("").exists(),
                "a failed insmod left /proc/net/resin ({why})"
            );
        }
    }
    ensure!(
        failed > 0,
        "no insmod failed ({loaded} succeeded): nothing was injected"
    );
    Gateway::load(PORT).context("afterwards")?;
    Ok(())
}
