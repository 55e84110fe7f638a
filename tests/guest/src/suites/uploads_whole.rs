//! Requests with a body of every shape: each octet reaches the backend, once.

use std::fs;
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::load::{Netem, Sysctl};
use crate::conn::Conn;
use crate::http;
use crate::origin::Step;
use crate::pattern;
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::upload::{Sent, Upload};
use crate::{ensure, same, tests};

tests![
    every_method,
    sizes in 240 s,
    cut_at_every_octet,
    octet_by_octet,
    both_ways_at_once,
    trailers_pass_both_ways,
    trailers_that_may_not_pass,
    chunk_extensions_are_dropped,
    every_framing_of_the_answer,
    pipelined,
    many_at_once in 240 s,
    http10_client,
    memory_is_bounded in 240 s,
    lossy_network in 240 s,
];

/// Fails unless the report is of that body, whole and right.
pub(super) fn is_whole(report: &str, upload: &Upload<'_>) -> Outcome {
    let (method, target, len) = (upload.method, upload.target, upload.len);
    let framing = match upload.framing {
        Sent::Length => format!("length {len}"),
        Sent::Chunked(_) => "chunked".to_owned(),
    };
    let crc = upload.crc();
    for line in [
        format!("request {method} {target} HTTP/1.1"),
        format!("framing {framing}"),
        format!("octets {len}"),
        format!("crc32 {crc:08x}"),
        "wrong none".to_owned(),
        "complete true".to_owned(),
    ] {
        ensure!(
            report.lines().any(|one| one == line),
            "no {line:?} in the backend's report {report:?}"
        );
    }
    Ok(())
}

/// Uploads to `/upload`; fails unless the backend has got all of the body and the client its report.
pub(super) fn upload_whole(client: &mut Conn, upload: &Upload<'_>) -> Outcome {
    let what = describe(upload);
    let uploaded = client.upload(upload).context(&what)?;
    same!(uploaded.response.status, 200, "{what}: the status");
    ensure!(uploaded.sent, "{what}: it was not taken to the end");
    is_whole(&uploaded.response.text(), upload).context(what)
}

/// For messages.
pub(super) fn describe(upload: &Upload<'_>) -> String {
    let (method, target, len) = (upload.method, upload.target, upload.len);
    let (framing, cut) = (&upload.framing, upload.cut);
    format!("{method} {target}, {len} octets ({framing:?}, cut {cut:?})")
}

/// Fails if the backend has ever got anything that is not strict HTTP.
pub(super) fn no_complaints(bed: &Bed) -> Outcome {
    same!(bed.origin.complaints(), [""; 0], "the backend's complaints");
    bed.works()
}

fn every_method() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "GET", "HEAD", "X-own",
    ] {
        let plain = Upload {
            method,
            ..Upload::new("/upload?seed=5", 5, 5000)
        };
        for upload in [plain.clone(), plain.chunked(700)] {
            let uploaded = client.upload(&upload).context(describe(&upload))?;
            same!(uploaded.response.status, 200, "the status of {method}");
            let seen = bed.origin.last_received();
            let seen = seen.ok_or_else(|| Failure(format!("{method}: no body came")))?;
            is_whole(&seen.report(), &upload)?;
        }
    }
    no_complaints(&bed)
}

fn sizes() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for len in [
        0,
        1,
        2,
        15,
        16,
        17,
        1459,
        1460,
        1461,
        4095,
        4096,
        4097,
        16_383,
        16_384,
        16_385,
        65_535,
        65_536,
        65_537,
        1 << 20,
    ] {
        let seed = len % 1000;
        let target = format!("/upload?seed={seed}");
        let plain = Upload::new(&target, seed, len);
        upload_whole(&mut client, &plain)?;
        for chunk in [1, 1000, 16_384, 65_536] {
            if len / chunk < scale::count(20_000, 5_000) {
                upload_whole(&mut client, &plain.clone().chunked(chunk))?;
            }
        }
    }
    // One client, whose backend connection is as good after a body as before.
    let used = bed.origin.connections();
    ensure!(used <= 4, "it took {used} backend connections");
    no_complaints(&bed)
}

/// A small chunked request with everything in it.
fn small_chunked() -> (String, Vec<u8>, Upload<'static>) {
    let upload = Upload::new("/upload", 0, 10).chunked(3);
    let body = pattern::body(0, 10);
    let head = "POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
    let rest = [
        b"3;a=b;c=\"d\\\"\"\r\n",
        &body[..3],
        b"\r\n07\r\n",
        &body[3..],
        b"\r\n0;e\r\nX-Sum: 12\r\nX-Other:\r\n\r\n",
    ];
    (head.to_owned(), rest.concat(), upload)
}

