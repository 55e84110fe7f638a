// SPDX-License-Identifier: GPL-2.0

//! Whole answers of our own: error pages, and those to TRACE and OPTIONS.

use super::encode::written;
use super::head::{good_request, good_response};
use crate::bytes::Writer;
use crate::http::encode::{
    error_page, options_answer, trace_answer, trace_room, Answer, ErrorPage, Persist, PAGE_MAX,
};
use crate::http::head::BodyLength;
use crate::http::{Status, Version};
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_secs(784_111_777);

const PAGE: ErrorPage<'_> = ErrorPage {
    status: Status::BAD_GATEWAY,
    reason: "<a> & <b>&: nothing",
    text: b"",
    id: 0xabc,
    plain: false,
    head_only: false,
    persist: Persist::Close,
    client: Version::Http11,
    now: NOW,
};

/// The head and the body of a page, which must be a whole response.
fn page(page: ErrorPage<'_>) -> (String, String) {
    let mut room = [0; PAGE_MAX];
    let mut out = Writer::new(&mut room);
    error_page(&page, &mut out).expect("it fits");
    let text = String::from_utf8(out.written().to_vec()).unwrap();
    let head = good_response(text.as_bytes());
    assert_eq!(head.status, page.status);
    let (fields, body) = text.split_at(head.len);
    if !page.head_only {
        assert_eq!(head.body, BodyLength::Length(body.len() as u64));
    }
    (fields.to_owned(), body.to_owned())
}

#[test]
fn an_error_page_is_a_whole_response() {
    let (fields, body) = page(PAGE);
    assert_eq!(
        written(|out| error_page(&PAGE, out)),
        format!("{fields}{body}")
    );
    assert!(
        fields.starts_with("HTTP/1.1 502 Bad Gateway\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
    );
    assert!(fields.contains("\r\nCache-Control: no-store\r\n"));
    assert!(fields.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"));
    assert!(fields.ends_with("\r\nConnection: close\r\n\r\n"));
    assert!(
        body.contains("<h1>502 Bad Gateway</h1>\n<p>&lt;a&gt; &amp; &lt;b&gt;&amp;: nothing</p>\n")
    );
    assert!(body.contains("<title>502 Bad Gateway</title>"));
    assert!(body.contains("<small>Request 0000000000000abc</small>"));

    let bare = ErrorPage {
        head_only: true,
        ..PAGE
    };
    assert_eq!(
        page(bare),
        (fields, String::new()),
        "the same head for HEAD"
    );
    let kept = ErrorPage {
        persist: Persist::KeepAlive,
        client: Version::Http10,
        ..PAGE
    };
    assert!(page(kept).0.contains("\r\nConnection: keep-alive\r\n"));
    let kept = ErrorPage {
        persist: Persist::KeepAlive,
        ..PAGE
    };
    assert!(!page(kept).0.contains("\r\nConnection:"));
}

#[test]
fn a_plain_page_is_plain() {
    let plain = ErrorPage {
        plain: true,
        ..PAGE
    };
    let (fields, body) = page(plain);
    assert!(fields.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    assert_eq!(
        body,
        "502 Bad Gateway\n<a> & <b>&: nothing\nRequest 0000000000000abc\n"
    );
}

#[test]
fn a_text_of_the_settings_stands_for_the_reason() {
    let text = "Zu viel los, gleich wieder da. \u{2615}<br>".as_bytes();
    let (_, body) = page(ErrorPage { text, ..PAGE });
    assert!(
        body.contains("<p>Zu viel los, gleich wieder da. \u{2615}&lt;br&gt;</p>"),
        "{body}"
    );
    assert!(!body.contains("nothing"));
}

#[test]
fn the_largest_page_fits() {
    let long = "&".repeat(161);
    for code in 400..=599 {
        let status = Status::new(code).unwrap();
        for text in [long.as_bytes(), b""] {
            let (_, body) = page(ErrorPage {
                status,
                reason: &long,
                text,
                id: u64::MAX,
                persist: Persist::KeepAlive,
                client: Version::Http10,
                ..PAGE
            });
            assert_eq!(body.matches("&amp;").count(), 160);
            assert!(body.contains("Request ffffffffffffffff<"));
        }
    }
}

#[test]
fn another_try_is_offered_where_it_may_help() {
    // RFC 9110 section 10.2.3, RFC 6585 section 4.
    for code in 400..=599 {
        let status = Status::new(code).unwrap();
        let (fields, _) = page(ErrorPage { status, ..PAGE });
        let expected = match code {
            429 => Some("\r\nRetry-After: 1\r\n"),
            503 => Some("\r\nRetry-After: 5\r\n"),
            _ => None,
        };
        match expected {
            Some(line) => assert!(fields.contains(line), "{code}"),
            None => assert!(!fields.contains("Retry-After"), "{code}"),
        }
    }
}

const ANSWER: Answer = Answer {
    persist: Persist::KeepAlive,
    client: Version::Http11,
    now: NOW,
};

#[test]
fn a_trace_that_ends_here_is_sent_back() {
    // RFC 9110 section 9.3.8.
    let text = "\r\nTRACE http://h/a?b HTTP/1.1\r\nhost:h\r\nMax-Forwards: 0\r\nCookie: a=b\r\n\
        Cookie2: $Version\r\nAuthorization: Basic x\r\nProxy-Authorization: y\r\nVia: 1.1 a\r\n\
        X-Forwarded-For: 10.0.0.1\r\nx-forwarded-server: s\r\nForwarded: for=a\r\n\
        X-Real-IP: 10.0.0.1\r\nX-Api-Key: k\r\nX-Auth-Token: t\r\nAccept:\r\nA: b\r\n\r\n";
    let body = "TRACE http://h/a?b HTTP/1.1\r\nhost: h\r\nMax-Forwards: 0\r\nVia: 1.1 a\r\n\
        Accept: \r\nA: b\r\n\r\n";
    let head = good_request(text.as_bytes());
    let answer = |answer| {
        let out = written(|out| trace_answer(&head, text.as_bytes(), &answer, out));
        assert!(out.len() <= trace_room(&head), "too little room");
        out
    };
    let length = body.len();
    assert_eq!(
        answer(ANSWER),
        format!(
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Content-Type: message/http\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    );
    let closing = Answer {
        persist: Persist::Close,
        ..ANSWER
    };
    assert!(answer(closing).contains("\r\nConnection: close\r\n\r\nTRACE"));
    let text = "TRACE / HTTP/1.0\r\n\r\n";
    let head = good_request(text.as_bytes());
    let out = written(|out| trace_answer(&head, text.as_bytes(), &ANSWER, out));
    assert!(out.ends_with("\r\n\r\nTRACE / HTTP/1.0\r\n\r\n"));
}

#[test]
fn options_that_end_here_are_told_what_passes() {
    // RFC 9110 sections 9.3.7 and 10.2.1.
    let rest = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE\r\nContent-Length: 0\r\n";
    assert_eq!(
        written(|out| options_answer(&ANSWER, out)),
        format!("HTTP/1.1 200 OK\r\n{rest}\r\n")
    );
    let old = Answer {
        client: Version::Http10,
        ..ANSWER
    };
    assert_eq!(
        written(|out| options_answer(&old, out)),
        format!("HTTP/1.1 200 OK\r\n{rest}Connection: keep-alive\r\n\r\n")
    );
}
