//! Requests that are not relayed: refused with the right status, and never read as something else.

use std::time::Duration;

use crate::conn::{Conn, Fault};
use crate::testing::{Bed, Context, Outcome};
use crate::{ensure, same, tests};

tests![
    every_method_but_connect_is_relayed,
    a_body_is_not_the_next_request,
    bad_heads_get_400,
    bad_framing_is_refused,
    versions,
    too_large_heads,
    too_long_target,
    dribbled_head,
    endless_head,
    noise,
    error_pages_are_proper,
];

/// Sends octets on a new connection and returns the status of the answer, which must end the
/// connection if the octets were no request.
fn status_of(bed: &Bed, octets: &[u8]) -> Result<u16, Fault> {
    let mut client = bed.client()?;
    // The answer may come, and the connection end, before all was sent.
    match client.send(octets) {
        Ok(()) | Err(Fault::Reset(_)) => {}
        Err(fault) => return Err(fault),
    }
    Ok(client.response("GET")?.status)
}

fn every_method_but_connect_is_relayed() -> Outcome {
    let bed = Bed::new()?;
    let methods = [
        "GET",
        "POST",
        "PUT",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "PATCH",
        "PROPFIND",
        "get",
        "GETS",
        "X-y.z!#$%&'*+-^_`|~",
    ];
    for method in methods {
        let text = format!("{method} /len/1 HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
        same!(
            status_of(&bed, text.as_bytes()).context(method)?,
            200,
            "the status of {method}"
        );
        let seen = bed.origin.last_head().map(|head| head.first);
        let right = format!("{method} /len/1 HTTP/1.1");
        same!(seen, Some(right), "what the backend saw of {method}");
    }
    for connect in [
        "CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n",
        "CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\nContent-Length: 0\r\n\r\n",
    ] {
        same!(
            status_of(&bed, connect.as_bytes())?,
            501,
            "the status of CONNECT"
        );
    }
    same!(
        bed.origin.requests(),
        methods.len() as u64,
        "the backend's requests"
    );
    bed.works()
}

fn a_body_is_not_the_next_request() -> Outcome {
    let bed = Bed::new()?;
    let smuggled = "GET /len/4?smuggled HTTP/1.1\r\nHost: test\r\n\r\n";
    let length = smuggled.len();
    let chunk = format!("{length:x}\r\n{smuggled}\r\n0\r\n\r\n");
    let by_length = format!("Content-Length: {length}");
    for (method, fields, body) in [
        ("POST", by_length.clone(), smuggled),
        (
            "POST",
            "Transfer-Encoding: chunked".to_owned(),
            chunk.as_str(),
        ),
        ("GET", by_length.clone(), smuggled),
        ("HEAD", by_length.clone(), smuggled),
        (
            "POST",
            format!("Expect: 100-continue\r\n{by_length}"),
            smuggled,
        ),
    ] {
        let what = format!("{method} with {fields:?}");
        let mut client = bed.client()?;
        let head = format!("{method} /len/3 HTTP/1.1\r\nHost: test\r\n{fields}\r\n\r\n");
        client.send(format!("{head}{body}").as_bytes())?;
        let response = client.response(method).context(&what)?;
        same!(response.status, 200, "{what}: the status");
        let body = bed.origin.last_received();
        let whole = body.is_some_and(|body| body.octets == length as u64 && body.complete);
        ensure!(whole, "{what}: the body did not come as one");
        // What follows is the end, not a second answer.
        client.half_close()?;
        client
            .expect_close()
            .context(format!("{what}: after the answer"))?;
        let seen = bed.origin.heads();
        let smuggled = seen.iter().any(|head| head.first.contains("smuggled"));
        ensure!(!smuggled, "{what}: the body was taken for a request");
    }
    same!(bed.origin.complaints(), [""; 0], "the backend's complaints");
    bed.works()
}

fn bad_heads_get_400() -> Outcome {
    let bed = Bed::new()?;
    // HTTP/0.9, which has no version.
    for old in ["GET\r\n\r\n", "GET /\r\n\r\n"] {
        let status = status_of(&bed, old.as_bytes()).context(format!("{old:?}"))?;
        ensure!(
            status == 400 || status == 505,
            "{old:?}: the status is {status}"
        );
    }
    for bad in [
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nSpace : b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nFolded: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nB\u{e9}d: x\r\n\r\n",
    ] {
        same!(
            status_of(&bed, bad.as_bytes()).context(format!("{bad:?}"))?,
            400,
            "{bad:?}: the status"
        );
    }
    same!(bed.origin.requests(), 0, "the backend's requests");
    bed.works()
}

fn bad_framing_is_refused() -> Outcome {
    let bed = Bed::new()?;
    for fields in [
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: -1",
        "Content-Length: +1",
        "Content-Length: 0x5",
        "Content-Length: 1 1",
        "Content-Length: 18446744073709551616",
        "Content-Length:",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding:",
    ] {
        for method in ["GET", "POST"] {
            let text = format!("{method} /len/1 HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n");
            let mut client = bed.client()?;
            client.send(text.as_bytes())?;
            let what = format!("{method} with {fields:?}");
            let status = client.response("GET").context(&what)?.status;
            ensure!(
                status == 400 || status == 501,
                "{what}: the status is {status}"
            );
            client.half_close()?;
            client
                .expect_close()
                .context(format!("{what}: after the answer"))?;
        }
    }
    let old = b"GET /len/1 HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    same!(
        status_of(&bed, old)?,
        400,
        "Transfer-Encoding in HTTP/1.0: the status"
    );
    same!(bed.origin.requests(), 0, "the backend's requests");
    bed.works()
}

