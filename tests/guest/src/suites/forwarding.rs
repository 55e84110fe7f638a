//! What a gateway says of itself and of those before it: Via, X-Forwarded-*, Forwarded, CDN-Loop,
//! Date; and what it answers itself: TRACE and OPTIONS that go no further, loops.

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use crate::conn::{Conn, Response};
use crate::http::Head;
use crate::scale;
use crate::testing::{sh, Bed, Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    via,
    via_in_responses,
    forwarded_for_of_an_untrusted_peer,
    forwarded_for_of_a_trusted_peer,
    each_field_has_its_own_treatment,
    forwarded,
    forwarded_for_in_several_lines,
    ipv6_peers,
    what_is_forged_in_quotes,
    host_of_an_http10_request,
    own_port_as_the_backend,
    two_gateways_in_a_circle,
    loops_by_name,
    cdn_loop,
    max_forwards_of_trace,
    max_forwards_of_options,
    max_forwards_of_others,
    date_is_added,
];

/// A request's head as the backend gets it, with these fields besides Host.
fn seen(bed: &Bed, fields: &str) -> Result<Head, Failure> {
    let response = ask(bed, "GET", "/len/1", fields)?;
    same!(response.status, 200, "{fields:?}: the status");
    let head = bed.origin.last_head();
    head.ok_or_else(|| Failure("no request came".into()))
}

fn ask(bed: &Bed, method: &str, target: &str, fields: &str) -> Result<Response, Failure> {
    bed.client()?.ask(method, target, fields).context(fields)
}

/// Fails unless the head has that field with just these values, a line each.
fn has(head: &Head, name: &str, right: &[&str]) -> Outcome {
    let values: Vec<_> = head.all(name).collect();
    same!(values, right, "{name} in {:?}", head.fields);
    Ok(())
}

fn via() -> Outcome {
    let bed = Bed::new()?;
    // Drawn by lot as long as nobody has set it, and always the same.
    let first = seen(&bed, "")?.get("Via").map(str::to_owned);
    let name = first.clone().unwrap_or_default();
    let name = name.strip_prefix("1.1 resin-").unwrap_or_default();
    let right = name.len() == 8 && name.bytes().all(|b| b.is_ascii_hexdigit());
    ensure!(right, "Via: {first:?}");
    same!(
        seen(&bed, "")?.get("Via").map(str::to_owned),
        first,
        "Via of the next request"
    );
    bed.gateway.set("via", "edge-1")?;
    has(&seen(&bed, "")?, "Via", &["1.1 edge-1"])?;
    let before = "Via: 1.0 fred, 1.1 p.example.net (a, b)\r\nVia: HTTP/2 other\r\n";
    let right = [
        "1.0 fred, 1.1 p.example.net (a, b)",
        "HTTP/2 other",
        "1.1 edge-1",
    ];
    has(&seen(&bed, before)?, "Via", &right)?;
    let mut client = bed.client()?;
    client.send(b"GET /len/1 HTTP/1.0\r\n\r\n")?;
    same!(client.response("GET")?.status, 200, "the status");
    let head = bed.origin.last_head().unwrap_or_default();
    has(&head, "Via", &["1.0 edge-1"])
}

fn via_in_responses() -> Outcome {
    let bed = Bed::with(&[("via", "edge-1")])?;
    let response = bed.client()?.get("/len/1")?;
    has(&response.head, "Via", &["1.1 edge-1"])?;
    let old = "HTTP/1.0 200 OK\r\nVia: 1.1 x\r\nContent-Length: 0\r\n\r\n";
    bed.origin.raw("old", old);
    let response = bed.client()?.get("/script/old")?;
    has(&response.head, "Via", &["1.1 x", "1.0 edge-1"])?;
    // A page of our own did not come through us.
    let response = bed.client()?.get("/reset")?;
    same!(response.status, 502, "the status");
    has(&response.head, "Via", &[])
}

/// What somebody says who has or has not the right to.
const TOLD: &str = "X-Forwarded-For: 192.0.2.7, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n\
                    X-Forwarded-Host: shop.example\r\n";

fn forwarded_for_of_an_untrusted_peer() -> Outcome {
    // Another network is trusted.
    let bed = Bed::with(&[("trusted-proxies", "10.0.0.0/8 2001:db8::/32 128.0.0.0/1")])?;
    for fields in ["", TOLD] {
        let head = seen(&bed, fields)?;
        has(&head, "X-Forwarded-For", &["127.0.0.1"])?;
        has(&head, "X-Forwarded-Proto", &["http"])?;
        has(&head, "X-Forwarded-Host", &["test"])?;
        has(&head, "Forwarded", &[])?;
    }
    Ok(())
}

