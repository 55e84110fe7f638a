//! Puts the load of some rows on one server, or is a server itself.

use std::env;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;

use bench::connection::Check;
use bench::idle::{self, Idle};
use bench::load::Load;
use bench::origin;
use bench::pattern::{self, Kind};
use bench::row::{Row, Work};
use bench::serve;
use bench::Fault;

const USAGE: &str = "usage: load run PEER PORT ORIGIN-PORT ROW...   measures rows, a line for each
       load wall PEER PORT ROW...           the same by the clock on the wall
       load serve null|sink PORT            answers a constant; takes uploads
       load body relayed|cached LENGTH      prints what the origin has to send";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("load: error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &[&str]) -> Result<(), Fault> {
    match arguments {
        ["run", peer, port, origin, rows @ ..] => run(peer, local(port)?, local(origin)?, rows),
        ["wall", peer, port, rows @ ..] => wall(peer, local(port)?, rows),
        ["serve", "null", port] => serve::null(local(port)?.port()).map_err(|e| e.to_string()),
        ["serve", "sink", port] => serve::sink(local(port)?.port()).map_err(|e| e.to_string()),
        ["body", kind @ ("relayed" | "cached"), length] => {
            let kind = if *kind == "cached" {
                Kind::Cached
            } else {
                Kind::Relayed
            };
            let length = length.parse().map_err(|_| USAGE)?;
            let body = pattern::body(kind, length);
            io::stdout().write_all(&body).map_err(|e| e.to_string())
        }
        _ => Err(USAGE.into()),
    }
}

fn local(port: &str) -> Result<SocketAddr, Fault> {
    let port = port.parse().map_err(|_| USAGE)?;
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

fn run(peer: &str, address: SocketAddr, origin: SocketAddr, rows: &[&str]) -> Result<(), Fault> {
    for name in rows {
        if *name == "W7" {
            idle(peer, address).map_err(|fault| format!("{name} {peer}: {fault}"))?;
            continue;
        }
        let row = Row::named(name).ok_or_else(|| format!("there is no row {name}"))?;
        measure(peer, address, origin, &row).map_err(|fault| format!("{name} {peer}: {fault}"))?;
    }
    Ok(())
}

/// Measures a row and prints it: the row, the peer, requests, nanoseconds busy and nanoseconds idle.
fn measure(peer: &str, address: SocketAddr, origin: SocketAddr, row: &Row) -> Result<(), Fault> {
    let tag = match row.work {
        Work::Validate => origin::tag(address)?,
        _ => String::new(),
    };
    let counted = row.cycle(&tag, Check::First);
    let mut load = Load::new(address, row, &counted)?;
    load.run(warm_up(row), Check::First)?;
    // Uploads are for another server, which does not count.
    let counts = address != origin && !matches!(row.work, Work::Upload(_));
    let before = if counts { origin::requests(origin)? } else { 0 };
    let spent = load.measure(row.requests)?;
    if counts {
        let relayed = (0..row.requests).filter(|i| counted[i % counted.len()].relayed);
        let asked = origin::requests(origin)? - before - 1;
        let wanted = if peer == "null" { 0 } else { relayed.count() };
        if asked != wanted {
            return Err(format!("the origin was asked {asked} times, not {wanted}"));
        }
    }
    drop(load);
    let compared = row.cycle(&tag, Check::All);
    Load::new(address, row, &compared)?.run(4 * row.connections + compared.len(), Check::All)?;
    let idle = spent.elapsed.saturating_sub(spent.busy);
    println!(
        "{}\t{peer}\t{}\t{}\t{idle}",
        row.name, row.requests, spent.busy
    );
    Ok(())
}

/// Measures the memory of idle connections: W7i before a request, W7 after it. Octets stand where the
/// other rows have nanoseconds.
fn idle(peer: &str, address: SocketAddr) -> Result<(), Fault> {
    let Idle { before, after } = idle::measure(address)?;
    println!("W7i\t{peer}\t{}\t{before}\t0", idle::CONNECTIONS);
    println!("W7\t{peer}\t{}\t{after}\t0", idle::CONNECTIONS);
    Ok(())
}

/// Measures rows by the clock and prints a line for each: the row, the peer, requests, nanoseconds, and
/// the nanoseconds within which half, 99 % and 99.9 % of them were answered.
fn wall(peer: &str, address: SocketAddr, rows: &[&str]) -> Result<(), Fault> {
    for name in rows {
        let row = Row::named(name).ok_or_else(|| format!("there is no row {name}"))?;
        let (elapsed, times) =
            together(address, &row).map_err(|fault| format!("{name} {peer}: {fault}"))?;
        let within = |part: f64| times[((times.len() - 1) as f64 * part).ceil() as usize];
        let (half, most, nearly_all) = (within(0.5), within(0.99), within(0.999));
        let requests = times.len();
        println!("{name}\t{peer}\t{requests}\t{elapsed}\t{half}\t{most}\t{nearly_all}");
    }
    Ok(())
}

/// A thread for each processor asks its part, so that nobody waits for the load where a processor has
/// nothing to do: nanoseconds until the last has all, and of each exchange, in order of size.
fn together(address: SocketAddr, whole: &Row) -> Result<(u64, Vec<u64>), Fault> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(whole.connections);
    let row = Row {
        connections: whole.connections / threads,
        requests: whole.requests / threads,
        ..*whole
    };
    let cycle = row.cycle("", Check::First);
    let ready = Barrier::new(threads);
    let alone = || {
        let load = Load::new(address, &row, &cycle).and_then(|mut load| {
            load.run(4 * row.connections, Check::All)?;
            Ok(load)
        });
        // Whoever has failed must not be waited for.
        ready.wait();
        load?.time(row.requests)
    };
    let parts: Result<Vec<_>, Fault> = thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(alone)).collect();
        all.into_iter()
            .map(|one| one.join().map_err(|_| "a thread of the load has ended")?)
            .collect()
    });
    let parts = parts?;
    let elapsed = parts.iter().map(|(elapsed, _)| *elapsed).max().unwrap_or(0);
    let mut times: Vec<u64> = parts.into_iter().flat_map(|(_, times)| times).collect();
    times.sort_unstable();
    Ok((elapsed, times))
}

/// Requests that are not counted: enough for each connection to be known to everyone.
fn warm_up(row: &Row) -> usize {
    (row.requests / 4).max(4 * row.connections)
}
