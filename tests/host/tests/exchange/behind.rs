// SPDX-License-Identifier: GPL-2.0

//! A client that is slower than the backend, while somebody keeps the body.

use super::bench::{Bench, GET};
use super::taps::{seen, tapped};
use crate::exchange::{Action, Event, Phase};
use crate::time::Duration;

const BODY: &str = "The quick brown fox jumps over the lazy dog, and over the next one as well.";

/// A request of this version that the backend has.
fn asked(version: &str) -> Bench {
    let mut bench = tapped(
        format!("GET / HTTP/{version}\r\nHost: h\r\n\r\n").as_bytes(),
        &[],
    );
    bench.tap.as_mut().unwrap().keeps = true;
    bench.connect(false);
    bench
}

/// The head that comes before [`BODY`], that as it is sent, and whether the connection ends after it.
fn framings() -> Vec<(&'static str, String, bool)> {
    let chunks = |size: usize| -> String {
        let text = |chunk: &[u8]| String::from_utf8_lossy(chunk).into_owned();
        let chunks = BODY.as_bytes().chunks(size);
        let chunks = chunks.map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), text(chunk)));
        chunks.collect::<Vec<_>>().concat()
    };
    vec![
        ("Content-Length: 75\r\n", BODY.to_owned(), false),
        ("", BODY.to_owned(), true),
        (
            "Transfer-Encoding: chunked\r\n",
            chunks(10) + "0\r\n\r\n",
            false,
        ),
        (
            "Transfer-Encoding: chunked\r\n",
            chunks(33) + "0\r\nT: x\r\n\r\n",
            false,
        ),
    ]
}

/// However it is framed, wherever the client stops to take it, and for however long, whether there is
/// room for all of the body or not: the client gets what it would have got.
#[test]
fn who_falls_behind_gets_the_same() {
    assert_eq!(BODY.len(), 75);
    for version in ["1.1", "1.0"] {
        for (head, body, ends) in framings() {
            for room in [None, Some(40), Some(17)] {
                for piece in [1, 7, 1000] {
                    for most in [1, 5, 30] {
                        for pause in [0, 1, 3, 50] {
                            let case = format!("{version} {head} {room:?} {piece} {most} {pause}");
                            let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n");
                            let mut bench = asked(version);
                            bench.tap.as_mut().unwrap().room = room;
                            bench.backend(answer.as_bytes());
                            bench.take();
                            slowly(&mut bench, body.as_bytes(), (piece, most, pause));
                            if ends {
                                if !bench.reads_upstream() {
                                    bench.take();
                                }
                                bench.handle(Event::UpstreamEof);
                            }
                            assert_same(&mut bench, &case);
                        }
                    }
                }
            }
        }
    }
}

/// The backend sends pieces, and the client takes some octets, but pauses after each time. Whenever it
/// pauses its socket is full.
fn slowly(bench: &mut Bench, body: &[u8], (piece, most, pause): (usize, usize, usize)) {
    for octets in body.chunks(piece) {
        bench.backend(octets);
        for _ in 0..pause {
            if bench.phase() == Phase::Body {
                bench.client_waits();
            }
        }
        bench.take_some(most);
    }
}

fn assert_same(bench: &mut Bench, case: &str) {
    let answer = bench.answer(false);
    assert_eq!(String::from_utf8_lossy(&answer.body), BODY, "{case}");
    assert_eq!(seen(bench).ends, 1, "{case}");
    let outcome = bench.outcome();
    assert_eq!((outcome.octets, outcome.aborted), (75, false), "{case}");
}

/// Trailers that the client does not get hold up nobody.
#[test]
fn trailers_for_nobody_are_read_ahead() {
    let (head, body, _) = framings().pop().unwrap();
    let mut bench = asked("1.0");
    bench.backend(format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes());
    bench.backend(&body.as_bytes()[..10]);
    assert!(bench.client_waits());
    bench.backend(&body.as_bytes()[10..]);
    assert_eq!(bench.actions(), [Action::Release { reuse: true }]);
    assert_same(&mut bench, "trailers");
}

/// Trailers, too, and after the body.
#[test]
fn trailers_wait_for_who_is_behind() {
    let (head, body, _) = framings().pop().unwrap();
    for at in 0..body.len() {
        let mut bench = tapped(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: TE\r\nTE: trailers\r\n\r\n",
            &[],
        );
        bench.tap.as_mut().unwrap().keeps = true;
        bench.connect(false);
        bench.backend(format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes());
        bench.backend(&body.as_bytes()[..at]);
        bench.client_waits();
        bench.backend(&body.as_bytes()[at..]);
        let octets = bench.answered();
        let text = String::from_utf8_lossy(&octets);
        assert!(text.ends_with("\r\n0\r\nT: x\r\n\r\n"), "{at}: {text}");
        assert_eq!(seen(&bench).body, BODY.as_bytes());
        assert_eq!(bench.actions()[0], Action::Release { reuse: true });
    }
}

/// The backend is free for others when it has sent all.
#[test]
fn a_slow_client_does_not_keep_the_backend() {
    let mut bench = asked("1.1");
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 75\r\n\r\nThe quick");
    assert!(!bench.reads_upstream());
    assert!(bench.client_waits());
    assert!(bench.reads_upstream());
    // Nothing has come since.
    assert!(!bench.client_waits());
    let mut kept = 0;
    for octets in BODY.as_bytes()[9..].chunks(10) {
        bench.backend(octets);
        kept += 1;
    }
    assert_eq!((kept, seen(&bench).body.len()), (7, 75));
    assert_eq!(bench.phase(), Phase::Flush);
    assert_eq!(bench.actions(), [Action::Release { reuse: true }]);
    assert!(!bench.client_waits());
    assert_eq!(bench.answer(false).body, BODY.as_bytes());
    bench.assert_finished(200, false);
}

