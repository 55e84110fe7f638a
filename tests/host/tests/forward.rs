// SPDX-License-Identifier: GPL-2.0

//! What is decided about requests that are passed on, and what they then say of the hops between
//! (RFC 9110 section 7.6, RFC 8586).

use super::encode::forwarded_with;
use super::head::{good_request, with_fields};
use crate::head_grammar::QUIET;
use crate::http::field::readable;
use crate::http::forward::{loops, max_forwards, may_trail, prefers_plain, Forward};

pub(super) const START: &str = "GET / HTTP/1.1\r\nHost: h\r\n";

/// What comes after the start of such a request when it is passed on.
pub(super) fn passed_on(lines: &str, forward: &Forward<'_>) -> String {
    let out = forwarded_with(&format!("{START}{lines}\r\n"), forward);
    let rest = out.strip_prefix(START).unwrap();
    rest.strip_suffix("\r\n").unwrap().to_owned()
}

#[test]
fn via_names_us_after_all_others() {
    // RFC 9110 section 7.6.3: with the version of what was received, appended.
    let forward = Forward {
        name: b"us",
        ..QUIET
    };
    assert_eq!(passed_on("", &forward), "Via: 1.1 us\r\n");
    assert_eq!(
        passed_on("via: 1.0 a, 1.1 b (c)\r\nA: b\r\nVIA: 2 c\r\n", &forward),
        "via: 1.0 a, 1.1 b (c)\r\nA: b\r\nVIA: 2 c\r\nVia: 1.1 us\r\n"
    );
    assert_eq!(
        forwarded_with("GET / HTTP/1.0\r\nHost: h\r\n\r\n", &forward),
        format!("{START}Via: 1.0 us\r\n\r\n")
    );
}

#[test]
fn cdn_loop_names_us_when_asked() {
    // RFC 8586 section 2.
    let forward = Forward {
        name: b"us",
        cdn_loop: true,
        ..QUIET
    };
    assert_eq!(
        passed_on("CDN-Loop: a; b=c\r\n", &forward),
        "CDN-Loop: a; b=c\r\nVia: 1.1 us\r\nCDN-Loop: us\r\n"
    );
}

#[test]
fn upgrade_goes_on_when_asked_and_h2c_does_not() {
    let forward = Forward {
        upgrade: true,
        ..QUIET
    };
    let asked = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    assert_eq!(
        passed_on(asked, &forward),
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: upgrade\r\n"
    );
    assert_eq!(passed_on(asked, &QUIET), "Sec-WebSocket-Version: 13\r\n");
    for (lines, expected) in [
        (
            "Upgrade: h2c, websocket,H2C-14,, IRC/6.9, HTTP/2.0, h2, http, HTTPS/1\r\nConnection: upgrade, HTTP2-Settings\r\n\
             HTTP2-Settings: AAMAAABk\r\nUpgrade: b\r\n",
            "Upgrade: websocket, IRC/6.9, HTTPS/1\r\nUpgrade: b\r\nConnection: upgrade\r\n",
        ),
        (
            "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
            "",
        ),
        // RFC 9110 section 7.8: without its option in Connection it is not for us.
        ("Upgrade: websocket\r\n", ""),
    ] {
        assert_eq!(passed_on(lines, &forward), expected);
    }
    assert_eq!(
        forwarded_with(
            &format!("{START}{asked}\r\n").replace("1.1", "1.0"),
            &forward
        ),
        format!("{START}Sec-WebSocket-Version: 13\r\n\r\n"),
        "HTTP/1.0 has no Upgrade"
    );
}

