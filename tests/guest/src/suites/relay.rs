//! Responses come through whole: every framing, size, version and method.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::conn::{preview, Conn, Response};
use crate::http::Framing;
use crate::origin::Step;
use crate::pattern::Checker;
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    content_length,
    chunked,
    until_close,
    to_http10_clients,
    from_http10_backends,
    head_requests,
    bodyless_statuses,
    status_codes_pass,
    backend_connections_are_reused,
    client_keep_alive_rules,
    pipelining,
    odd_but_valid_responses,
    ten_mebibytes,
    a_gibibyte in 240 s,
];

/// Sizes around everything that has a size: packets, pages, buffers.
const SIZES: [u64; 19] = [
    0, 1, 2, 3, 100, 1023, 1024, 1447, 1448, 1449, 4095, 4096, 4097, 16_384, 32_768, 65_535,
    65_536, 65_537, 300_000,
];

/// Asks for a body and checks every octet of it.
pub(super) fn fetch(
    client: &mut Conn,
    target: &str,
    size: u64,
    seed: u64,
) -> Result<Response, Failure> {
    let target = format!(
        "{target}{}seed={seed}",
        if target.contains('?') { '&' } else { '?' }
    );
    let mut checker = Checker::new(seed);
    client.request("GET", &target)?;
    let response = client
        .response_into("GET", &mut |bytes| checker.feed(bytes))
        .context(format!("GET {target}"))?;
    same!(response.status, 200, "{target}: the status");
    same!(
        response.head.get("X-Target"),
        Some(target.as_str()),
        "{target}: whose answer it is"
    );
    same!(checker.len(), size, "{target}: the body's length");
    same!(checker.wrong(), None, "{target}: the first wrong octet");
    Ok(response)
}

fn content_length() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for (seed, size) in SIZES.iter().enumerate() {
        let response = fetch(&mut client, &format!("/len/{size}"), *size, seed as u64)?;
        same!(
            response.framing,
            Framing::Length(*size),
            "/len/{size}: the framing"
        );
        ensure!(
            response.persistent(),
            "/len/{size}: the connection is not kept"
        );
    }
    same!(
        bed.origin.requests(),
        SIZES.len() as u64,
        "the backend's requests"
    );
    Ok(())
}

fn chunked() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for (seed, size) in SIZES.iter().enumerate() {
        for chunk in [1, 7, 4096, 70_000] {
            if *size > chunk * 2000 {
                continue;
            }
            let target = format!("/chunked/{size}?chunk={chunk}");
            let response = fetch(&mut client, &target, *size, seed as u64)?;
            same!(response.framing, Framing::Chunked, "{target}: the framing");
            ensure!(
                response.persistent(),
                "{target}: the connection is not kept"
            );
        }
    }
    // Trailers may be kept or dropped, but not end up in the body or in the next response.
    let response = fetch(&mut client, "/chunked/500?trailers=1", 500, 8)?;
    let known = response
        .trailers
        .iter()
        .all(|(name, _)| name == "X-Trailer");
    ensure!(known, "strange trailers: {:?}", response.trailers);
    fetch(&mut client, "/len/5", 5, 9)?;
    Ok(())
}

fn until_close() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for (seed, size) in SIZES.iter().enumerate() {
        let response = fetch(&mut client, &format!("/close/{size}"), *size, seed as u64)?;
        // A 1.1 client gets chunks, so that the connection lasts and a cut is seen.
        same!(
            response.framing,
            Framing::Chunked,
            "/close/{size}: the framing"
        );
        ensure!(
            response.persistent(),
            "/close/{size}: the client's connection is not kept"
        );
    }
    Ok(())
}

fn to_http10_clients() -> Outcome {
    let bed = Bed::new()?;
    for kind in ["len", "chunked", "close"] {
        for (seed, size) in SIZES.iter().enumerate() {
            let mut client = bed.client()?;
            let target = format!("/{kind}/{size}?seed={seed}");
            let ask = format!("GET {target} HTTP/1.0\r\nHost: test\r\n\r\n");
            client.send(ask.as_bytes())?;
            let mut checker = Checker::new(seed as u64);
            let response = client
                .response_into("GET", &mut |bytes| checker.feed(bytes))
                .context(format!("HTTP/1.0 GET {target}"))?;
            same!(response.status, 200, "{target}: the status");
            let chunks = response.head.get("Transfer-Encoding");
            same!(
                chunks,
                None,
                "{target}: the Transfer-Encoding for a 1.0 client"
            );
            same!(
                (checker.len(), checker.wrong()),
                (*size, None),
                "{target}: the body"
            );
            client
                .expect_close()
                .context(format!("{target}: the close after it"))?;
        }
    }
    Ok(())
}

