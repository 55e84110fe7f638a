// SPDX-License-Identifier: GPL-2.0

//! Requests with a body: how it goes out, what becomes of what is missing of it, and what is kept
//! for a second try.

use super::bench::{Bench, GET};
use super::OK;
use crate::exchange::{Action, Event, Phase};
use crate::http::Version;
use crate::time::Duration;

const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const EXPECT: &[u8] =
    b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

fn text(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}

/// The request that the backend gets, with the head's fields in the order in which they are
/// written.
fn sent(request: &[u8]) -> String {
    let mut bench = Bench::connected(request);
    text(&bench.requested())
}

#[test]
fn a_body_follows_its_head() {
    let head = text(POST);
    assert_eq!(sent(&[POST, b"hello"].concat()), format!("{head}hello"));
    // What follows it is another request.
    assert_eq!(
        sent(&[POST, b"helloGET /"].concat()),
        format!("{head}hello")
    );
    let mut bench = Bench::connected(POST);
    assert_eq!(text(&bench.requested()), head);
    assert!(bench.reads_client());
    for piece in [&b"he"[..], b"l", b"lo"] {
        bench.client(piece);
        assert_eq!(bench.requested(), piece);
    }
    assert!(!bench.reads_client());
    bench.backend(OK);
    assert_eq!(bench.answered(), OK);
    assert_eq!(bench.actions()[0], Action::Release { reuse: true });
    assert_eq!(bench.phase(), Phase::Idle);
}

#[test]
fn a_chunked_body_is_chunked_anew_with_its_trailers() {
    let body = b"2;x=1\r\nhe\r\n003\r\nllo\r\n0\r\nA: b\r\nContent-Length: 9\r\nC:d\r\n\r\nGET";
    let expected = "2\\r\\nhe\\r\\n3\\r\\nllo\\r\\n0\\r\\nA: b\\r\\nC: d\\r\\n\\r\\n";
    let whole = sent(&[CHUNKED, body].concat());
    assert_eq!(whole, text(CHUNKED) + expected);
    assert_eq!(
        sent(&[CHUNKED, b"0\r\n\r\n"].concat()),
        text(CHUNKED) + "0\\r\\n\\r\\n"
    );
    // The fields that Connection names might be among them.
    let named =
        b"POST / HTTP/1.1\r\nHost: h\r\nConnection: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let without = sent(&[named, &body[..]].concat());
    assert!(without.ends_with("llo\\r\\n0\\r\\n\\r\\n"), "{without}");
}

