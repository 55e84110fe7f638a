//! What a connection costs in memory that has nothing to say.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process;
use std::thread;
use std::time::Duration;

use crate::connection::Check;
use crate::response;
use crate::row::{Exchange, Row};
use crate::Fault;

/// Connections that are opened.
pub const CONNECTIONS: usize = 2000;

/// Octets in use in all, the two ends' sockets included.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// For all connections, before the first request.
    pub before: i64,
    /// After one request on each.
    pub after: i64,
}

/// Connects so often, asks once on each connection, one after the other, and sees what memory that takes.
pub fn measure(address: SocketAddr) -> Result<Idle, Fault> {
    let exchange = Row::named("W3").and_then(|row| row.cycle("", Check::All).pop());
    let exchange = exchange.ok_or("there is no row W3")?;
    // What others have closed is kept for so long (TIME_WAIT).
    thread::sleep(Duration::from_secs(65));
    let base = used().map_err(fault)?;
    let connect = |_| TcpStream::connect(address);
    let connections: io::Result<Vec<_>> = (0..CONNECTIONS).map(connect).collect();
    let mut connections = connections.map_err(fault)?;
    let before = used().map_err(fault)? - base;
    for connection in &mut connections {
        ask(connection, &exchange)?;
    }
    let after = used().map_err(fault)? - base;
    Ok(Idle { before, after })
}

fn ask(connection: &mut TcpStream, exchange: &Exchange) -> Result<(), Fault> {
    connection.write_all(&exchange.request).map_err(fault)?;
    let mut answer = [0; 4096];
    let mut came = 0;
    loop {
        if let Some(head) = response::head(&answer[..came])? {
            if came >= head.length + head.body {
                let body = &answer[head.length..came];
                let right = head.status == exchange.status && body == exchange.body;
                return right
                    .then_some(())
                    .ok_or("that is not what was asked for".into());
            }
        }
        match connection.read(&mut answer[came..]).map_err(fault)? {
            0 => return Err("the connection ended within an exchange".into()),
            count => came += count,
        }
    }
}

/// Octets in use by the kernel and by everyone but this process.
fn used() -> io::Result<i64> {
    // Who has just accepted or answered may still be at it.
    thread::sleep(Duration::from_secs(2));
    // What a processor keeps for itself of free objects would count as used: it gives them back.
    for slab in fs::read_dir("/sys/kernel/slab")? {
        fs::write(slab?.path().join("shrink"), "1")?;
    }
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib = |name| field(&memory, name).ok_or(io::ErrorKind::InvalidData);
    // Free pages that it keeps for itself are free, too.
    let free = kib("MemFree:")? + 4 * kept(&fs::read_to_string("/proc/zoneinfo")?);
    // A slab with one free object counts as free for that object alone, else whoever comes late pays for
    // all that others left behind.
    let pages = kib("MemTotal:")? - free - kib("Slab:")?;
    let own = fs::read_to_string(format!("/proc/{}/smaps_rollup", process::id()))?;
    let own = field(&own, "Pss:").ok_or(io::ErrorKind::InvalidData)?;
    Ok((pages - own) * 1024 + objects(&fs::read_to_string("/proc/slabinfo")?))
}

/// A number of KiB, on the line that begins with that name.
fn field(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Free pages that processors keep for themselves, in all zones.
fn kept(zoneinfo: &str) -> i64 {
    let count = |line: &str| {
        line.trim()
            .strip_prefix("count:")?
            .trim()
            .parse::<i64>()
            .ok()
    };
    zoneinfo.lines().filter_map(count).sum()
}

/// Octets in objects of slabs.
fn objects(slabinfo: &str) -> i64 {
    let octets = |line: &str| {
        // name, active objects, objects, octets in each
        let mut words = line.split_whitespace().skip(1);
        let active: i64 = words.next()?.parse().ok()?;
        let size: i64 = words.nth(1)?.parse().ok()?;
        Some(active * size)
    };
    slabinfo.lines().filter_map(octets).sum()
}

fn fault(error: io::Error) -> Fault {
    format!("measuring memory: {error}")
}
