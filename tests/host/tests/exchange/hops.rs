// SPDX-License-Identifier: GPL-2.0

//! What a gateway does to a message because it is one: its own name, hops, limits, other protocols.

use super::bench::{Bench, GET};
use super::OK;
use crate::config::Forwarding;
use crate::exchange::{Action, Event, Phase};
use crate::status::Format;

#[test]
fn each_message_tells_of_the_gateway() {
    let mut bench = Bench::new();
    bench.name = "gw";
    bench.settings.x_forwarded_for = Forwarding::Append;
    bench.client(b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4\r\nVia: 1.0 a\r\n\r\n");
    bench.connect(false);
    let request = String::from_utf8(bench.requested()).unwrap();
    // Nobody trusts the client.
    assert!(
        request.contains("X-Forwarded-For: 192.0.2.1\r\n"),
        "{request}"
    );
    assert!(request.contains("Via: 1.0 a"), "{request}");
    assert!(request.contains("1.1 gw"), "{request}");
    bench.backend(OK);
    assert_eq!(bench.answer(false).field("Via"), Some("1.1 gw"));
}

#[test]
fn a_request_that_was_here_before_is_508() {
    for field in ["Via: 1.1 other, 1.1 gw", "CDN-Loop: gw"] {
        let mut bench = Bench::new();
        bench.name = "gw";
        bench.client(format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n").as_bytes());
        let page = bench.page();
        assert_eq!((page.status, page.closes()), (508, false), "{field}");
    }
}

/// RFC 9110 section 7.6.2.
#[test]
fn max_forwards_is_counted_down() {
    for method in ["TRACE", "OPTIONS"] {
        let mut bench = Bench::new();
        bench.client(
            format!("{method} / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n").as_bytes(),
        );
        bench.connect(false);
        let request = String::from_utf8(bench.requested()).unwrap();
        assert!(request.contains("Max-Forwards: 2\r\n"), "{request}");

        let mut bench = Bench::new();
        bench.client(
            format!("{method} / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n").as_bytes(),
        );
        let answer = bench.answer(false);
        assert_eq!((answer.status, answer.closes()), (200, false));
        if method == "TRACE" {
            assert_eq!(answer.field("Content-Type"), Some("message/http"));
            assert!(answer.body.starts_with(b"TRACE / HTTP/1.1\r\n"));
        }
        bench.assert_finished(200, true);
        assert_eq!(bench.phase(), Phase::Idle);
    }
    let mut bench = Bench::new();
    bench.client(b"TRACE / HTTP/1.1\r\nHost: h\r\nMax-Forwards: x\r\n\r\n");
    assert_eq!(bench.page().status, 400);
}

#[test]
fn a_connection_serves_so_many_requests() {
    let mut bench = Bench::new();
    bench.settings.requests_per_connection = 2;
    for last in [false, true] {
        bench.client(GET);
        bench.connect(false);
        bench.requested();
        bench.backend(OK);
        assert_eq!(bench.answer(false).closes(), last);
        bench.actions();
    }
    assert_eq!(bench.phase(), Phase::Linger);
}

#[test]
fn a_whole_exchange_has_its_limit() {
    let mut bench = Bench::new();
    bench.settings.exchange_timeout = bench.settings.read_timeout;
    bench.client(GET);
    bench.connect(false);
    let limit = bench.settings.exchange_timeout;
    let start = bench.now;
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for _ in 0..10 {
        bench.pass(crate::time::Duration::from_nanos(limit.as_nanos() / 10 - 1));
        bench.backend(b"x");
        bench.take();
        assert_eq!(bench.phase(), Phase::Body);
        assert_eq!(bench.deadline() - start, limit);
    }
    let rest = bench.deadline() - bench.now;
    bench.pass(rest);
    assert_eq!(bench.phase(), Phase::Closed);
}

/// The status of the gateway is for those who are named, and nobody else learns that it is there.
#[test]
fn the_status_is_shown_to_whom_it_may_be() {
    const ASK: &[u8] = b"GET /caucho-status?format=json HTTP/1.1\r\nHost: h\r\n\r\n";
    let bench = |networks: &str| {
        let mut bench = Bench::new();
        let text = format!("status-allow {networks}");
        bench.settings.apply(text.as_bytes()).unwrap();
        bench
    };
    for (networks, shown) in [
        ("none", false),
        ("10.0.0.0/8", false),
        ("192.0.2.0/24", true),
    ] {
        let mut bench = bench(networks);
        bench.client(ASK);
        let expected = if shown {
            Action::Report(Format::Json)
        } else {
            Action::Connect { fresh: false }
        };
        assert_eq!(bench.actions(), [expected], "{networks}");
    }
    let mut allowed = bench("192.0.2.1");
    for (head, body) in [
        (false, Some(&b"{}"[..])),
        (true, Some(b"{}")),
        (false, None),
    ] {
        let ask = if head {
            [b"HEAD", &ASK[3..]].concat()
        } else {
            ASK.to_vec()
        };
        allowed.client(&ask);
        assert_eq!(allowed.actions(), [Action::Report(Format::Json)]);
        assert_eq!(allowed.phase(), Phase::Report);
        allowed.report("application/json", body);
        let answer = allowed.answer(head);
        let expected = if body.is_some() { 200 } else { 503 };
        assert_eq!((answer.status, answer.closes()), (expected, false));
        if body.is_some() {
            assert_eq!(answer.body, if head { &b""[..] } else { b"{}" });
            assert_eq!(answer.field("Content-Length"), Some("2"));
            assert_eq!(answer.field("Content-Type"), Some("application/json"));
        }
        allowed.assert_finished(expected, true);
    }
    allowed.client(b"GET /caucho-status?format=xml HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(allowed.page().status, 400);
    allowed.actions();
    // What changes something is not for us.
    allowed.client(b"POST /caucho-status HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(allowed.actions(), [Action::Connect { fresh: false }]);
}

/// The page that says that it was reached gets to the client.
#[test]
fn a_whole_exchange_without_an_answer_is_504() {
    let mut bench = Bench::new();
    bench.settings.exchange_timeout = crate::time::Duration::from_secs(3);
    bench.client(GET);
    bench.connect(false);
    bench.pass(crate::time::Duration::from_secs(3));
    bench.pass(crate::time::Duration::from_secs(1));
    let page = bench.page();
    assert_eq!((page.status, page.closes()), (504, false));
    assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    assert_eq!(bench.phase(), Phase::Idle);
}

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const SWITCH: &[u8] = b"HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";

fn tunnel() -> Bench {
    let mut bench = Bench::connected(UPGRADE);
    let request = String::from_utf8(bench.requested()).unwrap();
    assert!(request.contains("Upgrade: x\r\n"), "{request}");
    assert!(request.contains("Connection: upgrade\r\n"), "{request}");
    bench.backend(SWITCH);
    assert_eq!(bench.phase(), Phase::Tunnel);
    assert!(bench.answered().starts_with(b"HTTP/1.1 101 OK\r\n"));
    bench
}

#[test]
fn another_protocol_goes_both_ways() {
    let mut bench = tunnel();
    for _ in 0..3 {
        bench.client(b"\0GET ");
        assert_eq!(bench.requested(), b"\0GET ");
        bench.backend(b"HTTP\xff");
        assert_eq!(bench.answered(), b"HTTP\xff");
    }
    // Each end may finish before the other.
    bench.handle(Event::ClientEof);
    assert_eq!(bench.actions(), [Action::ShutdownUpstream]);
    bench.backend(b"still here");
    assert_eq!(bench.answered(), b"still here");
    bench.handle(Event::UpstreamEof);
    let actions = bench.actions();
    assert_eq!(actions[0], Action::Release { reuse: false });
    assert_eq!(actions.last(), Some(&Action::CloseClient { abort: false }));
}

#[test]
fn a_backend_may_finish_a_tunnel_first() {
    let mut bench = tunnel();
    bench.backend(b"bye");
    bench.handle(Event::UpstreamEof);
    assert_eq!(bench.actions(), []);
    assert_eq!(bench.answered(), b"bye");
    assert_eq!(bench.actions(), [Action::ShutdownClient]);
    bench.client(b"bye");
    assert_eq!(bench.requested(), b"bye");
    bench.handle(Event::ClientEof);
    assert!(!bench.resets_upstream());
    assert_eq!(
        bench.actions().last(),
        Some(&Action::CloseClient { abort: false })
    );
}

#[test]
fn a_tunnel_that_breaks_or_rests_for_too_long_ends() {
    for (event, abort) in [(Event::ClientLost, true), (Event::UpstreamLost, true)] {
        let mut bench = tunnel();
        bench.handle(event);
        assert!(bench.resets_upstream());
        assert_eq!(bench.actions().last(), Some(&Action::CloseClient { abort }));
    }
    let mut bench = tunnel();
    for _ in 0..3 {
        let rest = bench.deadline() - bench.now;
        assert_eq!(rest, bench.settings.tunnel_timeout);
        bench.pass(crate::time::Duration::from_nanos(rest.as_nanos() - 1));
        bench.client(b"x");
        bench.send();
    }
    bench.pass(bench.settings.tunnel_timeout);
    assert_eq!(bench.phase(), Phase::Closed);
    // A backend that was silent may not even look at a FIN.
    assert!(bench.resets_upstream());
}

/// A backend that is gone, and has said all that it had to say before.
#[test]
fn a_tunnel_to_nowhere_ends() {
    let mut bench = tunnel();
    bench.handle(Event::UpstreamDeaf { finished: true });
    assert!(!bench.reads_client());
    bench.backend(b"bye");
    assert_eq!(bench.answered(), b"bye");
    bench.handle(Event::UpstreamEof);
    // What the client still says is thrown away, lest a reset destroy the last words on their way.
    assert_eq!(bench.actions().last(), Some(&Action::ShutdownClient));
    assert_eq!(bench.phase(), Phase::Linger);
    assert!(bench.reads_client());
    bench.handle(Event::ClientEof);
    assert_eq!(bench.actions(), [Action::CloseClient { abort: false }]);
}

/// A protocol that nobody has asked for, or that begins in the middle of a request, is none.
#[test]
fn a_101_out_of_place_is_502() {
    let body = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\
                 Content-Length: 5\r\n\r\nhel";
    let h2c = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n";
    for request in [GET, body, h2c] {
        let mut bench = Bench::connected(request);
        bench.requested();
        bench.backend(SWITCH);
        assert_eq!(bench.page().status, 502, "{}", request.escape_ascii());
    }
}
