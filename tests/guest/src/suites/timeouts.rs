//! Every wait has an end: time limits set through `config`, and what happens when they run out.

use std::time::{Duration, Instant};

use super::faults::black_hole;
use crate::conn::{Fault, Options};
use crate::gateway;
use crate::scale;
use crate::testing::{Bed, Context, Outcome};
use crate::{ensure, same, tests};

tests![
    connect_timeout,
    response_timeout,
    read_timeout,
    send_timeout,
    answers_that_nobody_takes,
    header_timeout,
    keepalive_timeout,
    idle_backend_connections_are_closed,
    slow_but_steady_is_not_late,
];

/// Runs `wait`, which must take at least `least` (the limit that was set) and not much longer.
pub(super) fn takes<T>(
    least: Duration,
    what: &str,
    wait: impl FnOnce() -> Result<T, Fault>,
) -> Result<T, crate::testing::Failure> {
    let started = Instant::now();
    let outcome = wait().context(what)?;
    let time = started.elapsed();
    ensure!(
        time + Duration::from_millis(50) >= least,
        "{what}: it took only {time:?} of {least:?}"
    );
    let most = least + scale::secs(10);
    ensure!(
        time < most,
        "{what}: it took {time:?} with a limit of {least:?}"
    );
    Ok(outcome)
}

/// The limit that the tests set.
pub(super) const LIMIT: Duration = Duration::from_millis(700);

fn connect_timeout() -> Outcome {
    let bed = Bed::with(&[("connect-timeout", "700ms")])?;
    let (addr, _listener, _filling) = black_hole()?;
    bed.gateway.backend(0, addr)?;
    let mut client = bed.client()?;
    let response = takes(LIMIT, "connecting to a black hole", || client.get("/len/1"))?;
    same!(response.status, 504, "the status");
    bed.gateway.backend(0, bed.origin.addr())?;
    bed.works()
}

fn response_timeout() -> Outcome {
    let bed = Bed::with(&[("response-timeout", "700ms")])?;
    let mut client = bed.client()?;
    let response = takes(LIMIT, "a backend that hangs", || client.get("/hang"))?;
    same!(response.status, 504, "the status");
    let gone = scale::wait_until(Duration::from_secs(5), || bed.origin.open() == 0);
    ensure!(
        gone,
        "the backend's connection is still open after the timeout"
    );
    bed.works()
}

fn read_timeout() -> Outcome {
    let bed = Bed::with(&[("read-timeout", "700ms")])?;
    let mut client = bed.client()?;
    let outcome = takes(LIMIT, "a backend that hangs in the body", || {
        Ok(client.get("/hang-body/1000?after=10"))
    })?;
    let truncated = matches!(
        outcome,
        Err(Fault::Truncated(Some(_), 10) | Fault::Reset(_))
    );
    ensure!(
        truncated,
        "expected a truncated body of 10 octets, saw {outcome:?}"
    );
    bed.works()
}

fn send_timeout() -> Outcome {
    let bed = Bed::with(&[("send-timeout", "700ms")])?;
    let tiny = Options {
        receive_buffer: Some(1024),
        ..Options::default()
    };
    let mut client = bed.client_with(tiny)?;
    client.request("GET", "/len/100000000")?;
    let dropped = || bed.origin.requests() == 1 && bed.origin.open() == 0;
    takes(LIMIT, "a client that reads nothing", || {
        if scale::wait_until(Duration::from_secs(15), dropped) {
            Ok(())
        } else {
            Err(Fault::Timeout(
                "waiting for the backend's connection to be closed".into(),
            ))
        }
    })?;
    bed.works()
}