fn cut_at_every_octet() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let (head, rest, upload) = small_chunked();
    let all = [head.as_bytes(), &rest].concat();
    for cut in 1..all.len() {
        let arrived = bed.origin.requests() + 1;
        client.send(&all[..cut])?;
        // As soon as the head is there it goes on to the backend.
        if cut >= head.len() {
            let there = || bed.origin.requests() == arrived;
            let there = scale::wait_until(Duration::from_secs(10), there);
            ensure!(there, "cut at {cut}: the backend does not get the head");
        }
        client.send(&all[cut..])?;
        let response = client.response("POST").context(format!("cut at {cut}"))?;
        same!(response.status, 200, "cut at {cut}: the status");
        is_whole(&response.text(), &upload).context(format!("cut at {cut}"))?;
        let trailers = response
            .text()
            .contains("\ntrailer X-Sum: 12\ntrailer X-Other: \n");
        ensure!(trailers, "cut at {cut}: trailers: {:?}", response.text());
    }
    no_complaints(&bed)
}

fn octet_by_octet() -> Outcome {
    // On the debug kernel so many small sends are slower than what is asked of a client.
    let bed = Bed::with(&[("min-rate", "0")])?;
    let mut client = bed.client()?;
    let plain = Upload {
        pace: Some((1, Duration::ZERO)),
        ..Upload::new("/upload?seed=8", 8, 3000)
    };
    upload_whole(&mut client, &plain)?;
    upload_whole(&mut client, &plain.chunked(5))?;
    no_complaints(&bed)
}

/// Reads on until so many octets of a body with Content-Length are there; returns those.
fn body_of(client: &mut Conn, len: usize) -> Result<Vec<u8>, Failure> {
    let mut seen = Vec::new();
    loop {
        let end = http::head_end(&seen, 0);
        if let Some(end) = end.filter(|end| seen.len() >= end + len) {
            return Ok(seen.split_off(end));
        }
        let more = client.nibble(65_536)?;
        ensure!(!more.is_empty(), "the end after {} octets", seen.len());
        seen.extend(more);
    }
}

fn both_ways_at_once() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    // What was sent comes back before the rest was sent.
    let upload = Upload::new("/echo", 0, 200_000);
    let body = pattern::body(0, 200_000);
    client.send(upload.head().as_bytes())?;
    client.send(&body[..1000])?;
    let mut back = body_of(&mut client, 1000).context("the first octets back")?;
    client.send(&body[1000..])?;
    back.extend(client.exactly(200_000 - back.len())?);
    ensure!(back == body, "other octets came back");
    no_complaints(&bed)
}

fn trailers_pass_both_ways() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let upload = Upload {
        fields: "TE: trailers\r\nConnection: TE\r\nTrailer: X-Sum, Server-Timing\r\n",
        trailers: "X-Sum: 0123456789abcdef\r\nServer-Timing: a;dur=1\r\nx-CASE:  kept \r\n",
        ..Upload::new("/echo?seed=2", 2, 10_000).chunked(999)
    };
    let right: Vec<(String, String)> = [
        ("X-Sum", "0123456789abcdef"),
        ("Server-Timing", "a;dur=1"),
        ("x-CASE", "kept"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .to_vec();
    for len in [10_000, 0] {
        let upload = Upload {
            len,
            ..upload.clone()
        };
        let response = client.upload(&upload)?.response;
        same!(response.body, pattern::body(2, len as usize), "the body");
        let seen = bed.origin.last_received();
        let seen = seen.map(|body| body.trailers).unwrap_or_default();
        same!(seen, right, "the trailers at the backend");
        same!(response.trailers, right, "the trailers back at the client");
    }
    let head = bed.origin.last_head().unwrap_or_default();
    same!(
        head.get("Trailer"),
        Some("X-Sum, Server-Timing"),
        "what the head says of them"
    );
    no_complaints(&bed)
}

fn trailers_that_may_not_pass() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let upload = Upload {
        trailers: "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: other\r\n\
                   Authorization: x\r\nCookie: a=b\r\nConnection: close\r\nX-Kept: kept\r\n\
                   X-Forwarded-For: 1.2.3.4\r\nVia: 1.1 x\r\nContent-Type: a/b\r\nTE: x\r\n\
                   If-Match: \"a\"\r\nTrailer: y\r\nUpgrade: z\r\nExpect: 100-continue\r\n",
        ..Upload::new("/upload", 0, 100).chunked(50)
    };
    let report = client.upload(&upload)?.response.text();
    let trailers: Vec<_> = report
        .lines()
        .filter_map(|line| line.strip_prefix("trailer "))
        .collect();
    same!(trailers, ["X-Kept: kept"], "the trailers at the backend");
    // Those that Connection names are between the client and us.
    let named = Upload {
        fields: "Connection: X-Kept\r\n",
        ..upload
    };
    let report = client.upload(&named)?.response.text();
    ensure!(!report.contains("trailer"), "a named trailer: {report:?}");
    no_complaints(&bed)
}

