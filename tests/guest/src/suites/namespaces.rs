//! Network namespaces: each has its own folder, port and backends, and can go at any time.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{setns, CloneFlags};

use crate::conn::Conn;
use crate::gateway::{self, Gateway};
use crate::leftovers::Log;
use crate::load::{Plan, Traffic};
use crate::origin::Origin;
use crate::pattern;
use crate::scale;
use crate::stuck::{StuckPoller, StuckReader};
use crate::testing::{sh, shell, Bed, Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    each_has_its_own,
    made_and_deleted_often,
    deleted_under_load in 120 s,
    deleted_with_idle_connections,
    deleted_with_a_stuck_reader,
    deleted_with_a_stuck_poller in 240 s,
    limited_in_memory,
    module_unloaded_first,
    root_of_a_user_namespace_may_write,
    no_workqueue_before_there_is_work unless workqueues_unknown,
];

/// A network namespace with a name, joined to ours by a pair of veths; deleted when dropped.
pub(super) struct Namespace {
    pub(super) name: &'static str,
    /// Its end of the pair.
    inside: IpAddr,
}

impl Namespace {
    pub(super) fn new(name: &'static str, number: u8) -> Result<Namespace, Failure> {
        sh(&format!(
            "set -e; ip netns add {name}; ip -n {name} link set lo up
             ip link add veth{number} type veth peer name eth0 netns {name}
             ip addr add 10.99.{number}.1/24 dev veth{number}; ip link set veth{number} up
             ip -n {name} addr add 10.99.{number}.2/24 dev eth0; ip -n {name} link set eth0 up"
        ))?;
        Ok(Namespace {
            name,
            inside: IpAddr::from([10, 99, number, 2]),
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.inside, PORT)
    }

    /// Runs something on a thread inside; the thread lives on if that starts others.
    pub(super) fn enter<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let path = format!("/run/netns/{}", self.name);
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let entered = File::open(path).and_then(|file| enter(&file));
            let _ = tell.send(
                entered
                    .context("entering the namespace")
                    .and_then(|()| work()),
            );
        });
        told.recv()?
    }

    /// An origin on the namespace's loopback, and the gateway in front of it.
    pub(super) fn serve(&self) -> Result<Origin, Failure> {
        self.enter(|| {
            let origin = Origin::start()?;
            let addr = origin.addr();
            gateway::write("srun-0", &format!("{} {}", addr.ip(), addr.port()))?;
            gateway::write("server_port", &PORT.to_string())?;
            Ok(origin)
        })
    }

    pub(super) fn delete(&self) {
        let _ = shell(&format!("ip netns del {}", self.name));
    }
}

fn enter(file: &File) -> io::Result<()> {
    setns(file.as_fd(), CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.delete();
    }
}

/// Our end of the pair goes with the namespace: waits for that.
pub(super) fn gone(number: u8) -> Outcome {
    let path = format!("/sys/class/net/veth{number}");
    let gone = || !Path::new(&path).exists();
    ensure!(
        scale::wait_until(Duration::from_secs(20), gone),
        "the namespace does not go away"
    );
    Ok(())
}

fn each_has_its_own() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    let outer = Origin::start()?;
    gateway.backend(0, outer.addr())?;
    let one = Namespace::new("one", 1)?;
    let two = Namespace::new("two", 2)?;
    for space in [&one, &two] {
        let fresh =
            space.enter(|| Ok((gateway::read("server_port")?, gateway::read("srun-0")?)))?;
        same!(fresh.0, "0", "server_port of a new namespace");
        same!(fresh.1, "127.0.0.1 6802", "srun-0 of a new namespace");
    }
    let origins = [one.serve()?, two.serve()?];
    two.enter(|| gateway::write("srun-count", "2"))?;
    for (space, origin) in [&one, &two].into_iter().zip(&origins) {
        let mut client = Conn::open(space.addr())?;
        if space.name == "two" {
            // Its second backend does not exist.
            let statuses = [
                client.get("/len/1")?.status,
                Conn::open(space.addr())?.get("/len/1")?.status,
            ];
            ensure!(
                statuses.contains(&200),
                "two backends, one dead: {statuses:?}"
            );
        } else {
            same!(
                client.get("/len/9?seed=1")?.body,
                pattern::body(1, 9),
                "the body from inside"
            );
        }
        ensure!(
            origin.requests() > 0,
            "{}: its own origin was not asked",
            space.name
        );
    }
    same!(outer.requests(), 0, "the requests of the outer origin");
    same!(
        Conn::open(gateway.addr())?.get("/len/1")?.status,
        200,
        "the outer status"
    );
    same!(outer.requests(), 1, "the requests of the outer origin");
    same!(gateway::read("srun-count")?, "1", "the outer srun-count");
    let inner = one.enter(|| gateway::read("srun-count"))?;
    same!(inner, "1", "srun-count of the first namespace");
    one.enter(|| gateway::write("server_port", "0"))?;
    ensure!(
        Conn::open(one.addr()).is_err(),
        "the first namespace still listens"
    );
    same!(
        Conn::open(two.addr())?.get("/len/1").is_ok(),
        true,
        "the second one answers"
    );
    Ok(())
}

