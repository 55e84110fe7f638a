//! Pages of our own: the texts that are set for them, HTML or plain text, and the number by which
//! they are found in the log.

use super::log::{Line, Log};
use super::status::wait_for;
use crate::conn::Response;
use crate::gateway;
use crate::testing::{Bed, Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    texts_and_numbers,
    what_is_accepted_better,
    what_is_accepted_by_whom_nobody_understands,
    refused_connections_have_their_texts,
    refused_connections_have_their_lines,
];

/// How a page comes about.
struct Case {
    status: u16,
    /// What has to be so before.
    prepare: fn(&Bed) -> Outcome,
    /// The request, up to its Accept and from there on.
    request: (&'static str, &'static str),
    /// A head was understood: it is known what the client accepts.
    has_head: bool,
}

/// A request that is understood.
const fn understood(
    status: u16,
    prepare: fn(&Bed) -> Outcome,
    request: (&'static str, &'static str),
) -> Case {
    Case {
        status,
        prepare,
        request,
        has_head: true,
    }
}

/// One that is not.
const fn refused(status: u16, prepare: fn(&Bed) -> Outcome, request: &'static str) -> Case {
    Case {
        status,
        prepare,
        request: (request, "\r\n"),
        has_head: false,
    }
}

/// Nothing has to be so.
fn as_usual(_: &Bed) -> Outcome {
    Ok(())
}

/// All that have a setting, but for 429, which only connections get, and 500, which nobody gets.
const CASES: &[Case] = &[
    refused(400, as_usual, "GET / HTTP/1.1\r\nHost : t\r\n"),
    Case {
        request: ("GET / HTTP/1.1\r\nHost: t\r\n", ""),
        ..refused(408, |bed| bed.gateway.set("header-timeout", "300ms"), "")
    },
    understood(
        413,
        |bed| bed.gateway.set("body-size", "10"),
        (
            "POST /upload HTTP/1.1\r\nHost: t\r\n",
            "Content-Length: 100\r\n\r\n",
        ),
    ),
    refused(
        414,
        |bed| bed.gateway.set("target-size", "64"),
        "GET /89012345678901234567890123456789012345678901234567890123456789012345 HTTP/1.1\r\n",
    ),
    refused(
        431,
        |bed| bed.gateway.set("header-fields", "1"),
        "GET / HTTP/1.1\r\nHost: t\r\nX: y\r\n",
    ),
    refused(
        501,
        as_usual,
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n",
    ),
    understood(
        502,
        as_usual,
        ("GET /garbage HTTP/1.1\r\nHost: t\r\n", "\r\n"),
    ),
    understood(
        504,
        |bed| bed.gateway.set("response-timeout", "300ms"),
        ("GET /hang HTTP/1.1\r\nHost: t\r\n", "\r\n"),
    ),
    refused(505, as_usual, "GET / HTTP/2.0\r\nHost: t\r\n"),
    understood(
        503,
        |_| gateway::write("srun-count", "0"),
        ("GET / HTTP/1.1\r\nHost: t\r\n", "\r\n"),
    ),
];

/// The page for that case to who sends this Accept line.
fn page(bed: &Bed, case: &Case, accept: &str) -> Result<Response, Failure> {
    let mut client = bed.client()?;
    let (before, behind) = case.request;
    client.send(format!("{before}{accept}{behind}").as_bytes())?;
    let response = client.response("GET").context(before)?;
    same!(response.status, case.status, "the status of {before:?}");
    Ok(response)
}

const PLAIN: &str = "Accept: text/html;q=0.5, text/plain\r\n";

fn texts_and_numbers() -> Outcome {
    let bed = Bed::new()?;
    for case in CASES {
        let text = format!("<{}> & so on", case.status);
        bed.gateway.set(&format!("page-{}", case.status), &text)?;
    }
    let usual = gateway::read("config")?;
    let mut log = Log::open()?;
    for case in CASES {
        (case.prepare)(&bed)?;
        let status = case.status;
        if case.has_head {
            let html = page(&bed, case, "")?;
            let escaped = format!("<p>&lt;{status}&gt; &amp; so on</p>");
            carries(&html, "text/html; charset=utf-8", &escaped, &mut log)?;
        }
        // Who says nothing of what it likes and is not understood may be anything.
        let accept = if case.has_head { PLAIN } else { "" };
        let plain = page(&bed, case, accept)?;
        let text = format!("\n<{status}> & so on\n");
        carries(&plain, "text/plain; charset=utf-8", &text, &mut log)?;
        gateway::write("config", &usual)?;
    }
    Ok(())
}

/// Fails unless a page is of that type, has this in it, and the number of the only line that is new
/// in the log.
fn carries(page: &Response, media_type: &str, text: &str, log: &mut Log) -> Outcome {
    let (status, body) = (page.status, page.text());
    let sent = page.head.get("Content-Type");
    same!(sent, Some(media_type), "the type of the page for {status}");
    ensure!(body.contains(text), "{text:?} is not in {body:?}");
    let title = format!("{status} ");
    ensure!(body.contains(&title), "{title:?} is not in {body:?}");
    let line = Line::of(&log.lines(1)?[0])?;
    same!(line.status, status.to_string(), "the status in the log");
    let number = format!("Request {}", line.id);
    ensure!(body.contains(&number), "{number:?} is not in {body:?}");
    Ok(())
}

