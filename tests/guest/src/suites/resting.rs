//! Connections on which nothing goes on: little is kept of each, and they go on as if nothing had been.

use std::time::Duration;

use super::status::Metrics;
use crate::cached::whole;
use crate::conn::Conn;
use crate::gateway;
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    little_is_kept_of_them,
    requests_come_whole_and_in_parts,
    settings_are_those_of_now,
    clients_end_them,
    the_time_limit_ends_them,
    they_are_unloaded,
];

/// Connections of a test.
const COUNT: usize = 50;

/// Octets that are charged for one at rest, at most: for the kernel's socket, mostly. One of which more is
/// kept takes 2048 more.
const LITTLE: u64 = 5000;

/// Octets that all connections hold, those to backends, too.
fn held() -> Result<u64, Failure> {
    Metrics::read()?.get("buffer_bytes")
}

/// A bed on which no client is too slow, and idle connections to the backend hold nothing for long.
fn patient() -> Result<Bed, Failure> {
    Bed::with(&[
        ("keepalive-timeout", "1h"),
        ("header-timeout", "1h"),
        ("idle-timeout", "500ms"),
    ])
}

/// Connections at rest: every other one has made a request.
fn resting(bed: &Bed) -> Result<Vec<Conn>, Failure> {
    let clients: Result<Vec<Conn>, _> = (0..COUNT).map(|_| bed.client()).collect();
    let mut clients = clients?;
    for client in clients.iter_mut().step_by(2) {
        whole(&client.get("/len/10?seed=1")?, 1, 10)?;
    }
    rest(&clients)?;
    Ok(clients)
}

/// Waits until little is kept of these, and of a few others.
fn rest(clients: &[Conn]) -> Outcome {
    let few = LITTLE * (clients.len() as u64 + 4);
    let rested = scale::wait_until(Duration::from_secs(10), || {
        held().is_ok_and(|octets| octets < few)
    });
    let octets = held()?;
    ensure!(rested, "{} connections hold {octets} octets", clients.len());
    Ok(())
}

fn little_is_kept_of_them() -> Outcome {
    let bed = patient()?;
    let mut clients = resting(&bed)?;
    same!(gateway::clients("open")?, COUNT as u64, "the open clients");
    let before = held()?;
    // None of these rests before its head is complete.
    for client in &mut clients {
        client.send(b"GET /len/10?seed=3 HTTP/1.1\r\n")?;
    }
    std::thread::sleep(scale::time(Duration::from_millis(600)));
    let (less, more) = (before + 2048 * COUNT as u64, held()?);
    ensure!(more >= less, "{more} octets, and {before} at rest");
    for client in &mut clients {
        client.send(b"Host: test\r\n\r\n")?;
        whole(&client.response("GET")?, 3, 10)?;
    }
    rest(&clients)?;
    bed.works()
}

fn requests_come_whole_and_in_parts() -> Outcome {
    let bed = patient()?;
    let mut clients = resting(&bed)?;
    let head = b"GET /len/3000?seed=2 HTTP/1.1\r\nHost: test\r\n\r\n";
    // The first part is all of it in the end, and with some of them another request.
    for first in [1, 7, head.len()] {
        let (start, end) = head.split_at(first);
        for client in &mut clients {
            client.send(start)?;
        }
        for client in &mut clients {
            client.send(end)?;
            client.send(head)?;
        }
        for client in &mut clients {
            whole(&client.response("GET")?, 2, 3000)?;
            whole(&client.response("GET")?, 2, 3000)?;
        }
        rest(&clients)?;
    }
    for client in &mut clients {
        let body = b"POST /len/20?seed=4 HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nfour";
        client.send(body)?;
        whole(&client.response("POST")?, 4, 20)?;
    }
    bed.works()
}

fn settings_are_those_of_now() -> Outcome {
    let bed = patient()?;
    let mut clients = resting(&bed)?;
    bed.gateway.set("head-size", "1k")?;
    let field = format!("X-Long: {}\r\n", "x".repeat(2000));
    for client in &mut clients {
        same!(
            client.ask("GET", "/len/1", &field)?.status,
            431,
            "the status"
        );
    }
    bed.works()
}

fn clients_end_them() -> Outcome {
    let bed = patient()?;
    for round in 0..2 {
        for (number, mut client) in resting(&bed)?.into_iter().enumerate() {
            if number % 3 == round {
                client.reset()?;
            } else if number % 3 == 2 {
                client.half_close()?;
                client.expect_close().context(format!("client {number}"))?;
            }
        }
        let gone = scale::wait_until(Duration::from_secs(5), || {
            gateway::clients("open").is_ok_and(|open| open == 0)
        });
        let open = gateway::clients("open")?;
        ensure!(gone, "{open} clients are there yet");
    }
    bed.works()
}

fn the_time_limit_ends_them() -> Outcome {
    let bed = Bed::with(&[("keepalive-timeout", "3s"), ("header-timeout", "3s")])?;
    for mut client in resting(&bed)? {
        client.expect_close()?;
    }
    let gone = scale::wait_until(Duration::from_secs(5), || {
        gateway::clients("open").is_ok_and(|open| open == 0)
    });
    ensure!(gone, "{} clients are there yet", gateway::clients("open")?);
    bed.works()
}

fn they_are_unloaded() -> Outcome {
    let bed = patient()?;
    let clients = resting(&bed)?;
    let time = bed.gateway.unload()?;
    ensure!(time < scale::secs(5), "it took {time:?}");
    for mut client in clients {
        ensure!(client.get("/len/1").is_err(), "it is answered");
    }
    Ok(())
}