fn made_and_deleted_often() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    for _ in 0..scale::count(8, 4) {
        let space = Namespace::new("brief", 3)?;
        let origin = space.serve()?;
        same!(
            Conn::open(space.addr())?.get("/len/1")?.status,
            200,
            "the status"
        );
        drop(origin);
        drop(space);
        gone(3)?;
    }
    let status = Conn::open(gateway.addr())?.get("/")?.status;
    same!(status, 502, "the outer status afterwards");
    Ok(())
}

fn deleted_under_load() -> Outcome {
    Gateway::load(PORT)?;
    for _ in 0..3 {
        let space = Namespace::new("loaded", 4)?;
        let origin = space.serve()?;
        let traffic = Traffic::start(&Plan::mixed(space.addr()));
        let flows = scale::wait_until(Duration::from_secs(10), || origin.requests() > 20);
        ensure!(flows, "there is no load");
        space.delete();
        thread::sleep(Duration::from_millis(100));
        let tally = traffic.stop();
        ensure!(tally.wrong == 0 && tally.right > 0, "{tally:?}");
        drop(origin);
        gone(4)?;
    }
    Ok(())
}

fn deleted_with_idle_connections() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    let space = Namespace::new("idle", 5)?;
    let origin = space.serve()?;
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut client = Conn::open(space.addr())?;
        same!(client.get("/len/1")?.status, 200, "the status");
        idle.push(client);
    }
    // The connections of clients and the pool of backend connections hold the namespace until they
    // go; they must not hold it for ever.
    space.delete();
    drop(idle);
    drop(origin);
    gone(5)?;
    ensure!(
        gateway::path("server_port").exists(),
        "our own folder is gone too"
    );
    same!(
        Conn::open(gateway.addr())?.get("/")?.status,
        502,
        "the outer status"
    );
    Ok(())
}

/// One namespace's file that is being read must not keep other namespaces from going, for whatever
/// their end waits for, all later ends wait for.
fn deleted_with_a_stuck_reader() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    let space = Namespace::new("stuck", 7)?;
    let status = space.enter(|| Ok(File::open(gateway::path("status"))?))?;
    let reader = StuckReader::of(status)?;
    space.delete();
    let other = Namespace::new("other", 8)?;
    other.serve()?;
    other.delete();
    gone(8).context("another namespace")?;
    // Like every file in /proc/net, an open one holds its namespace.
    ensure!(
        Path::new("/sys/class/net/veth7").exists(),
        "the namespace went though a file of it is open"
    );
    drop(reader);
    gone(7)?;
    gateway.unload()?;
    Ok(())
}

const SEVERAL: [(&str, u8); 6] = [
    ("first", 10),
    ("second", 11),
    ("third", 12),
    ("fourth", 13),
    ("fifth", 14),
    ("sixth", 15),
];

/// How long it takes until several namespaces have gone, whose logs somebody has done something to.
fn end_of_several<T>(
    work: impl FnOnce(&[File]) -> Result<T, Failure>,
) -> Result<(Duration, T), Failure> {
    let spaces: Result<Vec<_>, _> = SEVERAL
        .into_iter()
        .map(|(name, number)| Namespace::new(name, number))
        .collect();
    let spaces = spaces?;
    let logs: Result<Vec<_>, _> = spaces
        .iter()
        .map(|space| space.enter(|| Ok(File::open(gateway::path("log"))?)))
        .collect();
    let last = Namespace::new("last", 19)?;
    let done = work(&logs?)?;
    let begun = Instant::now();
    drop(spaces);
    for (_, number) in SEVERAL {
        gone(number)?;
    }
    // Their devices go before all else. What is left of their ends, the next one waits for.
    drop(last);
    gone(19)?;
    Ok((begun.elapsed(), done))
}

/// Somebody who is in the wait queues of many logs and does not leave them: there is some patience
/// with him, but not for each of them anew.
fn deleted_with_a_stuck_poller() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    let (usual, ()) = end_of_several(|_| Ok(()))?;
    let mut log = Log::from_now();
    let (time, poller) = end_of_several(StuckPoller::of)?;
    // Two waits of two seconds for each would be twenty-four.
    ensure!(
        time < usual + Duration::from_secs(12),
        "six namespaces took {time:?} to go, and {usual:?} without a stuck poller"
    );
    // Wait queues that it is still in are freed when it has left them, which a later end looks for.
    drop(poller);
    let ours = StuckPoller::of(&[File::open(gateway::path("log"))?])?;
    gateway.unload()?;
    drop(ours);
    let words = log.lines();
    let words = words.iter().filter(|line| line.contains("stop polling"));
    let count = words.count();
    ensure!(
        (1..=4).contains(&count),
        "the kernel log speaks {count} times of pollers"
    );
    Gateway::load(PORT)?.unload()?;
    Ok(())
}

