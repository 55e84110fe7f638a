//! slowhttptest in its four modes: slow clients are cut off, and everybody else is served meanwhile.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::conn::{Conn, Fault};
use crate::gateway;
use crate::leftovers::said;
use crate::pattern;
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    slow_headers in 180 s unless no_slowhttptest,
    slow_body in 180 s unless no_slowhttptest,
    many_ranges in 180 s unless no_slowhttptest,
    slow_read in 180 s unless no_slowhttptest,
];

fn no_slowhttptest() -> Option<&'static str> {
    let there = Path::new("/usr/bin/slowhttptest").exists();
    (!there).then_some("there is no slowhttptest here")
}

/// How many slow connections there are at a time.
const SLOW: u64 = 150;

/// How long any normal request may take meanwhile, before scaling: the attacker's program, the
/// backend and both clients share two emulated processors with the gateway.
const SERVED: Duration = Duration::from_secs(3);

/// The time limits of these tests. What they make of a slow client is the same with longer ones.
const SETTINGS: [(&str, &str); 6] = [
    ("header-timeout", "4s"),
    ("body-timeout", "4s"),
    ("send-timeout", "4s"),
    ("keepalive-timeout", "4s"),
    ("linger-timeout", "1s"),
    ("min-rate", "500"),
];

/// With so many at once even the backend is slow, on a slow machine.
fn bed() -> Result<Bed, Failure> {
    let bed = Bed::with(&SETTINGS)?;
    let patience = format!("{}s", scale::secs(5).as_secs());
    bed.gateway.set("connect-timeout", &patience)?;
    Ok(bed)
}

/// Slowloris: a field line each second, and never the end of the head.
fn slow_headers() -> Outcome {
    attack(&["-H", "-i", "1", "-x", "24"], "/len/100")
}

/// A body of which a few octets come each second.
fn slow_body() -> Outcome {
    attack(&["-B", "-i", "1", "-s", "100000", "-x", "10"], "/upload")
}

/// HEAD requests with a thousand ranges, on connections that are then left idle.
fn many_ranges() -> Outcome {
    attack(&["-R", "-t", "HEAD", "-a", "10", "-b", "900"], "/len/1000")
}

/// A large response, read a few octets each second through a tiny window.
fn slow_read() -> Outcome {
    let reading = [
        "-X", "-n", "1", "-z", "16", "-w", "256", "-y", "512", "-k", "1",
    ];
    let bed = bed()?;
    let usual = bed.origin.open();
    let normal = Normal::start(bed.addr());
    let target = format!("http://{}/len/4000000", bed.addr());
    let attacker = thread::spawn(move || slowhttptest(&reading, &target));
    // Who is cut off goes on reading what its kernel has got of the answer, and does not notice: the
    // gateway has to be asked.
    let open = || gateway::clients("open").unwrap_or(0);
    // Where connections take their time the first are cut off before the last have come.
    let many = scale::count(SLOW / 2, 15);
    let came = scale::wait_until(Duration::from_secs(15), || open() >= many);
    let gone = scale::wait_until(Duration::from_secs(20), || open() <= 2);
    let in_time = !attacker.is_finished();
    let served = normal.stop()?;
    let output = attacker.join();
    output.map_err(|_| Failure("the attacker panicked".into()))??;
    ensure!(came, "there was no attack");
    ensure!(gone && in_time, "{} slow connections were kept", open());
    all_served(&served)?;
    cleaned_up(&bed, usual)?;
    bed.works()
}

/// Runs slowhttptest with these options while a normal client goes on asking.
fn attack(options: &[&str], path: &str) -> Outcome {
    let bed = bed()?;
    let usual = bed.origin.open();
    let normal = Normal::start(bed.addr());
    let target = format!("http://{}{path}", bed.addr());
    let output = slowhttptest(options, &target);
    let served = normal.stop()?;
    let output = output?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    all_served(&served)?;
    // It says so when the other side has closed every connection before its own time was over.
    ensure!(
        text.contains("No open connections left"),
        "slow connections were kept:\n{}",
        tail(&text)
    );
    cleaned_up(&bed, usual)?;
    bed.works()
}

