// SPDX-License-Identifier: GPL-2.0

//! Conversations that went wrong once, in the eyes of somebody who had only read.

use super::bench::Bench;
use crate::exchange::{Action, Event, Phase};
use crate::http::Status;
use crate::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn finished(actions: &[Action]) -> crate::exchange::Outcome {
    let finish = |action: &Action| match action {
        Action::Finish(outcome) => Some(*outcome),
        _ => None,
    };
    actions
        .iter()
        .find_map(finish)
        .expect("an exchange that is over")
}

/// Only a 100 says that the body is wanted (RFC 9110 section 15.2.1): what follows after a final
/// answer may be the body or the next request.
#[test]
fn early_hints_are_no_leave_to_continue() {
    let mut bench = Bench::connected(
        b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\nExpect: 100-continue\r\n\r\n",
    );
    bench.requested();
    bench.backend(b"HTTP/1.1 103 Early Hints\r\n\r\n");
    bench.backend(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    let answered = bench.answered();
    let text = String::from_utf8_lossy(&answered);
    assert!(text.contains("Connection: close\r\n"), "{text}");
    bench.actions();
    bench.client(b"GET /next HTTP/1.1\r\nHost: h\r\n\r\nGET /third H");
    assert_eq!(bench.requested(), b"");
}

/// RFC 9112 section 9.3: a backend may answer without reading all of the request, for long.
#[test]
fn an_answer_goes_on_while_nobody_takes_the_request() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    for stuck_at_the_backend in [true, false] {
        let mut bench = Bench::connected(head);
        if stuck_at_the_backend {
            bench.client(&[b'x'; 3000]);
        }
        bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        bench.take();
        let acked = bench.ends.upstream_acked;
        for _ in 0..100 {
            bench.pass(SECOND);
            bench.unasked(&[b'z'; 10]);
            bench.take();
            bench.ends.upstream_acked = acked;
            assert_ne!(bench.phase(), Phase::Closed);
        }
        let outcome = finished(&bench.actions());
        assert_eq!((outcome.octets, outcome.aborted), (1000, false));
        assert_eq!(bench.phase(), Phase::Linger);
    }
}

/// RFC 9112 section 2.2.
#[test]
fn an_empty_line_is_no_request() {
    let mut bench = Bench::connected(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    bench.requested();
    bench.backend(b"HTTP/1.1 204 No Content\r\n\r\n");
    bench.answered();
    bench.actions();
    let limit = bench.settings.keepalive_timeout;
    for octet in [b"\r", b"\n"] {
        bench.client(octet);
        assert_eq!(bench.phase(), Phase::Idle);
        assert_eq!(bench.deadline() - bench.now, limit);
    }
    bench.pass(limit);
    assert_eq!(bench.answered(), b"");
    assert_eq!(bench.actions(), [Action::CloseClient { abort: false }]);
    // And in front of one it is nothing.
    let mut bench = Bench::new();
    bench.client(b"\r\n");
    bench.client(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    bench.connect(false);
    assert!(bench.requested().starts_with(b"GET / "));
}

#[test]
fn the_whole_time_counts_while_connecting() {
    let mut bench = Bench::new();
    bench.settings.exchange_timeout = SECOND;
    bench.client(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    bench.actions();
    assert_eq!(bench.deadline() - bench.now, SECOND);
    bench.pass(SECOND);
    assert_eq!(bench.page().status, 504);
}

/// The time for the answer begins when the request is there: not before the client may send it.
#[test]
fn a_late_100_does_not_shorten_the_time_for_the_answer() {
    let mut bench = Bench::connected(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    bench.requested();
    let limit = bench.settings.response_timeout;
    bench.pass(Duration::from_nanos(limit.as_nanos() / 3 * 2));
    bench.backend(b"HTTP/1.1 100 Continue\r\n\r\n");
    bench.take();
    bench.client(b"ok");
    bench.requested();
    assert_eq!(bench.deadline() - bench.now, limit);
    bench.pass(Duration::from_nanos(limit.as_nanos() / 3 * 2));
    assert_eq!(bench.phase(), Phase::Wait);
}

/// Without memory for a trailer the reader of the body is ahead of the octets: what follows is not
/// the next request.
#[test]
fn a_trailer_without_memory_ends_the_connection() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rest = format!(
        "\r\n0\r\nX: {}\r\n\r\nGET /n HTTP/1.1\r\nHost: h\r\n\r\n",
        "y".repeat(1500)
    );
    let mut refused = 0;
    for spare in 0..6 {
        let mut bench = Bench::connected(head);
        // Makes room for a page, whatever comes.
        let hints = format!(
            "HTTP/1.1 103 Early Hints\r\nX: {}\r\n\r\n",
            "z".repeat(2100)
        );
        bench.backend(hints.as_bytes());
        bench.answered();
        bench.client(b"5\r\nhello");
        bench.send();
        bench.spare(spare);
        bench.client(rest.as_bytes());
        let answered = bench.answered();
        if answered.is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(&answered);
        assert!(text.starts_with("HTTP/1.1 503"), "{text}");
        assert!(text.contains("Connection: close\r\n"), "{text}");
        refused += 1;
    }
    assert!(refused > 0, "there was always memory");
}

#[test]
fn octets_of_our_own_pages_are_counted() {
    let mut bench = Bench::new();
    bench.client(b"GET / HTTP/1.1\r\nHost : h\r\n\r\n");
    let page = bench.page();
    let outcome = finished(&bench.actions());
    assert_eq!(outcome.status, Some(Status::BAD_REQUEST));
    assert_eq!(outcome.octets, page.body.len() as u64);
    let mut bench = Bench::new();
    bench.client(b"HEAD / HTTP/1.1\r\nHost : h\r\n\r\n");
    bench.answered();
    assert_eq!(finished(&bench.actions()).octets, 0);
}

#[test]
fn a_switch_behind_another_response_is_told_once() {
    let mut bench = Bench::connected(
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    bench.requested();
    bench.backend(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\
          Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    bench.take();
    assert_eq!(bench.phase(), Phase::Tunnel);
    assert!(bench.take_switched());
    assert!(!bench.take_switched());
    bench.handle(Event::UpstreamLost);
    assert!(finished(&bench.actions()).tunnel);
}
