// SPDX-License-Identifier: GPL-2.0

//! Requests with a body in frames, which the backend has to acknowledge.

use super::{answer, bench, connected, feed, hello, put, request, BOTH, CHUNKED, GET};
use crate::exchange::{Action, Event, Phase};
use crate::frames_grammar::{frame, told};
use crate::srun::Wire;
use crate::time::Duration;

const POST: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";

#[test]
fn a_body_goes_out_in_frames() {
    for wire in BOTH {
        for text in [
            [POST, b"hello"].concat(),
            [CHUNKED, b"2;x\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n"].concat(),
        ] {
            for at in 0..text.len() {
                let mut bench = bench(wire);
                bench.client(&text[..at]);
                if bench.phase() == Phase::Route {
                    bench.connect(false);
                    assert_eq!(feed(&mut bench, &text[at..]), text.len() - at);
                } else {
                    bench.client(&text[at..]);
                    bench.connect(false);
                }
                // The third frame may have to wait.
                let mut sent = bench.requested();
                bench.backend(&put(wire, b'A', b""));
                sent.extend(bench.requested());
                let told = told(wire, &sent);
                assert_eq!(told.content, b"hello");
                let length = (text.starts_with(POST)).then_some(&b"5"[..]);
                assert_eq!(told.fact(b'p'), length);
                bench.backend(&hello(wire));
                bench.take();
                assert_eq!(bench.actions()[0], Action::Release { reuse: true });
                assert_eq!(bench.phase(), Phase::Idle);
            }
        }
        // None at all, but said.
        for text in [
            &b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"[..],
            &[CHUNKED, b"0\r\n\r\n"].concat(),
        ] {
            let mut bench = connected(wire, text);
            assert_eq!(request(wire, &mut bench).content, b"");
        }
    }
}

/// The octets of a long body in the frames that have gone out so far.
fn content(wire: Wire, mut octets: &[u8]) -> (Vec<u8>, usize, usize) {
    let (mut content, mut frames, mut asked) = (Vec::new(), 0, 0);
    while let Some((code, payload, len)) = frame(wire, octets) {
        match code {
            b'D' => {
                content.extend(payload);
                frames += 1;
            }
            b'Y' if wire == Wire::Hmux => asked += 1,
            _ => {}
        }
        octets = &octets[len..];
    }
    (content, frames, asked)
}

/// Where in a response an acknowledgement may be.
fn gaps(wire: Wire, octets: &[u8]) -> Vec<usize> {
    let (mut gaps, mut at) = (vec![0], 0);
    while let Some((code, _, len)) = frame(wire, &octets[at..]) {
        at += len;
        // Not between a name and its value.
        if code != b'H' && at < octets.len() {
            gaps.push(at);
        }
    }
    assert_eq!(gaps.len(), 5);
    gaps
}

/// Flow control: the backend is sent no more than it has room for until it says so, before its
/// answer, in the midst of its head or of its content.
#[test]
fn a_long_body_waits_for_acknowledgements() {
    let body: Vec<u8> = (0..100_000u32).map(|index| (index / 7) as u8).collect();
    let head = b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    for wire in BOTH {
        let whole = answer(wire, "200 OK", "A: b", &["x"], b'Q');
        for early in gaps(wire, &whole) {
            let mut bench = connected(wire, head);
            let mut sent = bench.requested();
            bench.backend(&whole[..early]);
            let (mut rest, mut acks) = (&body[..], 0);
            loop {
                let (before, ..) = content(wire, &sent);
                rest = &rest[feed(&mut bench, rest)..];
                sent.extend(bench.requested());
                bench.take();
                let (seen, frames, asked) = content(wire, &sent);
                assert!(seen == body[..seen.len()]);
                let window = seen.len() - before.len();
                match wire {
                    Wire::Hmux => assert!(window <= 16384 && asked <= acks + 1),
                    Wire::Srun => assert!(frames <= acks + 2),
                }
                if seen.len() == body.len() {
                    break;
                }
                // It stays so without an acknowledgement.
                bench.handle(Event::Tick);
                assert_eq!(bench.requested(), b"");
                assert!(!bench.reads_client());
                bench.backend(&put(wire, b'A', b""));
                acks += 1;
                sent.extend(bench.requested());
            }
            let end = if wire == Wire::Hmux {
                &b"Q"[..]
            } else {
                b"Z\0\0\0"
            };
            assert!(sent.ends_with(end));
            bench.backend(&whole[early..]);
            assert!(bench.answered().ends_with(b"1\r\nx\r\n0\r\n\r\n"));
            assert_eq!(bench.actions()[0], Action::Release { reuse: true });
            assert_eq!(bench.phase(), Phase::Idle);
        }
    }
}

