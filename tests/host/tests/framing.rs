// SPDX-License-Identifier: GPL-2.0

//! Where a message ends and whom it is for: Host, Content-Length, Transfer-Encoding. What two readers
//! could understand differently is refused.

use super::head::{
    assert_request_refused, assert_response_refused, good_request, good_response, owned,
    with_fields,
};
use crate::http::head::BodyLength;

#[test]
fn host_must_be_there_once_and_be_one() {
    for (lines, reason) in [
        ("", "no Host field"),
        ("Host: a\r\nHost: a\r\n", "more than one Host"),
        ("Host: a\r\nhOST: b\r\n", "more than one Host"),
        ("Host:\r\n", "bad Host"),
        ("Host: a b\r\n", "bad Host"),
        ("Host: a,b\r\n", "bad Host"),
        ("Host: a, b\r\n", "bad Host"),
        ("Host: u@a\r\n", "bad Host"),
        ("Host: a/b\r\n", "bad Host"),
        ("Host: a?b\r\n", "bad Host"),
        ("Host: a:80:80\r\n", "bad Host"),
        ("Host: a:65536\r\n", "bad Host"),
        ("Host: a:-1\r\n", "bad Host"),
        ("Host: :80\r\n", "bad Host"),
        ("Host: [::1\r\n", "bad Host"),
        ("Host: [::1]x\r\n", "bad Host"),
        ("Host: [1.2.3.4]\r\n", "bad Host"),
        ("Host: ::1\r\n", "bad Host"),
        ("Host: a%2\r\n", "bad Host"),
        ("Host: a%zz\r\n", "bad Host"),
        ("Host: \u{e4}\r\n", "bad Host"),
        ("Host: http://a\r\n", "bad Host"),
    ] {
        let text = format!("GET / HTTP/1.1\r\n{lines}\r\n");
        assert_request_refused(text.as_bytes(), 400, reason);
    }
    for host in [
        "a",
        "a.b-c_d~e",
        "127.0.0.1:81",
        "[::1]",
        "[fe80::1]:8080",
        "a:",
        "a%2Db",
        "*.x",
    ] {
        let text = format!("GET / HTTP/1.1\r\nhost:\t{host} \r\n\r\n").into_bytes();
        assert_eq!(owned(good_request(&text).host, &text), host);
    }
    let head = good_request(b"GET / HTTP/1.0\r\n\r\n");
    assert!(head.host.is_empty(), "HTTP/1.0 has no Host");
    assert_request_refused(
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
        400,
        "more than one Host",
    );
}

#[test]
fn framing_that_two_readers_could_understand_differently_is_refused() {
    for (lines, status, reason) in [
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            400,
            "both Transfer-Encoding and Content-Length",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            400,
            "both Transfer-Encoding and Content-Length",
        ),
        (
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            400,
            "more than one Content-Length",
        ),
        (
            "Content-Length: 5\r\nCONTENT-LENGTH: 5\r\n",
            400,
            "more than one Content-Length",
        ),
        ("Content-Length: 5, 5\r\n", 400, "bad Content-Length"),
        ("Content-Length: 5,6\r\n", 400, "bad Content-Length"),
        ("Content-Length:\r\n", 400, "bad Content-Length"),
        ("Content-Length: +5\r\n", 400, "bad Content-Length"),
        ("Content-Length: -5\r\n", 400, "bad Content-Length"),
        ("Content-Length: 0x5\r\n", 400, "bad Content-Length"),
        ("Content-Length: 5 5\r\n", 400, "bad Content-Length"),
        ("Content-Length: 5\u{b}\r\n", 400, "control character"),
        ("Content-Length: 1e3\r\n", 400, "bad Content-Length"),
        ("Content-Length: 5;\r\n", 400, "bad Content-Length"),
        ("Content-Length: \"5\"\r\n", 400, "bad Content-Length"),
        (
            "Content-Length: 9223372036854775808\r\n",
            400,
            "bad Content-Length",
        ),
        (
            "Content-Length: 18446744073709551616\r\n",
            400,
            "bad Content-Length",
        ),
        (
            "Content-Length: 000000000000000000005\r\n",
            400,
            "bad Content-Length",
        ),
        (
            "Transfer-Encoding: gzip\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: chunked, gzip\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: identity\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: chunked, identity\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: chunked, chunked\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: xchunked\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: chunkedx\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: \"chunked\"\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: chunked;q=1\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: ,chunked\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: \u{e4}chunked\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding: \u{b}chunked\r\n",
            400,
            "control character",
        ),
        ("Transfer-Encoding:\r\n", 400, "empty Transfer-Encoding"),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            400,
            "more than one Transfer-Encoding",
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
            501,
            "unknown transfer coding",
        ),
        (
            "Transfer-Encoding\r\n : chunked\r\n",
            400,
            "field line without a colon",
        ),
    ] {
        assert_request_refused(&with_fields("1.1", lines), status, reason);
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        assert_response_refused(text.as_bytes(), reason);
    }
    let old = with_fields("1.0", "Transfer-Encoding: chunked\r\n");
    assert_request_refused(&old, 400, "Transfer-Encoding in HTTP/1.0");
    let old = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_response_refused(old, "Transfer-Encoding in HTTP/1.0");
}

#[test]
fn good_framing_is_read() {
    for (lines, body) in [
        ("", BodyLength::None),
        ("Content-Length: 0\r\n", BodyLength::Length(0)),
        ("content-length:\t5 \r\n", BodyLength::Length(5)),
        (
            "Content-Length: 9223372036854775807\r\n",
            BodyLength::Length(i64::MAX as u64),
        ),
        ("Transfer-Encoding: chunked\r\n", BodyLength::Chunked),
        ("transfer-ENCODING:Chunked\r\n", BodyLength::Chunked),
        ("Content_Length: 5\r\n", BodyLength::None),
        ("X-Content-Length: 5\r\n", BodyLength::None),
    ] {
        assert_eq!(
            good_request(&with_fields("1.1", lines)).body,
            body,
            "for {lines}"
        );
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        assert_eq!(good_response(text.as_bytes()).body, body, "for {lines}");
    }
}
