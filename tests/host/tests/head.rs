// SPDX-License-Identifier: GPL-2.0

//! Message heads: what is read out of the good ones, and that each way of being bad is refused
//! with its status and its reason.

use crate::bytes::Span;
use crate::http::field::fields;
use crate::http::head::{
    parse_request, parse_response, BodyLength, Form, Options, Parse, RequestHead, ResponseHead,
    Scan,
};
use crate::http::{Limits, Method, Status, Version, Violation};

pub(super) const LIMITS: Limits = Limits {
    head: 8192,
    fields: 64,
    target: 4096,
};

pub(super) fn request(text: &[u8]) -> Result<Parse<RequestHead>, Violation> {
    parse_request(text, &mut Scan::new(), &LIMITS)
}

pub(super) fn response(text: &[u8]) -> Result<Parse<ResponseHead>, Violation> {
    parse_response(text, &mut Scan::new(), &LIMITS)
}

/// The head of a request that must be complete and good.
pub(super) fn good_request(text: &[u8]) -> RequestHead {
    match request(text) {
        Ok(Parse::Complete(head)) => head,
        other => panic!("{other:?} for {}", text.escape_ascii()),
    }
}

/// The head of a response that must be complete and good.
pub(super) fn good_response(text: &[u8]) -> ResponseHead {
    match response(text) {
        Ok(Parse::Complete(head)) => head,
        other => panic!("{other:?} for {}", text.escape_ascii()),
    }
}

pub(super) fn assert_request_refused(text: &[u8], status: u16, reason: &str) {
    let violation = request(text).expect_err(&text.escape_ascii().to_string());
    let seen = (violation.status.code(), violation.reason);
    assert_eq!(seen, (status, reason), "for {}", text.escape_ascii());
}

pub(super) fn assert_response_refused(text: &[u8], reason: &str) {
    let violation = response(text).expect_err(&text.escape_ascii().to_string());
    let seen = (violation.status.code(), violation.reason);
    assert_eq!(seen, (502, reason), "for {}", text.escape_ascii());
}

/// A request with these lines after its Host.
pub(super) fn with_fields(version: &str, lines: &str) -> Vec<u8> {
    format!("POST /a HTTP/{version}\r\nHost: h\r\n{lines}\r\n").into_bytes()
}

pub(super) fn owned(span: Span, text: &[u8]) -> String {
    String::from_utf8(span.of(text).to_vec()).unwrap()
}

#[test]
fn request_of_the_rfc_is_read() {
    // RFC 9112 section 3.2.1.
    let text = b"GET /where?q=now HTTP/1.1\r\nHost: www.example.org\r\n\r\nrest";
    let head = good_request(text);
    assert_eq!(head.method, Method::Get);
    assert_eq!(owned(head.method_span, text), "GET");
    assert_eq!(owned(head.target, text), "/where?q=now");
    assert_eq!(head.form, Form::Origin);
    assert_eq!(owned(head.path, text), "/where?q=now");
    assert_eq!(head.version, Version::Http11);
    assert_eq!(owned(head.host, text), "www.example.org");
    assert_eq!(head.len, text.len() - "rest".len());
    assert_eq!(head.body, BodyLength::None);
    assert!(head.keep_alive);
    assert_eq!(head.options, Options::default());
    assert!(!head.upgrade && !head.expect_continue);
    assert_eq!(owned(head.fields, text), "Host: www.example.org\r\n");
}

#[test]
fn request_in_absolute_form_has_the_host_of_its_target() {
    for (target, host, path) in [
        (
            "http://www.example.org/pub/WWW/",
            "www.example.org",
            "/pub/WWW/",
        ),
        ("HTTP://a:8080/x?y", "a:8080", "/x?y"),
        ("https://[::1]:443?q", "[::1]:443", "?q"),
        ("http://a.b", "a.b", ""),
    ] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: other\r\n\r\n").into_bytes();
        let head = good_request(&text);
        assert_eq!(head.form, Form::Absolute, "for {target}");
        assert_eq!(owned(head.target, &text), target);
        assert_eq!(owned(head.host, &text), host, "for {target}");
        assert_eq!(owned(head.path, &text), path, "for {target}");
    }
}

