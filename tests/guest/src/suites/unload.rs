//! `rmmod` completes at any time, within a time limit, and leaves nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::faults::black_hole;
use super::namespaces::{gone, Namespace};
use crate::conn::{Conn, Fault, Options};
use crate::gateway::{self, Gateway};
use crate::leftovers::{self, Sockets};
use crate::load::{Plan, Traffic};
use crate::origin::{Mode, Origin, Step};
use crate::scale;
use crate::stuck::StuckReader;
use crate::testing::{sh, shell, Bed, Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    at_once,
    with_idle_connections,
    in_the_middle_of_heads,
    in_the_middle_of_bodies,
    while_waiting_for_the_backend,
    while_connecting,
    while_lingering,
    with_open_proc_files,
    with_a_stuck_reader,
    a_hundred_times in 600 s,
    nothing_is_missing in 600 s unless no_accounts,
];

/// Unloads; the connections must end soon after.
pub(super) fn unload_and_see_them_end(bed: &Bed, clients: Vec<Conn>) -> Outcome {
    bed.gateway.unload()?;
    for mut client in clients {
        match client.rest() {
            Ok(_) | Err(Fault::Reset(_)) => {}
            Err(fault) => return Err(fault).context("a connection after rmmod"),
        }
    }
    let gone = scale::wait_until(Duration::from_secs(5), || bed.origin.open() == 0);
    ensure!(
        gone,
        "{} backend connections are open after rmmod",
        bed.origin.open()
    );
    ensure!(
        Conn::open(bed.addr()).is_err(),
        "the port is still listened on after rmmod"
    );
    Ok(())
}

fn at_once() -> Outcome {
    for _ in 0..5 {
        let gateway = Gateway::load(PORT)?;
        gateway.unload()?;
    }
    let gateway = Gateway::load(PORT)?;
    gateway::write("srun-count", "64")?;
    gateway::write("server_port", "0")?;
    gateway.unload()?;
    Ok(())
}

fn with_idle_connections() -> Outcome {
    let bed = Bed::new()?;
    let mut clients = Vec::new();
    for number in 0..100 {
        let mut client = bed.client()?;
        if number % 2 == 0 {
            client.get("/len/100")?;
        }
        clients.push(client);
    }
    unload_and_see_them_end(&bed, clients)
}

fn in_the_middle_of_heads() -> Outcome {
    let bed = Bed::new()?;
    let mut clients = Vec::new();
    for number in 0..50 {
        let mut client = bed.client()?;
        client.send(&b"GET /len/1 HTTP/1.1\r\nHost: test\r\nX: y\r\n"[..1 + number % 39])?;
        clients.push(client);
    }
    unload_and_see_them_end(&bed, clients)
}

fn in_the_middle_of_bodies() -> Outcome {
    let bed = Bed::new()?;
    let mut clients = Vec::new();
    for target in [
        "/len/50000000",
        "/chunked/50000000",
        "/close/50000000",
        "/slow/1000?ms=20",
    ] {
        for number in 0..6 {
            // Some of them read nothing, so that everything is full when the module goes.
            let receive_buffer = (number % 2 == 0).then_some(1024);
            let mut client = bed.client_with(Options {
                receive_buffer,
                ..Options::default()
            })?;
            client.request("GET", target)?;
            ensure!(!client.nibble(100)?.is_empty(), "no answer to {target}");
            clients.push(client);
        }
    }
    unload_and_see_them_end(&bed, clients)
}

fn while_waiting_for_the_backend() -> Outcome {
    let bed = Bed::new()?;
    bed.origin.script(
        "half",
        vec![Step::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Step::Hang],
    );
    let mut clients = Vec::new();
    for target in ["/hang", "/script/half", "/hang-body/100?after=5"] {
        for _ in 0..10 {
            let mut client = bed.client()?;
            client.request("GET", target)?;
            clients.push(client);
        }
    }
    let all = scale::wait_until(Duration::from_secs(10), || bed.origin.requests() == 30);
    ensure!(
        all,
        "only {} of 30 requests reached the backend",
        bed.origin.requests()
    );
    unload_and_see_them_end(&bed, clients)
}

