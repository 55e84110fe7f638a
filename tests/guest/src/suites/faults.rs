//! Backends that misbehave, each in its own way.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::status::Metrics;
use crate::conn::{preview, Conn, Fault};
use crate::origin::{Mode, Origin, Step};
use crate::pattern::{self, Checker};
use crate::scale;
use crate::testing::{sh, Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    backend_refuses,
    backend_unroutable,
    backend_accepts_and_closes,
    backend_answers_garbage,
    backend_bad_heads,
    backend_bad_chunks,
    backend_dies_in_the_head,
    backend_dies_in_the_body,
    backend_dies_in_the_body_of_an_http10_client,
    backend_resets,
    backend_head_too_large,
    backend_says_more_than_it_should,
    backend_speaks_first,
    kept_alive_connection_closed_between_requests,
    kept_alive_connection_closed_under_a_request,
    fresh_connection_closed_is_not_retried_for_ever,
    all_idle_connections_die,
    idle_connections_go_with_their_fin,
    backend_moves_under_load,
];

/// The status and page of a request that cannot have a good answer; the client's connection goes on
/// or ends properly.
fn error_of(bed: &Bed, target: &str) -> Result<u16, Failure> {
    let mut client = bed.client()?;
    let response = client.get(target).context(format!("GET {target}"))?;
    ensure!(
        response.length > 0,
        "GET {target}: {} without a page",
        response.status
    );
    if !response.persistent() {
        client.expect_close().context(format!("after {target}"))?;
    }
    Ok(response.status)
}

fn backend_refuses() -> Outcome {
    let mut bed = Bed::new()?;
    bed.works()?;
    bed.origin.refuse();
    bed.origin.hang_up();
    same!(
        error_of(&bed, "/len/1")?,
        502,
        "the status with the backend gone"
    );
    bed.origin.listen()?;
    bed.works()
}

fn backend_unroutable() -> Outcome {
    let bed = Bed::with(&[("connect-timeout", "500ms")])?;
    // Routes that say no at once, each in its own way, and no route at all.
    sh("for k in unreachable prohibit blackhole; do ip route replace $k 198.51.100.${#k}; done")?;
    for addr in [
        "198.51.100.11:80",
        "198.51.100.8:80",
        "198.51.100.9:80",
        "[2001:db8::1]:80",
    ] {
        bed.gateway.backend(0, addr.parse()?)?;
        let status = error_of(&bed, "/len/1")?;
        ensure!(
            (502..=504).contains(&status),
            "{addr}: the status is {status}"
        );
    }
    bed.gateway.backend(0, bed.origin.addr())?;
    bed.works()
}

fn backend_accepts_and_closes() -> Outcome {
    let bed = Bed::new()?;
    for mode in [Mode::AcceptClose, Mode::AcceptReset] {
        bed.origin.set(mode, 0);
        for _ in 0..5 {
            same!(error_of(&bed, "/len/1")?, 502, "the status with {mode:?}");
        }
    }
    bed.origin.set(Mode::Serve, 0);
    bed.works()
}

fn backend_answers_garbage() -> Outcome {
    let bed = Bed::new()?;
    same!(error_of(&bed, "/garbage")?, 502, "the status");
    bed.origin.script("silence", vec![Step::Close]);
    same!(
        error_of(&bed, "/script/silence")?,
        502,
        "the status of no answer at all"
    );
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    bed.origin.raw("noise", noise);
    same!(error_of(&bed, "/script/noise")?, 502, "the status of noise");
    bed.works()
}

fn backend_bad_heads() -> Outcome {
    let bed = Bed::new()?;
    for bad in [
        "200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nBad name: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\u{0}b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked, gzip\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
    ] {
        bed.origin.raw("bad", bad);
        same!(
            error_of(&bed, "/script/bad").context(format!("{bad:?}"))?,
            502,
            "{bad:?}: the status"
        );
    }
    bed.works()
}

