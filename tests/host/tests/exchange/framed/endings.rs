// SPDX-License-Identifier: GPL-2.0

//! How answers and connections end on these wires: by a frame, whatever the head has said.

use super::super::bench::{Bench, End};
use super::{answer, bench, connected, hello, put, BOTH, GET, HEAD11};
use crate::exchange::{Action, Event, Outcome, Phase};
use crate::lb::Verdict;
use crate::simulation::reference::{self, After};

const POST: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";

const AGAIN: [Action; 2] = [
    Action::Release { reuse: false },
    Action::Connect { fresh: true },
];

/// A Resin that goes down answers X to whatever comes, and one that closes an idle connection may
/// do so just when it is used: as good as a FIN.
#[test]
fn an_end_instead_of_an_answer_sends_the_request_elsewhere() {
    for wire in BOTH {
        let end = put(wire, b'X', b"");
        let mut bench = bench(wire);
        bench.client(GET);
        bench.connect(true);
        let first = bench.requested();
        for octet in &end {
            bench.backend(&[*octet]);
        }
        // To be closed when idle says nothing against a backend.
        assert_eq!(bench.verdict(), Verdict::None);
        assert_eq!(bench.actions(), AGAIN);
        bench.handle(Event::UpstreamReady { reused: false });
        assert_eq!(bench.requested(), first);
        bench.backend(&end);
        assert_eq!(bench.verdict(), Verdict::Error);
        assert_eq!(bench.actions(), AGAIN);
        bench.handle(Event::UpstreamReady { reused: false });
        assert_eq!(bench.requested(), first);
        bench.backend(&hello(wire));
        assert!(bench.answered().ends_with(b"hello"));
        assert_eq!(bench.actions()[0], Action::Release { reuse: true });

        let mut bench = connected(wire, GET);
        bench.backend(&end);
        bench.nobody_else();
        let page = bench.page();
        assert_eq!((page.status, page.closes()), (502, false));
    }
}

/// RFC 9110 section 9.2.2: only what was not seen, or may be seen twice, goes out again.
#[test]
fn what_a_backend_may_have_seen_is_not_sent_again() {
    for wire in BOTH {
        let end = put(wire, b'X', b"");
        let mut bench = bench(wire);
        bench.client(POST);
        bench.connect(true);
        bench.requested();
        bench.backend(&end);
        assert_eq!(bench.page().status, 502);
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
        // It was said before anything of the request was there.
        let mut bench = self::bench(wire);
        bench.client(POST);
        bench.connect(true);
        bench.requested();
        bench.unasked(&end);
        assert_eq!(bench.actions(), AGAIN);
        // Something was said before, so somebody was there.
        for first in [put(wire, b'A', b""), put(wire, b'f', b"")] {
            let mut bench = self::bench(wire);
            bench.client(GET);
            bench.connect(true);
            bench.requested();
            bench.backend(&first);
            bench.backend(&end);
            assert_eq!(bench.page().status, 502);
        }
    }
}

/// What is told of an exchange that is over, after the connection was let go of.
fn outcome(bench: &mut Bench, reuse: bool) -> Outcome {
    let actions = bench.actions();
    match actions[..] {
        [Action::Release { reuse: kept }, Action::Finish(outcome), ..] => {
            assert_eq!(kept, reuse);
            outcome
        }
        _ => panic!("{actions:?}"),
    }
}

/// A servlet may write where HTTP has no content, or more than it has said, and Resin sends it. The
/// client gets what it was told of; that the backend cannot count is no fault of its answer.
#[test]
fn content_beyond_what_was_declared_is_dropped() {
    let get = std::str::from_utf8(GET).unwrap();
    let cases: [(&str, &str, &str, &[&str], &str); 7] = [
        (HEAD11, "200 OK", "Content-Length: 5", &["hello"], ""),
        (HEAD11, "200 OK", "", &["poison"], ""),
        (get, "204 No Content", "", &["\n"], ""),
        (get, "304 Not Modified", "", &["a", "b"], ""),
        (get, "200 OK", "Content-Length: 0", &["\n"], ""),
        (get, "200 OK", "Content-Length: 3", &["half"], "hal"),
        (
            get,
            "200 OK",
            "Content-Length: 3",
            &["ha", "lf", "x"],
            "hal",
        ),
    ];
    for wire in BOTH {
        for (request, status, fields, content, body) in cases {
            let octets = answer(wire, status, fields, content, b'Q');
            for at in 0..octets.len() {
                let mut bench = connected(wire, request.as_bytes());
                bench.backend(&octets[..at]);
                bench.take();
                bench.backend(&octets[at..]);
                let answer = bench.answer(request == HEAD11);
                assert_eq!(answer.body, body.as_bytes(), "{status} {fields}");
                assert_ne!(answer.end, End::Cut);
                assert_eq!(bench.verdict(), Verdict::Good);
                let outcome = outcome(&mut bench, false);
                assert_eq!((outcome.aborted, outcome.ending), (false, *b"--"));
                assert_eq!(outcome.octets, body.len() as u64);
                assert_eq!(bench.phase(), Phase::Idle);
            }
        }
    }
}