#[test]
fn a_body_is_not_read_ahead_of_the_backend() {
    let mut bench =
        Bench::connected(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    bench.requested();
    let mut most = 0;
    for _ in 0..100 {
        bench.client(&[b'x'; 10_000]);
        most = most.max(bench.buffered());
        assert!(!bench.reads_client());
        assert!(bench.send_some(777) > 0);
        assert!(!bench.reads_client());
        bench.send();
    }
    assert!(most <= 16384 + 4096 + 4096, "{most} octets are held");
}

/// A body that breaks off, or the framing of which is wrong, is never whole for the backend.
#[test]
fn a_broken_body_is_400_and_ends_both_connections() {
    let cases: [(&[u8], &[u8]); 3] = [
        (CHUNKED, b"5\r\nhello!"),
        (CHUNKED, b"x"),
        (CHUNKED, b"0\r\n bad: trailer\r\n\r\n"),
    ];
    for (head, body) in cases {
        let mut bench = Bench::connected(head);
        bench.client(body);
        bench.send();
        let page = bench.page();
        assert_eq!((page.status, page.closes()), (400, true), "{}", text(body));
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
        assert!(!text(&bench.requested()).ends_with("0\\r\\n\\r\\n"));
    }
    for (head, body) in [(CHUNKED, &b"5\r\nhel"[..]), (POST, b"hel")] {
        let mut bench = Bench::connected(head);
        bench.client(body);
        bench.send();
        bench.handle(Event::ClientEof);
        assert_eq!(bench.page().status, 400);
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    }
}

/// The page is the only answer, wherever the body was cut when it came.
#[test]
fn a_bad_trailer_is_refused_once() {
    for body in [
        &b"0\r\n\n"[..],
        b"0\r\n \r\n",
        b"0\r\nX-Sum\r\n\r\n",
        b"2\r\nhi\r\n0\r\nX-Sum: \0\r\n\r\n",
    ] {
        let whole = [CHUNKED, body].concat();
        for cut in 0..=whole.len() {
            let mut bench = Bench::new();
            bench.client(&whole[..cut]);
            if bench.phase() == Phase::Route {
                bench.connect(false);
            }
            bench.client(&whole[cut..]);
            if bench.phase() == Phase::Route {
                bench.connect(false);
            }
            for _ in 0..3 {
                bench.send();
                bench.client(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            }
            // It is the one answer: see `Bench::answer`.
            let page = bench.page();
            assert_eq!((page.status, page.closes()), (400, true), "{}", text(body));
            bench.actions();
            assert_eq!(bench.phase(), Phase::Linger, "{} cut at {cut}", text(body));
        }
    }
}

#[test]
fn a_body_too_large_is_413() {
    let mut bench = Bench::new();
    bench.settings.body_size = 4;
    bench.client(POST);
    let page = bench.page();
    assert_eq!((page.status, page.closes()), (413, true));

    let mut bench = Bench::new();
    bench.settings.body_size = 4;
    bench.client(CHUNKED);
    bench.connect(false);
    bench.client(b"4\r\nfour\r\n");
    bench.send();
    assert_eq!(bench.phase(), Phase::Wait);
    bench.client(b"1\r\n!\r\n");
    assert_eq!(bench.page().status, 413);
    assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    // Four octets are not too many.
    let mut bench = Bench::new();
    bench.settings.body_size = 5;
    bench.client(POST);
    assert_eq!(bench.phase(), Phase::Route);
}

/// RFC 9110 section 10.1.1.
#[test]
fn an_expectation_goes_to_the_backend() {
    let mut bench = Bench::connected(EXPECT);
    assert!(text(&bench.requested()).contains("Expect: 100-continue"));
    // Until it is told to go on the backend is waited for.
    let limit = bench.settings.response_timeout;
    assert_eq!(bench.deadline() - bench.now, limit);
    bench.backend(b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(bench.answered(), b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(bench.deadline() - bench.now, bench.settings.body_timeout);
    bench.client(b"hello");
    assert_eq!(bench.requested(), b"hello");
    bench.backend(OK);
    assert_eq!(bench.answered(), OK);
    assert_eq!(bench.actions()[0], Action::Release { reuse: true });
    assert_eq!(bench.phase(), Phase::Idle);

    // One that goes on by itself is not held up.
    let mut bench = Bench::connected(EXPECT);
    bench.requested();
    bench.client(b"hello");
    assert_eq!(bench.requested(), b"hello");

    // One that is not told to go on may send the body or not.
    let mut bench = Bench::connected(EXPECT);
    bench.requested();
    bench.backend(OK);
    assert!(text(&bench.answered()).contains("Connection: close"));
    assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    assert_eq!(bench.phase(), Phase::Linger);

    // HTTP/1.0 has no expectations.
    let old = b"POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    assert!(!sent(old).contains("Expect"));
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// RFC 9110 section 10.1.1: who believes that the next server speaks only HTTP/1.0 may answer it.
#[test]
fn an_expectation_is_met_for_a_backend_of_http10() {
    let mut bench = Bench::new();
    bench.ends.backend_version = Some(Version::Http10);
    bench.client(EXPECT);
    bench.connect(false);
    assert_eq!(bench.answered(), CONTINUE);
    assert!(!text(&bench.requested()).contains("Expect"));
    assert_eq!(bench.deadline() - bench.now, bench.settings.body_timeout);
    bench.client(b"hello");
    assert_eq!(bench.requested(), b"hello");
    bench.backend(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(bench.take_spoken(), Some(Version::Http10));
    // It has done what it was told, and can go on.
    assert!(!bench.answer(false).closes());
    bench.actions();
    assert_eq!(bench.phase(), Phase::Idle);
    // Without an expectation, or without a body, nothing is said.
    for request in [
        POST,
        b"GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
    ] {
        bench.client(request);
        bench.connect(false);
        assert_eq!(bench.answered(), b"");
        bench.client(b"hello");
        bench.send();
        bench.backend(OK);
        assert_eq!(bench.take_spoken(), Some(Version::Http11));
        assert_eq!(bench.take_spoken(), None);
        bench.answered();
        bench.actions();
    }
}

/// Of a backend that has not answered yet nobody knows what it speaks: the expectation is for it to
/// meet (RFC 9110 section 10.1.1 has a proxy go by "configuration or past interaction").
#[test]
fn an_expectation_is_for_a_backend_that_nobody_knows() {
    let mut bench = Bench::new();
    bench.ends.backend_version = None;
    bench.client(EXPECT);
    bench.connect(false);
    assert!(text(&bench.requested()).contains("Expect: 100-continue"));
    bench.pass(Duration::from_secs(30));
    assert_eq!(bench.answered(), b"");
    bench.backend(CONTINUE);
    assert_eq!(bench.answered(), CONTINUE);
    bench.client(b"hello");
    assert_eq!(bench.requested(), b"hello");
    bench.backend(OK);
    assert_eq!(bench.answered(), OK);
}

/// An answer does not wait for the rest of the request, nor does the request for the answer.
#[test]
fn an_early_answer_lets_the_body_go_on() {
    let mut bench = Bench::connected(POST);
    bench.requested();
    bench.client(b"he");
    bench.send();
    bench.backend(OK);
    assert_eq!(bench.answered(), OK);
    assert_eq!((bench.actions(), bench.phase()), (vec![], Phase::Flush));
    bench.client(b"llo");
    assert_eq!(bench.requested(), b"hello"[..].to_vec());
    assert_eq!(bench.actions()[0], Action::Release { reuse: true });
    assert_eq!(bench.phase(), Phase::Idle);
    bench.client(GET);
    assert_eq!(bench.phase(), Phase::Route);
}

#[test]
fn an_early_answer_of_a_backend_that_closes_ends_the_request() {
    let closing = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for deaf_first in [false, true] {
        let mut bench = Bench::connected(POST);
        bench.client(b"he");
        bench.send();
        if deaf_first {
            bench.handle(Event::UpstreamDeaf { finished: false });
            assert_eq!(bench.phase(), Phase::Wait);
        }
        bench.backend(closing);
        let answer = bench.answer(false);
        assert_eq!(answer.status, 413);
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
        // What is left of the body is no request.
        assert_eq!(bench.phase(), Phase::Linger);
        bench.client(GET);
        assert_eq!(bench.phase(), Phase::Linger);
    }
    // It goes while the rest is on its way.
    for event in [
        Event::UpstreamEof,
        Event::UpstreamLost,
        Event::UpstreamDeaf { finished: true },
    ] {
        let mut bench = Bench::connected(POST);
        bench.backend(OK);
        bench.take();
        assert_eq!(bench.phase(), Phase::Flush);
        bench.handle(event);
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
        assert_eq!(bench.phase(), Phase::Linger, "{event:?}");
    }
}

/// Octets that were named for a backend that has gone do not become a request.
#[test]
fn what_the_backend_did_not_take_is_skipped() {
    let mut bench = Bench::connected(POST);
    bench.requested();
    bench.client(b"hello");
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    bench.take();
    bench.actions();
    assert_eq!(bench.phase(), Phase::Idle);
    bench.client(GET);
    assert_eq!(bench.phase(), Phase::Route);
}

/// The sender of a body has a credit of time, which each octet raises.
#[test]
fn a_body_that_dribbles_is_408() {
    let bench = || {
        let mut bench = Bench::new();
        bench.settings.body_timeout = Duration::from_secs(30);
        bench.settings.min_rate = 2;
        bench.client(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n");
        bench.connect(false);
        bench
    };
    let mut steady = bench();
    for _ in 0..100 {
        steady.pass(Duration::from_secs(2));
        steady.client(b"four");
        steady.send();
    }
    assert_eq!(steady.phase(), Phase::Wait);
    let mut slow = bench();
    for second in 1..=60 {
        slow.pass(Duration::from_secs(1));
        slow.client(b"x");
        slow.send();
        assert_eq!(slow.phase() == Phase::Wait, second < 59, "after {second} s");
    }
    assert_eq!(slow.page().status, 408);
    let mut silent = bench();
    silent.pass(Duration::from_millis(29_999));
    assert_eq!(silent.phase(), Phase::Wait);
    silent.pass(Duration::from_millis(1));
    assert_eq!(silent.page().status, 408);
}

/// A backend that takes nothing is not the client's fault.
#[test]
fn a_backend_that_does_not_take_the_body_is_504() {
    let mut bench = Bench::connected(POST);
    bench.client(b"hello");
    bench.pass(bench.settings.body_timeout);
    assert_eq!(bench.phase(), Phase::Wait);
    // What it acknowledges gives it more time: its socket may hold a lot.
    bench.ends.upstream_acked += 1;
    bench.pass(bench.settings.body_timeout);
    assert_eq!(bench.phase(), Phase::Wait);
    let rest = bench.deadline() - bench.now;
    bench.pass(rest);
    assert_eq!(bench.page().status, 504);
}

fn reused(request: &[u8]) -> Bench {
    let mut bench = Bench::new();
    bench.ends.upstream_acked = 1000;
    bench.client(request);
    bench.connect(true);
    bench.requested();
    bench
}

/// RFC 9110 section 9.2.2: a request that is not idempotent goes out again only if nobody can have
/// seen it.
#[test]
fn a_post_is_sent_again_only_if_nothing_of_it_was_acknowledged() {
    let post = [POST, b"hello"].concat();
    let again = [
        Action::Release { reuse: false },
        Action::Connect { fresh: true },
    ];
    let mut bench = reused(&post);
    bench.handle(Event::UpstreamEof);
    assert_eq!(bench.actions(), again);
    bench.handle(Event::UpstreamReady { reused: false });
    assert_eq!(bench.requested(), post);

    let mut bench = reused(&post);
    bench.handle(Event::UpstreamDeaf { finished: true });
    bench.handle(Event::UpstreamLost);
    assert_eq!(bench.actions(), again);

    let mut bench = reused(&post);
    bench.ends.upstream_acked += 1;
    bench.handle(Event::UpstreamEof);
    assert_eq!(bench.page().status, 502);

    let mut bench = reused(&post);
    bench.handle(Event::UpstreamLost);
    assert_eq!(bench.page().status, 502);

    // An idempotent one may be seen twice.
    let put = [b"PUT", &post[4..]].concat();
    let mut bench = reused(&put);
    bench.ends.upstream_acked += 10;
    bench.handle(Event::UpstreamLost);
    assert_eq!(bench.actions(), again);
}

/// RFC 9112 section 9.2: what comes before the request has arrived is no answer to it.
#[test]
fn an_answer_to_nothing_is_none() {
    let late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    let mut bench = reused(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    bench.unasked(late);
    assert!(bench.resets_upstream());
    let again = [
        Action::Release { reuse: false },
        Action::Connect { fresh: true },
    ];
    assert_eq!(bench.actions(), again);
    bench.handle(Event::UpstreamReady { reused: false });
    bench.requested();
    bench.backend(b"HTTP/1.1 204 No Content\r\n\r\n");
    assert!(bench.answered().starts_with(b"HTTP/1.1 204"));

    // It may yet read the request, and a POST must not be seen twice.
    let post = [POST, b"hello"].concat();
    let mut bench = reused(&post);
    bench.unasked(late);
    assert_eq!(bench.page().status, 502);
    // But if nothing was sent yet, nobody can have seen it.
    let mut bench = Bench::new();
    bench.client(&post);
    bench.actions();
    bench.handle(Event::UpstreamReady { reused: true });
    bench.unasked(late);
    assert_eq!(bench.actions(), again);
    bench.handle(Event::UpstreamReady { reused: false });
    assert_eq!(bench.requested(), post);
}

/// What was sent and let go of cannot be sent again.
#[test]
fn a_long_body_is_sent_once() {
    let head = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    let mut bench = reused(head);
    for _ in 0..10 {
        bench.client(&[b'x'; 10_000]);
        bench.send();
    }
    bench.handle(Event::UpstreamEof);
    assert_eq!(bench.page().status, 502);
}