fn while_connecting() -> Outcome {
    let bed = Bed::new()?;
    let (addr, _listener, _filling) = black_hole()?;
    bed.gateway.backend(0, addr)?;
    let before = Sockets::now();
    let mut clients = Vec::new();
    for number in 0..10 {
        let mut client = bed.client()?;
        client.request("GET", &format!("/len/{number}"))?;
        clients.push(client);
    }
    // Three sockets each: the client's, the accepted one, and the one that is connecting.
    let trying = || Sockets::now().alloc >= before.alloc + 30;
    ensure!(
        scale::wait_until(Duration::from_secs(10), trying),
        "it does not try to connect"
    );
    unload_and_see_them_end(&bed, clients)
}

fn while_lingering() -> Outcome {
    let bed = Bed::with(&[("linger-timeout", "60s")])?;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = bed.client()?;
        client.send(b"nonsense\r\n\r\n")?;
        same!(client.response("GET")?.status, 400, "the status");
        clients.push(client);
    }
    unload_and_see_them_end(&bed, clients)
}

/// Threads that keep proc files open, read and write them, until told to stop.
struct Meddlers {
    stop: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

/// How many unloads have taken files away that were open.
static TAKEN: AtomicU64 = AtomicU64::new(0);

impl Meddlers {
    fn start() -> Meddlers {
        let stop = Arc::new(AtomicBool::new(false));
        let turns = Arc::new(AtomicU64::new(0));
        let works: [fn(&AtomicBool); 3] = [read_all, write_some, hold_and_reread];
        let thread = |work: fn(&AtomicBool)| {
            let (stop, turns) = (Arc::clone(&stop), Arc::clone(&turns));
            thread::spawn(move || {
                while !stop.load(SeqCst) {
                    work(&stop);
                    turns.fetch_add(1, SeqCst);
                    // They shall meet the unloads, not keep the processors from them.
                    thread::sleep(scale::time(Duration::from_millis(5)));
                }
            })
        };
        let threads = works.into_iter().map(thread).collect();
        Meddlers {
            stop,
            turns,
            threads,
        }
    }

    /// Ends them; how many unloads took their files away.
    fn stop(self) -> Result<u64, Failure> {
        self.stop.store(true, SeqCst);
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| Failure("a meddler panicked".into()))?;
        }
        let turns = self.turns.load(SeqCst);
        ensure!(turns > 3, "the meddlers did nothing");
        Ok(TAKEN.load(SeqCst))
    }
}

/// Every file of the folder, opened; reading the log does not wait for news.
fn open_all() -> Vec<File> {
    let Ok(folder) = fs::read_dir(gateway::PROC) else {
        thread::sleep(Duration::from_millis(1));
        return Vec::new();
    };
    let open = |path| {
        OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)
    };
    let files = folder.flatten();
    files.filter_map(|entry| open(entry.path()).ok()).collect()
}

fn read_all(_: &AtomicBool) {
    for mut file in open_all() {
        let _ = file.read_to_end(&mut Vec::new());
    }
}

fn write_some(_: &AtomicBool) {
    for (name, text) in [
        ("srun-count", "3"),
        ("config", "header-timeout 9s"),
        ("srun-2", "bad"),
        ("srun-count", "1"),
    ] {
        if let Ok(mut file) = OpenOptions::new().write(true).open(gateway::path(name)) {
            let _ = file.write(text.as_bytes());
        }
        thread::sleep(scale::time(Duration::from_micros(500)));
    }
}