/// An answer that fits into the socket is out for the gateway, and not for the client: as long as it is
/// not, the client has its seat.
fn answers_that_nobody_takes() -> Outcome {
    let limits = [
        ("send-timeout", "700ms"),
        ("linger-timeout", "100ms"),
        ("keepalive-timeout", "700ms"),
    ];
    let bed = Bed::with(&limits)?;
    let open = || {
        let metrics = gateway::read("metrics").unwrap_or_default();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("resin_client_connections "));
        line.and_then(|line| line.rsplit(' ').next()) != Some("0")
    };
    for (fields, ends) in [
        ("Connection: close\r\n", false),
        ("Connection: close\r\n", true),
        ("", true),
        ("", false),
    ] {
        let tiny = Options {
            receive_buffer: Some(1024),
            ..Options::default()
        };
        let what = format!("{fields:?}, {ends}");
        let mut client = bed.client_with(tiny)?;
        let head = format!("GET /len/60000 HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        client.send(head.as_bytes())?;
        if ends {
            client.half_close()?;
        }
        takes(LIMIT, &what, || {
            if !scale::wait_until(Duration::from_secs(5), open) {
                Err(Fault::Timeout("waiting to be accepted".into()))
            } else if scale::wait_until(Duration::from_secs(15), || !open()) {
                Ok(())
            } else {
                Err(Fault::Timeout("waiting for the seat to be free".into()))
            }
        })?;
        // With RST: nothing stays behind in the kernel.
        let rest = client.rest();
        ensure!(matches!(rest, Err(Fault::Reset(_))), "{what}: no reset");
    }
    bed.works()
}

fn header_timeout() -> Outcome {
    let bed = Bed::with(&[("header-timeout", "700ms"), ("linger-timeout", "200ms")])?;
    for begun in ["", "GET / HTTP/1.1\r\nHost: a\r\nX"] {
        let mut client = bed.client()?;
        client.send(begun.as_bytes())?;
        let what = format!("a head that ends after {begun:?}");
        let outcome = takes(LIMIT, &what, || match client.response("GET") {
            Err(Fault::Closed | Fault::Reset(_)) => Ok(None),
            other => other.map(Some),
        })?;
        if let Some(response) = outcome {
            same!(response.status, 408, "{what}: the status");
            client.expect_close().context(what)?;
        }
    }
    // Octets now and then do not put the end off.
    let mut client = bed.client()?;
    let started = Instant::now();
    for octet in "GET / HTTP/1.1\r\nHost: a\r\nX: "
        .bytes()
        .chain(std::iter::repeat(b'x'))
    {
        if client.send(&[octet]).is_err()
            || !client.silent(Duration::from_millis(100)).unwrap_or(false)
        {
            break;
        }
        let time = started.elapsed();
        ensure!(
            time < LIMIT + scale::secs(10),
            "an octet now and then puts off the end: {time:?}"
        );
    }
    ensure!(started.elapsed() >= LIMIT, "it ended too early");
    bed.works()
}

fn keepalive_timeout() -> Outcome {
    let bed = Bed::with(&[("keepalive-timeout", "700ms")])?;
    let mut client = bed.client()?;
    // The time runs from the moment that the answer is sent, when nobody may have read it yet.
    takes(LIMIT, "an idle connection", || {
        client.get("/len/1")?;
        client.expect_close()
    })?;
    bed.works()
}

fn idle_backend_connections_are_closed() -> Outcome {
    let bed = Bed::with(&[("idle-timeout", "700ms")])?;
    // The time runs from the end of the answer, which may be long past when anyone looks.
    let started = Instant::now();
    bed.works()?;
    let gone = scale::wait_until(Duration::from_secs(15), || bed.origin.open() == 0);
    ensure!(gone, "the backend's connection is still open");
    ensure!(started.elapsed() >= LIMIT, "it was closed too early");
    bed.works()?;
    bed.gateway.set("idle-per-cpu", "0")?;
    bed.works()?;
    let gone = scale::wait_until(Duration::from_secs(15), || bed.origin.open() == 0);
    ensure!(gone, "with idle-per-cpu 0 a connection is kept");
    Ok(())
}

fn slow_but_steady_is_not_late() -> Outcome {
    let limits = [
        ("response-timeout", "1s"),
        ("read-timeout", "1s"),
        ("send-timeout", "1s"),
    ];
    let bed = Bed::with(&limits)?;
    let mut client = bed.client()?;
    // Three seconds in all, never a second without an octet.
    let response = client.get("/slow/30?chunk=1&ms=100&seed=6")?;
    same!(response.body, crate::pattern::body(6, 30), "the body");
    Ok(())
}