fn chunk_extensions_are_dropped() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for extension in [
        ";a",
        ";a=b",
        " ; a = b ;c",
        ";q=\"x\\\"; y\\\\\"",
        ";a;b=c;d=\"\"",
    ] {
        let upload = Upload {
            extension,
            ..Upload::new("/upload?seed=6", 6, 3000).chunked(300)
        };
        upload_whole(&mut client, &upload).context(format!("{extension:?}"))?;
    }
    // The backend complains of each extension that it gets.
    no_complaints(&bed)
}

fn every_framing_of_the_answer() -> Outcome {
    let bed = Bed::new()?;
    for kind in ["len", "chunked", "close"] {
        for size in [0, 1000, 100_000] {
            let target = format!("/{kind}/{size}?seed=9");
            let plain = Upload::new(&target, 4, 50_000);
            let mut client = bed.client()?;
            for upload in [plain.clone(), plain.clone().chunked(10_000)] {
                let response = client.upload(&upload).context(describe(&upload))?.response;
                same!(response.body, pattern::body(9, size), "{target}: the body");
            }
        }
    }
    for status in [201, 204, 304, 404, 500] {
        let target = format!("/status/{status}");
        let mut client = bed.client()?;
        for _ in 0..2 {
            let uploaded = client.upload(&Upload::new(&target, 0, 3000))?;
            same!(uploaded.response.status, status, "{target}: the status");
        }
    }
    no_complaints(&bed)
}

fn pipelined() -> Outcome {
    let bed = Bed::new()?;
    let targets: Vec<_> = (0..24).map(|n| format!("/upload?seed={n}")).collect();
    let uploads: Vec<_> = (0..24_u64)
        .zip(&targets)
        .map(|(n, target)| {
            let upload = Upload::new(target, n, [0, 1, 700, 20_000, 90_000][n as usize % 5]);
            if n % 3 == 0 {
                upload.chunked(1 + n * 100)
            } else {
                upload
            }
        })
        .collect();
    let mut client = bed.client()?;
    let mut all = Vec::new();
    for upload in &uploads {
        all.extend(upload.octets());
    }
    let mut sender = client.stream().try_clone()?;
    let sent = thread::spawn(move || std::io::Write::write_all(&mut sender, &all));
    for (number, upload) in uploads.iter().enumerate() {
        let response = client.response("POST");
        let response = response.context(format!("answer {number}"))?;
        same!(response.status, 200, "the status of answer {number}");
        is_whole(&response.text(), upload).context(format!("answer {number}"))?;
    }
    let sent = sent.join().map_err(|_| Failure("the sender died".into()))?;
    sent.context("sending")?;
    no_complaints(&bed)
}

/// So many clients at once, each with so many uploads of all sorts.
fn many(bed: &Bed, clients: u64, each: u64, sizes: &'static [u64]) -> Outcome {
    let addr = bed.addr();
    let one = move |client: u64| -> Outcome {
        let mut conn = Conn::open(addr)?;
        for number in 0..each {
            let seed = client * 97 + number;
            let target = format!("/upload?seed={seed}");
            let len = sizes[(client + number) as usize % sizes.len()];
            let upload = Upload::new(&target, seed, len);
            let upload = match (client + number) % 3 {
                0 => upload.chunked(1 + seed * 7),
                _ => upload,
            };
            upload_whole(&mut conn, &upload)?;
            // A new connection now and then.
            if seed % 7 == 0 {
                conn = Conn::open(addr)?;
            }
        }
        Ok(())
    };
    let threads: Vec<_> = (0..clients)
        .map(|client| thread::spawn(move || one(client)))
        .collect();
    threads.into_iter().try_for_each(|thread| {
        let outcome = thread.join();
        outcome.map_err(|_| Failure("a client died".into()))?
    })
}

fn many_at_once() -> Outcome {
    let bed = Bed::new()?;
    let sizes = &[0, 10, 300_000, 1460, 70_000, 16_384, 5000];
    many(&bed, 24, scale::count(40, 8), sizes)?;
    no_complaints(&bed)
}