fn forwarded_for_of_a_trusted_peer() -> Outcome {
    for networks in ["127.0.0.1", "10.0.0.0/8 127.0.0.0/8", "0.0.0.0/0"] {
        let bed = Bed::with(&[("trusted-proxies", networks)])?;
        let head = seen(&bed, TOLD).context(networks)?;
        let all = "192.0.2.7, 10.1.1.1, 127.0.0.1";
        has(&head, "X-Forwarded-For", &[all]).context(networks)?;
        has(&head, "X-Forwarded-Proto", &["https"])?;
        has(&head, "X-Forwarded-Host", &["shop.example"])?;
        // What it does not say we do.
        let head = seen(&bed, "")?;
        has(&head, "X-Forwarded-For", &["127.0.0.1"])?;
        has(&head, "X-Forwarded-Proto", &["http"])?;
        has(&head, "X-Forwarded-Host", &["test"])?;
        bed.gateway.unload()?;
    }
    Ok(())
}

fn each_field_has_its_own_treatment() -> Outcome {
    let bed = Bed::with(&[("trusted-proxies", "127.0.0.0/8")])?;
    let fields = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"];
    let told = ["192.0.2.7, 10.1.1.1", "https", "shop.example"];
    let ours = ["127.0.0.1", "http", "test"];
    let both = ["192.0.2.7, 10.1.1.1, 127.0.0.1", "https", "shop.example"];
    for (number, name) in fields.iter().enumerate() {
        for (treatment, right, right_alone) in [
            ("off", vec![told[number]], vec![]),
            ("replace", vec![ours[number]], vec![ours[number]]),
            ("append", vec![both[number]], vec![ours[number]]),
        ] {
            bed.gateway.set(&name.to_lowercase(), treatment)?;
            let what = format!("{name} with {treatment}");
            let head = seen(&bed, TOLD)?;
            has(&head, name, &right).context(&what)?;
            // The others stay as they were.
            let other = (number + 1) % 3;
            has(&head, fields[other], &[both[other]]).context(&what)?;
            has(&seen(&bed, "")?, name, &right_alone).context(&what)?;
        }
    }
    Ok(())
}

/// The port in `for="127.0.0.1:PORT"` made 0; fails if there is none.
fn without_port(value: &str) -> Result<String, Failure> {
    let bad = || Failure(format!("no address with a port in {value:?}"));
    let (before, rest) = value.rsplit_once("for=\"127.0.0.1:").ok_or_else(bad)?;
    let (port, after) = rest.split_once('"').ok_or_else(bad)?;
    ensure!(port.parse::<u16>().is_ok_and(|port| port > 0), "{value:?}");
    Ok(format!("{before}for=\"127.0.0.1:0\"{after}"))
}

fn forwarded() -> Outcome {
    let bed = Bed::with(&[("via", "edge-1")])?;
    let told = "for=192.0.2.7;proto=https, for=\"[2001:db8::1]\"";
    let fields = format!("Forwarded: {told}\r\n");
    // `remove`, which is the default: only a trusted proxy is believed. With `off` everybody is.
    has(&seen(&bed, &fields)?, "Forwarded", &[])?;
    bed.gateway.set("trusted-proxies", "127.0.0.0/8")?;
    has(&seen(&bed, &fields)?, "Forwarded", &[told])?;
    bed.gateway.set("trusted-proxies", "none")?;
    bed.gateway.set("forwarded", "off")?;
    has(&seen(&bed, &fields)?, "Forwarded", &[told])?;
    has(&seen(&bed, "")?, "Forwarded", &[])?;
    let ours = "for=\"127.0.0.1:0\";host=test;proto=http";
    let both = format!("{told}, {ours}");
    for (treatment, trusted, right) in [
        ("append", "10.0.0.0/8", ours),
        ("append", "127.0.0.0/8", both.as_str()),
        ("replace", "127.0.0.0/8", ours),
    ] {
        bed.gateway.set("forwarded", treatment)?;
        bed.gateway.set("trusted-proxies", trusted)?;
        let what = format!("{treatment}, {trusted} trusted");
        for (fields, right) in [(fields.as_str(), right), ("", ours)] {
            let head = seen(&bed, fields)?;
            same!(head.all("Forwarded").count(), 1, "{what}: Forwarded lines");
            let value = head.get("Forwarded").unwrap_or_default();
            same!(without_port(value).context(&what)?, right, "{what}");
        }
    }
    // A host with a port has to be quoted.
    let mut client = bed.client()?;
    client.send(b"GET /len/1 HTTP/1.1\r\nHost: a.example:8080\r\n\r\n")?;
    same!(client.response("GET")?.status, 200, "the status");
    let head = bed.origin.last_head().unwrap_or_default();
    let value = head.get("Forwarded").unwrap_or_default();
    let right = value.contains(";host=\"a.example:8080\";");
    ensure!(right, "Forwarded: {value:?}");
    Ok(())
}

