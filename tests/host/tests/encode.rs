// SPDX-License-Identifier: GPL-2.0

//! What is written to backends and to clients.

use super::head::{good_request, good_response};
use crate::bytes::{Full, Writer};
use crate::head_grammar::QUIET;
use crate::http::encode::{
    chunk_prefix, last_chunk, request_head, request_room, response_head, response_room, trailer,
    trailers_begin, trailers_end, Delivery, Framing, Persist, CHUNK_PREFIX_MAX, LAST_CHUNK_MAX,
};
use crate::http::forward::Forward;
use crate::http::Version;
use crate::time::UnixTime;

/// What is written, after a look at what happens where it does not fit.
pub(super) fn written(write: impl Fn(&mut Writer<'_>) -> Result<(), Full>) -> String {
    let mut room = [0; 4096];
    let mut out = Writer::new(&mut room);
    write(&mut out).unwrap();
    let len = out.len();
    for short in 0..len {
        let mut room = vec![0; short];
        assert_eq!(
            write(&mut Writer::new(&mut room)),
            Err(Full),
            "in {short} octets"
        );
    }
    String::from_utf8(room[..len].to_vec()).unwrap()
}

pub(super) fn forwarded_with(text: &str, forward: &Forward<'_>) -> String {
    let head = good_request(text.as_bytes());
    let out = written(|out| request_head(&head, text.as_bytes(), forward, out));
    assert!(out.len() <= request_room(&head, forward), "too little room");
    out
}

fn forwarded_request(text: &str) -> String {
    let forward = Forward {
        fallback_host: b"10.0.0.1:6802",
        ..QUIET
    };
    forwarded_with(text, &forward)
}

const PLAIN: Delivery = Delivery {
    framing: Framing::None,
    persist: Persist::KeepAlive,
    client: Version::Http11,
    date: None,
    name: b"",
    upgrade: false,
    stamp: None,
    amended: None,
};

fn forwarded_response(text: &str, delivery: Delivery<'_>) -> String {
    let head = good_response(text.as_bytes());
    let out = written(|out| response_head(&head, text.as_bytes(), &delivery, out));
    assert!(
        out.len() <= response_room(&head, &delivery),
        "too little room"
    );
    out
}

#[test]
fn a_request_goes_on_with_its_host_first() {
    assert_eq!(
        forwarded_request("GET /a?b HTTP/1.1\r\naCCept:  */* \r\nHOST: h:81\r\nCookie: c\r\n\r\n"),
        "GET /a?b HTTP/1.1\r\nHost: h:81\r\naCCept: */*\r\nCookie: c\r\n\r\n"
    );
    assert_eq!(
        forwarded_request("HEAD / HTTP/1.0\r\n\r\n"),
        "HEAD / HTTP/1.1\r\nHost: 10.0.0.1:6802\r\n\r\n"
    );
    // The same field twice stays twice, in order.
    assert_eq!(
        forwarded_request("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\na: 3\r\nE:\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\na: 3\r\nE: \r\n\r\n"
    );
}

#[test]
fn targets_go_on_in_origin_form() {
    for (line, target, host) in [
        ("GET http://a/b?c", "/b?c", "a"),
        ("GET http://a:81?c", "/?c", "a:81"),
        ("GET HTTPS://[::1]", "/", "[::1]"),
        ("OPTIONS http://a", "*", "a"),
        ("OPTIONS http://a?c", "/?c", "a"),
        ("OPTIONS *", "*", "h"),
        ("GET //x", "//x", "h"),
    ] {
        let method = line.split(' ').next().unwrap();
        assert_eq!(
            forwarded_request(&format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n")),
            format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
        );
    }
}

#[test]
fn hop_by_hop_fields_stay_behind() {
    assert_eq!(
        forwarded_request(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Hop\r\nKeep-Alive: 5\r\n\
             Proxy-Connection: x\r\nTE: trailers\r\nTrailer: a\r\nUpgrade: a\r\nX-HOP: 1\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\
             connection:x-other\r\nX-Other: 2\r\nX-Stays: 3\r\nConnection-X: 4\r\n\r\n"
        ),
        "GET / HTTP/1.1\r\nHost: h\r\nX-Stays: 3\r\nConnection-X: 4\r\n\r\n"
    );
    // Connection cannot take away what others decide by.
    assert_eq!(
        forwarded_request(
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: Host, Content-Length, Cookie, x-forwarded-for\r\n\
             Content-Length: 3\r\nCookie: c\r\nX-Forwarded-For: ::1\r\nConnection: cdn-loop, via\r\n\
             CDN-Loop: a\r\nVia: 1.1 a\r\nMax-Forwards: 1\r\nConnection: max-forwards\r\n\r\n"
        ),
        "POST / HTTP/1.1\r\nHost: h\r\nCookie: c\r\nX-Forwarded-For: ::1\r\nCDN-Loop: a\r\n\
         Via: 1.1 a\r\nMax-Forwards: 1\r\nContent-Length: 3\r\n\r\n"
    );
}

#[test]
fn all_named_fields_stay_behind() {
    let names: Vec<_> = (0..16).map(|number| format!("x-{number}")).collect();
    let (some, others) = names.split_at(5);
    let mut text = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: {}\r\n",
        some.join(",")
    );
    for name in &names {
        text += &format!("{}: 1\r\n", name.to_uppercase());
    }
    text += &format!("Connection: {}\r\nX-16: 1\r\n\r\n", others.join(" , "));
    assert_eq!(
        forwarded_request(&text),
        "GET / HTTP/1.1\r\nHost: h\r\nX-16: 1\r\n\r\n"
    );
}

#[test]
fn framing_is_written_anew() {
    assert_eq!(
        forwarded_request("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0007\r\nA: b\r\n\r\n"),
        "PUT / HTTP/1.1\r\nHost: h\r\nA: b\r\nContent-Length: 7\r\n\r\n"
    );
    assert_eq!(
        forwarded_request("PUT / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: CHUNKED\r\n\r\n"),
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
}

#[test]
fn a_response_gets_the_framing_of_its_delivery() {
    let text = "HTTP/1.0 200 Fine\r\nServer: s\r\nContent-Length: 09\r\nKeep-Alive: 1\r\n\r\n";
    let head = "HTTP/1.1 200 Fine\r\nServer: s\r\n";
    for (framing, persist, client, rest) in [
        (
            Framing::Length(9),
            Persist::KeepAlive,
            Version::Http11,
            "Content-Length: 9\r\n\r\n",
        ),
        (
            Framing::None,
            Persist::KeepAlive,
            Version::Http11,
            "Content-Length: 9\r\n\r\n",
        ),
        (
            Framing::Length(9),
            Persist::KeepAlive,
            Version::Http10,
            "Content-Length: 9\r\nConnection: keep-alive\r\n\r\n",
        ),
        (
            Framing::Chunked,
            Persist::KeepAlive,
            Version::Http11,
            "Transfer-Encoding: chunked\r\n\r\n",
        ),
        (
            Framing::Close,
            Persist::Close,
            Version::Http11,
            "Connection: close\r\n\r\n",
        ),
        (
            Framing::Close,
            Persist::Close,
            Version::Http10,
            "Connection: close\r\n\r\n",
        ),
    ] {
        let delivery = Delivery {
            framing,
            persist,
            client,
            ..PLAIN
        };
        assert_eq!(forwarded_response(text, delivery), format!("{head}{rest}"));
    }
}

#[test]
fn no_length_is_said_where_there_can_be_none() {
    // RFC 9110 section 8.6.
    for status in ["100 Continue", "204 No Content"] {
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\nA: b\r\n\r\n");
        for framing in [Framing::None, Framing::Length(5), Framing::Chunked] {
            assert_eq!(
                forwarded_response(&text, Delivery { framing, ..PLAIN }),
                format!("HTTP/1.1 {status}\r\nA: b\r\n\r\n")
            );
        }
    }
    assert_eq!(
        forwarded_response("HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n", PLAIN),
        "HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n"
    );
}

#[test]
fn a_date_is_added_when_there_is_none() {
    // RFC 9110 section 6.6.1: an IMF-fixdate, whatever day it is.
    for (secs, date) in [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (1_709_164_799, "Wed, 28 Feb 2024 23:59:59 GMT"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"),
        (1_740_787_200, "Sat, 01 Mar 2025 00:00:00 GMT"),
        (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
        // Clocks that were set: back to the beginning, beyond 2038, to the year without a leap day.
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
        (3_981_312_000, "Wed, 29 Feb 2096 00:00:00 GMT"),
        (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
        (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        let date = (secs, date);
        let delivery = Delivery {
            date: Some(UnixTime::from_secs(date.0)),
            ..PLAIN
        };
        assert_eq!(
            forwarded_response("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", delivery),
            format!("HTTP/1.1 200 OK\r\nA: b\r\nDate: {}\r\n\r\n", date.1)
        );
        // One that is there stays, right or not, and there is none in a 1xx.
        for text in [
            "HTTP/1.1 200 OK\r\ndate: x\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
        ] {
            assert_eq!(forwarded_response(text, delivery), text);
        }
    }
}

#[test]
fn a_response_names_the_hop_that_it_came_by() {
    // RFC 9110 section 7.6.3.
    let delivery = Delivery {
        name: b"us",
        ..PLAIN
    };
    assert_eq!(
        forwarded_response("HTTP/1.1 200 OK\r\nVia: 1.1 a\r\nB: c\r\n\r\n", delivery),
        "HTTP/1.1 200 OK\r\nVia: 1.1 a\r\nB: c\r\nVia: 1.1 us\r\n\r\n"
    );
    assert_eq!(
        forwarded_response("HTTP/1.0 404 No\r\n\r\n", delivery),
        "HTTP/1.1 404 No\r\nVia: 1.0 us\r\n\r\n"
    );
    // A gateway may leave it out of responses: 1xx are kept small.
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    assert_eq!(forwarded_response(interim, delivery), interim);
}

#[test]
fn upgrade_goes_back_where_it_is_wanted() {
    let head = "HTTP/1.1 101 Switching Protocols\r\n";
    let switch = format!(
        "{head}Connection: Upgrade\r\nUpgrade: websocket\r\nDate: x\r\n\
         Sec-WebSocket-Accept: y\r\nContent-Length: 5\r\n\r\n"
    );
    let wanted = Delivery {
        upgrade: true,
        persist: Persist::Close,
        name: b"us",
        ..PLAIN
    };
    let rest = "Date: x\r\nSec-WebSocket-Accept: y\r\n";
    assert_eq!(
        forwarded_response(&switch, wanted),
        format!("{head}Upgrade: websocket\r\n{rest}Connection: upgrade\r\n\r\n")
    );
    assert_eq!(
        forwarded_response(&switch, PLAIN),
        format!("{head}{rest}\r\n")
    );
    // RFC 9110 section 15.5.22: a 426 must say to what.
    let required = "HTTP/1.1 426 X\r\nConnection: upgrade\r\nUpgrade: h2c, b/1\r\n\r\n";
    assert_eq!(
        forwarded_response(required, wanted),
        "HTTP/1.1 426 X\r\nUpgrade: b/1\r\nVia: 1.1 us\r\nConnection: close, upgrade\r\n\r\n"
    );
    // Neither h2c alone nor what has no option in Connection is an Upgrade.
    for lines in [
        "Connection: upgrade\r\nUpgrade: h2c\r\n",
        "Upgrade: websocket\r\n",
    ] {
        let text = format!("HTTP/1.1 426 X\r\n{lines}\r\n");
        let out = forwarded_response(
            &text,
            Delivery {
                name: b"",
                ..wanted
            },
        );
        assert_eq!(out, "HTTP/1.1 426 X\r\nConnection: close\r\n\r\n");
    }
}

#[test]
fn trailers_are_announced_where_they_can_go() {
    // RFC 9110 section 6.6.2, RFC 9112 section 7.1.2: only a chunked body has trailers.
    let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: ETag\r\n\r\n";
    for (framing, rest) in [
        (
            Framing::Chunked,
            "Trailer: ETag\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (Framing::Close, "\r\n"),
        (Framing::None, "\r\n"),
    ] {
        assert_eq!(
            forwarded_response(text, Delivery { framing, ..PLAIN }),
            format!("HTTP/1.1 200 OK\r\n{rest}")
        );
    }
    let closed = "HTTP/1.1 200 OK\r\nTrailer: ETag\r\n\r\n";
    let delivery = Delivery {
        framing: Framing::Chunked,
        ..PLAIN
    };
    assert_eq!(
        forwarded_response(closed, delivery),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "it has none"
    );
    let start = "POST / HTTP/1.1\r\nHost: h\r\n";
    let chunked = "Trailer: ETag\r\nTransfer-Encoding: chunked\r\n\r\n";
    let text = format!("{start}{chunked}");
    assert_eq!(forwarded_request(&text), text);
    assert_eq!(
        forwarded_request(&format!("{start}Trailer: a\r\nContent-Length: 1\r\n\r\n")),
        format!("{start}Content-Length: 1\r\n\r\n")
    );
    // RFC 9110 section 7.6.1: what Connection names must go from the trailers too; all of them do.
    let named = format!("{start}Connection: etag\r\n{chunked}");
    assert!(!good_request(named.as_bytes()).options.let_trailers_pass());
    assert_eq!(
        forwarded_request(&named),
        format!("{start}Transfer-Encoding: chunked\r\n\r\n")
    );
    let te = format!("{start}Connection: TE, close, keep-alive, upgrade\r\n{chunked}");
    assert!(good_request(te.as_bytes()).options.let_trailers_pass());
}

#[test]
fn trailers_are_written() {
    let section = |first| {
        written(|out| {
            trailers_begin(first, out)?;
            trailer(b"ETag", b"\"x\"", out)?;
            trailer(b"Content-Length", b"5", out)?;
            trailer(b"X-Sum", b"", out)?;
            trailers_end(out)
        })
    };
    assert_eq!(section(true), "0\r\nETag: \"x\"\r\nX-Sum: \r\n\r\n");
    assert_eq!(section(false), "\r\n0\r\nETag: \"x\"\r\nX-Sum: \r\n\r\n");
}

#[test]
fn chunk_framing_is_written() {
    assert_eq!(written(|out| chunk_prefix(true, 1, out)), "1\r\n");
    assert_eq!(
        written(|out| chunk_prefix(false, 0xabc, out)),
        "\r\nabc\r\n"
    );
    assert_eq!(written(|out| last_chunk(true, out)), "0\r\n\r\n");
    assert_eq!(written(|out| last_chunk(false, out)).len(), LAST_CHUNK_MAX);
    assert_eq!(
        written(|out| chunk_prefix(false, u64::MAX, out)).len(),
        CHUNK_PREFIX_MAX
    );
}

#[test]
fn what_is_chunked_decodes_to_what_it_was() {
    use crate::chunked_grammar::{decode, Decoded};
    let pieces = ["a", "bcdefghijklmnopqrstuvwxyz", "0"];
    let mut text = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        text += &written(|out| chunk_prefix(index == 0, piece.len() as u64, out));
        text += piece;
    }
    text += &written(|out| last_chunk(false, out));
    let decoded = decode(text.as_bytes(), 0..=text.len());
    assert_eq!(
        decoded,
        Decoded::Complete(pieces.concat().into(), text.len())
    );
}
