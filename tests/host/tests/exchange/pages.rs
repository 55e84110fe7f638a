// SPDX-License-Identifier: GPL-2.0

//! Pages of our own: of which type they are.

use super::bench::Bench;
use crate::exchange::{Event, Phase};

/// The type of the page that such a request gets.
fn media_type(request: &[u8], status: u16) -> String {
    let mut bench = Bench::new();
    bench.client(request);
    if bench.phase() == Phase::Head {
        bench.pass(bench.settings.header_timeout);
    }
    let page = bench.page();
    assert_eq!(page.status, status, "{}", request.escape_ascii());
    page.field("Content-Type").unwrap_or_default().to_owned()
}

/// What was read of a head that is none says what its sender likes; if it does not, that may be
/// anything.
#[test]
fn a_head_that_is_none_gets_plain_text_unless_html_is_liked() {
    let html = "text/html; charset=utf-8";
    let plain = "text/plain; charset=utf-8";
    let cases: &[(u16, &str, &str)] = &[
        (400, "GET / HTTP/1.1\r\nHost : h\r\n\r\n", plain),
        (
            400,
            "GET / HTTP/1.1\r\nAccept: text/html\r\nHost : h\r\n\r\n",
            html,
        ),
        (
            400,
            "GET / HTTP/1.1\r\nAccept: */*\r\nHost : h\r\n\r\n",
            html,
        ),
        (
            400,
            "GET / HTTP/1.1\r\nAccept: text/plain\r\nHost : h\r\n\r\n",
            plain,
        ),
        (
            400,
            "GET / HTTP/1.1\r\nHost : h\r\nAccept: text/html\r\n\r\n",
            plain,
        ),
        (400, "GET / HTTP/1.1\r\nAccept: text/html\r\n\r\n", html),
        (400, "\x16\x03\x01\r\n\r\n", plain),
        (505, "GET / HTTP/2.0\r\nAccept: text/html\r\n\r\n", html),
        (408, "GET / HTTP/1.1\r\nAccept: text/html\r\nHo", html),
        (408, "GET / HTTP/1.1\r\nHost: h\r\nAccept: text/html", plain),
        (408, "GE", plain),
    ];
    for (status, request, right) in cases {
        let request = request.as_bytes();
        assert_eq!(
            media_type(request, *status),
            *right,
            "{}",
            request.escape_ascii()
        );
    }
}

/// A head that is understood is that of a browser, unless it says otherwise.
#[test]
fn a_head_that_is_understood_gets_html_unless_plain_text_is_liked() {
    for (accept, right) in [
        ("", "text/html; charset=utf-8"),
        ("Accept: text/html\r\n", "text/html; charset=utf-8"),
        ("Accept: text/plain\r\n", "text/plain; charset=utf-8"),
    ] {
        let mut bench =
            Bench::connected(format!("GET / HTTP/1.1\r\nHost: h\r\n{accept}\r\n").as_bytes());
        bench.handle(Event::UpstreamLost);
        bench.nobody_else();
        assert_eq!(bench.page().field("Content-Type"), Some(right));
    }
}