fn forwarded_for_in_several_lines() -> Outcome {
    let bed = Bed::with(&[("trusted-proxies", "127.0.0.0/8")])?;
    let lines =
        "X-Forwarded-For: 192.0.2.7\r\nX-Kept: 1\r\nx-forwarded-FOR: 192.0.2.8 , 192.0.2.9\r\n\
                 X-Forwarded-For:\r\nX-Forwarded-Proto: https, http\r\nX-Forwarded-Proto: ftp\r\n";
    let head = seen(&bed, lines)?;
    let all = "192.0.2.7, 192.0.2.8 , 192.0.2.9, 127.0.0.1";
    has(&head, "X-Forwarded-For", &[all])?;
    // Of the first hop.
    has(&head, "X-Forwarded-Proto", &["https"])?;
    has(&head, "X-Kept", &["1"])
}

fn ipv6_peers() -> Outcome {
    let bed = Bed::with(&[("forwarded", "append")])?;
    let told = "192.0.2.7, 2001:db8::1";
    for (trusted, right) in [
        ("127.0.0.0/8 2001:db8::/32", "::1".to_owned()),
        ("::1", format!("{told}, ::1")),
        ("::/64", format!("{told}, ::1")),
    ] {
        bed.gateway.set("trusted-proxies", trusted)?;
        let mut client = Conn::open((Ipv6Addr::LOCALHOST, PORT).into())?;
        let port = client.stream().local_addr()?.port();
        let head = format!("GET /len/1 HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {told}\r\n\r\n");
        client.send(head.as_bytes())?;
        same!(client.response("GET")?.status, 200, "the status");
        let head = bed.origin.last_head().unwrap_or_default();
        has(&head, "X-Forwarded-For", &[&right]).context(trusted)?;
        let node = format!("for=\"[::1]:{port}\";host=test;proto=http");
        has(&head, "Forwarded", &[&node]).context(trusted)?;
    }
    Ok(())
}

/// Nobody may make what we say a part of what he says.
fn what_is_forged_in_quotes() -> Outcome {
    let settings = [("trusted-proxies", "127.0.0.0/8"), ("forwarded", "append")];
    let bed = Bed::with(&settings)?;
    for forged in ["for=\"192.0.2.7", "for=x;by=\"\\", "\""] {
        let head = seen(&bed, &format!("Forwarded: {forged}\r\n"))?;
        let value = head.get("Forwarded").unwrap_or_default();
        let value = without_port(value)?;
        same!(
            value,
            "for=\"127.0.0.1:0\";host=test;proto=http",
            "Forwarded after {forged:?}"
        );
    }
    // Connection cannot take them away either.
    let named = "Connection: X-Forwarded-For, Via, Forwarded, X-Forwarded-Proto\r\n";
    let head = seen(&bed, named)?;
    for name in ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via"] {
        same!(head.all(name).count(), 1, "{name} that Connection names");
    }
    Ok(())
}

fn host_of_an_http10_request() -> Outcome {
    let bed = Bed::with(&[("forwarded", "replace")])?;
    let mut client = bed.client()?;
    client.send(b"GET /len/1 HTTP/1.0\r\n\r\n")?;
    same!(client.response("GET")?.status, 200, "the status");
    let head = bed.origin.last_head().unwrap_or_default();
    let addr = bed.origin.addr().to_string();
    has(&head, "Host", &[&addr])?;
    // The client has not said which host it wants.
    has(&head, "X-Forwarded-Host", &[])?;
    let value = head.get("Forwarded").unwrap_or_default();
    ensure!(!value.contains("host="), "Forwarded: {value:?}");
    Ok(())
}

/// How many requests the gateway has seen, from `status`.
fn requests() -> Result<u64, Failure> {
    let status = crate::gateway::read("status")?;
    let line = status.lines().find(|line| line.starts_with("requests"));
    let count = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    count.ok_or_else(|| Failure(format!("no requests in status: {status}")))
}

