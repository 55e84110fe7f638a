// SPDX-License-Identifier: GPL-2.0

//! Each limit of time: what it runs from, what renews it, and what comes of it.

use super::bench::{quiet, Bench, End, GET};
use crate::config::Settings;
use crate::exchange::{Action, Event, Phase};
use crate::time::Duration;

/// Limits that are all different.
fn settings() -> Settings {
    Settings {
        header_timeout: Duration::from_secs(10),
        keepalive_timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(30),
        response_timeout: Duration::from_secs(40),
        read_timeout: Duration::from_secs(50),
        send_timeout: Duration::from_secs(60),
        linger_timeout: Duration::from_secs(2),
        min_rate: 0,
        ..quiet()
    }
}

/// A moment before its end nothing happens; then it is over.
fn assert_limit(bench: &mut Bench, secs: u64) {
    let phase = bench.phase();
    assert_eq!(
        bench.deadline() - bench.now,
        Duration::from_secs(secs),
        "in {phase:?}"
    );
    bench.pass(Duration::from_nanos(
        Duration::from_secs(secs).as_nanos() - 1,
    ));
    assert_eq!(bench.phase(), phase);
    bench.pass(Duration::from_nanos(1));
    assert_ne!(bench.phase(), phase);
}

fn connected() -> Bench {
    let mut bench = Bench::with(settings());
    bench.client(GET);
    bench.connect(false);
    bench
}

#[test]
fn a_connection_on_which_nothing_comes_is_closed() {
    let mut bench = Bench::with(settings());
    assert_limit(&mut bench, 10);
    assert_eq!(bench.answered(), b"");
    assert_eq!(bench.actions(), [Action::CloseClient { abort: false }]);
}

/// No octet gives a slow head more time, and the first one neither on a new connection.
#[test]
fn a_head_that_dribbles_is_408() {
    let mut bench = Bench::with(settings());
    for octet in b"GET / HTT" {
        bench.pass(Duration::from_secs(1));
        bench.client(&[*octet]);
    }
    assert_limit(&mut bench, 1);
    let page = bench.page();
    assert_eq!((page.status, page.closes()), (408, true));
    bench.assert_finished(408, true);
    assert_eq!(bench.actions(), [Action::ShutdownClient]);
    assert_limit(&mut bench, 2);
    assert_eq!(bench.actions(), [Action::CloseClient { abort: false }]);
}

#[test]
fn the_408_for_a_head_has_no_content() {
    let mut bench = Bench::with(settings());
    bench.client(b"HEAD / HTTP/1.1\r\n");
    assert_limit(&mut bench, 10);
    assert_eq!(bench.answer(true).status, 408);
}

#[test]
fn between_requests_another_limit_holds() {
    for part in [&b""[..], b"GET"] {
        let mut bench = connected();
        bench.backend(b"HTTP/1.1 204 No\r\n\r\n");
        bench.take();
        bench.actions();
        assert_eq!(bench.deadline() - bench.now, Duration::from_secs(20));
        bench.pass(Duration::from_secs(19));
        bench.client(part);
        assert_limit(&mut bench, if part.is_empty() { 1 } else { 10 });
    }
}

#[test]
fn a_backend_that_cannot_be_reached_in_time_is_504() {
    let mut bench = Bench::with(settings());
    bench.client(GET);
    bench.actions();
    assert_eq!(bench.deadline() - bench.now, Duration::from_secs(30));
    bench.pass(Duration::from_secs(30));
    bench.nobody_else();
    let page = bench.page();
    assert_eq!((page.status, page.closes()), (504, false));
    bench.actions();
    assert_eq!(bench.phase(), Phase::Idle);
    // What comes late finds nobody.
    bench.handle(Event::UpstreamReady { reused: false });
    assert_eq!(bench.requested(), b"");
}

