//! Limits of time and number that a whole exchange has, however busy its ends look.

use std::time::{Duration, Instant};

use super::load::Sysctl;
use super::timeouts::{takes, LIMIT};
use super::uploads_whole::{no_complaints, upload_whole};
use crate::conn::{Conn, Fault, Options};
use crate::origin::Step;
use crate::pattern;
use crate::scale;
use crate::testing::{Bed, Context, Outcome};
use crate::upload::Upload;
use crate::{ensure, same, tests};

tests![
    requests_per_connection,
    requests_per_connection_of_a_pipeline,
    exchange_timeout_of_a_silent_backend,
    exchange_timeout_of_a_slow_answer,
    exchange_timeout_of_a_slow_upload,
    exchange_timeout_of_a_slow_reader,
    exchange_timeout_is_of_one_exchange,
    body_timeout,
    body_timeout_is_the_clients,
    pauses_within_body_timeout,
    backend_that_takes_nothing,
    min_rate_of_uploads,
    min_rate_of_readers,
];

fn requests_per_connection() -> Outcome {
    let bed = Bed::with(&[("requests-per-connection", "3")])?;
    for _ in 0..2 {
        let mut client = bed.client()?;
        for number in 1..=3 {
            let target = "/upload?seed=2";
            let response = client.upload(&Upload::new(target, 2, 5000))?.response;
            same!(response.status, 200, "the status of request {number}");
            same!(
                response.persistent(),
                number < 3,
                "whether it goes on after request {number}"
            );
        }
        client.expect_close().context("after the last one")?;
    }
    let mut old = bed.client()?;
    for number in 1..=3 {
        old.send(b"GET /len/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")?;
        let response = old.response("GET")?;
        let goes_on = response.head.has_token("Connection", "keep-alive");
        same!(goes_on, number < 3, "HTTP/1.0 goes on after {number}");
    }
    old.expect_close()
        .context("after the last one of HTTP/1.0")?;
    // No limit, and one that is reached at once.
    bed.gateway.set("requests-per-connection", "0")?;
    let mut client = bed.client()?;
    for _ in 0..20 {
        ensure!(
            client.get("/len/1")?.persistent(),
            "it ends without a limit"
        );
    }
    bed.gateway.set("requests-per-connection", "1")?;
    ensure!(!bed.client()?.get("/len/1")?.persistent(), "1 is two");
    Ok(())
}

fn requests_per_connection_of_a_pipeline() -> Outcome {
    let bed = Bed::with(&[("requests-per-connection", "3")])?;
    let mut client = bed.client()?;
    let get = |n: u64| format!("GET /len/9?seed={n} HTTP/1.1\r\nHost: test\r\n\r\n");
    let all: String = (0..6).map(get).collect();
    client.send(all.as_bytes())?;
    for number in 0..3 {
        let response = client.response("GET");
        let response = response.context(format!("answer {number}"))?;
        same!(response.body, pattern::body(number, 9), "body {number}");
    }
    client.expect_close().context("after the third")?;
    same!(bed.origin.requests(), 3, "the backend's requests");
    Ok(())
}

const WHOLE: [(&str, &str); 2] = [("exchange-timeout", "700ms"), ("linger-timeout", "200ms")];

/// Waits until no backend connection is open.
fn all_gone(bed: &Bed) -> Outcome {
    let gone = scale::wait_until(Duration::from_secs(10), || bed.origin.open() == 0);
    ensure!(gone, "{} backend connections stay open", bed.origin.open());
    Ok(())
}

fn exchange_timeout_of_a_silent_backend() -> Outcome {
    let bed = Bed::with(&WHOLE)?;
    let interims = (0..12).flat_map(|_| {
        let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec();
        [Step::Send(interim), Step::Pause(LIMIT / 5)]
    });
    let steps = interims.chain([Step::Hang]).collect();
    bed.origin.script("interims", steps);
    for target in ["/hang", "/script/interims"] {
        let mut client = bed.client()?;
        let response = takes(LIMIT, target, || client.get(target))?;
        same!(response.status, 504, "{target}: the status");
        all_gone(&bed).context(target)?;
    }
    bed.works()
}

/// Fails unless a response is cut off.
fn is_cut(outcome: &Result<crate::conn::Response, Fault>) -> Outcome {
    let cut = matches!(outcome, Err(Fault::Truncated(Some(_), _) | Fault::Reset(_)));
    ensure!(cut, "expected a truncated response, saw {outcome:?}");
    Ok(())
}