fn versions() -> Outcome {
    let bed = Bed::new()?;
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9"] {
        let text = format!("GET / {version}\r\nHost: a\r\n\r\n");
        same!(
            status_of(&bed, text.as_bytes())?,
            505,
            "the status of {version}"
        );
    }
    for version in [
        "HTTP/1",
        "http/1.1",
        "HTTP/1.1.1",
        "HTTP/11",
        "HTTP/ 1.1",
        "FTP/1.1",
    ] {
        let text = format!("GET / {version}\r\nHost: a\r\n\r\n");
        let status = status_of(&bed, text.as_bytes())?;
        ensure!(
            status == 400 || status == 505,
            "{version}: the status is {status}"
        );
    }
    // A minor version that does not exist yet is read as the highest one known (RFC 9110 2.5).
    let status = status_of(&bed, b"GET /len/1 HTTP/1.2\r\nHost: a\r\n\r\n")?;
    ensure!(
        status == 200 || status == 505,
        "HTTP/1.2: the status is {status}"
    );
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let status = status_of(&bed, preface)?;
    ensure!(
        matches!(status, 400 | 501 | 505),
        "the HTTP/2 preface got {status}"
    );
    // Without a Host, 1.0 is fine and 1.1 is not.
    same!(
        status_of(&bed, b"GET /len/1 HTTP/1.0\r\n\r\n")?,
        200,
        "1.0 without a Host"
    );
    bed.works()
}