fn from_http10_backends() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for (seed, size) in SIZES.iter().enumerate() {
        let target = format!("/close/{size}?http10=1");
        let response = fetch(&mut client, &target, *size, seed as u64)?;
        let version = response.head.words().0;
        same!(version, "HTTP/1.1", "{target}: the version of the response");
    }
    // A body with a length from 1.0 does not keep the backend's connection.
    let text = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    bed.origin.script("old", vec![Step::Send(text.into())]);
    for _ in 0..2 {
        let response = client.get("/script/old")?;
        same!(
            response.text(),
            "ok",
            "the body from HTTP/1.0 with a length"
        );
        ensure!(response.persistent(), "the client's connection is not kept");
    }
    Ok(())
}

fn head_requests() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for target in [
        "/len/12345",
        "/chunked/777",
        "/len/0",
        "/status/404",
        "/status/500",
    ] {
        client.request("HEAD", target)?;
        let response = client.response("HEAD").context(format!("HEAD {target}"))?;
        if let Some(size) = target.strip_prefix("/len/") {
            same!(
                response.head.get("Content-Length"),
                Some(size),
                "{target}: Content-Length"
            );
        }
        fetch(&mut client, "/len/7", 7, 1).context(format!("after HEAD {target}"))?;
    }
    client.request("HEAD", "/close/50")?;
    let response = client.response("HEAD").context("HEAD /close/50")?;
    same!(response.status, 200, "HEAD /close/50: the status");
    same!(
        bed.origin.last_head().map(|head| head.words().0 == "HEAD"),
        Some(true),
        "it stays HEAD"
    );
    Ok(())
}

fn bodyless_statuses() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for status in [204, 304] {
        let response = client.get(&format!("/status/{status}"))?;
        same!(response.status, status, "the status");
        same!(response.framing, Framing::None, "{status}: the framing");
        same!(
            response.head.get("ETag"),
            Some("\"tag\""),
            "{status}: the ETag"
        );
        fetch(&mut client, "/len/7", 7, 1).context(format!("after {status}"))?;
    }
    // A 304 may say how long the 200 would be; no body follows.
    let text = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n";
    bed.origin.script("304", vec![Step::Send(text.into())]);
    same!(
        client.get("/script/304")?.status,
        304,
        "the status of a 304 with Content-Length"
    );
    fetch(&mut client, "/len/8", 8, 2)?;
    Ok(())
}

fn status_codes_pass() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for status in [
        200, 201, 203, 206, 299, 301, 302, 400, 401, 403, 404, 418, 499, 500, 503, 599,
    ] {
        let response = client.get(&format!("/status/{status}"))?;
        same!(response.status, status, "the status");
        same!(
            response.text(),
            format!("status {status}\n"),
            "the body of {status}"
        );
        ensure!(
            response.persistent(),
            "{status}: the connection is not kept"
        );
    }
    Ok(())
}

fn backend_connections_are_reused() -> Outcome {
    let bed = Bed::new()?;
    for number in 0..20 {
        // A new client each time, perhaps on another CPU: pools are per CPU.
        fetch(&mut bed.client()?, "/len/100", 100, number)?;
        fetch(&mut bed.client()?, "/chunked/100", 100, number)?;
    }
    let cpus = thread::available_parallelism()?.get() as u64;
    let used = bed.origin.connections();
    ensure!(
        used <= cpus,
        "40 requests took {used} backend connections with {cpus} CPUs"
    );
    let idle = bed.origin.open() as u64;
    same!(idle, used, "the backend connections that are still open");
    Ok(())
}

fn client_keep_alive_rules() -> Outcome {
    let bed = Bed::new()?;
    for (version, field, kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Foo, CLOSE\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: close\r\n", false),
    ] {
        let what = format!("HTTP/{version} with {field:?}");
        let mut client = bed.client()?;
        let ask = format!("GET /len/5 HTTP/{version}\r\nHost: test\r\n{field}\r\n");
        client.send(ask.as_bytes())?;
        let response = client.response("GET").context(&what)?;
        let said = response.head.has_token("Connection", "close");
        ensure!(!kept || !said, "{what}: the response says close");
        if kept && version == "1.0" {
            ensure!(
                response.head.has_token("Connection", "keep-alive"),
                "{what}: not confirmed"
            );
        }
        if kept {
            client.send(ask.as_bytes())?;
            client
                .response("GET")
                .context(format!("{what}: the second request"))?;
        } else {
            ensure!(
                said || version == "1.0",
                "{what}: the response does not say close"
            );
            client
                .expect_close()
                .context(format!("{what}: the close"))?;
        }
    }
    Ok(())
}