fn exchange_timeout_of_a_slow_answer() -> Outcome {
    let bed = Bed::with(&WHOLE)?;
    let mut client = bed.client()?;
    let target = "/slow/10000?chunk=10&ms=20";
    let outcome = takes(LIMIT, target, || Ok(client.get(target)))?;
    is_cut(&outcome)?;
    all_gone(&bed)?;
    bed.works()
}

fn exchange_timeout_of_a_slow_upload() -> Outcome {
    let bed = Bed::with(&WHOLE)?;
    let mut client = bed.client()?;
    let upload = Upload {
        pace: Some((10, Duration::from_millis(20))),
        ..Upload::new("/upload", 0, 10_000)
    };
    let uploaded = takes(LIMIT, "a slow upload", || client.upload(&upload))?;
    let status = uploaded.response.status;
    ensure!(status == 408 || status == 504, "the status is {status}");
    ensure!(!uploaded.response.persistent(), "the connection goes on");
    all_gone(&bed)?;
    let seen = bed.origin.last_received();
    let cut = seen.is_none_or(|body| !body.complete);
    ensure!(cut, "the backend got all of it");
    no_complaints(&bed)
}

/// Reads a little now and then until the connection ends, for as long as that may take.
fn read_slowly(client: &mut Conn) -> Result<(), Fault> {
    let end = Instant::now() + scale::secs(20);
    while Instant::now() < end {
        match client.nibble(500) {
            Ok(octets) if octets.is_empty() => return Ok(()),
            Err(Fault::Reset(_)) => return Ok(()),
            Ok(_) => std::thread::sleep(Duration::from_millis(25)),
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Timeout("waiting for the end of the answer".into()))
}

fn tiny() -> Options {
    Options {
        receive_buffer: Some(2048),
        ..Options::default()
    }
}

fn exchange_timeout_of_a_slow_reader() -> Outcome {
    let bed = Bed::with(&WHOLE)?;
    let mut client = bed.client_with(tiny())?;
    client.request("GET", "/len/100000000")?;
    takes(LIMIT, "a slow reader", || read_slowly(&mut client))?;
    all_gone(&bed)?;
    bed.works()
}

fn exchange_timeout_is_of_one_exchange() -> Outcome {
    let limit = scale::time(LIMIT);
    let setting = format!("{}ms", limit.as_millis());
    let bed = Bed::with(&[("exchange-timeout", &setting)])?;
    let mut client = bed.client()?;
    let (status, _) = client.upgrade("/upgrade", "websocket")?;
    same!(status, 101, "the status of a tunnel");
    let mut other = bed.client()?;
    let started = Instant::now();
    while started.elapsed() < limit * 3 {
        same!(other.get("/wait?ms=20")?.status, 200, "the status");
        // Idle time between two requests is not a part of either.
        std::thread::sleep(limit / 5);
    }
    // Nor has a tunnel an end for which it was not asked.
    client.send(b"still there")?;
    same!(client.exactly(11)?, b"still there", "through the tunnel");
    Ok(())
}

fn body_timeout() -> Outcome {
    let bed = Bed::with(&[("body-timeout", "700ms"), ("linger-timeout", "200ms")])?;
    let head = "POST /upload HTTP/1.1\r\nHost: test\r\n";
    let starts = [
        "Content-Length: 10\r\n\r\n",
        "Content-Length: 10\r\n\r\n123456789",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r",
    ];
    for start in starts {
        let mut client = bed.client()?;
        client.send(format!("{head}{start}").as_bytes())?;
        let response = takes(LIMIT, start, || client.response("POST"))?;
        same!(response.status, 408, "{start:?}: the status");
        client.expect_close().context(start)?;
    }
    let all = || bed.origin.received().len() == starts.len();
    let all = scale::wait_until(Duration::from_secs(10), all);
    ensure!(all, "the backend still waits for some");
    let whole = bed.origin.received().iter().any(|body| body.complete);
    ensure!(!whole, "the backend got a whole body");
    // A backend that has answered already does not make it longer.
    let mut client = bed.client()?;
    client.send(b"POST /early/200 HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello")?;
    same!(client.response("POST")?.status, 200, "an early status");
    takes(LIMIT / 2, "after an early answer", || client.expect_close())?;
    all_gone(&bed)?;
    no_complaints(&bed)
}

/// While the backend takes nothing nobody can tell how fast the client is.
fn body_timeout_is_the_clients() -> Outcome {
    let _rmem = Sysctl::set("net.ipv4.tcp_rmem", "4096 16384 65536")?;
    let _wmem = Sysctl::set("net.ipv4.tcp_wmem", "4096 16384 65536")?;
    let limit = scale::time(Duration::from_millis(300));
    let setting = format!("{}ms", limit.as_millis());
    let rate = scale::count(1_000_000, 1).to_string();
    let bed = Bed::with(&[("body-timeout", &setting), ("min-rate", &rate)])?;
    let mut client = bed.client()?;
    let target = format!("/upload?seed=4&stall={}", 5 * limit.as_millis());
    let upload = Upload::new(&target, 4, 1 << 20);
    upload_whole(&mut client, &upload)?;
    no_complaints(&bed)
}

fn pauses_within_body_timeout() -> Outcome {
    let limit = scale::time(LIMIT);
    let setting = format!("{}ms", limit.as_millis());
    let bed = Bed::with(&[("body-timeout", &setting), ("min-rate", "0")])?;
    let mut client = bed.client()?;
    let plain = Upload {
        pace: Some((100, limit / 7)),
        ..Upload::new("/upload?seed=4", 4, 2000)
    };
    upload_whole(&mut client, &plain)?;
    upload_whole(&mut client, &plain.chunked(90))?;
    no_complaints(&bed)
}

fn backend_that_takes_nothing() -> Outcome {
    let _rmem = Sysctl::set("net.ipv4.tcp_rmem", "4096 16384 65536")?;
    let _wmem = Sysctl::set("net.ipv4.tcp_wmem", "4096 16384 65536")?;
    let bed = Bed::with(&[("response-timeout", "700ms")])?;
    bed.origin.script("deaf", vec![Step::Read(1), Step::Stall]);
    let upload = Upload::new("/script/deaf", 0, 4 << 20);
    for upload in [upload.clone(), upload.chunked(10_000)] {
        let mut client = bed.client()?;
        let what = "a backend that takes nothing";
        let uploaded = takes(LIMIT, what, || client.upload(&upload))?;
        same!(uploaded.response.status, 504, "the status");
        let _ = client.half_close();
        client.expect_close()?;
    }
    all_gone(&bed)?;
    no_complaints(&bed)
}

fn min_rate_of_uploads() -> Outcome {
    let bed = Bed::with(&[("body-timeout", "700ms"), ("min-rate", "100000")])?;
    // A tenth of that, with pauses that are no matter.
    let slow = |len| Upload {
        pace: Some((500, Duration::from_millis(50))),
        ..Upload::new("/upload?seed=4", 4, len)
    };
    for upload in [slow(200_000), slow(200_000).chunked(100)] {
        let mut client = bed.client()?;
        let what = "an upload below the rate";
        let uploaded = takes(LIMIT, what, || client.upload(&upload))?;
        same!(uploaded.response.status, 408, "the status");
        ensure!(!uploaded.sent, "it was taken to the end");
    }
    all_gone(&bed)?;
    let whole = bed.origin.received().iter().any(|body| body.complete);
    ensure!(!whole, "the backend got a whole body");
    let mut client = bed.client()?;
    upload_whole(&mut client, &Upload::new("/upload?seed=4", 4, 1 << 20))?;
    // The same without a rate.
    let limit = scale::time(LIMIT);
    bed.gateway
        .set("body-timeout", &format!("{}ms", limit.as_millis()))?;
    bed.gateway.set("min-rate", "0")?;
    upload_whole(&mut bed.client()?, &slow(20_000))?;
    no_complaints(&bed)
}

fn min_rate_of_readers() -> Outcome {
    let bed = Bed::with(&[("send-timeout", "700ms"), ("min-rate", "1000000")])?;
    let mut client = bed.client_with(tiny())?;
    client.request("GET", "/len/100000000")?;
    takes(LIMIT, "a reader below the rate", || {
        read_slowly(&mut client)
    })?;
    all_gone(&bed)?;
    // One that reads fast is not hindered.
    let size = scale::count(20_000_000, 4_000_000);
    let mut checker = pattern::Checker::new(3);
    let mut fast = bed.client()?;
    fast.request("GET", &format!("/len/{size}?seed=3"))?;
    fast.response_into("GET", &mut |octets| checker.feed(octets))?;
    same!((checker.len(), checker.wrong()), (size, None), "a fast one");
    // Nor is a slow one without a rate.
    let limit = scale::time(LIMIT);
    bed.gateway
        .set("send-timeout", &format!("{}ms", limit.as_millis()))?;
    bed.gateway.set("min-rate", "0")?;
    let mut client = bed.client_with(tiny())?;
    client.request("GET", "/len/40000?seed=3")?;
    let mut seen = Vec::new();
    while !seen.ends_with(&pattern::body(3, 40_000)[39_000..]) {
        let octets = client.nibble(500).context("a slow reader without a rate")?;
        ensure!(!octets.is_empty(), "it ends after {} octets", seen.len());
        seen.extend(octets);
        std::thread::sleep(Duration::from_millis(25));
    }
    bed.works()
}