fn too_large_heads() -> Outcome {
    let bed = Bed::with(&[("head-size", "8K"), ("header-fields", "50")])?;
    let get = |fields: &str| format!("GET /len/1 HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes();
    let long = |size| get(&format!("X: {}\r\n", "x".repeat(size)));
    let many = |count| get(&"X: y\r\n".repeat(count));
    same!(status_of(&bed, &long(7000))?, 200, "7000 octets of 8K");
    same!(status_of(&bed, &long(9000))?, 431, "9000 octets of 8K");
    same!(
        status_of(&bed, &long(100_000))?,
        431,
        "100,000 octets of 8K"
    );
    same!(status_of(&bed, &many(40))?, 200, "40 fields of 50");
    same!(status_of(&bed, &many(60))?, 431, "60 fields of 50");
    same!(bed.origin.requests(), 2, "the backend's requests");
    bed.works()
}

fn too_long_target() -> Outcome {
    let bed = Bed::with(&[("head-size", "8K"), ("target-size", "1K")])?;
    for (size, right) in [
        (900, 200),
        (2000, 414),
        (7000, 414),
        (20_000, 414),
        (100_000, 414),
    ] {
        let text = format!(
            "GET /len/1?{} HTTP/1.1\r\nHost: a\r\n\r\n",
            "q".repeat(size)
        );
        same!(
            status_of(&bed, text.as_bytes())?,
            right,
            "a target of {size} octets of 1K"
        );
    }
    bed.works()
}

fn dribbled_head() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let text = "\r\nGET /len/5?seed=2 HTTP/1.1\r\nHost: test\r\nX-Some: thing\r\n\r\n";
    for _ in 0..2 {
        for octet in text.as_bytes() {
            client.send(&[*octet])?;
            std::thread::sleep(Duration::from_millis(2));
        }
        let response = client.response("GET")?;
        same!(response.status, 200, "the status");
        same!(response.body, crate::pattern::body(2, 5), "the body");
    }
    Ok(())
}

fn endless_head() -> Outcome {
    let bed = Bed::new()?;
    for unit in ["X: y\r\n", "x", "\r\n", "\u{0}"] {
        let mut client = bed.client()?;
        let start = if unit == "\r\n" {
            ""
        } else {
            "GET / HTTP/1.1\r\nHost: a\r\n"
        };
        let mut text = start.to_owned();
        while text.len() < 1 << 20 {
            text += unit;
        }
        match client.send(text.as_bytes()) {
            Ok(()) | Err(Fault::Reset(_)) => {}
            Err(fault) => return Err(fault.into()),
        }
        let outcome = client.response("GET");
        let status = outcome
            .context(format!("an endless head of {unit:?}"))?
            .status;
        ensure!(
            status == 400 || status == 431,
            "an endless head of {unit:?} got {status}"
        );
    }
    same!(bed.origin.requests(), 0, "the backend's requests");
    bed.works()
}

/// Whatever comes, the answer is an error or an end, and the next client is served.
fn noise() -> Outcome {
    let bed = Bed::new()?;
    let mut state = 0x1234_5678_9abc_def1_u64;
    for round in 0..60 {
        let mut octets = Vec::new();
        while octets.len() < 50 + round * 40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            octets.push((state >> 56) as u8);
        }
        if round % 3 == 0 {
            octets.splice(0..0, b"GET / HTTP/1.1\r\n".iter().copied());
        }
        octets.extend_from_slice(b"\r\n\r\n");
        let mut client = bed.client()?;
        match client.send(&octets).and_then(|()| client.half_close()) {
            Ok(()) | Err(Fault::Reset(_)) | Err(Fault::Io(_)) => {}
            Err(fault) => return Err(fault.into()),
        }
        match client.response("GET") {
            Ok(response) => ensure!(response.status >= 400, "noise got {}", response.status),
            Err(Fault::Closed | Fault::Reset(_)) => {}
            Err(fault) => return Err(fault).context(format!("round {round}")),
        }
    }
    bed.works()
}

fn error_pages_are_proper() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    client.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")?;
    let response = client.response("POST")?;
    same!(response.status, 501, "the status");
    for name in ["Content-Length", "Content-Type", "Date"] {
        same!(
            response.head.all(name).count(),
            1,
            "the number of {name} fields"
        );
    }
    same!(
        response.head.get("Cache-Control"),
        Some("no-store"),
        "Cache-Control"
    );
    ensure!(response.length > 0, "the page is empty");
    // To a HEAD an error has no body either.
    crate::gateway::write("srun-count", "0")?;
    let mut client: Conn = bed.client()?;
    client.request("HEAD", "/")?;
    let response = client.response("HEAD")?;
    same!(response.status, 503, "the status of HEAD without a backend");
    client.half_close()?;
    client.expect_close().context("after an error page to HEAD")
}