fn pipelining() -> Outcome {
    let bed = Bed::new()?;
    let targets = [
        "/len/3?seed=1",
        "/chunked/70000?seed=2",
        "/len/0",
        "/close/10?seed=3",
        "/wait",
    ];
    let mut client = bed.client()?;
    let mut all = String::new();
    for round in 0..20 {
        for target in targets {
            all += &format!("GET {target} HTTP/1.1\r\nHost: test\r\nX-Round: {round}\r\n\r\n");
        }
    }
    client.send(all.as_bytes())?;
    for round in 0..20 {
        for target in targets {
            let response = client
                .response("GET")
                .context(format!("{target} in round {round}"))?;
            let answered = response.head.get("X-Target");
            same!(answered, Some(target), "round {round}: whose answer it is");
        }
    }
    same!(bed.origin.requests(), 100, "the backend's requests");

    // Cut anywhere, it is the same requests.
    let mut client = bed.client()?;
    let three = targets[..3].iter().fold(String::new(), |three, t| {
        three + &format!("GET {t} HTTP/1.1\r\nHost: t\r\n\r\n")
    });
    for cut in [1, 17, 40, three.len() - 1] {
        let (front, back) = three.split_at(cut);
        client.send(front.as_bytes())?;
        thread::sleep(Duration::from_millis(20));
        client.send(back.as_bytes())?;
        for target in &targets[..3] {
            let answered = client
                .response("GET")?
                .head
                .get("X-Target")
                .map(str::to_owned);
            same!(
                answered.as_deref(),
                Some(*target),
                "cut at {cut}: whose answer it is"
            );
        }
    }
    Ok(())
}

fn odd_but_valid_responses() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let ten = "0123456789";
    let cases = [
        (
            "no-reason",
            "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok".to_owned(),
            "ok",
        ),
        (
            "chunk-ext",
            format!("{chunked}2;a=b;c=\"d e\"\r\nok\r\n0\r\n\r\n"),
            "ok",
        ),
        (
            "chunk-zeros",
            format!("{chunked}0002\r\nok\r\n000\r\n\r\n"),
            "ok",
        ),
        (
            "chunk-hex",
            format!("{chunked}A\r\n{ten}\r\n0\r\n\r\n"),
            ten,
        ),
        (
            "spaces",
            "HTTP/1.1 200 OK\r\nContent-Length:  \t 2 \t\r\n\r\nok".to_owned(),
            "ok",
        ),
    ];
    for (name, text, body) in cases {
        bed.origin
            .script(name, vec![Step::Send(text.clone().into())]);
        // And octet by octet, so that every boundary falls between two packets.
        let octets = text
            .bytes()
            .flat_map(|b| [Step::Send(vec![b]), Step::Pause(Duration::from_millis(1))]);
        bed.origin
            .script(&format!("{name}-dribbled"), octets.collect());
        for variant in ["", "-dribbled"] {
            let response = client
                .get(&format!("/script/{name}{variant}"))
                .context(name)?;
            same!(response.text(), body, "the body of {name}{variant}");
        }
    }
    Ok(())
}

fn ten_mebibytes() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let size = scale::count(10 << 20, 2 << 20);
    for kind in ["len", "chunked", "close"] {
        fetch(&mut client, &format!("/{kind}/{size}"), size, 5)?;
    }
    Ok(())
}

/// Kibibytes of kernel memory that are not available for anything else.
fn memory_in_use() -> Result<u64, Failure> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let value = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
    };
    let missing = || {
        Failure(format!(
            "strange /proc/meminfo: {}",
            preview(text.as_bytes())
        ))
    };
    let total = value("MemTotal").ok_or_else(missing)?;
    Ok(total - value("MemFree").ok_or_else(missing)? - value("Cached").ok_or_else(missing)?)
}

fn a_gibibyte() -> Outcome {
    let bed = Bed::new()?;
    let size = scale::count(1 << 30, 64 << 20);
    let mut client = bed.client()?;
    fetch(&mut client, "/len/100000", 100_000, 1).context("warming up")?;
    let before = memory_in_use()?;
    let done = Arc::new(AtomicBool::new(false));
    let watch = Arc::clone(&done);
    let watcher = thread::spawn(move || {
        let mut most = 0;
        while !watch.load(SeqCst) {
            most = most.max(memory_in_use().unwrap_or(u64::MAX));
            thread::sleep(Duration::from_millis(100));
        }
        most
    });
    let outcome = fetch(&mut client, &format!("/len/{size}"), size, 4321);
    done.store(true, SeqCst);
    let most = watcher
        .join()
        .map_err(|_| Failure("the watcher panicked".into()))?;
    outcome?;
    // Socket buffers of four ends are at most 6 MiB each; the body itself is 1 GiB.
    let grown = most.saturating_sub(before);
    ensure!(
        grown < 48 << 10,
        "memory in use grew by {grown} KiB during the transfer"
    );
    Ok(())
}