fn backend_bad_chunks() -> Outcome {
    let bed = Bed::new()?;
    for bad in [
        "x\r\nok\r\n0\r\n\r\n",
        "2\nok\r\n0\r\n\r\n",
        "2\r\nokay\r\n0\r\n\r\n",
        "-2\r\nok\r\n0\r\n\r\n",
        "2 2\r\nok\r\n0\r\n\r\n",
        "\r\nok\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nok\r\n",
        "ffffffffffffffff\r\nok\r\n",
        "2\r\nok\r\n0\r\nbad trailer\r\n\r\n",
        "0x2\r\nok\r\n0\r\n\r\n",
    ] {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        bed.origin.raw("bad", format!("{head}{bad}"));
        let mut client = bed.client()?;
        match client.get("/script/bad") {
            Err(Fault::Truncated(..) | Fault::Reset(_)) => {}
            Ok(response) if response.status == 502 => {}
            Ok(response) => {
                let body = preview(&response.body);
                return Err(Failure(format!(
                    "{bad:?} was passed as a whole response: {body:?}"
                )));
            }
            Err(fault) => return Err(fault).context(format!("{bad:?}")),
        }
    }
    bed.works()
}

fn backend_dies_in_the_head() -> Outcome {
    let bed = Bed::new()?;
    same!(error_of(&bed, "/die-head")?, 502, "the status");
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for cut in [1, 8, 12, 17, 34, 36] {
        bed.origin.raw("cut", &text[..cut]);
        same!(
            error_of(&bed, "/script/cut")?,
            502,
            "the status of a head cut at {cut}"
        );
    }
    bed.works()
}

/// What a client gets of a response that its backend does not finish: never a whole one.
fn expect_truncated(client: &mut Conn, target: &str, sent: u64) -> Outcome {
    let mut checker = Checker::new(11);
    client.request("GET", &format!("{target}&seed=11"))?;
    match client.response_into("GET", &mut |bytes| checker.feed(bytes)) {
        Err(Fault::Truncated(Some(head), _)) => {
            same!(head.words().1, "200", "{target}: the status")
        }
        // The backend's reset may overtake its head.
        Err(Fault::Reset(_)) | Err(Fault::Truncated(None, _)) if target.contains("reset=1") => {}
        Ok(response) if response.status == 502 && target.contains("reset=1") => return Ok(()),
        Ok(response) => {
            let (status, length) = (response.status, response.length);
            return Err(Failure(format!(
                "{target}: a whole {status} of {length} octets"
            )));
        }
        Err(fault) => return Err(fault).context(target),
    }
    same!(checker.wrong(), None, "{target}: the first wrong octet");
    ensure!(
        checker.len() <= sent,
        "{target}: {} octets of {sent}",
        checker.len()
    );
    if !target.contains("reset=1") {
        same!(checker.len(), sent, "{target}: what came of what was sent");
    }
    Ok(())
}

fn backend_dies_in_the_body() -> Outcome {
    let bed = Bed::new()?;
    for (size, after) in [
        (10, 0),
        (10, 9),
        (70_000, 1),
        (70_000, 69_999),
        (1 << 20, 500_000),
    ] {
        for framing in ["length", "chunked"] {
            for reset in [0, 1] {
                let target = format!("/die/{size}?after={after}&framing={framing}&reset={reset}");
                expect_truncated(&mut bed.client()?, &target, after)?;
            }
        }
    }
    bed.works()
}

fn backend_dies_in_the_body_of_an_http10_client() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    client.send(b"GET /die/5000?after=100&framing=chunked HTTP/1.0\r\nHost: a\r\n\r\n")?;
    // Without chunks only a reset tells a cut body from a whole one.
    match client.response("GET") {
        Err(Fault::Reset(_) | Fault::Truncated(..)) => {}
        other => return Err(Failure(format!("expected a reset, saw {other:?}"))),
    }
    bed.works()
}

