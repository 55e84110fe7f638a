//! The module under test: loading, unloading, and its proc files.
//!
//! With `RESIN_GATEWAY=nginx` nginx takes its place, to try the tests themselves on a host: see
//! [`nginx`].

pub mod nginx;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::ensure;
use crate::leftovers;
use crate::scale;
use crate::testing::{Context, Failure, Outcome};

/// When loading or unloading counts as hanging, before scaling. It takes a second or so, but an
/// emulator on a busy host can be kept waiting for much longer.
const HANGING: Duration = Duration::from_secs(20);

/// The folder of the proc files, in the network namespace of the calling thread.
pub const PROC: &str = "/proc/thread-self/net/resin";

/// A loaded module.
pub struct Gateway {
    addr: SocketAddr,
    stand_in: Option<nginx::Nginx>,
}

impl Gateway {
    /// Loads the module, listening on that port.
    pub fn load(port: u16) -> Result<Gateway, Failure> {
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let stand_in = if nginx::wanted() {
            Some(nginx::Nginx::start(addr)?)
        } else {
            insmod(&format!("port={port}"))?;
            None
        };
        Ok(Gateway { addr, stand_in })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Names a backend.
    pub fn backend(&self, number: usize, addr: SocketAddr) -> Outcome {
        match &self.stand_in {
            Some(nginx) => nginx.backend(number, addr),
            None => {
                let line = format!("{} {}", addr.ip(), addr.port());
                write(&format!("srun-{number}"), &line)
            }
        }
    }

    /// Names all backends.
    pub fn backends(&self, addrs: &[SocketAddr]) -> Outcome {
        if self.stand_in.is_none() {
            write("srun-count", &addrs.len().to_string())?;
        }
        addrs
            .iter()
            .enumerate()
            .try_for_each(|(number, addr)| self.backend(number, *addr))
    }

    /// Changes a setting of `config`.
    pub fn set(&self, name: &str, value: &str) -> Outcome {
        match &self.stand_in {
            Some(nginx) => nginx.set(name, value),
            None => write("config", &format!("{name} {value}")),
        }
    }

    /// Unloads the module; how long it took.
    pub fn unload(&self) -> Result<Duration, Failure> {
        match &self.stand_in {
            Some(nginx) => nginx.stop(),
            None => rmmod(),
        }
    }
}

/// Loads the module of the current directory with these parameters.
pub fn insmod(parameters: &str) -> Outcome {
    let mut command = Command::new("insmod");
    command
        .arg("./resin.ko")
        .args(parameters.split_whitespace());
    run_within(command, scale::time(HANGING)).context(format!("insmod {parameters}"))?;
    Ok(())
}

/// Unloads the module; how long it took. Taking more than the limit is a failure.
pub fn rmmod() -> Result<Duration, Failure> {
    let mut command = Command::new("rmmod");
    command.arg("resin");
    let time = run_within(command, scale::time(HANGING)).context("rmmod")?;
    ensure!(!loaded(), "rmmod succeeded, and the module is still there");
    Ok(time)
}

/// Whether the module is loaded.
pub fn loaded() -> bool {
    Path::new("/sys/module/resin").exists()
}

/// Runs a command to its end, never waiting longer than the limit: a command that hangs in the
/// kernel cannot even be killed.
fn run_within(mut command: Command, limit: Duration) -> Result<Duration, Failure> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            let time = started.elapsed();
            let mut said = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                stderr.read_to_string(&mut said)?;
            }
            ensure!(status.success(), "{}", said.trim_end());
            return Ok(time);
        }
        ensure!(
            started.elapsed() < limit,
            "still not done after {} s\n{}",
            limit.as_secs(),
            leftovers::diagnosis(child.id())
        );
        thread::sleep(Duration::from_millis(2));
    }
}

/// The path of a proc file.
pub fn path(name: &str) -> PathBuf {
    Path::new(PROC).join(name)
}

/// All of a proc file, without the newline at its end.
pub fn read(name: &str) -> Result<String, Failure> {
    let text = fs::read_to_string(path(name)).context(format!("reading {name}"))?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// How many client connections are "open", were "accepted", "refused" or "reset", as `status` says.
pub fn clients(which: &str) -> Result<u64, Failure> {
    let status = read("status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("clients"))
        .unwrap_or("");
    let count = line
        .split(',')
        .find_map(|part| part.trim().strip_suffix(which)?.trim().parse().ok());
    Ok(count.ok_or_else(|| format!("no count of {which} clients in status:\n{status}"))?)
}

/// Writes a line to a proc file in one call, as `echo` does.
pub fn try_write(name: &str, text: &str) -> io::Result<()> {
    try_write_octets(name, format!("{text}\n").as_bytes())
}

/// Writes octets to a proc file in one call.
pub fn try_write_octets(name: &str, octets: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path(name))?;
    match file.write(octets)? {
        n if n == octets.len() => Ok(()),
        n => Err(io::Error::other(format!(
            "a short write: {n} of {} octets",
            octets.len()
        ))),
    }
}

/// Writes a line that has to be taken; if it is not, says what `last-error` says.
pub fn write(name: &str, text: &str) -> Outcome {
    try_write(name, text).map_err(|error| {
        let reason = read("last-error").unwrap_or_default();
        Failure(format!(
            "writing {text:?} to {name}: {error} (last-error: {reason:?})"
        ))
    })
}