fn http10_client() -> Outcome {
    let bed = Bed::new()?;
    let body = pattern::body(1, 20_000);
    let mut client = bed.client()?;
    for last in [false, true] {
        let keep = if last {
            ""
        } else {
            "Connection: keep-alive\r\n"
        };
        let head = format!("POST /upload?seed=1 HTTP/1.0\r\nContent-Length: 20000\r\n{keep}\r\n");
        client.send(head.as_bytes())?;
        client.send(&body)?;
        let response = client.response("POST")?;
        same!(response.status, 200, "the status");
        let report = response.text();
        is_whole(&report, &Upload::new("/upload?seed=1", 1, 20_000))?;
    }
    client.expect_close()?;
    no_complaints(&bed)
}

/// KiB that are neither used nor easily freed.
fn available() -> Result<u64, Failure> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let value = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    value.ok_or_else(|| Failure("no MemAvailable in /proc/meminfo".into()))
}

/// What clients can send to a backend that reads nothing is what the sockets' buffers hold, and what
/// the gateway has is no more than a buffer for each.
fn memory_is_bounded() -> Outcome {
    const CLIENTS: u64 = 40;
    // All of it would be more than the machine has.
    const EACH: u64 = 256 << 20;
    let _rmem = Sysctl::set("net.ipv4.tcp_rmem", "4096 16384 65536")?;
    let _wmem = Sysctl::set("net.ipv4.tcp_wmem", "4096 16384 65536")?;
    let bed = Bed::new()?;
    bed.origin.script("deaf", vec![Step::Read(1), Step::Stall]);
    let before = available()?;
    let taken = Arc::new(AtomicU64::new(0));
    let mut streams = Vec::new();
    for number in 0..CLIENTS {
        let upload = Upload::new("/script/deaf", 0, EACH);
        let upload = if number % 2 == 0 {
            upload.chunked(60_000)
        } else {
            upload
        };
        let mut client = bed.client()?;
        client.send(upload.head().as_bytes())?;
        let mut stream = client.stream().try_clone()?;
        streams.push(client);
        let taken = Arc::clone(&taken);
        let piece = match number % 2 {
            0 => [b"ea60\r\n", pattern::octets(0, 0, 60_000), b"\r\n"].concat(),
            _ => pattern::body(0, 60_000),
        };
        // Ends when the test ends the connection.
        thread::spawn(move || {
            while let Ok(count) = std::io::Write::write(&mut stream, &piece) {
                taken.fetch_add(count as u64, SeqCst);
                if count < piece.len() {
                    // Whole pieces only, lest the chunks be wrong.
                    if std::io::Write::write_all(&mut stream, &piece[count..]).is_err() {
                        return;
                    }
                }
            }
        });
    }
    let all = || bed.origin.requests() == CLIENTS;
    let all = scale::wait_until(Duration::from_secs(20), all);
    ensure!(all, "only {} requests arrived", bed.origin.requests());
    // Until nobody gets rid of any more.
    let mut last = (u64::MAX, 0);
    let still = scale::wait_until(Duration::from_secs(30), || {
        let now = taken.load(SeqCst);
        last = if now == last.0 {
            (now, last.1 + 1)
        } else {
            (now, 0)
        };
        last.1 > 50
    });
    ensure!(still, "it never stops: {} octets were taken", last.0);
    let each = taken.load(SeqCst) / CLIENTS;
    ensure!(
        each > 16_384,
        "only {each} octets of each client were taken"
    );
    ensure!(each < 1 << 20, "{each} octets of each client were taken");
    let used = before.saturating_sub(available()?);
    ensure!(
        used < CLIENTS * 1024,
        "{CLIENTS} stalled uploads take {used} KiB"
    );
    bed.works()?;
    for client in streams {
        // Wakes the thread that is still sending.
        let _ = client.stream().shutdown(Shutdown::Both);
        client.reset()?;
    }
    // One idle connection may be left of the request that shows that all works.
    let gone = scale::wait_until(Duration::from_secs(20), || bed.origin.open() <= 1);
    ensure!(gone, "{} backend connections stay open", bed.origin.open());
    bed.works()
}

fn lossy_network() -> Outcome {
    let bed = Bed::new()?;
    for options in [
        "loss 3%",
        "delay 3ms reorder 25% 50%",
        "loss 2% duplicate 2% corrupt 1%",
    ] {
        let netem = Netem::set(options)?;
        let outcome = many(
            &bed,
            4,
            scale::count(10, 4),
            &[100, 60_000, 0, 200_000, 1000],
        );
        drop(netem);
        outcome.context(options)?;
    }
    no_complaints(&bed)
}