/// Acknowledgements do not fill a buffer, however long it takes.
#[test]
fn a_very_long_body_takes_little_memory() {
    for wire in BOTH {
        let mut bench = connected(
            wire,
            b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n",
        );
        for _ in 0..20_000 {
            feed(&mut bench, &[b'x'; 8192]);
            bench.backend(&put(wire, b'A', b""));
            bench.send();
        }
        assert_eq!(bench.phase(), Phase::Wait);
        assert!(bench.buffered() <= 16384 + 3 * 4096, "{}", bench.buffered());
    }
}

/// A client that has sent all and its FIN is not to blame for what the backend does not take yet.
#[test]
fn a_client_may_finish_before_the_backend_has_taken_all() {
    for (wire, pieces) in [(Wire::Hmux, [16000, 384, 6]), (Wire::Srun, [10, 10, 10])] {
        let len: usize = pieces.iter().sum();
        let text = format!("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n");
        let mut bench = connected(wire, text.as_bytes());
        for piece in pieces {
            assert_eq!(feed(&mut bench, &vec![b'x'; piece]), piece);
        }
        let mut sent = bench.requested();
        assert!(content(wire, &sent).0.len() < len);
        bench.handle(Event::ClientEof);
        assert_eq!(bench.phase(), Phase::Wait);
        bench.backend(&put(wire, b'A', b""));
        sent.extend(bench.requested());
        assert_eq!(content(wire, &sent).0.len(), len);
        bench.backend(&hello(wire));
        assert!(bench.answered().ends_with(b"hello"));
    }
}

/// The end of an answer ends the exchange on its connection, whatever is left of the request.
#[test]
fn an_early_answer_ends_the_request() {
    for wire in BOTH {
        let mut bench = connected(wire, POST);
        bench.client(b"he");
        bench.send();
        bench.backend(&hello(wire));
        assert!(bench.answered().ends_with(b"hello"));
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
        // What is left of the body is no request.
        assert_eq!(bench.phase(), Phase::Linger);
        bench.client(GET);
        assert_eq!(bench.phase(), Phase::Linger);
        // It is here, but the backend waits with its acknowledgement for ever.
        let text = "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 16390\r\n\r\n";
        let mut bench = connected(wire, text.as_bytes());
        feed(&mut bench, &[b'x'; 16390]);
        bench.backend(&hello(wire));
        bench.take();
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    }
}

/// RFC 9110 section 10.1.1: the backend has no word for it, so the gateway says it.
#[test]
fn an_expectation_is_answered_here() {
    let text = b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    for wire in BOTH {
        let mut bench = connected(wire, text);
        assert_eq!(bench.answered(), b"HTTP/1.1 100 Continue\r\n\r\n");
        bench.client(b"hello");
        let told = request(wire, &mut bench);
        assert_eq!((&told.content[..], told.fields.len()), (&b"hello"[..], 1));
        bench.backend(&hello(wire));
        assert!(bench.answered().ends_with(b"\r\n\r\nhello"));
        assert_eq!(bench.actions()[0], Action::Release { reuse: true });
        assert_eq!(bench.phase(), Phase::Idle);
    }
}

/// A backend that acknowledges nothing is to blame, and one that answers all the while is not.
#[test]
fn a_backend_that_does_not_take_the_body_is_504() {
    for wire in BOTH {
        let text = "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n";
        let mut bench = connected(wire, text.as_bytes());
        feed(&mut bench, &[b'x'; 20_000]);
        let limit = bench.settings.response_timeout;
        bench.pass(limit.saturating_sub(Duration::from_millis(1)));
        assert_eq!(bench.phase(), Phase::Wait);
        bench.pass(Duration::from_millis(1));
        assert_eq!(bench.page().status, 504);

        let mut bench = connected(wire, text.as_bytes());
        feed(&mut bench, &[b'x'; 20_000]);
        bench.backend(&answer(wire, "200 OK", "", &["x"], b'f'));
        bench.take();
        for _ in 0..10 {
            bench.pass(Duration::from_secs(30));
            bench.backend(&put(wire, b'D', b"more"));
            bench.take();
        }
        assert_eq!(bench.phase(), Phase::Body);
    }
}