fn own_port_as_the_backend() -> Outcome {
    let bed = Bed::new()?;
    let own = ([127, 0, 0, 1], PORT).into();
    bed.gateway.backend(0, own)?;
    let started = Instant::now();
    for (method, body) in [("GET", ""), ("POST", "hello"), ("OPTIONS", "")] {
        let before = requests()?;
        let mut client = bed.client()?;
        let length = body.len();
        let head = format!("{method} / HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
        client.send(format!("{head}{body}").as_bytes())?;
        let response = client.response(method).context(method)?;
        same!(response.status, 508, "{method}: the status");
        // Itself, and once more.
        let counted = || requests().is_ok_and(|now| now == before + 2);
        let counted = scale::wait_until(Duration::from_secs(5), counted);
        ensure!(counted, "{method}: {} requests", requests()? - before);
    }
    let time = started.elapsed();
    ensure!(time < scale::secs(10), "it took {time:?}");
    bed.gateway.backend(0, bed.origin.addr())?;
    bed.works()
}

/// In a circle of two everybody else's name is there too.
fn two_gateways_in_a_circle() -> Outcome {
    let bed = Bed::with(&[("via", "edge-1")])?;
    // The other one is a plain TCP relay that adds its own Via, as a gateway would.
    let relay = std::net::TcpListener::bind("127.0.0.1:0")?;
    bed.gateway.backend(0, relay.local_addr()?)?;
    let addr = bed.addr();
    let other = std::thread::spawn(move || -> Result<(), Failure> {
        let (mut stream, _) = relay.accept()?;
        let mut head = Vec::new();
        while crate::http::head_end(&head, 0).is_none() {
            let mut octets = [0; 4096];
            let got = std::io::Read::read(&mut stream, &mut octets)?;
            ensure!(got > 0, "the end in a head");
            head.extend_from_slice(&octets[..got]);
        }
        head.truncate(head.len() - 2);
        head.extend_from_slice(b"Via: 1.1 other (a comment, with edge-1)\r\n\r\n");
        let mut next = Conn::open(addr)?;
        next.send(&head)?;
        let response = next.response("GET")?;
        let code = response.status;
        let answer = format!("HTTP/1.1 {code} Passed On\r\nContent-Length: 0\r\n\r\n");
        std::io::Write::write_all(&mut stream, answer.as_bytes())?;
        Ok(())
    });
    same!(bed.client()?.get("/")?.status, 508, "the status");
    let outcome = other.join();
    outcome.map_err(|_| Failure("the other gateway died".into()))??;
    bed.gateway.backend(0, bed.origin.addr())?;
    bed.works()
}

fn loops_by_name() -> Outcome {
    let bed = Bed::with(&[("via", "edge-1")])?;
    for (fields, right) in [
        ("Via: 1.1 edge-1\r\n", 508),
        ("Via: 1.1 EDGE-1\r\n", 508),
        ("Via: 1.0 fred, 1.1 edge-1 (resin), 1.1 x\r\n", 508),
        ("Via: 1.0 fred\r\nVia: HTTP/1.1  edge-1\r\n", 508),
        ("CDN-Loop: edge-1\r\n", 508),
        ("CDN-Loop: other; a=b, Edge-1; c=d\r\n", 508),
        ("Via: 1.1 edge-10\r\n", 200),
        ("Via: 1.1 edge\r\n", 200),
        ("Via: edge-1 other\r\n", 200),
        ("Via: 1.1 other (edge-1), 1.1 x (1.1 edge-1)\r\n", 200),
        ("CDN-Loop: other; a=edge-1\r\n", 200),
        ("X-Via: 1.1 edge-1\r\n", 200),
    ] {
        let status = ask(&bed, "GET", "/len/1", fields)?.status;
        same!(status, right, "{fields:?}: the status");
    }
    Ok(())
}

fn cdn_loop() -> Outcome {
    let bed = Bed::with(&[("via", "edge-1")])?;
    has(&seen(&bed, "CDN-Loop: a\r\n")?, "CDN-Loop", &["a"])?;
    bed.gateway.set("cdn-loop", "on")?;
    has(&seen(&bed, "")?, "CDN-Loop", &["edge-1"])?;
    let lines = "CDN-Loop: a; b=\"c, d\"\r\nConnection: CDN-Loop\r\n";
    has(
        &seen(&bed, lines)?,
        "CDN-Loop",
        &["a; b=\"c, d\"", "edge-1"],
    )
}

fn max_forwards_of_trace() -> Outcome {
    let bed = Bed::new()?;
    let fields = "X-Mine: 1\r\nCookie: secret\r\nAuthorization: secret\r\nMax-Forwards: 0\r\n";
    let response = ask(&bed, "TRACE", "/a?b", fields)?;
    same!(response.status, 200, "the status");
    same!(
        response.head.get("Content-Type"),
        Some("message/http"),
        "Content-Type"
    );
    same!(
        response.text(),
        "TRACE /a?b HTTP/1.1\r\nHost: test\r\nX-Mine: 1\r\nMax-Forwards: 0\r\n\r\n",
        "what was traced"
    );
    same!(bed.origin.requests(), 0, "the backend's requests");
    for (sent, right) in [("1", "0"), ("10", "9"), ("007", "6")] {
        let fields = format!("Max-Forwards: {sent}\r\n");
        same!(ask(&bed, "TRACE", "/len/1", &fields)?.status, 200, "status");
        let head = bed.origin.last_head().unwrap_or_default();
        has(&head, "Max-Forwards", &[right])?;
    }
    // More than anybody can count is still more than nothing.
    let fields = "Max-Forwards: 99999999999999999999999\r\n";
    same!(ask(&bed, "TRACE", "/len/1", fields)?.status, 200, "status");
    let requests = bed.origin.requests();
    for bad in ["x", "-1", "", "1 1", "1, 1", "1\r\nMax-Forwards: 1"] {
        let fields = format!("Max-Forwards: {bad}\r\n");
        let status = ask(&bed, "TRACE", "/len/1", &fields)?.status;
        same!(status, 400, "{bad:?}: the status");
    }
    same!(bed.origin.requests(), requests, "the backend's requests");
    bed.works()
}

fn max_forwards_of_options() -> Outcome {
    let bed = Bed::new()?;
    for target in ["*", "/a", "http://test"] {
        let response = ask(&bed, "OPTIONS", target, "Max-Forwards: 0\r\n")?;
        same!(response.status, 200, "{target}: the status");
        same!(response.length, 0, "{target}: the body's length");
        for method in ["GET", "POST", "OPTIONS"] {
            let named = response.head.has_token("Allow", method);
            ensure!(named, "{target}: Allow: {:?}", response.head.get("Allow"));
        }
    }
    same!(bed.origin.requests(), 0, "the backend's requests");
    // RFC 9112 3.2.4: an absolute-form without a path was the asterisk.
    for (target, right) in [("*", "*"), ("/len/1", "/len/1"), ("http://test", "*")] {
        let response = ask(&bed, "OPTIONS", target, "Max-Forwards: 3\r\n")?;
        ensure!(response.status < 500, "{target}: {}", response.status);
        let head = bed.origin.last_head().unwrap_or_default();
        same!(head.first, format!("OPTIONS {right} HTTP/1.1"), "the line");
        has(&head, "Max-Forwards", &["2"])?;
    }
    bed.works()
}

fn max_forwards_of_others() -> Outcome {
    let bed = Bed::new()?;
    for value in ["0", "5", "x"] {
        let head = seen(&bed, &format!("Max-Forwards: {value}\r\n"))?;
        has(&head, "Max-Forwards", &[value])?;
    }
    Ok(())
}

fn date_is_added() -> Outcome {
    let bed = Bed::new()?;
    let dated = "Sun, 06 Nov 1994 08:49:37 GMT";
    bed.origin.raw(
        "dated",
        format!("HTTP/1.1 200 OK\r\nDate: {dated}\r\nContent-Length: 0\r\n\r\n"),
    );
    let now = || -> Result<u64, Failure> { Ok(sh("date +%s")?.trim().parse()?) };
    for target in ["/len/1", "/status/404", "/status/304"] {
        let before = now()?;
        let response = bed.client()?.get(target)?;
        let after = now()?;
        same!(response.head.all("Date").count(), 1, "{target}: Date lines");
        let date = response.head.get("Date").unwrap_or_default();
        let time: u64 = sh(&format!("date -d '{date}' +%s"))?.trim().parse()?;
        // In the one form that is right.
        let again = sh(&format!(
            "LC_ALL=C date -u -d @{time} '+%a, %d %b %Y %H:%M:%S GMT'"
        ))?;
        same!(again.trim(), date, "{target}: the form of the date");
        // The kernel's quick clock may be a tick late.
        ensure!(
            (before - 1..=after).contains(&time),
            "{target}: {date} is not between {before} and {after}"
        );
    }
    let response = bed.client()?.get("/script/dated")?;
    has(&response.head, "Date", &[dated])?;
    // Not to what is no final response.
    let mut client = bed.client()?;
    let (status, head) = client.upgrade("/upgrade", "websocket")?;
    same!(status, 101, "the status");
    has(&head, "Date", &[])
}
