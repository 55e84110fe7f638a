// SPDX-License-Identifier: GPL-2.0

//! What is written to backends and to clients.

use super::head::{good_request, good_response};
use crate::bytes::{Full, Writer};
use crate::http::encode::{
    chunk_prefix, error_page, last_chunk, request_head, response_head, Delivery, ErrorPage,
    Framing, Persist, CHUNK_PREFIX_MAX, LAST_CHUNK_MAX,
};
use crate::http::{Status, Version};
use crate::time::UnixTime;

fn written(write: impl Fn(&mut Writer<'_>) -> Result<(), Full>) -> String {
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

fn forwarded_request(text: &str) -> String {
    let head = good_request(text.as_bytes());
    written(|out| request_head(&head, text.as_bytes(), b"10.0.0.1:6802", out))
}

const PLAIN: Delivery = Delivery {
    framing: Framing::None,
    persist: Persist::KeepAlive,
    client: Version::Http11,
    date: None,
};

fn forwarded_response(text: &str, delivery: Delivery) -> String {
    let head = good_response(text.as_bytes());
    written(|out| response_head(&head, text.as_bytes(), &delivery, out))
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
             Proxy-Connection: x\r\nTE: trailers\r\nTrailer: a\r\nUpgrade: h2c\r\nX-HOP: 1\r\n\
             connection:x-other\r\nX-Other: 2\r\nX-Stays: 3\r\nConnection-X: 4\r\n\r\n"
        ),
        "GET / HTTP/1.1\r\nHost: h\r\nX-Stays: 3\r\nConnection-X: 4\r\n\r\n"
    );
    // Connection cannot take away what others decide by.
    assert_eq!(
        forwarded_request(
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: Host, Content-Length, Cookie, x-forwarded-for\r\n\
             Content-Length: 3\r\nCookie: c\r\nX-Forwarded-For: ::1\r\n\r\n"
        ),
        "POST / HTTP/1.1\r\nHost: h\r\nCookie: c\r\nX-Forwarded-For: ::1\r\nContent-Length: 3\r\n\r\n"
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
            date: None,
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
    let date = Some(UnixTime::from_secs(784_111_777));
    let delivery = Delivery { date, ..PLAIN };
    assert_eq!(
        forwarded_response("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", delivery),
        "HTTP/1.1 200 OK\r\nA: b\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
    );
    assert_eq!(
        forwarded_response("HTTP/1.1 200 OK\r\ndate: x\r\n\r\n", delivery),
        "HTTP/1.1 200 OK\r\ndate: x\r\n\r\n"
    );
}

#[test]
fn an_error_page_is_a_whole_response() {
    let page = ErrorPage {
        status: Status::BAD_GATEWAY,
        reason: "<a> & <b>&: nothing",
        head_only: false,
        persist: Persist::Close,
        client: Version::Http11,
        now: UnixTime::from_secs(784_111_777),
    };
    let text = written(|out| error_page(&page, out));
    let head = good_response(text.as_bytes());
    let (fields, body) = text.split_at(head.len);
    assert_eq!(head.status, Status::BAD_GATEWAY);
    assert!(
        fields.starts_with("HTTP/1.1 502 Bad Gateway\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
    );
    assert!(fields.contains("\r\nCache-Control: no-store\r\n"));
    assert!(fields.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"));
    assert!(fields.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
    assert!(fields.ends_with("\r\nConnection: close\r\n\r\n"));
    assert!(
        body.contains("<h1>502 Bad Gateway</h1>\n<p>&lt;a&gt; &amp; &lt;b&gt;&amp;: nothing</p>")
    );

    let bare = ErrorPage {
        head_only: true,
        ..page
    };
    assert_eq!(
        written(|out| error_page(&bare, out)),
        fields,
        "the same head for HEAD"
    );
    let kept = ErrorPage {
        persist: Persist::KeepAlive,
        client: Version::Http10,
        ..page
    };
    assert!(written(|out| error_page(&kept, out)).contains("\r\nConnection: keep-alive\r\n"));
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