fn backend_resets() -> Outcome {
    let bed = Bed::new()?;
    for _ in 0..5 {
        same!(error_of(&bed, "/reset")?, 502, "the status");
    }
    bed.works()
}

fn backend_head_too_large() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    same!(
        client
            .get("/headers/20")?
            .head
            .get("X-Field-19")
            .map(str::len),
        Some(100),
        "the last field"
    );
    for fields in [140, 1000] {
        same!(
            error_of(&bed, &format!("/headers/{fields}"))?,
            502,
            "the status of {fields} fields"
        );
    }
    bed.works()
}

fn backend_says_more_than_it_should() -> Outcome {
    let bed = Bed::new()?;
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nasked";
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    bed.origin.script(
        "at-once",
        vec![Step::Send(format!("{head}{poison}").into())],
    );
    let pause = Step::Pause(Duration::from_millis(30));
    bed.origin.script(
        "later",
        vec![Step::Send(head.into()), pause, Step::Send(poison.into())],
    );
    for target in ["/extra", "/script/at-once", "/script/later"] {
        for _ in 0..5 {
            let mut client = bed.client()?;
            let finished = bed.origin.finished();
            same!(client.get(target)?.text(), "asked", "{target}: the body");
            // A gateway cannot know of octets that come only after the next request went out; it
            // must notice those that are there before.
            let all = || bed.origin.finished() > finished;
            ensure!(
                scale::wait_until(Duration::from_secs(5), all),
                "{target}: never all sent"
            );
            thread::sleep(Duration::from_millis(50));
            // The next answers on this client's connection and on another's.
            for client in [&mut client, &mut bed.client()?] {
                let response = client
                    .get("/len/9?seed=4")
                    .context(format!("after {target}"))?;
                same!(
                    response.body,
                    pattern::body(4, 9),
                    "the body after {target}"
                );
            }
        }
    }
    Ok(())
}

fn backend_speaks_first() -> Outcome {
    let bed = Bed::new()?;
    bed.origin.set(Mode::Unasked, 0);
    // Octets that meet the request cannot be told from an early answer; but once the true one is
    // there too, the connection must not be used a second time, with every answer one behind.
    for seed in 1..6 {
        let before = bed.origin.finished();
        match bed.client()?.get(&format!("/len/9?seed={seed}")) {
            Ok(response) if response.status == 502 => continue,
            Ok(response) if response.text() == "unasked" => {}
            Ok(response) => same!(response.body, pattern::body(seed, 9), "the body"),
            Err(fault) => return Err(fault.into()),
        }
        // Or the gateway has closed the connection at the first octet of it.
        let said = || bed.origin.finished() > before || bed.origin.open() == 0;
        ensure!(
            scale::wait_until(Duration::from_secs(10), said),
            "the backend does not answer"
        );
    }
    bed.origin.set(Mode::Serve, 0);
    bed.works()
}

fn kept_alive_connection_closed_between_requests() -> Outcome {
    let bed = Bed::new()?;
    bed.origin.set(Mode::CloseAfter, 1);
    let mut client = bed.client()?;
    for number in 0..30 {
        let response = client
            .get(&format!("/len/50?seed={number}"))
            .context("a request")?;
        same!(response.status, 200, "the status of request {number}");
        same!(
            response.body,
            pattern::body(number, 50),
            "the body of request {number}"
        );
    }
    same!(bed.origin.requests(), 30, "the backend's requests");
    Ok(())
}

fn kept_alive_connection_closed_under_a_request() -> Outcome {
    let bed = Bed::new()?;
    bed.origin.set(Mode::DropAfter, 1);
    let mut client = bed.client()?;
    for number in 0..30 {
        let response = client
            .get(&format!("/len/50?seed={number}"))
            .context("a request")?;
        same!(response.status, 200, "the status of request {number}");
        same!(
            response.body,
            pattern::body(number, 50),
            "the body of request {number}"
        );
    }
    let dropped = bed.origin.requests() - 30;
    ensure!(
        dropped > 0,
        "no request met a closing connection: this test tested nothing"
    );
    Ok(())
}