#[test]
fn te_goes_on_when_asked() {
    // RFC 9110 section 10.1.4.
    let forward = Forward {
        trailers: true,
        upgrade: true,
        ..QUIET
    };
    assert_eq!(
        passed_on("TE: gzip, trailers\r\nConnection: TE\r\nA: b\r\n", &forward),
        "A: b\r\nConnection: TE\r\nTE: trailers\r\n"
    );
    assert_eq!(passed_on("TE: gzip\r\nConnection: TE\r\n", &forward), "");
    assert_eq!(passed_on("TE: trailers\r\nConnection: TE\r\n", &QUIET), "");
    assert_eq!(
        passed_on(
            "TE: trailers\r\nConnection: TE, upgrade\r\nUpgrade: a\r\n",
            &forward
        ),
        "Upgrade: a\r\nConnection: upgrade, TE\r\nTE: trailers\r\n"
    );
}

#[test]
fn expectations_go_on_when_asked() {
    // RFC 9110 section 10.1.1: ours to relay or to leave out is 100-continue alone.
    let quiet = Forward {
        expect: false,
        ..QUIET
    };
    for (lines, asked, not_asked) in [
        ("Expect: 100-continue\r\n", "Expect: 100-continue\r\n", ""),
        (
            "expect: a=\"b,c\",100-Continue\r\n",
            "Expect: a=\"b,c\", 100-Continue\r\n",
            "Expect: a=\"b,c\"\r\n",
        ),
        ("Expect: a\r\n", "Expect: a\r\n", "Expect: a\r\n"),
        ("Expect:\r\n", "", ""),
    ] {
        assert_eq!(passed_on(lines, &QUIET), asked);
        assert_eq!(passed_on(lines, &quiet), not_asked);
    }
    assert_eq!(
        forwarded_with(
            "GET / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
            &QUIET
        ),
        format!("{START}\r\n"),
        "HTTP/1.0 has no expectations"
    );
}

#[test]
fn max_forwards_counts_for_trace_and_options() {
    // RFC 9110 section 7.6.2.
    let request = |method: &str, lines: &str| {
        format!("{method} / HTTP/1.1\r\nHost: h\r\n{lines}\r\n").into_bytes()
    };
    for method in ["TRACE", "OPTIONS", "GET", "POST", "PUT", "MAX"] {
        let counts = matches!(method, "TRACE" | "OPTIONS");
        for (lines, expected) in [
            ("", Ok(None)),
            ("Max-Forwards: 0\r\n", Ok(Some(0))),
            ("max-forwards: 10\r\n", Ok(Some(10))),
            ("Max-Forwards: 007\r\n", Ok(Some(7))),
            (
                "Max-Forwards: 00000000000000000000000000001\r\n",
                Ok(Some(1)),
            ),
            // 1*DIGIT: more than can be counted is the most that can be.
            ("Max-Forwards: 18446744073709551615\r\n", Ok(Some(u64::MAX))),
            (
                "Max-Forwards: 99999999999999999999999\r\n",
                Ok(Some(u64::MAX)),
            ),
            ("Max-Forwards:\r\n", Err("bad Max-Forwards")),
            ("Max-Forwards: -1\r\n", Err("bad Max-Forwards")),
            ("Max-Forwards: +1\r\n", Err("bad Max-Forwards")),
            ("Max-Forwards: 1 \t\r\n", Ok(Some(1))),
            ("Max-Forwards: 1 1\r\n", Err("bad Max-Forwards")),
            ("Max-Forwards: 1, 1\r\n", Err("bad Max-Forwards")),
            ("Max-Forwards: 0x1\r\n", Err("bad Max-Forwards")),
            ("Max-Forwards: \"1\"\r\n", Err("bad Max-Forwards")),
            (
                "Max-Forwards: 1\r\nMax-Forwards: 1\r\n",
                Err("more than one Max-Forwards"),
            ),
        ] {
            let text = request(method, lines);
            let head = good_request(&text);
            let seen = max_forwards(&head, &text).map_err(|violation| {
                assert_eq!(violation.status.code(), 400);
                violation.reason
            });
            let expected = if counts { expected } else { Ok(None) };
            assert_eq!(seen, expected, "for {method} {lines}");
        }
    }
}