/// The client goes by the length that it was told: its connection goes on, and only the backend is
/// to blame.
#[test]
fn an_end_that_never_comes_is_nothing_to_the_client() {
    for wire in BOTH {
        for (fields, content) in [
            ("Content-Length: 5", &["he", "llo"][..]),
            ("Content-Length: 5", &["hello, world"]),
            ("Content-Length: 0", &[]),
        ] {
            let endless = answer(wire, "200 OK", fields, content, b'f');
            for (event, ending) in [
                (Event::UpstreamEof, *b"SD"),
                (Event::UpstreamLost, *b"SD"),
                (Event::Tick, *b"sD"),
            ] {
                let mut bench = connected(wire, GET);
                bench.backend(&endless);
                bench.take();
                assert_eq!(bench.phase(), Phase::Body);
                if event == Event::Tick {
                    bench.pass(bench.settings.read_timeout);
                } else {
                    bench.handle(event);
                }
                assert_eq!(bench.verdict(), Verdict::Error);
                let whole = &content.concat()[..content.concat().len().min(5)];
                assert_eq!(bench.answer(false).body, whole.as_bytes());
                let outcome = outcome(&mut bench, false);
                assert_eq!((outcome.aborted, outcome.ending), (false, ending));
                assert_eq!(bench.phase(), Phase::Idle);
            }
        }
        // Some of the content is still on its way to the client when the backend is lost.
        let mut bench = connected(wire, GET);
        bench.backend(&answer(
            wire,
            "200 OK",
            "Content-Length: 5",
            &["hello"],
            b'f',
        ));
        bench.handle(Event::UpstreamLost);
        assert_eq!(bench.phase(), Phase::Flush);
        assert_eq!(bench.answer(false).body, b"hello");
        assert!(!outcome(&mut bench, false).aborted);
        assert_eq!(bench.phase(), Phase::Idle);
    }
}

/// A head that was made text of and then has no room must not be in front of the page.
#[test]
fn a_page_for_want_of_memory_is_alone() {
    let long = "x".repeat(3900);
    let mut pages = 0;
    for wire in BOTH {
        let fields = format!("Content-Length: 5\nA: {long}");
        let hello = answer(wire, "200 OK", &fields, &["hello"], b'Q');
        for spared in 0..9 {
            let mut bench = bench(wire);
            bench.spare(spared);
            bench.client(GET);
            if bench.phase() != Phase::Route {
                continue;
            }
            bench.actions();
            bench.handle(Event::UpstreamReady { reused: false });
            bench.send();
            bench.backend(&hello);
            let octets = bench.answered();
            if octets.is_empty() {
                continue;
            }
            let answer = reference::response(&octets, false, After::Reset).expect("an answer");
            assert_eq!(answer.len, octets.len(), "{}", octets.escape_ascii());
            pages += usize::from(answer.status == 503);
        }
    }
    assert!(pages > 0);
}

/// Memory that is not there makes a page or ends the connection.
#[test]
fn without_memory_there_is_a_page_or_an_end() {
    for wire in BOTH {
        for spared in 0..9 {
            let mut bench = bench(wire);
            bench.spare(spared);
            bench.client(GET);
            if bench.phase() == Phase::Route {
                bench.actions();
                bench.handle(Event::UpstreamReady { reused: false });
                bench.send();
                bench.backend(&hello(wire));
            }
            let answer = bench.answered();
            assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "));
            let mut actions = bench.actions();
            for _ in 0..4 {
                bench.pass(bench.deadline() - bench.now);
                bench.take();
                actions.extend(bench.actions());
            }
            let closed = |action: &&Action| matches!(action, Action::CloseClient { .. });
            assert_eq!(actions.iter().filter(closed).count(), 1);
        }
    }
}