/// Neither a part of the head nor a 1xx response gives the backend more time.
#[test]
fn a_backend_that_does_not_answer_in_time_is_504() {
    for sent in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
    ] {
        let mut bench = connected();
        bench.pass(Duration::from_secs(35));
        bench.backend(sent);
        bench.take();
        let told = bench.answered();
        assert_limit(&mut bench, 5);
        assert_eq!(bench.page().status, 504, "after {}", told.escape_ascii());
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    }
}

/// A 1xx response that nobody takes.
#[test]
fn a_client_that_takes_nothing_is_reset() {
    let mut bench = connected();
    bench.backend(b"HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_limit(&mut bench, 60);
    let actions = bench.actions();
    assert_eq!(actions[0], Action::Release { reuse: false });
    assert!(matches!(actions[1], Action::Finish(outcome) if outcome.aborted));
    assert_eq!(actions[2..], [Action::CloseClient { abort: true }]);
}

#[test]
fn a_pause_in_the_body_ends_it() {
    let mut bench = connected();
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    // The head waits for the client.
    assert_eq!(bench.deadline() - bench.now, Duration::from_secs(60));
    bench.take();
    for octet in b"half" {
        assert_eq!(bench.deadline() - bench.now, Duration::from_secs(50));
        bench.pass(Duration::from_secs(49));
        bench.backend(&[*octet]);
        assert_eq!(bench.deadline() - bench.now, Duration::from_secs(60));
        bench.take();
    }
    assert_limit(&mut bench, 50);
    let actions = bench.actions();
    assert_eq!(actions[0], Action::Release { reuse: false });
    assert_eq!(actions.last(), Some(&Action::CloseClient { abort: true }));
    assert_eq!(bench.answer(false).end, End::Cut);
}

/// Only octets that it takes give the client more time: not those that the backend sends, and not
/// none at all.
#[test]
fn a_client_that_stops_reading_is_reset() {
    let mut bench = connected();
    bench.backend(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    bench.pass(Duration::from_secs(30));
    bench.backend(b"5;x=1\r\nhello");
    bench.pass(Duration::from_secs(10));
    bench.take_some(0);
    assert_eq!(bench.deadline() - bench.now, Duration::from_secs(20));
    bench.take_some(1);
    assert_eq!(bench.deadline() - bench.now, Duration::from_secs(60));
    assert_limit(&mut bench, 60);
    assert_eq!(
        bench.actions().last(),
        Some(&Action::CloseClient { abort: true })
    );
}

#[test]
fn a_client_that_does_not_take_the_end_is_reset() {
    let mut bench = connected();
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(bench.actions(), [Action::Release { reuse: true }]);
    bench.pass(Duration::from_secs(59));
    bench.take_some(20);
    assert_limit(&mut bench, 60);
    let actions = bench.actions();
    assert!(matches!(actions[0], Action::Finish(outcome) if outcome.aborted));
    assert_eq!(actions[1..], [Action::CloseClient { abort: true }]);
}

/// No limit at all is over at once, in each phase, and still ends well.
#[test]
fn no_time_at_all_ends_every_phase() {
    let mut settings = settings();
    settings.linger_timeout = Duration::ZERO;
    let mut bench = Bench::with(settings);
    bench.client(b"nonsense\r\n");
    bench.take();
    let actions = bench.actions();
    assert!(matches!(actions[0], Action::Finish(_)));
    assert_eq!(actions[1..], [Action::ShutdownClient]);
    assert_eq!(bench.actions(), [Action::CloseClient { abort: false }]);

    settings.response_timeout = Duration::ZERO;
    let mut bench = Bench::with(settings);
    bench.client(GET);
    bench.actions();
    bench.handle(Event::UpstreamReady { reused: false });
    assert_eq!(bench.page().status, 504);

    settings.header_timeout = Duration::ZERO;
    let mut bench = Bench::with(settings);
    bench.handle(Event::Tick);
    assert_eq!(bench.actions(), [Action::CloseClient { abort: false }]);
}