#[test]
fn max_forwards_is_counted_down() {
    for (received, written) in [(1, "0"), (10, "9"), (u64::MAX, "18446744073709551614")] {
        let forward = Forward {
            max_forwards: Some(received),
            ..QUIET
        };
        assert_eq!(
            passed_on(&format!("Max-Forwards: {received}\r\nA: b\r\n"), &forward),
            format!("A: b\r\nMax-Forwards: {written}\r\n")
        );
    }
    // To other methods it means nothing, and it passes.
    let lines = "Max-Forwards: x\r\nMax-Forwards: 5\r\n";
    assert_eq!(passed_on(lines, &QUIET), lines);
}

#[test]
fn loops_are_seen() {
    for (lines, expected) in [
        ("", false),
        ("Via: 1.1 us\r\n", true),
        ("via: 1.0 a, HTTP/1.1 US\r\n", true),
        ("Via: 1.1 a\r\nVia: 1.1\tus (b)\r\n", true),
        ("Via: 1.1 us(b)\r\n", true),
        ("Via: 1.1 us:80\r\n", false),
        ("Via: 1.1 us2, 1.1 a.us, us 1.1, us\r\n", false),
        // Not in a comment, which may have commas, parentheses and quoted-pairs in it.
        ("Via: 1.1 a (1.1 us, 1.1 us)\r\n", false),
        ("Via: 1.1 a ((x), 1.1 us, \\), 1.1 us)\r\n", false),
        ("Via: 1.1 (us\r\n", false),
        // Nobody hides us with a comment that does not end.
        ("Via: 1.1 a (b, 1.1 us\r\n", true),
        ("Via: 1.1 a (b\\, 1.1 us\r\n", true),
        ("Via: 1.1 a \"b, 1.1 us\r\n", true),
        ("X-Via: 1.1 us\r\n", false),
        ("CDN-Loop: us\r\n", true),
        ("cdn-loop: a, Us ; b=c\r\n", true),
        ("CDN-Loop: a\r\nCDN-Loop: us;b\r\n", true),
        ("CDN-Loop: a;b=\"c, us, d\"\r\n", false),
        ("CDN-Loop: a;us, us2, 1.1 us\r\n", false),
        ("CDN-Loop: a;b=\", us\r\n", true),
    ] {
        let text = with_fields("1.1", lines);
        let head = good_request(&text);
        assert_eq!(loops(&head, &text, b"us"), expected, "for {lines}");
        assert!(!loops(&head, &text, b""), "for {lines}");
    }
}

#[test]
fn what_we_add_is_what_we_find() {
    let forward = Forward {
        name: b"resin-0123abcd",
        ..QUIET
    };
    for lines in [
        "",
        "Via: 1.0 a (b, \\\" c), 1.1 d\r\n",
        "Via: (\r\nVia: \"\r\n",
    ] {
        let text = format!("{START}{lines}\r\n");
        let out = forwarded_with(&text, &forward).into_bytes();
        assert!(
            loops(&good_request(&out), &out, forward.name),
            "for {lines}"
        );
        let text = text.into_bytes();
        assert!(!loops(&good_request(&text), &text, forward.name));
    }
}

