//! What others on the machine may do to our sockets and files.

use std::fs::{self, File};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::namespaces::Namespace;
use crate::conn::Conn;
use crate::gateway::{self, Gateway};
use crate::leftovers::Log;
use crate::scale;
use crate::sockmap::Sockmap;
use crate::stuck::StuckReader;
use crate::testing::{sh, shell, Bed, Context, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    connections_put_into_a_sockmap unless no_programs,
    a_flood_of_refusals_elsewhere,
    shrinking_under_a_stuck_reader,
];

fn no_programs() -> Option<&'static str> {
    // Programs are given to a control group.
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    (!known.contains("cgroup2")).then_some("this kernel has no control groups")
}

/// A sockmap takes a socket's `sk_user_data` and callbacks for itself: ours must stay ours from the
/// handshake on, or what the kernel calls is neither one's nor the other's.
fn connections_put_into_a_sockmap() -> Outcome {
    let sockmap = Sockmap::attach()?;
    let bed = Bed::new()?;
    let mut clients: Vec<Conn> = Vec::new();
    for number in 0..20 {
        let mut client = bed.client()?;
        if number % 4 != 0 {
            let response = client
                .get("/len/5000")
                .context(format!("request {number}"))?;
            same!(response.status, 200, "the status of request {number}");
        }
        clients.push(client);
    }
    // Connections end both before and with the module.
    drop(clients.split_off(10));
    bed.works()?;
    bed.gateway.unload()?;
    let count = sockmap.count()?;
    ensure!(
        count > 0,
        "no socket was in the map: this test tested nothing"
    );
    Ok(())
}

/// The initial namespace's refusals are logged whatever others write into files of theirs, whose
/// names go with what they had refused, and with how much of it the log left out.
fn a_flood_of_refusals_elsewhere() -> Outcome {
    Gateway::load(PORT)?;
    let spaces = [
        Namespace::new("loud", 16)?,
        Namespace::new("louder", 17)?,
        Namespace::new("loudest", 18)?,
    ];
    let mut names = Vec::new();
    let mut log = Log::from_now();
    for space in &spaces {
        names.push(space.enter(|| {
            for number in 0..100 {
                let written = gateway::try_write("srun-0", &format!("bad{number}"));
                ensure!(written.is_err(), "bad{number} was taken");
            }
            Ok(fs::read_link("/proc/thread-self/ns/net")?)
        })?);
    }
    ensure!(
        gateway::try_write("srun-0", "worse").is_err(),
        "it was taken"
    );
    let lines = log.lines();
    let of = |start: &str| {
        let lines = lines.iter();
        lines.filter(|line| line.starts_with(start)).count()
    };
    same!(of("resin: srun-0: "), 1, "our lines in {lines:?}");
    let mut all = 0;
    for name in &names {
        all += of(&format!("resin: {}: srun-0: ", name.display()));
    }
    // In one period, or a few.
    ensure!((10..=60).contains(&all), "{all} lines of others: {lines:?}");
    // What was left out is said before the next one that is not.
    let loudest = format!("resin: {}: ", names[2].display());
    let said = scale::wait_until(Duration::from_secs(20), || {
        let _ = spaces[2].enter(|| Ok(gateway::try_write("srun-0", "bad")));
        thread::sleep(Duration::from_millis(500));
        let lines = log.lines();
        lines.iter().any(|line| {
            line.strip_prefix(&loudest)
                .is_some_and(|line| line.ends_with(" refusals were not logged"))
        })
    });
    ensure!(said, "the log does not say what it left out");
    Ok(())
}

/// Who takes files away waits for those who are inside of them; others who write `srun-count` do
/// not, unless they need the same names, and those can be interrupted.
fn shrinking_under_a_stuck_reader() -> Outcome {
    Gateway::load(PORT)?;
    gateway::write("srun-count", "4")?;
    let reader = StuckReader::of(File::open(gateway::path("srun-2"))?)?;
    let mut shrinking = Command::new("bash")
        .args(["-c", "echo 1 > /proc/net/resin/srun-count"])
        .spawn()?;
    let shrunk = || gateway::read("srun-count").is_ok_and(|count| count == "1");
    ensure!(
        scale::wait_until(Duration::from_secs(20), shrunk),
        "srun-count does not shrink"
    );
    // Not in this process: what hangs in the kernel could not be ended.
    let limit = scale::secs(5).as_secs();
    sh(&format!(
        "cd /proc/net/resin; timeout -s KILL {limit} bash -c 'for n in 0 1 2 1; do echo $n > srun-count || exit; done'"
    ))
    .context("other writers")?;
    let needs = shell("cd /proc/net/resin; timeout 1 bash -c 'echo 3 > srun-count'")?;
    same!(
        needs.status.code(),
        Some(124),
        "the status of one who needs the name"
    );
    same!(gateway::read("srun-count")?, "1", "srun-count");
    ensure!(shrinking.try_wait()?.is_none(), "it did not wait");
    drop(reader);
    let mut status = None;
    scale::wait_until(Duration::from_secs(20), || {
        status = shrinking.try_wait().ok().flatten();
        status.is_some()
    });
    ensure!(
        status.is_some_and(|status| status.success()),
        "the writer that waited: {status:?}"
    );
    gateway::write("srun-count", "4")?;
    same!(
        gateway::read("srun-2")?,
        "127.0.0.1 6802 down",
        "srun-2 afterwards"
    );
    Ok(())
}
