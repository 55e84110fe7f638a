// SPDX-License-Identifier: GPL-2.0

//! How exchanges and connections end when one side is not as far as the other.

use super::bench::{Bench, End, GET};
use super::OK;
use crate::exchange::{Action, Event, Phase, Ready, Refusal, Reset};
use crate::http::Status;
use crate::lb::Verdict;
use crate::time::Duration;

const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n";
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const EARLY: &[u8] = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo";

/// Clients stop sending when they see that (RFC 9112 section 9.5), and servers answer without having
/// read all (section 9.3): what becomes of the request takes nothing from the answer.
#[test]
fn an_answer_outlives_its_request() {
    type Trouble = (&'static [u8], fn(&mut Bench), &'static [u8; 2]);
    let troubles: [Trouble; 4] = [
        (POST, |bench| bench.handle(Event::ClientEof), b"CB"),
        (POST, |bench| bench.pass(Duration::from_secs(60)), b"cB"),
        (CHUNKED, |bench| assert!(bench.client(b"x\r\n") > 0), b"PB"),
        (
            CHUNKED,
            |bench| {
                bench.settings.body_size = 100;
                bench.client(&[b"65\r\n", &[b'x'; 101][..]].concat());
            },
            b"PB",
        ),
    ];
    for (request, trouble, ending) in troubles {
        let mut bench = Bench::connected(request);
        bench.backend(EARLY);
        bench.take();
        trouble(&mut bench);
        assert_eq!(bench.phase(), Phase::Body, "{ending:?}");
        bench.send();
        bench.backend(b" large");
        let answer = bench.answer(false);
        assert_eq!((answer.status, answer.end), (413, End::Framed));
        let outcome = bench.outcome();
        assert_eq!((outcome.aborted, &outcome.ending), (false, ending));
        assert!(matches!(bench.phase(), Phase::Linger | Phase::Closed));
    }
}

