//! How tunnels end: by either end, by reset, by silence, with the module.

use std::thread;
use std::time::{Duration, Instant};

use super::tunnels::{all_gone, joined, open, open_with, sender, SWITCH};
use super::unload::unload_and_see_them_end;
use crate::conn::{Fault, Options};
use crate::origin::{Step, Tunnel};
use crate::pattern::{self, Checker};
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    client_resets,
    client_closes,
    backend_resets,
    backend_closes,
    slow_ends,
    idle,
    hundred_at_once,
    unload_with_open_tunnels,
];

fn client_resets() -> Outcome {
    let bed = Bed::new()?;
    for kind in ["echo", "sink", "silent"] {
        let mut client = open(&bed, &format!("kind={kind}"))?;
        client.send(b"hello")?;
        if kind == "echo" {
            client.exactly(5)?;
        }
        client.reset()?;
        all_gone(&bed).context(kind)?;
    }
    // That was no end of what came, as a FIN is.
    let seen = bed.origin.received();
    let whole = seen.iter().any(|body| body.complete);
    ensure!(!whole, "a reset came through as an end: {seen:?}");
    bed.works()
}

fn client_closes() -> Outcome {
    let bed = Bed::new()?;
    for kind in ["echo", "sink"] {
        let mut client = open(&bed, &format!("kind={kind}"))?;
        client.send(b"hello")?;
        drop(client);
        all_gone(&bed).context(kind)?;
    }
    bed.works()
}

fn backend_resets() -> Outcome {
    let bed = Bed::new()?;
    let mut client = open(&bed, "after=1000&reset=1")?;
    client.send(&pattern::body(0, 1000))?;
    match client.rest() {
        Err(Fault::Reset(_)) => {}
        Ok(rest) => {
            let len = rest.len();
            return Err(Failure(format!("an orderly end after {len} octets")));
        }
        Err(fault) => return Err(fault.into()),
    }
    all_gone(&bed)?;
    bed.works()
}

fn backend_closes() -> Outcome {
    let bed = Bed::new()?;
    let mut client = open(&bed, "after=1000")?;
    client.send(&pattern::body(0, 1000))?;
    let rest = client.rest()?;
    ensure!(rest == pattern::body(0, 1000), "other octets came back");
    // It is gone for good: what we still send meets a reset, and then so do we.
    let ended = scale::wait_until(Duration::from_secs(20), || client.send(b"more").is_err());
    ensure!(ended, "it takes octets for nobody");
    all_gone(&bed)?;
    bed.works()
}

/// Both ends hold up the other, and nothing is lost.
fn slow_ends() -> Outcome {
    let bed = Bed::new()?;
    let len = scale::count(16 << 20, 2 << 20);
    let tiny = Options {
        receive_buffer: Some(2048),
        ..Options::default()
    };
    let mut client = open_with(&bed, &format!("kind=source&len={len}&seed=6"), tiny)?;
    // Until everything between is full.
    let mut checker = Checker::new(6);
    let mut pieces = 0;
    loop {
        let piece = client.nibble(30_000)?;
        if piece.is_empty() {
            break;
        }
        checker.feed(&piece);
        pieces += 1;
        if pieces % 64 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    same!((checker.len(), checker.wrong()), (len, None), "what came");
    drop(client);
    all_gone(&bed)?;
    // A backend that reads nothing, until it is gone.
    let client = open(&bed, "kind=silent")?;
    let sender = sender(&client, 0, 1 << 40, false)?;
    let done = scale::wait_until(Duration::from_secs(1), || sender.is_finished());
    ensure!(!done, "a backend that reads nothing takes everything");
    bed.origin.hang_up();
    ensure!(joined(sender).is_err(), "nobody took all of it");
    all_gone(&bed)?;
    bed.works()
}

fn idle() -> Outcome {
    let bed = Bed::new()?;
    let limit = scale::time(Duration::from_millis(700));
    let setting = format!("{}ms", limit.as_millis());
    bed.gateway.set("tunnel-timeout", &setting)?;
    for kind in ["silent", "echo", "sink"] {
        let mut client = open(&bed, &format!("kind={kind}"))?;
        let started = Instant::now();
        client.expect_close().context(kind)?;
        let time = started.elapsed();
        ensure!(
            time + Duration::from_millis(50) >= limit,
            "{kind}: it ended after {time:?} of {limit:?}"
        );
        all_gone(&bed).context(kind)?;
    }
    // Octets in one direction are enough, whichever it is.
    let mut to_backend = open(&bed, "kind=sink")?;
    let pause = limit / 7;
    for number in 0..21 {
        to_backend.send(b"x").context(format!("octet {number}"))?;
        thread::sleep(pause);
    }
    to_backend.half_close()?;
    let report = String::from_utf8_lossy(&to_backend.rest()?).into_owned();
    ensure!(report.contains("\noctets 21\n"), "{report:?}");
    let trickle = (0..21).flat_map(|_| [Step::Send(b"x".to_vec()), Step::Pause(pause)]);
    let mut steps = vec![Step::Read(0), Step::Send(SWITCH.into())];
    steps.extend(trickle);
    steps.push(Step::Tunnel(Tunnel::Sink));
    bed.origin.script("trickle", steps);
    let mut from_backend = bed.client()?;
    let (status, _) = from_backend.upgrade("/script/trickle", "websocket")?;
    same!(status, 101, "the status");
    same!(from_backend.exactly(21)?, b"x".repeat(21), "what came");
    bed.works()
}

fn hundred_at_once() -> Outcome {
    let bed = Bed::new()?;
    let mut clients = Vec::new();
    for number in 0..100 {
        clients.push(open(&bed, "").context(format!("tunnel {number}"))?);
    }
    for round in 0..5 {
        for (number, client) in clients.iter_mut().enumerate() {
            let message = pattern::body(number as u64 + round, 3000);
            client.send(&message)?;
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let back = client.exactly(3000);
            let back = back.context(format!("tunnel {number}"))?;
            let right = back == pattern::body(number as u64 + round, 3000);
            ensure!(right, "tunnel {number}: other octets came back");
        }
    }
    same!(bed.origin.open(), 100, "the backend's connections");
    for (number, client) in clients.iter_mut().enumerate() {
        if number % 2 == 0 {
            client.half_close()?;
            same!(client.rest()?, b"bye 15000\n", "the end");
        }
    }
    drop(clients);
    all_gone(&bed)?;
    bed.works()
}

fn unload_with_open_tunnels() -> Outcome {
    let bed = Bed::new()?;
    let mut clients = Vec::new();
    let tiny = Options {
        receive_buffer: Some(2048),
        ..Options::default()
    };
    for query in [
        "kind=echo",
        "kind=silent",
        "kind=sink",
        "kind=source&len=100000000",
    ] {
        for number in 0..8 {
            let mut client = open_with(&bed, query, tiny)?;
            if number % 2 == 0 {
                // As much as goes in without waiting.
                client.stream().set_nonblocking(true)?;
                let _ = client.send(pattern::octets(0, 0, 65_536));
                client.stream().set_nonblocking(false)?;
            }
            if number % 3 == 0 {
                client.half_close()?;
            }
            clients.push(client);
        }
    }
    unload_and_see_them_end(&bed, clients)
}