#[test]
fn pages_are_plain_for_whoever_likes_that_better() {
    // RFC 9110 sections 12.4.2 and 12.5.1.
    for (lines, plain) in [
        ("", false),
        ("Accept:\r\n", false),
        ("Accept: */*\r\n", false),
        ("Accept: text/*\r\n", false),
        ("Accept: text/html\r\n", false),
        ("accept: TEXT/HTML;q=0.1\r\n", false),
        (
            "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n",
            false,
        ),
        ("Accept: text/plain, text/html\r\n", false),
        ("Accept: text/plain\r\n", true),
        ("Accept: text/plain, */*;q=0.5\r\n", true),
        ("Accept: text/plain;q=0.5, */*\r\n", false),
        ("Accept: text/html;q=0.500, text/plain ; Q=0.501\r\n", true),
        ("Accept: text/*;q=0.5, text/html;q=0.4\r\n", true),
        ("Accept: text/*, text/plain;q=0.9\r\n", false),
        ("Accept: text/html;q=0, */*\r\n", true),
        ("Accept: text/html;q=0.000, text/plain;q=0\r\n", true),
        ("Accept: */*;q=0\r\n", true),
        ("Accept: application/json\r\n", true),
        ("Accept: image/avif,image/*;q=0.8\r\n", true),
        ("Accept: application/json\r\nAccept: text/html\r\n", false),
        (
            "Accept: text/html;level=\"1,2;q=0\";q=0.3, text/plain;q=0.2\r\n",
            false,
        ),
        // What is no weight says nothing.
        ("Accept: text/plain, text/html;q=2\r\n", true),
        ("Accept: text/html, text/plain;q=1.001\r\n", false),
        ("Accept: text/html;q=0.5, text/plain;q=0.6666\r\n", false),
        ("Accept: text/html;q=0.5, text/plain;q=\r\n", false),
        ("Accept: text/html;q=0.5, text/plain;q=.9\r\n", false),
        ("Accept: text/html;q=0.5, text/plain;q=1.\r\n", true),
        ("Accept: text/html;q=0.5, text/plain;q=1.000\r\n", true),
    ] {
        let text = with_fields("1.1", lines);
        let head = good_request(&text);
        let stated = prefers_plain(head.fields.of(&text));
        assert_eq!(stated.unwrap_or(false), plain, "for {lines}");
        assert_eq!(stated.is_some(), lines.contains("/"), "for {lines}");
    }
}

/// Of a head that is none, what was read of it.
#[test]
fn fields_are_read_up_to_what_is_none() {
    for (head, lines) in [
        ("", ""),
        ("GET / HTTP/1.1", ""),
        ("GET / HTTP/1.1\r\n", ""),
        ("GET / HTTP/1.1\r\nA: b\r\nC: d", "A: b\r\n"),
        ("GET / HTTP/1.1\r\nA: b\r\nC: d\r", "A: b\r\n"),
        (
            "GET / HTTP/1.1\r\nA: b\r\nC : d\r\nE: f\r\n\r\n",
            "A: b\r\n",
        ),
        (
            "\r\n\r\nPRI * HTTP/2.0\r\nA: b\r\n\r\nSM\r\n\r\n",
            "A: b\r\n",
        ),
        ("GET /\nA: b\r\nC: d\n", "A: b\r\n"),
        ("\x16\x03\x01\r\n", ""),
    ] {
        let read = readable(head.as_bytes());
        assert_eq!(
            read.escape_ascii().to_string(),
            lines.as_bytes().escape_ascii().to_string()
        );
    }
}

#[test]
fn trailers_that_may_be_relayed() {
    for name in [
        "ETag",
        "Content-Digest",
        "Repr-Digest",
        "Signature",
        "Server-Timing",
        "grpc-status",
        "Authentication-Info",
        "Proxy-Status",
        "X-Checksum",
    ] {
        assert!(may_trail(name.as_bytes()), "{name}");
    }
    // RFC 9110 section 6.5.1, and the list of it in RFC 7230 section 4.1.2.
    for name in [
        "Transfer-Encoding",
        "content-length",
        "Trailer",
        "TE",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Upgrade",
        "HTTP2-Settings",
        "Host",
        "Via",
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Prefix",
        "X-Real-IP",
        "CDN-Loop",
        "Max-Forwards",
        "Expect",
        "Cache-Control",
        "Pragma",
        "Range",
        "If-Match",
        "If-None-Match",
        "If-Range",
        "Authorization",
        "Proxy-Authorization",
        "Proxy-Authenticate",
        "WWW-Authenticate",
        "Cookie",
        "SET-COOKIE",
        "Origin",
        "Sec-Fetch-Site",
        "Age",
        "Date",
        "Expires",
        "Location",
        "Retry-After",
        "Vary",
        "Access-Control-Allow-Origin",
        "Content-Encoding",
        "Content-Type",
        "Content-Range",
        "Content-Disposition",
        "Content-Security-Policy",
    ] {
        assert!(!may_trail(name.as_bytes()), "{name}");
    }
}