/// The same when all of the answer is there: the rest of the request is waited for, and does not come.
#[test]
fn a_whole_answer_outlives_its_request() {
    type Trouble = (&'static [u8], fn(&mut Bench), &'static [u8; 2]);
    let troubles: [Trouble; 4] = [
        (POST, |bench| bench.handle(Event::ClientEof), b"CB"),
        (POST, |bench| bench.pass(Duration::from_secs(60)), b"cB"),
        (CHUNKED, |bench| assert!(bench.client(b"x\r\n") > 0), b"PB"),
        // The backend takes no more of it, which is no fault.
        (
            POST,
            |bench| {
                bench.client(b"more");
                // It has acknowledged something until now.
                bench.pass(Duration::from_secs(1));
                bench.pass(bench.settings.response_timeout);
            },
            b"--",
        ),
    ];
    for (request, trouble, ending) in troubles {
        let mut bench = Bench::connected(request);
        bench.client(b"5\r\nhello\r\n");
        bench.send();
        bench.backend(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(bench.answer(false).status, 413);
        assert_eq!(bench.phase(), Phase::Flush);
        trouble(&mut bench);
        assert_ne!(bench.phase(), Phase::Flush, "{ending:?}");
        let outcome = bench.outcome();
        assert_eq!((outcome.aborted, &outcome.ending), (false, ending));
        assert_eq!(bench.verdict(), Verdict::Good);
        assert!(matches!(bench.phase(), Phase::Linger | Phase::Closed));
    }
}

/// A stream that is ended because it has lasted for as long as it may.
#[test]
fn a_backend_is_not_to_blame_for_the_end_of_a_stream() {
    let mut bench = Bench::new();
    bench.settings.exchange_timeout = Duration::from_secs(30);
    bench.client(GET);
    bench.connect(false);
    bench.backend(b"HTTP/1.1 200 OK\r\n\r\n");
    for _ in 0..30 {
        bench.backend(b"data: 1\n\n");
        bench.take();
        bench.pass(Duration::from_secs(1));
    }
    let outcome = bench.outcome();
    assert_eq!((outcome.aborted, outcome.overran), (true, true));
    assert_eq!(bench.verdict(), Verdict::Good);
    // But for that of no answer at all.
    let mut bench = Bench::new();
    bench.settings.exchange_timeout = Duration::from_secs(30);
    bench.client(GET);
    bench.connect(false);
    bench.pass(Duration::from_secs(30));
    assert_eq!(
        (bench.page().status, bench.verdict()),
        (504, Verdict::Error)
    );
}

/// Whoever goes on to upload what nobody will read has to be told not to (RFC 9112 section 9.6).
#[test]
fn an_answer_that_ends_the_upload_says_that_it_ends_the_connection() {
    let keeps = "HTTP/1.1 413 X\r\nContent-Length: 0\r\n";
    for (fields, closes) in [("Connection: close\r\n", true), ("", false)] {
        let mut bench = Bench::connected(POST);
        bench.client(b"some");
        bench.send();
        bench.backend(format!("{keeps}{fields}\r\n").as_bytes());
        assert_eq!(bench.answer(false).closes(), closes);
    }
    // Without a body to come the backend's connection is no business of the client.
    let mut bench = Bench::connected(GET);
    bench.backend(format!("{keeps}Connection: close\r\n\r\n").as_bytes());
    assert!(!bench.answer(false).closes());
}

/// A client that goes in the middle of a head has asked for something: the log says so.
#[test]
fn a_head_that_is_cut_short_is_told_of() {
    for (event, abort) in [(Event::ClientEof, false), (Event::ClientLost, true)] {
        let mut bench = Bench::new();
        bench.client(b"GET / HTTP/1.1\r\nHo");
        bench.handle(event);
        let actions = bench.actions();
        let [Action::Finish(outcome), Action::CloseClient { abort: how }] = actions[..] else {
            panic!("{actions:?}");
        };
        assert_eq!(
            (outcome.status, outcome.aborted, &outcome.ending, how),
            (None, true, b"CR", abort)
        );
        // A connection on which nothing was asked for is none of its business.
        let mut bench = Bench::new();
        bench.handle(event);
        let actions = bench.actions();
        assert_eq!(actions.last(), Some(&Action::CloseClient { abort }));
        assert!(!actions.iter().any(|one| matches!(one, Action::Finish(_))));
    }
}

/// Of such a client nothing is logged: it is counted.
#[test]
fn who_is_reset_with_no_request_under_way_is_counted() {
    let lost = |bench: &mut Bench| {
        bench.handle(Event::ClientLost);
        bench.actions()
    };
    let end = Action::CloseClient { abort: true };
    let idle = [Action::Reset(Reset::Idle), end];
    assert_eq!(lost(&mut Bench::new()), idle, "before the first request");
    let mut bench = Bench::connected(GET);
    bench.backend(OK);
    bench.take();
    bench.actions();
    assert_eq!(lost(&mut bench), idle, "between two requests");
    let linger = [Action::Reset(Reset::Linger), end];
    assert_eq!(lost(&mut untaken()), linger, "after the last answer");
    // Within a request its own line says so.
    let mut bench = Bench::connected(GET);
    let actions = lost(&mut bench);
    assert!(!actions.iter().any(|one| matches!(one, Action::Reset(_))));
}

/// A bench whose client has been sent its last answer, and has taken nothing of it.
fn untaken() -> Bench {
    let mut bench = Bench::connected(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    bench.backend(OK);
    bench.ends.client_unacked = 100;
    bench.take();
    bench.actions();
    assert_eq!(bench.phase(), Phase::Linger);
    bench
}

/// What becomes of it.
const UNTAKEN: [Action; 2] = [
    Action::Reset(Reset::Untaken),
    Action::CloseClient { abort: true },
];

/// A socket that was closed with something in it stays in the kernel for minutes, and nobody counts
/// it: a client that takes nothing keeps its seat until it is reset.
#[test]
fn who_takes_nothing_is_reset() {
    for ends in [false, true] {
        let mut bench = untaken();
        if ends {
            bench.handle(Event::ClientEof);
        }
        let limit = bench.settings.send_timeout;
        let begun = bench.now;
        while bench.phase() == Phase::Linger {
            assert!(bench.deadline() > bench.now);
            bench.pass(bench.deadline() - bench.now);
        }
        assert_eq!(bench.now - begun, limit);
        assert_eq!(bench.actions(), UNTAKEN);
    }
}

/// Who takes it slowly gets all of it, and then the connection ends as it should.
#[test]
fn who_takes_the_rest_slowly_gets_it() {
    for ends in [false, true] {
        let mut bench = untaken();
        bench.settings.min_rate = 0;
        if ends {
            bench.handle(Event::ClientEof);
        }
        for left in (0..100).rev() {
            bench.pass(Duration::from_secs(9));
            assert_eq!(bench.phase(), Phase::Linger, "{left} left");
            bench.ends.client_acked += 1;
            bench.ends.client_unacked = left;
        }
        // The acknowledgement of our FIN is an event, and the end if the client has sent its own;
        // if not, it has its time from now on.
        bench.handle(Event::Tick);
        if !ends {
            let limit = bench.settings.linger_timeout;
            assert_eq!(bench.phase(), Phase::Linger);
            assert_eq!(bench.deadline() - bench.now, limit);
            bench.pass(limit);
        }
        assert_eq!(bench.actions(), [Action::CloseClient { abort: false }]);
    }
}

/// The same between requests.
#[test]
fn a_kept_connection_of_who_takes_nothing_is_reset() {
    for unacked in [0, 1] {
        let mut bench = Bench::connected(GET);
        bench.backend(OK);
        bench.take();
        bench.actions();
        bench.ends.client_unacked = unacked;
        bench.pass(bench.settings.keepalive_timeout);
        if unacked == 0 {
            assert_eq!(bench.actions(), [Action::CloseClient { abort: false }]);
            continue;
        }
        // As long as it takes some of it.
        assert_eq!(bench.actions(), [Action::ShutdownClient]);
        for _ in 0..9 {
            bench.ends.client_acked += 100_000;
            bench.pass(bench.deadline() - bench.now);
            assert_eq!(bench.phase(), Phase::Linger);
        }
        bench.pass(bench.deadline() - bench.now);
        assert_eq!(bench.actions(), UNTAKEN);
    }
}

/// FIN goes with the last octets, if there is nothing that could come behind them.
#[test]
fn fin_goes_with_the_last_octets() {
    const CLOSE: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let mut bench = Bench::connected(CLOSE);
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfo");
    assert!(!bench.finishes(), "half of it");
    bench.take();
    bench.backend(b"ur");
    assert!(!bench.finishes(), "the backend's connection comes first");
    assert!(matches!(bench.actions()[..], [Action::Release { .. }]));
    assert!(bench.finishes(), "the other half");
    bench.take();
    assert!(bench.actions().contains(&Action::ShutdownClient));

    let mut bench = Bench::connected(GET);
    bench.backend(OK);
    bench.actions();
    assert!(!bench.finishes(), "another request may come");

    // The rest of the request is waited for, and the answer is over before.
    let mut bench =
        Bench::connected(&[&POST[..POST.len() - 2], b"Connection: close\r\n\r\n"].concat());
    bench.backend(OK);
    assert!(
        !bench.finishes(),
        "the backend gets the rest of the request"
    );
}

/// What is said of FIN where the answer is a page of ours, is cut, or is stored and comes yet.
#[test]
fn fin_goes_with_pages_and_stored_answers() {
    const CLOSE: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let mut bench = Bench::new();
    bench.client(CLOSE);
    bench.actions();
    bench.handle(Event::UpstreamRefused(Refusal::NoBackend));
    bench.actions();
    assert!(bench.finishes(), "a page");

    let mut bench = Bench::connected(CLOSE);
    bench.backend(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert!(!bench.finishes(), "the last chunk is to come");
    bench.backend(b"0\r\n\r\n");
    bench.take();
    assert!(bench.actions().contains(&Action::ShutdownClient));

    let ready = |content, here| Ready {
        status: Status::OK,
        length: Some(content),
        content,
        here,
    };
    for (here, finishes) in [(4, false), (10, true)] {
        let mut bench = Bench::new();
        bench.client(CLOSE);
        bench.actions();
        bench.handle(Event::Stored(ready(10, here)));
        assert_eq!(bench.finishes(), finishes, "{here} of 10");
        bench.handle(Event::StoredGrew(10));
        assert_eq!(bench.finishes(), finishes, "{here} of 10, and then all");
    }
}