fn fresh_connection_closed_is_not_retried_for_ever() -> Outcome {
    let bed = Bed::new()?;
    bed.origin.set(Mode::DropAfter, 0);
    for _ in 0..3 {
        same!(error_of(&bed, "/len/1")?, 502, "the status");
    }
    let tries = bed.origin.requests();
    ensure!(
        tries <= 9,
        "3 requests were sent to the backend {tries} times"
    );
    Ok(())
}

fn all_idle_connections_die() -> Outcome {
    let bed = Bed::new()?;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = bed.client()?;
        client.request("GET", "/wait?ms=100")?;
        clients.push(client);
    }
    for client in &mut clients {
        same!(client.response("GET")?.status, 200, "the status");
    }
    ensure!(
        bed.origin.open() > 1,
        "there is no pool: {} connections",
        bed.origin.open()
    );
    bed.origin.hang_up();
    for client in &mut clients {
        same!(
            client.get("/len/3")?.status,
            200,
            "the status after the pool died"
        );
    }
    Ok(())
}

/// What a backend has ended is no connection to keep, before anybody asks for one: nothing but the
/// numbers is looked at meanwhile. The next request meets none that is dead.
fn idle_connections_go_with_their_fin() -> Outcome {
    let bed = Bed::with(&[("idle-timeout", "1h")])?;
    let number = |name| Metrics::read().and_then(|metrics| metrics.of(&bed.origin, 0, name));
    for round in 1..=5 {
        let mut clients = Vec::new();
        for _ in 0..4 {
            let mut client = bed.client()?;
            client.request("GET", "/wait?ms=100")?;
            clients.push(client);
        }
        for client in &mut clients {
            same!(client.response("GET")?.status, 200, "the status");
        }
        let kept = number("pooled")?;
        ensure!(kept > 0, "round {round}: nothing is kept");
        let connects = number("connects_total")?;
        let ended = Instant::now();
        bed.origin.hang_up();
        let gone = || number("pooled").is_ok_and(|kept| kept == 0);
        let gone = scale::wait_until(Duration::from_secs(5), gone);
        ensure!(gone, "round {round}: {} are kept", number("pooled")?);
        println!("{kept} were gone after {:?}", ended.elapsed());
        same!(number("connects_total")?, connects, "connections meanwhile");
        same!(bed.client()?.get("/len/1")?.status, 200, "the status");
        same!(number("connects_total")?, connects + 1, "connections then");
    }
    same!(Metrics::read()?.get("replays_total")?, 0, "replays");
    Ok(())
}

fn backend_moves_under_load() -> Outcome {
    let bed = Bed::new()?;
    let second = Origin::start()?;
    let traffic = crate::load::Traffic::start(&crate::load::Plan::mixed(bed.addr()));
    for round in 0..scale::count(40, 10) {
        let addr = if round % 2 == 0 {
            second.addr()
        } else {
            bed.origin.addr()
        };
        bed.gateway.backend(0, addr)?;
        thread::sleep(Duration::from_millis(20));
    }
    let tally = traffic.stop();
    ensure!(
        tally.wrong == 0 && tally.failed == 0 && tally.right > 0,
        "{tally:?}"
    );
    ensure!(second.requests() > 0, "the second backend was never used");
    Ok(())
}

/// A port of 127.0.0.1 where a connection neither comes about nor is refused: a listener whose
/// queue is full. The listener and the connections that fill it must be kept.
pub(super) fn black_hole() -> Result<(SocketAddr, TcpListener, Vec<std::net::TcpStream>), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    SockRef::from(&listener).listen(0)?;
    let addr = listener.local_addr()?;
    let mut filling = Vec::new();
    for _ in 0..8 {
        match std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(300)) {
            Ok(stream) => filling.push(stream),
            Err(_) => return Ok((addr, listener, filling)),
        }
    }
    Err(Failure("the black hole takes connections".into()))
}
