// SPDX-License-Identifier: GPL-2.0

//! A kept-alive connection that turns out to be dead: the request goes out once more, on a new
//! one (RFC 9112 section 9.3.1), and only then.

use super::bench::{Bench, GET};
use super::OK;
use crate::exchange::{Action, Event, Phase, Refusal};

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
        assert_eq!(bench.page().status, 502);
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    }
    let mut bench = reused();
    bench.handle(Event::UpstreamEof);
    assert_eq!(bench.actions(), AGAIN);
    bench.handle(Event::UpstreamRefused(Refusal::Unreachable));
    assert_eq!(bench.page().status, 502);
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