fn all_served(served: &Served) -> Outcome {
    ensure!(
        served.requests >= 20,
        "only {served:?} normal requests meanwhile"
    );
    ensure!(
        served.slowest <= scale::time(SERVED),
        "a normal request took {:?}, {} of {} more than half of the limit",
        served.slowest,
        served.late,
        served.requests
    );
    Ok(())
}

/// Nothing stays of the slow connections: neither at the front nor at the back.
fn cleaned_up(bed: &Bed, usual: usize) -> Outcome {
    let clients = || -> Result<u64, Failure> {
        let status = gateway::read("status")?;
        let line = status.lines().find(|line| line.starts_with("clients"));
        let count = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        count.ok_or_else(|| Failure(format!("no count of clients in status:\n{status}")))
    };
    let gone = scale::wait_until(Duration::from_secs(15), || clients().is_ok_and(|n| n == 0));
    ensure!(
        gone,
        "{} client connections are left\n{}",
        clients()?,
        said("ss -tanp | head -n 20")
    );
    // What stays are idle connections for later use.
    let pooled = usual + 70;
    let open = || bed.origin.open() <= pooled;
    let closed = scale::wait_until(Duration::from_secs(10), open);
    ensure!(
        closed,
        "{} backend connections stay open",
        bed.origin.open()
    );
    Ok(())
}

fn slowhttptest(options: &[&str], target: &str) -> Result<Output, Failure> {
    let length = (40 * scale::slow()).to_string();
    let connections = SLOW.to_string();
    let mut command = Command::new("slowhttptest");
    command
        .args(["-c", &connections, "-r", "50", "-l", &length, "-p", "30"])
        .args(options)
        .args(["-u", target]);
    let output = command.output().context("slowhttptest")?;
    ensure!(
        output.status.success(),
        "slowhttptest ended with {}: {}{}",
        output.status,
        tail(&String::from_utf8_lossy(&output.stdout)),
        tail(&String::from_utf8_lossy(&output.stderr))
    );
    Ok(output)
}

/// The last report of slowhttptest, which colours what it says.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// What a normal client found.
#[derive(Debug, Default)]
struct Served {
    requests: u64,
    slowest: Duration,
    /// How many took more than half of what is allowed.
    late: u64,
}

/// A client that asks again and again, on new connections and on an old one.
struct Normal {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Served, Failure>>,
}

impl Normal {
    fn start(addr: SocketAddr) -> Normal {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = thread::spawn(move || ask(addr, &flag));
        Normal { stop, thread }
    }

    fn stop(self) -> Result<Served, Failure> {
        self.stop.store(true, SeqCst);
        match self.thread.join() {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure("the normal client panicked".into())),
        }
    }
}

fn ask(addr: SocketAddr, stop: &AtomicBool) -> Result<Served, Failure> {
    let mut served = Served::default();
    let mut kept: Option<Conn> = None;
    while !stop.load(SeqCst) {
        let seed = served.requests % 1000;
        let target = format!("/len/2000?seed={seed}");
        let started = Instant::now();
        let response = match kept.as_mut().filter(|_| seed % 2 == 1) {
            Some(conn) => conn.get(&target),
            None => Conn::open(addr).and_then(|conn| kept.insert(conn).get(&target)),
        };
        let time = started.elapsed();
        let what = format!("normal request {} after {time:?}", served.requests);
        let response = response.map_err(|fault: Fault| Failure(format!("{what}: {fault}")))?;
        same!(response.status, 200, "{what}: the status");
        same!(response.body, pattern::body(seed, 2000), "{what}: the body");
        served.requests += 1;
        served.slowest = served.slowest.max(time);
        served.late += u64::from(time > scale::time(SERVED) / 2);
        thread::sleep(Duration::from_millis(50));
    }
    Ok(served)
}
