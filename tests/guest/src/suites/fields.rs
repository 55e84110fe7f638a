//! Heads come through: end-to-end fields as they are, hop-by-hop ones not at all.

use crate::origin::Step;
use crate::testing::{Bed, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    request_fields_pass,
    request_hop_by_hop_fields_are_dropped,
    response_fields_pass,
    response_hop_by_hop_fields_are_dropped,
    interim_responses,
    absolute_form,
];

fn request_fields_pass() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let fields = "Host: www.example.com:8080\r\nUser-Agent: test/1.0 (a; b)\r\nx-CASE: Kept\r\n\
                  Cookie: a=b; c=\"d, e\"\r\nEmpty:\r\nX-Twice: one\r\nX-Twice: two\r\n\
                  If-None-Match: \"x\"\r\nX-Bytes: \u{e9}\u{fc}\r\nRange: bytes=0-1\r\n";
    client.send(format!("GET /echo-head?a=%20b&c HTTP/1.1\r\n{fields}\r\n").as_bytes())?;
    let text = client.response("GET")?.text();
    ensure!(
        text.starts_with("GET /echo-head?a=%20b&c HTTP/1.1\r\n"),
        "the request line: {text:?}"
    );
    let mut rest = text.as_str();
    for field in fields.split_inclusive("\r\n") {
        let field = field.replace("Empty:\r\n", "Empty:");
        let at = rest.find(field.trim_end());
        let at = at.ok_or_else(|| Failure(format!("{field:?} is gone or moved: {text:?}")))?;
        rest = &rest[at..];
    }
    same!(
        text.matches("\r\nHost:").count(),
        1,
        "the number of Host fields ({text:?})"
    );
    Ok(())
}

fn request_hop_by_hop_fields_are_dropped() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let ask = "GET /echo-head HTTP/1.1\r\nHost: test\r\nConnection: X-Named, keep-alive, Host\r\n\
               X-Named: secret\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
               TE: gzip, trailers;q=0.5, deflate\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\
               X-Kept: kept\r\n\r\n";
    client.send(ask.as_bytes())?;
    let response = client.response("GET")?;
    same!(response.status, 200, "the status");
    let text = response.text().to_lowercase();
    for gone in [
        "x-named",
        "keep-alive:",
        "proxy-connection",
        "upgrade",
        "h2c",
        "http2-settings",
        "gzip",
        "secret",
    ] {
        ensure!(
            !text.contains(gone),
            "{gone:?} reached the backend: {text:?}"
        );
    }
    // Host cannot be removed by naming it.
    ensure!(
        text.contains("host: test\r\n") && text.contains("x-kept: kept\r\n"),
        "{text:?}"
    );
    // Of TE our own hop makes `trailers`, which it can keep.
    client
        .send(b"GET /echo-head HTTP/1.1\r\nHost: test\r\nConnection: TE\r\nTE: trailers\r\n\r\n")?;
    let text = client.response("GET")?.text();
    for new in ["\r\nTE: trailers\r\n", "\r\nConnection: TE\r\n"] {
        same!(text.matches(new).count(), 1, "{new:?} in {text:?}");
    }
    Ok(())
}

fn response_fields_pass() -> Outcome {
    let bed = Bed::new()?;
    let text = "HTTP/1.1 200 Quite All Right\r\nServer: x/1\r\nx-CASE: Kept\r\nSet-Cookie: a=b\r\n\
                Set-Cookie: c=d; Path=/\r\nEmpty:\r\nETag: W/\"1\"\r\nX-Bytes: \u{e9}\r\n\
                Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\nok";
    bed.origin.script("fields", vec![Step::Send(text.into())]);
    let response = bed.client()?.get("/script/fields")?;
    let raw = String::from_utf8_lossy(&response.head.raw).into_owned();
    ensure!(
        raw.starts_with("HTTP/1.1 200 Quite All Right\r\n"),
        "the status line: {raw:?}"
    );
    for line in text
        .split("\r\n")
        .skip(1)
        .take_while(|line| !line.is_empty())
    {
        let line = line.trim_end_matches(':');
        ensure!(raw.contains(line), "{line:?} is gone: {raw:?}");
    }
    same!(
        response.head.all("Set-Cookie").count(),
        2,
        "the number of cookies"
    );
    same!(
        response.head.all("Date").count(),
        1,
        "the number of Date fields"
    );
    Ok(())
}

fn response_hop_by_hop_fields_are_dropped() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let response = client.get("/hop")?;
    let head = &response.head;
    for gone in ["X-Named", "Keep-Alive", "Proxy-Connection", "Upgrade"] {
        same!(head.get(gone), None, "{gone} in the response");
    }
    ensure!(
        !head.has_token("Connection", "X-Named"),
        "Connection still names X-Named"
    );
    same!(head.get("X-Kept"), Some("kept"), "X-Kept");
    same!(
        client.get("/len/7")?.length,
        7,
        "the length of the next body"
    );
    Ok(())
}

fn interim_responses() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for code in [103, 102, 199] {
        let response = client.get(&format!("/interim?code={code}"))?;
        same!(response.status, 200, "the status after {code}");
        same!(response.text(), "final\n", "the body after {code}");
        same!(response.interim, [code], "the interim responses");
    }
    // HTTP/1.0 knows no 1xx.
    let mut old = bed.client()?;
    old.send(b"GET /interim HTTP/1.0\r\nHost: test\r\n\r\n")?;
    let response = old.response("GET")?;
    same!(
        response.interim,
        [0_u16; 0],
        "the interim responses to a 1.0 client"
    );
    same!(response.text(), "final\n", "the body to a 1.0 client");
    Ok(())
}

fn absolute_form() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let ask = "GET http://other.example:81/echo-head?q HTTP/1.1\r\nHost: test\r\n\r\n";
    client.send(ask.as_bytes())?;
    let text = client.response("GET")?.text();
    ensure!(
        text.starts_with("GET /echo-head?q HTTP/1.1\r\n"),
        "the request line: {text:?}"
    );
    // RFC 9112 3.2.2: the Host field is replaced by the target's.
    ensure!(
        text.contains("\r\nHost: other.example:81\r\n"),
        "the Host: {text:?}"
    );
    same!(
        text.to_lowercase().matches("\r\nhost:").count(),
        1,
        "the number of Host fields"
    );
    Ok(())
}