/// Holds them open until they are taken away. One of them is `srun-0`, which only an unload takes.
fn hold_and_reread(stop: &AtomicBool) {
    let mut files = open_all();
    let Ok(mut first) = File::open(gateway::path("srun-0")) else {
        return;
    };
    while !stop.load(SeqCst) {
        for file in &mut files {
            let _ = file.seek(SeekFrom::Start(0));
            let _ = file.read(&mut [0; 512]);
        }
        let _ = first.seek(SeekFrom::Start(0));
        if is_taken(&first.read(&mut [0; 64])) {
            TAKEN.fetch_add(1, SeqCst);
            return;
        }
        thread::sleep(scale::time(Duration::from_millis(2)));
    }
}

/// What procfs says when the file has gone that somebody has open.
fn is_taken<T>(outcome: &io::Result<T>) -> bool {
    let error = outcome.as_ref().err().and_then(io::Error::raw_os_error);
    error == Some(Errno::EIO as i32)
}

fn with_open_proc_files() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    let mut open = open_all();
    ensure!(open.len() >= 5, "only {} files could be opened", open.len());
    let mut part = [0; 1];
    for file in &mut open {
        let _ = file.read(&mut part);
    }
    let writer = OpenOptions::new()
        .write(true)
        .open(gateway::path("config"))?;
    gateway.unload()?;
    for file in &mut open {
        let outcome = file.read(&mut part);
        let octets = outcome.as_ref().copied().unwrap_or(0);
        // What was buffered for this reader may still be given out, but nothing is read anew.
        ensure!(octets <= 1, "reading after rmmod: {outcome:?}");
        let _ = file.seek(SeekFrom::Start(0));
        let anew = file.read(&mut part);
        ensure!(
            !matches!(anew, Ok(1..)),
            "reading anew after rmmod: {anew:?}"
        );
    }
    let written = (&writer).write(b"header-timeout 9s\n");
    ensure!(written.is_err(), "writing after rmmod: {written:?}");
    Ok(())
}

/// One that is inside of a read stays there for as long as it likes, and rmmod waits for it; nobody
/// else does who makes network namespaces and lets them go.
fn with_a_stuck_reader() -> Outcome {
    Gateway::load(PORT)?;
    let held = Namespace::new("held", 20)?;
    let other = Namespace::new("other", 21)?;
    let status = held.enter(|| Ok(File::open(gateway::path("status"))?))?;
    let reader = StuckReader::of(status)?;
    let mut rmmod = Command::new("rmmod").arg("resin").spawn()?;
    let wchan = format!("/proc/{}/wchan", rmmod.id());
    let waits = || fs::read_to_string(&wchan).is_ok_and(|place| place == "proc_entry_rundown");
    ensure!(
        scale::wait_until(Duration::from_secs(20), waits),
        "rmmod does not wait for the reader"
    );
    let limit = scale::secs(5).as_secs();
    for _ in 0..3 {
        let made = shell(&format!("timeout -s KILL {limit} unshare -n true"))?;
        ensure!(made.status.success(), "no namespace can be made: {made:?}");
    }
    other.delete();
    gone(21)?;
    let later = Namespace::new("later", 22)?;
    let has = later.enter(|| Ok(gateway::path("").exists()))?;
    ensure!(!has, "a namespace that was made meanwhile has our folder");
    later.delete();
    gone(22)?;
    ensure!(
        rmmod.try_wait()?.is_none() && waits(),
        "rmmod did not wait for the reader"
    );
    drop(reader);
    let mut status = None;
    scale::wait_until(Duration::from_secs(20), || {
        status = rmmod.try_wait().ok().flatten();
        status.is_some()
    });
    let status = status.ok_or("rmmod does not end")?;
    ensure!(status.success(), "rmmod: {status}");
    same!(gateway::loaded(), false, "whether it is loaded");
    held.delete();
    gone(20)?;
    let gateway = Gateway::load(PORT)?;
    gateway.unload()?;
    Ok(())
}

/// One life of the module under live traffic, with files open; more every time that is unloaded.
pub(super) fn busy_life(origin: &Origin, number: u64) -> Result<Duration, Failure> {
    let gateway = Gateway::load(PORT)?;
    gateway.backend(0, origin.addr())?;
    let before = origin.requests();
    let flows = || origin.requests() > before + 3 + number % 5 * 2;
    let flowing = scale::wait_until(Duration::from_secs(20), flows);
    ensure!(flowing, "life {number}: no traffic flows");
    gateway.unload().context(format!("life {number}"))
}

