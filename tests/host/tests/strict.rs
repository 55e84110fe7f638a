// SPDX-License-Identifier: GPL-2.0

//! Whole requests that two readers could understand differently: each is answered with an exact
//! status, and nothing of it reaches a backend. Where RFC 9110 or RFC 9112 would let us mend the
//! message, it is said why we do not.

use super::head::{assert_request_refused, assert_response_refused};
use crate::http::{Status, Violation};

/// What a request of these lines is answered with.
const REFUSED: &[(&str, u16, &str)] = &[
    // Content-Length with Transfer-Encoding. RFC 9112 section 6.1 lets a server process it by the
    // Transfer-Encoding alone; it is "likely an attempt at request smuggling", and no sender of
    // good will makes one.
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "both Transfer-Encoding and Content-Length",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
        400,
        "both Transfer-Encoding and Content-Length",
    ),
    // Content-Length more than once. RFC 9110 section 8.6 lets a recipient take equal values for
    // one; a sender that repeats a length has joined two messages or two heads.
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        400,
        "more than one Content-Length",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        400,
        "more than one Content-Length",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\n",
        400,
        "bad Content-Length",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n",
        400,
        "bad Content-Length",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n",
        400,
        "bad Content-Length",
    ),
    // Bare LF. RFC 9112 section 2.2: "a recipient MAY recognize a single LF as a line terminator".
    // Those that do not see one line where we would see two.
    ("GET / HTTP/1.1\nHost: h\r\n\r\n", 400, "bare LF"),
    ("GET / HTTP/1.1\r\nHost: h\n\r\n", 400, "bare LF"),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: b\n\n", 400, "bare LF"),
    ("GET / HTTP/1.1\r\nHost: h\r\n\n", 400, "bare LF"),
    // Bare CR. RFC 9112 section 2.2: invalid, or to be replaced with a space before it is passed
    // on. Nobody sends one by mistake.
    ("GET / HTTP/1.1\rHost: h\r\n\r\n", 400, "bare CR"),
    (
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\rC: d\r\n\r\n",
        400,
        "bare CR",
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\nA\r: b\r\n\r\n",
        400,
        "field line without a colon",
    ),
    (
        "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n",
        505,
        "no HTTP version",
    ),
    // NUL and other controls. RFC 9110 section 5.5: NUL, CR and LF are invalid, and to be refused
    // or replaced; the others may be kept. None of them has a meaning here.
    (
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n",
        400,
        "control character",
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\x0bc\r\n\r\n",
        400,
        "control character",
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\nA\0: b\r\n\r\n",
        400,
        "bad octet in a field name",
    ),
    (
        "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n",
        400,
        "bad octet in the request target",
    ),
    (
        "G\0T / HTTP/1.1\r\nHost: h\r\n\r\n",
        400,
        "bad octet in the method",
    ),
    // obs-fold. RFC 9112 section 5.2: refuse it "or replace each received obs-fold with one or more
    // SP octets".
    (
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
        400,
        "folded field line",
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc: d\r\n\r\n",
        400,
        "folded field line",
    ),
    // White space between the start line and the first field: RFC 9112 section 2.2.
    (
        "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
        400,
        "folded field line",
    ),
    // White space before the colon: RFC 9112 section 5.1 wants the 400.
    (
        "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        400,
        "white space before the colon of a field",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\t: chunked\r\n\r\n",
        400,
        "white space before the colon of a field",
    ),
    // Field names that are none: RFC 9110 section 5.1.
    (
        "GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
        400,
        "empty field name",
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\nA(b): c\r\n\r\n",
        400,
        "bad octet in a field name",
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\n\"A\": c\r\n\r\n",
        400,
        "bad octet in a field name",
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\nA\r\n\r\n",
        400,
        "field line without a colon",
    ),
    // Transfer codings. RFC 9112 section 6.1: 501 for those that are not understood; one before
    // chunked could be passed on, if every backend understood it.
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        501,
        "unknown transfer coding",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
        501,
        "unknown transfer coding",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n",
        501,
        "unknown transfer coding",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        501,
        "unknown transfer coding",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        400,
        "more than one Transfer-Encoding",
    ),
    (
        "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "Transfer-Encoding in HTTP/1.0",
    ),
    // Other versions on the wire: RFC 9110 section 15.6.6, RFC 9113 section 3.4. RFC 9110 section
    // 2.5 wants a later minor version to be read as 1.1; there is none, and will be none.
    ("GET /\r\n", 505, "no HTTP version"),
    (
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        505,
        "only HTTP/1.0 and HTTP/1.1",
    ),
    (
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        505,
        "only HTTP/1.0 and HTTP/1.1",
    ),
    (
        "GET / HTTP/1.2\r\nHost: h\r\n\r\n",
        505,
        "only HTTP/1.0 and HTTP/1.1",
    ),
    (
        "GET / HTTP/0.9\r\nHost: h\r\n\r\n",
        505,
        "only HTTP/1.0 and HTTP/1.1",
    ),
    (
        "GET / HTTP/1.1x\r\nHost: h\r\n\r\n",
        400,
        "bad HTTP version",
    ),
    // Host: RFC 9112 section 3.2.
    ("GET / HTTP/1.1\r\n\r\n", 400, "no Host field"),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        400,
        "more than one Host",
    ),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "bad Host"),
    // TRACE has no content: RFC 9110 section 9.3.8.
    (
        "TRACE / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx",
        400,
        "TRACE with a body",
    ),
    (
        "TRACE / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "TRACE with a body",
    ),
    // CONNECT is not for a gateway: RFC 9110 section 9.3.6.
    (
        "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
        501,
        "CONNECT is not offered",
    ),
];

#[test]
fn ambiguous_requests_are_refused() {
    for (text, status, reason) in REFUSED {
        assert_request_refused(text.as_bytes(), *status, reason);
    }
}

#[test]
fn ambiguous_responses_are_refused() {
    // The same field lines of a backend: 502, whatever is wrong with them.
    for (text, _, reason) in REFUSED {
        let Some(lines) = text.strip_prefix("POST / HTTP/1.1\r\nHost: h\r\n") else {
            continue;
        };
        assert_response_refused(format!("HTTP/1.1 200 OK\r\n{lines}").as_bytes(), reason);
    }
}

#[test]
fn a_violation_of_a_response_is_a_bad_gateway() {
    let violation = Violation::bad("x").of_response();
    assert_eq!(violation, Violation::new(Status::BAD_GATEWAY, "x"));
}

#[test]
fn trace_without_content_is_one() {
    for lines in ["", "Content-Length: 0\r\n"] {
        let text = format!("TRACE / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        super::head::good_request(text.as_bytes());
    }
}