#[test]
fn what_nobody_keeps_waits_for_its_client() {
    let mut bench = asked("1.1");
    bench.tap.as_mut().unwrap().keeps = false;
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 75\r\n\r\nThe quick");
    assert!(!bench.client_waits());
    assert!(!bench.reads_upstream());
    bench.tap = None;
    assert!(!bench.client_waits());
}

/// Each has its own time while both are waited for, and who is late is to blame.
#[test]
fn either_may_be_too_slow() {
    let slow = || {
        let mut bench = asked("1.1");
        bench.settings.send_timeout = Duration::from_secs(50);
        bench.settings.read_timeout = Duration::from_secs(20);
        bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 75\r\n\r\nThe quick");
        assert!(bench.client_waits());
        bench
    };
    // The backend says nothing more.
    let mut bench = slow();
    bench.pass(Duration::from_secs(19));
    assert_eq!(bench.phase(), Phase::Body);
    bench.pass(Duration::from_secs(2));
    assert_eq!(seen(&bench).cuts, 1);
    // The client gets what there is.
    assert!(bench.answered().ends_with(b"\r\n\r\nThe quick"));
    let outcome = bench.outcome();
    assert_eq!((outcome.ending, outcome.aborted), (*b"sD", true));
    // The exchange has lasted for too long: with a faster client it had been over.
    let mut bench = slow();
    bench.settings.exchange_timeout = Duration::from_secs(15);
    bench.ends.client_acked += 1;
    bench.pass(Duration::from_secs(10));
    bench.pass(Duration::from_secs(6));
    assert_eq!(seen(&bench).ends, 0);
    bench.backend(&BODY.as_bytes()[9..]);
    assert_eq!(bench.outcome().ending, *b"cD");
    // The client takes nothing; what others want goes on without it.
    let mut bench = slow();
    for second in 0..6 {
        assert_eq!(bench.phase(), Phase::Body, "{second}");
        bench.backend(b"x");
        bench.pass(Duration::from_secs(9));
    }
    assert_eq!(bench.phase(), Phase::Body);
    bench.backend(&BODY.as_bytes()[15..]);
    let outcome = bench.outcome();
    assert_eq!((outcome.ending, outcome.aborted), (*b"cD", true));
    assert_eq!((seen(&bench).ends, seen(&bench).body.len()), (1, 75));
    // Once all is there only the client counts.
    let mut bench = slow();
    bench.backend(&BODY.as_bytes()[9..]);
    bench.actions();
    bench.pass(Duration::from_secs(45));
    assert_eq!(bench.phase(), Phase::Flush);
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.outcome().ending, *b"cL");
}

/// The backend breaks off: what there is goes out, and the client sees that it is not all.
#[test]
fn an_answer_that_is_cut_short_behind_the_client() {
    for event in [Event::UpstreamLost, Event::UpstreamEof] {
        for room in [None, Some(20)] {
            let mut bench = asked("1.1");
            bench.tap.as_mut().unwrap().room = room;
            bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 75\r\n\r\nThe quick");
            assert!(bench.client_waits());
            bench.backend(b" brown fox jumps");
            bench.handle(event);
            // Those who read along hear of it now.
            assert_eq!((seen(&bench).ends, seen(&bench).cuts), (0, 1));
            let octets = bench.answered();
            assert!(octets.ends_with(b"\r\n\r\nThe quick brown fox jumps"));
            let outcome = bench.outcome();
            assert_eq!((outcome.aborted, outcome.octets), (true, 25));
        }
    }
}

/// Who has gone takes nothing of what it has missed, and the rest is for others.
#[test]
fn who_is_behind_goes() {
    let mut bench = asked("1.1");
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 75\r\n\r\nThe quick");
    bench.take_some(70);
    assert!(bench.client_waits());
    bench.backend(b" brown fox");
    bench.handle(Event::ClientLost);
    assert_eq!(bench.phase(), Phase::Body);
    bench.backend(&BODY.as_bytes()[19..]);
    assert_eq!(seen(&bench).body, BODY.as_bytes());
    assert_eq!(seen(&bench).ends, 1);
    let outcome = bench.outcome();
    assert_eq!((outcome.ending, outcome.aborted), (*b"CD", true));
    assert!(outcome.octets <= 19, "{}", outcome.octets);
    // The same when all has come.
    let mut bench = asked("1.1");
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 75\r\n\r\nThe quick");
    assert!(bench.client_waits());
    bench.backend(&BODY.as_bytes()[9..]);
    bench.handle(Event::ClientLost);
    assert_eq!(bench.phase(), Phase::Closed);
}

/// There is no memory for the size of a chunk.
#[test]
fn no_memory_for_who_is_behind() {
    let mut bench = asked("1.1");
    bench.backend(b"HTTP/1.1 200 OK\r\n\r\nThe quick");
    bench.take_some(usize::MAX);
    bench.backend(b" brown");
    bench.client_waits();
    bench.spare(0);
    bench.backend(b" fox");
    bench.take();
    // Whatever came of it, it ends.
    bench.handle(Event::UpstreamEof);
    bench.take();
    let actions = bench.actions();
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::Finish(_))),
        "{actions:?}"
    );
}

#[test]
fn nothing_is_kept_of_the_next_request() {
    let mut bench = asked("1.1");
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 75\r\n\r\nThe quick");
    assert!(bench.client_waits());
    bench.backend(&BODY.as_bytes()[9..]);
    bench.answer(false);
    bench.actions();
    bench.tap = None;
    bench.client(GET);
    bench.connect(true);
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert!(bench.answered().ends_with(b"\r\n\r\nhi"));
}
