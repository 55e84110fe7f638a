// SPDX-License-Identifier: GPL-2.0

//! A kept-alive connection that turns out to be dead: the request goes out once more, on a new
//! one (RFC 9112 section 9.3.1), and only then.

use super::bench::{Bench, GET};
use super::OK;
use crate::exchange::{Action, Event, Phase, Refusal};
use crate::lb::Verdict;

/// A request on a connection that has carried one before.
fn reused() -> Bench {
    let mut bench = Bench::new();
    bench.client(GET);
    bench.connect(true);
    assert_eq!(bench.requested(), GET);
    bench
}

const AGAIN: [Action; 2] = [
    Action::Release { reuse: false },
    Action::Connect { fresh: true },
];

#[test]
fn a_dead_connection_is_replaced() {
    for event in [Event::UpstreamEof, Event::UpstreamLost] {
        let mut bench = reused();
        bench.handle(event);
        assert_eq!(bench.actions(), AGAIN);
        bench.handle(Event::UpstreamReady { reused: false });
        assert_eq!(bench.requested(), GET);
        bench.backend(OK);
        assert_eq!(bench.answered(), OK);
        assert_eq!(bench.actions()[0], Action::Release { reuse: true });
    }
}

/// The request may have been on its way when the connection died.
#[test]
fn a_request_half_sent_is_sent_again_whole() {
    let mut bench = Bench::new();
    bench.client(GET);
    bench.actions();
    bench.handle(Event::UpstreamReady { reused: true });
    bench.handle(Event::UpstreamLost);
    assert_eq!(bench.actions(), AGAIN);
    bench.handle(Event::UpstreamReady { reused: false });
    assert_eq!(bench.requested(), GET);
}

#[test]
fn the_second_connection_is_the_last_one() {
    for event in [Event::UpstreamEof, Event::UpstreamLost] {
        let mut bench = reused();
        bench.handle(event);
        assert_eq!(bench.actions(), AGAIN);
        bench.handle(Event::UpstreamReady { reused: false });
        bench.handle(event);
        // But for one to another backend.
        assert_eq!(bench.verdict(), Verdict::Error);
        assert_eq!(bench.actions(), AGAIN);
        bench.handle(Event::UpstreamReady { reused: false });
        bench.handle(event);
        assert_eq!(bench.page().status, 502);
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    }
    let mut bench = reused();
    bench.handle(Event::UpstreamEof);
    assert_eq!(bench.actions(), AGAIN);
    bench.handle(Event::UpstreamRefused(Refusal::Unreachable));
    assert_eq!(bench.verdict(), Verdict::Refused);
    bench.nobody_else();
    assert_eq!(bench.page().status, 502);
}

/// Nothing of it has been sent: any request may go to another backend, as long as there is one.
#[test]
fn every_backend_is_asked_for_a_connection() {
    let post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";
    let mut bench = Bench::new();
    bench.client(post);
    assert_eq!(bench.actions(), [Action::Connect { fresh: false }]);
    for _ in 0..9 {
        bench.handle(Event::UpstreamRefused(Refusal::Unreachable));
        assert_eq!(bench.verdict(), Verdict::Refused);
        let actions = bench.actions();
        assert_eq!(
            actions,
            [
                Action::Release { reuse: false },
                Action::Connect { fresh: false }
            ]
        );
    }
    bench.handle(Event::UpstreamReady { reused: false });
    assert_eq!(bench.requested(), post);
    // But a POST that somebody may have seen goes nowhere else.
    bench.handle(Event::UpstreamLost);
    assert_eq!(bench.page().status, 502);
}

/// A connection that does not come in time is one that was refused.
#[test]
fn a_silent_backend_is_left_for_another() {
    let mut bench = Bench::new();
    bench.client(GET);
    bench.actions();
    let limit = bench.settings.connect_timeout;
    bench.pass(limit);
    assert_eq!(bench.verdict(), Verdict::Refused);
    assert_eq!(
        bench.actions(),
        [
            Action::Release { reuse: false },
            Action::Connect { fresh: false }
        ]
    );
    assert_eq!(bench.deadline() - bench.now, limit);
    bench.handle(Event::UpstreamReady { reused: false });
    assert_eq!(bench.requested(), GET);
}

/// In the waiting line there is another limit, and 503.
#[test]
fn who_waits_for_a_place_waits_for_so_long() {
    let mut bench = Bench::new();
    bench.client(GET);
    bench.actions();
    bench.handle(Event::UpstreamQueued);
    assert_eq!(bench.deadline() - bench.now, bench.settings.queue_timeout);
    bench.handle(Event::UpstreamChosen);
    assert_eq!(bench.deadline() - bench.now, bench.settings.connect_timeout);
    let mut bench = Bench::new();
    bench.client(GET);
    bench.actions();
    bench.handle(Event::UpstreamQueued);
    bench.pass(bench.settings.queue_timeout);
    let page = bench.page();
    assert_eq!((page.status, page.closes()), (503, false));
    assert_eq!(bench.verdict(), Verdict::None);
}

/// What an exchange says of its backend.
#[test]
fn verdicts() {
    let table: &[(&[u8], Verdict)] = &[
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Verdict::Good,
        ),
        (
            b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
            Verdict::Good,
        ),
        (
            b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
            Verdict::Error,
        ),
        (
            b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
            Verdict::Error,
        ),
        // What cannot be read is as bad: another protocol, above all.
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", Verdict::Error),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            Verdict::Error,
        ),
        (b"X\0\0\0Q", Verdict::Error),
    ];
    for (answer, verdict) in table {
        let mut bench = Bench::connected(GET);
        bench.requested();
        bench.backend(answer);
        bench.take();
        assert_eq!(bench.verdict(), *verdict);
    }
    let mut bench = Bench::connected(GET);
    bench.requested();
    bench.pass(bench.settings.response_timeout);
    assert_eq!(bench.verdict(), Verdict::Error);
    let mut bench = Bench::connected(GET);
    bench.requested();
    bench.handle(Event::ClientLost);
    assert_eq!(bench.verdict(), Verdict::None);
}

/// Whoever has answered something was not dead; whoever says nothing is not known to be.
#[test]
fn nothing_else_is_tried_again() {
    for sent in [&b"H"[..], b"HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let mut bench = reused();
        bench.backend(sent);
        bench.handle(Event::UpstreamEof);
        bench.take();
        let actions = bench.actions();
        assert_eq!(actions[0], Action::Release { reuse: false });
        assert!(matches!(actions[1], Action::Finish(outcome) if outcome.own_page));
    }
    let mut bench = reused();
    bench.backend(b"nonsense\r\n");
    assert_eq!(bench.page().status, 502);

    let mut bench = reused();
    bench.pass(bench.settings.response_timeout);
    assert_eq!(bench.page().status, 504);

    let mut bench = reused();
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    bench.handle(Event::UpstreamLost);
    bench.take();
    assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    assert_eq!(bench.phase(), Phase::Linger);
}

#[test]
fn each_request_may_be_tried_again() {
    let mut bench = Bench::new();
    bench.client(&[GET, GET].concat());
    for _ in 0..2 {
        bench.connect(true);
        bench.handle(Event::UpstreamEof);
        assert_eq!(bench.actions(), AGAIN);
        bench.handle(Event::UpstreamReady { reused: false });
        bench.send();
        bench.backend(OK);
        bench.take();
        bench.actions();
    }
    assert_eq!(bench.answered(), [OK, OK].concat());
}