/// A namespace may take a quarter of the eighth of the machine's memory that connections may have;
/// then it refuses, while the initial one serves.
fn limited_in_memory() -> Outcome {
    let outer = Bed::new()?;
    let space = Namespace::new("greedy", 9)?;
    let origin = space.serve()?;
    space.enter(|| {
        gateway::write("config", "head-size 64K")?;
        gateway::write("config", "header-timeout 1h")
    })?;
    // A little more than 32 KiB of a head takes a buffer of 64 KiB.
    let mut piece = b"GET / HTTP/1.1\r\nHost: test\r\nX: ".to_vec();
    piece.resize(33 << 10, b'x');
    let mut greedy = Vec::new();
    for _ in 0..memory()? / (8 * 4 * (64 << 10)) {
        let mut client = Conn::open(space.addr())?;
        // One that is refused may be gone before all is sent.
        let _ = client.send(&piece);
        greedy.push(client);
    }
    let refused = || space.enter(|| gateway::clients("refused"));
    let full = scale::wait_until(Duration::from_secs(20), || {
        refused().is_ok_and(|count| count > 0)
    });
    ensure!(full, "no connection of {} was refused", greedy.len());
    outer.works()?;
    drop(greedy);
    let open = || space.enter(|| gateway::clients("open"));
    let gone = scale::wait_until(Duration::from_secs(20), || {
        open().is_ok_and(|count| count == 0)
    });
    ensure!(gone, "{} connections stay", open()?);
    let before = refused()?;
    for _ in 0..100 {
        let status = Conn::open(space.addr())?.get("/len/1")?.status;
        same!(status, 200, "the status when the others have gone");
    }
    same!(refused()?, before, "connections refused afterwards");
    drop(origin);
    Ok(())
}

/// Octets of memory that the machine has.
fn memory() -> Result<usize, Failure> {
    let info = std::fs::read_to_string("/proc/meminfo")?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let count = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    Ok(count.ok_or("no MemTotal in /proc/meminfo")? << 10)
}

fn module_unloaded_first() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    let space = Namespace::new("survivor", 6)?;
    let origin = space.serve()?;
    let traffic = Traffic::start(&Plan::mixed(space.addr()));
    let flows = scale::wait_until(Duration::from_secs(10), || origin.requests() > 20);
    ensure!(flows, "there is no load");
    gateway.unload()?;
    let tally = traffic.stop();
    ensure!(tally.wrong == 0 && tally.right > 0, "{tally:?}");
    let stays = space.enter(|| Ok(gateway::path("").exists()))?;
    ensure!(!stays, "the namespace still has its folder");
    Gateway::load(PORT)?;
    let port = space.enter(|| gateway::read("server_port"))?;
    same!(port, "0", "server_port of a namespace that was there first");
    Ok(())
}

fn root_of_a_user_namespace_may_write() -> Outcome {
    Gateway::load(PORT)?;
    let script =
        "ip link set lo up; cd /proc/net/resin; echo 8099 > server_port && cat server_port";
    let said = sh(&format!(
        "unshare --user --map-root-user --net bash -c '{script}'"
    ))?;
    same!(said, "8099\n", "what root of a user namespace reads back");
    same!(
        gateway::read("server_port")?,
        PORT.to_string(),
        "our own server_port"
    );
    Ok(())
}

/// A part of each workqueue for each processor.
const PARTS: &str = "pool_workqueue";

fn workqueues_unknown() -> Option<&'static str> {
    parts()
        .is_err()
        .then_some("this kernel does not count workqueues")
}

/// How many parts all workqueues have.
fn parts() -> Result<usize, Failure> {
    let slabs = std::fs::read_to_string("/proc/slabinfo")?;
    let line = slabs.lines().find(|line| line.starts_with(PARTS));
    let count = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    Ok(count.ok_or("no workqueues in /proc/slabinfo")?)
}

/// By how much there are more of them with some bare namespaces.
fn parts_of_bare(count: u32) -> Result<usize, Failure> {
    let before = parts()?;
    sh(&format!(
        "for n in $(seq {count}); do ip netns add bare$n || exit; done"
    ))?;
    let grown = parts()?.saturating_sub(before);
    sh(&format!(
        "for n in $(seq {count}); do ip netns del bare$n || exit; done"
    ))?;
    Ok(grown)
}

/// Most namespaces never do anything.
fn no_workqueue_before_there_is_work() -> Outcome {
    let without = parts_of_bare(40)?;
    Gateway::load(PORT)?;
    let with = parts_of_bare(40)?;
    ensure!(
        with < without + 40,
        "40 namespaces have {with} parts of workqueues, {without} without the module"
    );
    Ok(())
}