/// The one with the greater weight; HTML if nothing is said, or both are as welcome.
fn what_is_accepted_better() -> Outcome {
    let bed = Bed::new()?;
    let garbage = understood(
        502,
        as_usual,
        ("GET /garbage HTTP/1.1\r\nHost: t\r\n", "\r\n"),
    );
    for (accept, wanted) in [
        ("text/html", "html"),
        ("text/plain", "plain"),
        ("*/*", "html"),
        ("text/*", "html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "html"),
        ("text/plain;q=0.9, text/html;q=0.8", "plain"),
        ("text/html;q=0, */*", "plain"),
    ] {
        let response = page(&bed, &garbage, &format!("Accept: {accept}\r\n"))?;
        let sent = response.head.get("Content-Type");
        let right = format!("text/{wanted}; charset=utf-8");
        same!(sent, Some(right.as_str()), "the type for {accept:?}");
    }
    Ok(())
}

/// What was read of a head says it, though as a whole it is none.
fn what_is_accepted_by_whom_nobody_understands() -> Outcome {
    let bed = Bed::new()?;
    for (fields, status, wanted) in [
        ("Accept: text/html\r\nHost : t\r\n", 400, "html"),
        ("Accept: text/plain\r\nHost : t\r\n", 400, "plain"),
        ("Host : t\r\nAccept: text/html\r\n", 400, "plain"),
        (
            "Accept: text/html\r\nTransfer-Encoding: x\r\nHost: t\r\n",
            501,
            "html",
        ),
        ("Host: t\r\n folded\r\n", 400, "plain"),
    ] {
        let mut client = bed.client()?;
        client.send(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes())?;
        let response = client.response("GET").context(fields)?;
        same!(response.status, status, "the status of {fields:?}");
        let sent = response.head.get("Content-Type");
        let right = format!("text/{wanted}; charset=utf-8");
        same!(sent, Some(right.as_str()), "the type for {fields:?}");
    }
    Ok(())
}

/// Who is not let in has a number too.
fn refused_connections_have_their_texts() -> Outcome {
    let bed = Bed::with(&[
        ("page-429", "<enough> & more"),
        ("page-503", "<full> & more"),
    ])?;
    let mut log = Log::open()?;
    let mut first = bed.client()?;
    for (limit, status, text) in [
        ("connections-per-client", 429, "<enough> & more"),
        ("max-connections", 503, "<full> & more"),
    ] {
        same!(first.get("/len/1")?.status, 200, "the status of the first");
        same!(Line::of(&log.lines(1)?[0])?.status, "200", "its line");
        bed.gateway.set(limit, "1")?;
        let response = bed.client()?.get("/len/2")?;
        same!(response.status, status, "the status with {limit} 1");
        let text = format!("\n{text}\n");
        carries(&response, "text/plain; charset=utf-8", &text, &mut log)?;
        bed.gateway.set(limit, "1000")?;
    }
    same!(first.get("/len/3")?.status, 200, "the status of the first");
    Ok(())
}

/// One each, whatever becomes of them.
fn refused_connections_have_their_lines() -> Outcome {
    let bed = Bed::with(&[("max-connections", "1"), ("linger-timeout", "1m")])?;
    let mut first = bed.client()?;
    same!(first.get("/len/1")?.status, 200, "the status of the first");
    let mut log = Log::open()?;
    log.lines(1)?;
    let mut line = |what: &str, status: &str, ending: &str| -> Result<Line, Failure> {
        let line = Line::of(&log.lines(1).context(what)?[0])?;
        same!(
            (line.status.as_str(), line.ending.as_str()),
            (status, ending),
            "{what}: status and ending in {line:?}"
        );
        same!(
            (line.request.as_str(), line.backend.as_str()),
            ("-", "-"),
            "{what}: request and backend in {line:?}"
        );
        Ok(line)
    };
    let refused = bed.client()?.get("/len/2")?;
    let logged = line("who has asked", "503", "PR")?;
    same!(
        logged.octets,
        refused.length.to_string(),
        "the octets of the page"
    );
    // Who goes before it has asked was told nothing.
    let silent = bed.client()?;
    wait_for(LIMIT, 2)?;
    silent.half_close()?;
    line("who has asked for nothing", "499", "PR")?;
    let reset = bed.client()?;
    wait_for(LIMIT, 3)?;
    reset.reset()?;
    line("who was reset", "499", "PR")?;
    // Who waits for too long is told all the same, and then has to go.
    bed.gateway.set("linger-timeout", "1s")?;
    let mut silent = bed.client()?;
    same!(
        silent.response("GET")?.status,
        503,
        "the status of who waits"
    );
    line("who waits", "503", "PR")?;
    silent.expect_close()?;
    // With the listener those go that wait there.
    bed.gateway.set("linger-timeout", "1m")?;
    let _silent = bed.client()?;
    wait_for(LIMIT, 5)?;
    gateway::write("server_port", "0")?;
    line("who waited at the old port", "499", "PR")?;
    // None for who wants none.
    gateway::write("server_port", &PORT.to_string())?;
    bed.gateway.set("log", "off")?;
    same!(
        bed.client()?.get("/")?.status,
        503,
        "the status without a log"
    );
    bed.gateway.set("log", "json")?;
    same!(bed.client()?.get("/")?.status, 503, "the status");
    let json = &log.lines(1)?[0];
    ensure!(
        json.contains("\"request\":null,\"status\":503,") && json.contains("\"ending\":\"PR\""),
        "a line in JSON: {json}"
    );
    Ok(())
}

const LIMIT: &str = "client_connections_refused_total{reason=\"limit\"}";