fn a_hundred_times() -> Outcome {
    let origin = Origin::start()?;
    let lives = 100;
    for number in 0..lives / 2 {
        let gateway = Gateway::load(PORT).context(format!("life {number}"))?;
        gateway.unload().context(format!("life {number}"))?;
    }
    let before = Sockets::now();
    origin.set(Mode::Serve, 0);
    let plan = Plan {
        connections: 3,
        sizes: vec![100, 20_000, 0, 100_000, 1460],
        ..Plan::mixed(([127, 0, 0, 1], PORT).into())
    };
    let traffic = Traffic::start(&plan);
    let meddlers = Meddlers::start();
    let busy: Result<Vec<_>, _> = (lives / 2..lives)
        .map(|life| busy_life(&origin, life))
        .collect();
    let tally = traffic.stop();
    let taken = meddlers.stop()?;
    let mut times = busy?;
    ensure!(
        taken >= lives / 4,
        "only {taken} of {} unloads met files that were open",
        lives / 2
    );
    times.sort();
    let median = times[times.len() / 2];
    ensure!(
        median < scale::secs(5),
        "half of the unloads under traffic took over {median:?}"
    );
    ensure!(tally.wrong == 0, "{tally:?}");
    ensure!(
        tally.right >= lives / 2,
        "there was hardly any traffic: {tally:?}"
    );
    leftovers::sockets_gone(before)?;
    Ok(())
}

fn no_accounts() -> Option<&'static str> {
    // What KASAN keeps of freed memory is in nobody's account; kmemleak looks after the rest.
    Path::new("/sys/kernel/debug/kmemleak")
        .exists()
        .then_some("on the debug kernel kmemleak does this")
}

/// A life that uses all that there is: namespaces, connections in every state, pools, the log.
fn full_life(origin: &Origin) -> Outcome {
    let gateway = Gateway::load(PORT)?;
    gateway.backend(0, origin.addr())?;
    gateway::write("srun-count", "3")?;
    gateway::write("srun-count", "1")?;
    let mut log = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(gateway::path("log"))?;
    let mut clients = Vec::new();
    let cached = "/len/5000?cc=max-age=60";
    for target in ["/len/100", "/chunked/100000", "/len/200000", cached, cached] {
        let mut client = Conn::open(gateway.addr())?;
        same!(client.get(target)?.status, 200, "the status of {target}");
        clients.push(client);
    }
    log.read_exact(&mut [0; 64]).context("reading the log")?;
    let mut half = Conn::open(gateway.addr())?;
    half.send(b"GET /len/1 HTTP/1.1\r\nHo")?;
    let mut full = Conn::open(gateway.addr())?;
    full.request("GET", "/len/50000000")?;
    full.nibble(100)?;
    gateway.unload()?;
    drop((clients, half, full, log));
    let idle = || origin.open() == 0;
    ensure!(
        scale::wait_until(Duration::from_secs(10), idle),
        "connections to the backend stay"
    );
    Ok(())
}

/// After many lives the kernel holds as many pages, sockets, buffers and objects as after a few. The
/// tolerances are below one for each life; but the ports belong to TIME_WAIT, and of TCP's pages each
/// processor books some hundred for itself.
fn nothing_is_missing() -> Outcome {
    let origin = Origin::start()?;
    let before = Sockets::now();
    for _ in 0..10 {
        full_life(&origin)?;
    }
    leftovers::sockets_gone(before)?;
    sh("account take /tmp/account")?;
    for _ in 0..LIVES {
        full_life(&origin)?;
    }
    sh("account compare /tmp/account slab:tcp_bind_bucket=2000 slab:tcp_bind2_bucket=2000")?;
    Ok(())
}

/// More than any tolerance of `account` but these.
const LIVES: usize = 100;