#[test]
fn request_in_asterisk_form_is_for_options_only() {
    let head = good_request(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((head.form, head.method), (Form::Asterisk, Method::Options));
    assert_request_refused(
        b"GET * HTTP/1.1\r\nHost: h\r\n\r\n",
        400,
        "bad request target",
    );
}

#[test]
fn methods_are_known_by_their_exact_names() {
    for (name, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
        ("PATCH", Method::Patch),
        ("TRACE", Method::Trace),
        ("get", Method::Other),
        ("PROPFIND", Method::Other),
        ("M-SEARCH", Method::Other),
        ("!#$%&'*+-.^_`|~09azAZ", Method::Other),
    ] {
        let text = format!("{name} / HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes();
        assert_eq!(good_request(&text).method, method, "for {name}");
    }
    assert!(Method::Get.is_safe() && Method::Put.is_idempotent());
    assert!(!Method::Post.is_idempotent() && !Method::Other.is_idempotent());
}

#[test]
fn request_lines_that_are_refused() {
    for (line, status, reason) in [
        // HTTP/0.9 and what is not HTTP/1.
        ("GET /\r\n", 505, "no HTTP version"),
        ("PRI * HTTP/2.0\r\n", 505, "only HTTP/1.0 and HTTP/1.1"),
        ("GET / HTTP/0.9\r\n", 505, "only HTTP/1.0 and HTTP/1.1"),
        ("GET / HTTP/1.2\r\n", 505, "only HTTP/1.0 and HTTP/1.1"),
        ("GET / HTTP/3.0\r\n", 505, "only HTTP/1.0 and HTTP/1.1"),
        ("GET / HTTP/2\r\n", 400, "bad HTTP version"),
        ("GET / HTTP/11.1\r\n", 400, "bad HTTP version"),
        ("GET / HTTP/1.10\r\n", 400, "bad HTTP version"),
        ("GET / http/1.1\r\n", 400, "bad HTTP version"),
        ("GET / HTTP-1.1\r\n", 400, "bad HTTP version"),
        ("GET / \r\n", 400, "bad HTTP version"),
        ("GET / ICAP/1.0\r\n", 400, "bad HTTP version"),
        // White space where it does not belong.
        (" GET / HTTP/1.1\r\n", 400, "bad octet in the method"),
        (
            "GET  / HTTP/1.1\r\n",
            400,
            "bad octet in the request target",
        ),
        ("GET /  HTTP/1.1\r\n", 400, "bad HTTP version"),
        ("GET / HTTP/1.1 \r\n", 400, "bad HTTP version"),
        ("GET\t/ HTTP/1.1\r\n", 400, "bad octet in the method"),
        (
            "GET /\tHTTP/1.1\r\n",
            400,
            "bad octet in the request target",
        ),
        ("GET / HTTP/1.1\t\r\n", 400, "control character"),
        ("GET /a b HTTP/1.1\r\n", 400, "bad HTTP version"),
        (
            "GET /\u{b}HTTP/1.1\r\n",
            400,
            "bad octet in the request target",
        ),
        // Line ends.
        ("GET / HTTP/1.1\n", 400, "bare LF"),
        ("GET / HTTP/1.1\rX", 400, "bare CR"),
        ("GET / HTTP/1.1\r\r\n", 400, "bare CR"),
        ("GET /\n", 400, "bare LF"),
        ("GET\r\n", 400, "no request target"),
        ("\nGET / HTTP/1.1\r\n", 400, "bare LF"),
        ("\rGET / HTTP/1.1\r\n", 400, "bad octet in the method"),
        ("\r\n\nGET / HTTP/1.1\r\n", 400, "bare LF"),
        (
            "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n",
            400,
            "bad octet in the method",
        ),
        // Octets.
        ("G\u{0}T / HTTP/1.1\r\n", 400, "bad octet in the method"),
        ("GE/T / HTTP/1.1\r\n", 400, "bad octet in the method"),
        ("G@T / HTTP/1.1\r\n", 400, "bad octet in the method"),
        ("\u{16}\u{3}\u{1}\u{2}", 400, "bad octet in the method"),
        (
            "GET /\u{0} HTTP/1.1\r\n",
            400,
            "bad octet in the request target",
        ),
        (
            "GET /\u{7f} HTTP/1.1\r\n",
            400,
            "bad octet in the request target",
        ),
        (
            "GET /\u{e4} HTTP/1.1\r\n",
            400,
            "bad octet in the request target",
        ),
        (
            "GET /#top HTTP/1.1\r\n",
            400,
            "bad octet in the request target",
        ),
        // Targets.
        ("GET index.html HTTP/1.1\r\n", 400, "bad request target"),
        (
            "GET www.example.org:80 HTTP/1.1\r\n",
            400,
            "bad request target",
        ),
        ("GET ?q HTTP/1.1\r\n", 400, "bad request target"),
        ("OPTIONS *x HTTP/1.1\r\n", 400, "bad request target"),
        ("GET ftp://h/ HTTP/1.1\r\n", 400, "bad request target"),
        ("GET http:/h/ HTTP/1.1\r\n", 400, "bad request target"),
        (
            "GET http:///x HTTP/1.1\r\n",
            400,
            "bad host in the request target",
        ),
        (
            "GET http:// HTTP/1.1\r\n",
            400,
            "bad host in the request target",
        ),
        (
            "GET http://u@h/ HTTP/1.1\r\n",
            400,
            "bad host in the request target",
        ),
        (
            "GET http://u:p@h/ HTTP/1.1\r\n",
            400,
            "bad host in the request target",
        ),
        (
            "GET http://h:x/ HTTP/1.1\r\n",
            400,
            "bad host in the request target",
        ),
        (
            "GET http://h\\a/ HTTP/1.1\r\n",
            400,
            "bad host in the request target",
        ),
        ("CONNECT h:443 HTTP/1.1\r\n", 501, "CONNECT is not offered"),
        ("CONNECT / HTTP/1.1\r\n", 501, "CONNECT is not offered"),
    ] {
        let text = format!("{line}Host: h\r\n\r\n");
        assert_request_refused(text.as_bytes(), status, reason);
    }
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    // RFC 9112 section 2.2.
    for count in 0..=4 {
        let text = "\r\n".repeat(count) + "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
        let head = good_request(text.as_bytes());
        assert_eq!(owned(head.target, text.as_bytes()), "/x");
        assert_eq!(head.len, text.len());
    }
    assert_eq!(request(b"\r\n\r\n"), Ok(Parse::Partial));
    assert_eq!(request(b"\r\n\r"), Ok(Parse::Partial));
    assert_response_refused(b"\r\nHTTP/1.1 200 OK\r\n\r\n", "bad HTTP version");
}

#[test]
fn field_lines_that_are_refused() {
    for (line, reason) in [
        ("a : b\r\n", "white space before the colon of a field"),
        ("a\t: b\r\n", "white space before the colon of a field"),
        (
            "Content-Length : 5\r\n",
            "white space before the colon of a field",
        ),
        (" a: b\r\n", "folded field line"),
        ("a: b\r\n c\r\n", "folded field line"),
        ("a: b\r\n\tc: d\r\n", "folded field line"),
        ("a: b\r\n \r\n", "folded field line"),
        (": b\r\n", "empty field name"),
        ("a\r\n", "field line without a colon"),
        ("a\n", "bare LF"),
        ("a b: c\r\n", "white space before the colon of a field"),
        ("a(: b\r\n", "bad octet in a field name"),
        ("a\u{0}: b\r\n", "bad octet in a field name"),
        ("\u{e4}: b\r\n", "bad octet in a field name"),
        ("a/b: c\r\n", "bad octet in a field name"),
        ("\"a\": c\r\n", "bad octet in a field name"),
        ("a: b\n", "bare LF"),
        ("a: b\n\r\n", "bare LF"),
        ("a: b\r\r\n", "bare CR"),
        ("a: b\rc: d\r\n", "bare CR"),
        ("a: b\rTransfer-Encoding: chunked\r\n", "bare CR"),
        ("a: \u{0}\r\n", "control character"),
        ("a: b\u{1}c\r\n", "control character"),
        ("a: b\u{1f}\r\n", "control character"),
        ("a: \u{7f}b\r\n", "control character"),
        ("a: b\u{b}\r\n", "control character"),
        ("\rb: c\r\n", "bare CR"),
        ("\n", "bare LF"),
    ] {
        assert_request_refused(&with_fields("1.1", line), 400, reason);
        let text = format!("HTTP/1.1 200 OK\r\n{line}\r\n");
        assert_response_refused(text.as_bytes(), reason);
    }
}

#[test]
fn every_octet_is_judged_in_every_place() {
    for octet in 0..=255u8 {
        let place = |before: &[u8], after: &[u8]| [before, &[octet], after].concat();
        let is_tchar = octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
        let name = place(b"GET / HTTP/1.1\r\nHost: h\r\na", b"b: c\r\n\r\n");
        assert_eq!(
            request(&name).is_ok(),
            is_tchar || octet == b':',
            "name {octet:#x}"
        );
        let method = place(b"G", b"T / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(request(&method).is_ok(), is_tchar, "method {octet:#x}");

        let target = place(b"GET /", b"x HTTP/1.1\r\nHost: h\r\n\r\n");
        let is_target = octet.is_ascii_graphic() && octet != b'#';
        assert_eq!(request(&target).is_ok(), is_target, "target {octet:#x}");

        // Long enough for the scan of eight at once; every position of the octet in it.
        for position in 0..16 {
            let (before, after) = ([b'x'; 16], [b'y'; 16]);
            let before = [b"HTTP/1.1 200 OK\r\na: v", &before[..position]].concat();
            let value = place(&before, &[&after[position..], b"\r\n\r\n"].concat());
            let is_content = octet == b'\t' || octet >= 0x20 && octet != 0x7f;
            assert_eq!(
                response(&value).is_ok(),
                is_content,
                "value {octet:#x} {position}"
            );
        }
        let reason = place(b"HTTP/1.1 200 O", b"K\r\n\r\n");
        let is_content = octet == b'\t' || octet >= 0x20 && octet != 0x7f;
        assert_eq!(response(&reason).is_ok(), is_content, "reason {octet:#x}");
    }
}

#[test]
fn values_are_trimmed_of_white_space() {
    let text = with_fields(
        "1.1",
        "a:b\r\nB: \t c \t\r\nempty:\r\nblank: \t \r\nobs: \u{e4}\r\n",
    );
    let head = good_request(&text);
    let seen: Vec<_> = fields(head.fields.of(&text)).collect();
    let expected: [(&[u8], &[u8]); 6] = [
        (b"Host", b"h"),
        (b"a", b"b"),
        (b"B", b"c"),
        (b"empty", b""),
        (b"blank", b""),
        (b"obs", "\u{e4}".as_bytes()),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn status_lines_are_read() {
    for (line, version, status, reason) in [
        ("HTTP/1.1 200 OK", Version::Http11, 200, "OK"),
        ("HTTP/1.0 404 Not Found", Version::Http10, 404, "Not Found"),
        ("HTTP/1.1 200 ", Version::Http11, 200, ""),
        ("HTTP/1.1 200", Version::Http11, 200, ""),
        (
            "HTTP/1.1 599 \u{e4}\t b",
            Version::Http11,
            599,
            "\u{e4}\t b",
        ),
        ("HTTP/1.1 100 Continue", Version::Http11, 100, "Continue"),
        ("HTTP/1.1 999 x", Version::Http11, 999, "x"),
    ] {
        let text = format!("{line}\r\nDate: x\r\n\r\n").into_bytes();
        let head = good_response(&text);
        assert_eq!(head.version, version);
        assert_eq!(head.status.code(), status);
        assert_eq!(owned(head.reason, &text), reason);
        assert_eq!(head.len, text.len());
        assert!(head.has_date);
        assert_eq!(owned(head.fields, &text), "Date: x\r\n");
    }
}

#[test]
fn status_lines_that_are_refused() {
    for (line, reason) in [
        ("HTTP/1.1 20 OK\r\n", "bad status code"),
        ("HTTP/1.1 2000 OK\r\n", "bad status code"),
        ("HTTP/1.1  200 OK\r\n", "bad status code"),
        ("HTTP/1.1 099 OK\r\n", "bad status code"),
        ("HTTP/1.1 2xx OK\r\n", "bad status code"),
        ("HTTP/1.1 +20 OK\r\n", "bad status code"),
        ("HTTP/1.1\t200 OK\r\n", "bad status code"),
        ("HTTP/1.1 200\tOK\r\n", "bad status code"),
        ("HTTP/1.1 200OK\r\n", "bad status code"),
        ("HTTP/1.1\r\n", "bad status code"),
        ("HTTP/1.1 \r\n", "bad status code"),
        ("HTTP/2.0 200 OK\r\n", "only HTTP/1.0 and HTTP/1.1"),
        ("HTTP/2 200\r\n", "bad HTTP version"),
        ("ICY 200 OK\r\n", "bad HTTP version"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "bad HTTP version"),
        ("<html>\r\n", "bad HTTP version"),
        ("\r\n", "bad HTTP version"),
        ("HTTP/1.1 200 OK\n", "bare LF"),
        ("HTTP/1.1 200 OK\rX: y\r\n", "bare CR"),
        ("HTTP/1.1 200 O\u{0}K\r\n", "control character"),
    ] {
        assert_response_refused(format!("{line}\r\n").as_bytes(), reason);
    }
}

#[test]
fn limits_are_exact() {
    let text = b"GET /0123456789 HTTP/1.1\r\nHost: h\r\na: b\r\n\r\n";
    let parse = |limits: Limits| parse_request(text, &mut Scan::new(), &limits);
    let exact = Limits {
        head: text.len(),
        fields: 2,
        target: 11,
    };
    assert!(matches!(parse(exact), Ok(Parse::Complete(_))));
    let too_long = [
        (
            Limits {
                head: text.len() - 1,
                ..exact
            },
            431,
            "head too large",
        ),
        (Limits { head: 30, ..exact }, 431, "head too large"),
        (Limits { fields: 1, ..exact }, 431, "too many fields"),
        (Limits { fields: 0, ..exact }, 431, "too many fields"),
        (
            Limits {
                target: 10,
                ..exact
            },
            414,
            "request target too long",
        ),
        (Limits { head: 20, ..exact }, 414, "request line too long"),
        (Limits { head: 0, ..exact }, 414, "request line too long"),
    ];
    for (limits, status, reason) in too_long {
        let violation = parse(limits).unwrap_err();
        assert_eq!(
            (violation.status.code(), violation.reason),
            (status, reason)
        );
    }
    // No more is needed to know than the octets up to the limit.
    let endless = [b"GET /".as_slice(), &[b'x'; 8187]].concat();
    assert_request_refused(&endless, 414, "request target too long");
    let endless = [b"GET / HTTP/1.1\r\na:".as_slice(), &[b' '; 8192]].concat();
    assert_request_refused(&endless, 431, "head too large");
    let endless = [b"HTTP/1.1 200 ".as_slice(), &[b'x'; 8192]].concat();
    assert_eq!(response(&endless).unwrap_err().status, Status::BAD_GATEWAY);
    let method = [[b'M'; 33].as_slice(), b" / HTTP/1.1\r\n\r\n"].concat();
    assert_request_refused(&method, 501, "method name too long");
}

#[test]
fn what_is_already_wrong_is_refused_at_once() {
    for text in [
        "GET / HTTP/1.1\r\nHost: h\r\na b",
        "X:",
        "GET /\u{1}",
        "GET / HTTP/1.1xxxxx",
    ] {
        assert!(request(text.as_bytes()).is_err(), "for {text:?}");
    }
}
