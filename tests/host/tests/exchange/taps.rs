// SPDX-License-Identifier: GPL-2.0

//! Who looks at answers sees what was sent, and may have others put in their place.

use super::bench::{Bench, GET};
use super::OK;
use crate::config::Protocol;
use crate::exchange::{Action, Event, Fate, Phase, Refusal, Tap};
use crate::http::encode::Amended;
use crate::http::head::{RequestHead, ResponseHead};
use crate::http::Status;
use crate::lb::Verdict;
use crate::time::Duration;

/// Octets of a page.
const PAGE: usize = 16;

/// Notes what it sees.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// The statuses of answers, and of failures, in the place of which there are others.
    replaces: Vec<u16>,
    heads: Vec<(String, u16)>,
    pub(super) body: Vec<u8>,
    pub(super) ends: usize,
    pub(super) cuts: usize,
    /// It keeps bodies, and others want them.
    pub(super) keeps: bool,
    /// Octets that there is room for, if there is a limit.
    pub(super) room: Option<usize>,
    /// Answers get something, and lose something.
    amends: bool,
}

impl Recorder {
    /// What it has of the body from `position` on, to the end of a page.
    pub(super) fn at(&self, position: u64) -> &[u8] {
        let position = usize::try_from(position).unwrap();
        let end = (position / PAGE + 1) * PAGE;
        let end = end
            .min(self.body.len())
            .min(self.room.unwrap_or(usize::MAX));
        &self.body[position..end]
    }

    fn fate(&mut self, status: Status) -> Fate {
        let at = self.replaces.iter().position(|code| *code == status.code());
        match at {
            Some(at) => {
                // Once.
                self.replaces.remove(at);
                Fate::Replace
            }
            None => Fate::Relay,
        }
    }
}

impl Tap for Recorder {
    fn head(
        &mut self,
        (request, asked): (&RequestHead, Option<&[u8]>),
        (head, answer): (&ResponseHead, &[u8]),
    ) -> Fate {
        assert_eq!(self.ends, 0, "a second answer");
        let path = asked.map_or(&b"gone"[..], |asked| request.path.of(asked));
        let path = String::from_utf8_lossy(path).into_owned();
        assert!(answer.starts_with(b"HTTP/1."), "{answer:?}");
        self.heads.push((path, head.status.code()));
        self.fate(head.status)
    }

    fn amended(&self) -> Option<Amended<'_>> {
        self.amends.then_some(Amended {
            lines: b"Told: by us\r\n",
            hides: |name| name.eq_ignore_ascii_case(b"vary"),
        })
    }

    fn failed(&mut self, (request, asked): (&RequestHead, &[u8]), status: Status) -> Fate {
        assert!(!request.path.of(asked).is_empty(), "{asked:?}");
        self.fate(status)
    }

    fn body(&mut self, octets: &[u8]) {
        assert_eq!(self.ends, 0, "a body after its end");
        self.body.extend(octets);
    }

    fn keeps(&self) -> bool {
        self.keeps && self.room.is_none_or(|room| self.body.len() <= room)
    }

    fn end(&mut self) {
        assert_eq!(self.cuts, 0, "an end after the end");
        self.ends += 1;
    }

    fn cut(&mut self) {
        assert_eq!((self.ends, self.cuts), (0, 0), "an end after the end");
        self.cuts += 1;
        self.keeps = false;
    }
}

pub(super) fn tapped(request: &[u8], replaces: &[u16]) -> Bench {
    let mut bench = Bench::new();
    bench.tap = Some(Recorder {
        replaces: replaces.to_vec(),
        ..Recorder::default()
    });
    bench.client(request);
    bench
}

pub(super) fn seen(bench: &Bench) -> &Recorder {
    bench.tap.as_ref().expect("a tap")
}

/// Only what was seen: an answer in its place goes out as it is.
#[test]
fn what_is_seen_can_be_amended() {
    let answer = b"HTTP/1.1 200 OK\r\nVary: a\r\nX: y\r\nVARY: b\r\nContent-Length: 0\r\n\r\n";
    let early = b"HTTP/1.1 103 Early Hints\r\nVary: a\r\n\r\n";
    for amends in [false, true] {
        let mut bench = tapped(GET, &[]);
        bench.tap.as_mut().unwrap().amends = amends;
        bench.connect(false);
        bench.backend(early);
        bench.backend(answer);
        let text = String::from_utf8_lossy(&bench.answered()).to_ascii_lowercase();
        let (early, last) = text.split_once("\r\n\r\n").unwrap();
        assert!(early.contains("vary: a"), "{text}");
        assert_eq!(last.contains("vary"), !amends, "{text}");
        assert_eq!(last.contains("\r\ntold: by us\r\n"), amends, "{text}");
        assert!(last.contains("\r\nx: y\r\n"), "{text}");
    }
}

/// In whatever pieces it comes, and however it is framed.
#[test]
fn bodies_are_seen_without_their_framing() {
    let long = "x".repeat(40_000);
    let cases = [
        ("Content-Length: 5\r\n\r\nhello".to_owned(), "hello", false),
        (
            "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;e\r\nlo\r\n0\r\nT: x\r\n\r\n"
                .to_owned(),
            "hello",
            false,
        ),
        ("\r\nhello".to_owned(), "hello", true),
        ("Content-Length: 0\r\n\r\n".to_owned(), "", false),
        (format!("Content-Length: 40000\r\n\r\n{long}"), &long, false),
    ];
    for (rest, body, ends) in &cases {
        let answer = format!("HTTP/1.1 200 OK\r\n{rest}");
        let splits = answer.len().min(120);
        for at in 1..splits {
            let mut bench = tapped(GET, &[]);
            bench.connect(false);
            bench.backend(&answer.as_bytes()[..at]);
            bench.take();
            bench.backend(&answer.as_bytes()[at..]);
            bench.take();
            assert_eq!(seen(&bench).ends, usize::from(!ends), "{rest:.80} {at}");
            if *ends {
                bench.take();
                bench.handle(Event::UpstreamEof);
            }
            let seen = seen(&bench);
            assert_eq!(seen.body, body.as_bytes(), "{rest:.80} at {at}");
            assert_eq!(seen.ends, 1);
            assert_eq!(seen.heads, [("/".to_owned(), 200)]);
        }
    }
}

#[test]
fn what_is_cut_short_has_no_end() {
    let mut bench = tapped(GET, &[]);
    bench.connect(false);
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    bench.handle(Event::UpstreamEof);
    assert_eq!(
        (seen(&bench).body.as_slice(), seen(&bench).ends),
        (&b"hel"[..], 0)
    );
    let mut bench = tapped(GET, &[]);
    bench.connect(false);
    bench.backend(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nx");
    assert_eq!(
        (seen(&bench).body.as_slice(), seen(&bench).ends),
        (&b"hel"[..], 0)
    );
}

fn wanted(answer: &[u8]) -> Bench {
    let mut bench = tapped(GET, &[]);
    bench.tap.as_mut().unwrap().keeps = true;
    bench.connect(false);
    bench.backend(answer);
    bench
}

/// The rest of it is read, and nobody gets it; the backend's connection is good for the next one.
#[test]
fn what_others_want_goes_on_without_its_client() {
    for (framing, body, ends) in [
        ("Content-Length: 10\r\n", "helloworld", false),
        (
            "Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n",
            false,
        ),
        ("", "helloworld", true),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{framing}\r\n{body}");
        let head = answer.len() - body.len();
        for at in head..answer.len() - usize::from(!ends) {
            for piece in [1, answer.len()] {
                let mut bench = wanted(&answer.as_bytes()[..at]);
                if at % 2 == 0 {
                    bench.take();
                }
                bench.handle(Event::ClientLost);
                // The socket may say so again.
                bench.handle(Event::ClientLost);
                assert_eq!(bench.phase(), Phase::Body, "{framing:?} {at}");
                assert_eq!(bench.actions(), []);
                for octets in answer.as_bytes()[at..].chunks(piece) {
                    bench.backend(octets);
                }
                if ends {
                    bench.handle(Event::UpstreamEof);
                }
                let seen = seen(&bench);
                assert_eq!((seen.body.as_slice(), seen.ends), (&b"helloworld"[..], 1));
                let actions = bench.actions();
                let [Action::Release { reuse }, Action::Finish(outcome), Action::CloseClient { abort: true }] =
                    actions[..]
                else {
                    panic!("{actions:?}");
                };
                assert_eq!(reuse, !ends);
                assert_eq!((outcome.aborted, outcome.ending), (true, *b"CD"));
                assert!(outcome.octets <= (at - head) as u64, "{outcome:?}");
            }
        }
    }
}

#[test]
fn what_nobody_wants_ends_with_its_client() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
    let ends = |bench: &mut Bench| {
        let actions = bench.actions();
        let end = Action::CloseClient { abort: true };
        assert_eq!(actions.last(), Some(&end), "{actions:?}");
        assert_eq!((bench.phase(), seen(bench).ends), (Phase::Closed, 0));
    };
    let mut bench = wanted(answer);
    bench.tap.as_mut().unwrap().keeps = false;
    bench.handle(Event::ClientLost);
    ends(&mut bench);
    // There was no room for the rest, or the backend breaks off, or says no more.
    let mut bench = wanted(answer);
    bench.handle(Event::ClientLost);
    bench.tap.as_mut().unwrap().keeps = false;
    bench.backend(b"wo");
    ends(&mut bench);
    let mut bench = wanted(answer);
    bench.handle(Event::ClientLost);
    bench.handle(Event::UpstreamLost);
    ends(&mut bench);
    let mut bench = wanted(answer);
    bench.handle(Event::ClientLost);
    bench.pass(Duration::from_secs(3600));
    ends(&mut bench);
}

/// It has to come as fast as a client has to take it, or nobody would ever end it.
#[test]
fn what_others_want_does_not_trickle_for_ever() {
    let mut bench = wanted(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhello");
    bench.handle(Event::ClientLost);
    let mut seconds = 0;
    while bench.phase() == Phase::Body {
        bench.pass(Duration::from_secs(10));
        bench.backend(b"x");
        seconds += 10;
        assert!(seconds < 1000);
    }
    assert!(seconds >= 60, "{seconds}");
    // What comes as fast is brought to its end.
    let mut bench = wanted(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    bench.handle(Event::ClientLost);
    for _ in 0..20 {
        bench.pass(Duration::from_secs(10));
        assert_eq!(bench.phase(), Phase::Body);
        bench.backend(&[b'x'; 5000]);
    }
    assert_eq!(seen(&bench).ends, 1);
}

/// A request for nobody but who looks at the answer: what that does not want is not waited for.
#[test]
fn a_request_without_a_client_ends_with_its_answer() {
    let whole: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let cut = &whole[..whole.len() - 2];
    for (answer, replaces, is_wanted, ends, reuse) in [
        (whole, 0, true, 1, true),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", 304, true, 0, true),
        (cut, 0, true, 0, false),
        (cut, 0, false, 0, false),
        (
            b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
            0,
            false,
            1,
            true,
        ),
        (
            b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
            503,
            false,
            0,
            true,
        ),
        (b"nonsense\r\n\r\n", 0, false, 0, false),
        (b"nonsense\r\n\r\n", 502, false, 0, false),
    ] {
        let mut bench = Bench::new();
        bench.tap = Some(Recorder {
            replaces: vec![replaces],
            keeps: is_wanted,
            ..Recorder::default()
        });
        let mut bench = bench.alone(GET);
        bench.connect(false);
        assert!(bench.requested().starts_with(b"GET / HTTP/1.1\r\n"));
        bench.backend(answer);
        if bench.phase() != Phase::Closed {
            assert!(is_wanted && ends == 0, "{answer:?}");
            bench.handle(Event::UpstreamLost);
        }
        let actions = bench.actions();
        let [Action::Release { reuse: released }, Action::Finish(_), Action::CloseClient { .. }] =
            actions[..]
        else {
            panic!("{actions:?}");
        };
        assert_eq!((released, seen(&bench).ends), (reuse, ends));
        assert_eq!(bench.answered(), b"", "somebody gets something");
    }
}

/// A backend that stands still is to blame, as it would be with a client; if only the end of the answer
/// is missing, all of that is there.
#[test]
fn a_backend_that_stands_still_on_an_errand() {
    let hello: &[u8] = b"s\0\x06200 OKH\0\x0eContent-LengthS\0\x015G\0\0D\0\x05hello";
    let half: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
    for (protocol, answer, ends) in [(Protocol::Hmux, hello, 1), (Protocol::Http, half, 0)] {
        let mut bench = Bench::new();
        bench.ends.protocol = protocol;
        bench.tap = Some(Recorder {
            keeps: true,
            ..Recorder::default()
        });
        let mut bench = bench.alone(GET);
        bench.connect(false);
        assert!(!bench.requested().is_empty());
        bench.backend(answer);
        assert_eq!(bench.phase(), Phase::Body);
        // What has come is counted when it is looked at.
        bench.pass(Duration::from_secs(1));
        bench.pass(Duration::from_secs(3600));
        assert_eq!(seen(&bench).body, b"hello");
        assert_eq!(seen(&bench).ends, ends);
        assert_eq!(bench.verdict(), Verdict::Error);
        assert_eq!(bench.outcome().ending, *b"sD");
    }
}

/// Who takes nothing has gone when his time is over; what comes is not his any more.
#[test]
fn what_others_want_goes_on_without_a_client_that_takes_nothing() {
    let mut bench = wanted(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    bench.pass(Duration::from_secs(3600));
    assert_eq!(bench.phase(), Phase::Body);
    bench.backend(b"world");
    let seen = seen(&bench);
    assert_eq!((seen.body.as_slice(), seen.ends), (&b"helloworld"[..], 1));
    assert_eq!(bench.outcome().ending, *b"cD");
}

/// Interim answers are none; HEAD has no body.
#[test]
fn heads_are_seen_once() {
    let mut bench = tapped(b"HEAD /a?b HTTP/1.1\r\nHost: h\r\n\r\n", &[]);
    bench.connect(false);
    bench.backend(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    bench.take();
    assert_eq!(seen(&bench).heads, []);
    bench.backend(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n");
    let seen = seen(&bench);
    assert_eq!(seen.heads, [("/a?b".to_owned(), 404)]);
    assert_eq!((seen.body.len(), seen.ends), (0, 1));
}

/// What is asked is asked in the place of what the client asks, and the answer to that is not for it.
#[test]
fn an_answer_to_others_conditions_is_replaced() {
    let request = b"GET /a HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"own\"\r\nRange: bytes=0-1\r\n\
        If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nIf-Range: \"own\"\r\nX: y\r\n\r\n";
    let mut bench = tapped(request, &[304]);
    bench.conditions = b"If-None-Match: \"kept\"\r\n";
    bench.connect(true);
    let sent = String::from_utf8(bench.requested()).unwrap();
    assert_eq!(
        sent,
        "GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\nIf-None-Match: \"kept\"\r\n\r\n"
    );
    bench.backend(b"HTTP/1.1 304 Not Modified\r\nETag: \"kept\"\r\n\r\n");
    let actions = bench.actions();
    assert_eq!(
        actions,
        [
            Action::Release { reuse: true },
            Action::Connect { fresh: false }
        ]
    );
    assert_eq!(bench.verdict(), Verdict::Good, "the backend has answered");
    assert_eq!(bench.phase(), Phase::Route);
    assert_eq!(bench.answered(), b"");
    // What was kept comes by a connection of its own.
    bench.conditions = b"";
    bench.tap = None;
    bench.handle(Event::UpstreamReady { reused: false });
    bench.send();
    bench.backend(OK);
    let answer = bench.answer(false);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"hi"[..]));
    let outcome = bench.outcome();
    assert_eq!(outcome.status.map(Status::code), Some(200));
    assert!(!outcome.aborted && !outcome.replayed, "{outcome:?}");
    assert_eq!(bench.phase(), Phase::Idle);
}

/// An error is one for the backend, whatever the client gets; of what follows its head nothing is kept.
#[test]
fn an_error_is_replaced() {
    let mut bench = tapped(GET, &[500]);
    bench.connect(false);
    bench.backend(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops");
    let actions = bench.actions();
    assert_eq!(
        actions,
        [
            Action::Release { reuse: false },
            Action::Connect { fresh: false }
        ]
    );
    assert_eq!(bench.verdict(), Verdict::Error);
    bench.handle(Event::UpstreamReady { reused: false });
    bench.send();
    bench.backend(OK);
    assert_eq!(bench.answer(false).status, 200);
}

#[test]
fn a_failure_is_replaced() {
    for eof in [false, true] {
        let mut bench = tapped(GET, &[if eof { 502 } else { 503 }]);
        if eof {
            bench.connect(false);
            bench.backend(b"HTTP/1.1 2");
            bench.handle(Event::UpstreamEof);
            assert!(bench.actions().contains(&Action::Connect { fresh: false }));
        } else {
            bench.actions();
            bench.handle(Event::UpstreamRefused(Refusal::NoBackend));
            assert!(bench.actions().contains(&Action::Connect { fresh: false }));
        }
        bench.handle(Event::UpstreamReady { reused: false });
        bench.send();
        bench.backend(OK);
        assert_eq!(bench.answer(false).status, 200);
        // Once more: nothing is there any more.
        bench.actions();
        bench.client(GET);
        bench.actions();
        bench.handle(Event::UpstreamRefused(Refusal::NoBackend));
        assert_eq!(bench.page().status, 503);
    }
}

/// When what was asked is gone it cannot be asked again; but what the answer was is told: the target
/// has been changed, perhaps.
#[test]
fn the_answer_to_a_long_upload_is_seen() {
    let head = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    let mut bench = tapped(head, &[200]);
    bench.connect(false);
    let body = vec![b'x'; 1000];
    for _ in 0..100 {
        bench.client(&body);
        bench.send();
    }
    bench.backend(OK);
    assert_eq!(seen(&bench).heads, [("gone".to_owned(), 200)]);
    assert_eq!((&seen(&bench).body[..], seen(&bench).ends), (&b"hi"[..], 1));
    assert_eq!(bench.answer(false).status, 200);
}

/// Once for each request, whatever is wished: what comes in an answer's place is not looked at.
#[test]
fn nothing_is_replaced_twice() {
    let mut bench = tapped(GET, &[500, 200, 503]);
    bench.connect(false);
    bench.backend(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        bench.actions(),
        [
            Action::Release { reuse: true },
            Action::Connect { fresh: false }
        ]
    );
    bench.handle(Event::UpstreamReady { reused: false });
    bench.send();
    bench.backend(OK);
    assert_eq!(bench.answer(false).status, 200);
    assert_eq!(seen(&bench).heads, [("/".to_owned(), 500)]);
    assert_eq!((seen(&bench).body.len(), seen(&bench).ends), (0, 0));
    // Nor if there is none in its place; the next request is another matter.
    bench.actions();
    bench.client(GET);
    bench.actions();
    bench.handle(Event::UpstreamRefused(Refusal::NoBackend));
    assert!(bench.actions().contains(&Action::Connect { fresh: false }));
    bench.handle(Event::UpstreamRefused(Refusal::NoBackend));
    assert_eq!(bench.page().status, 503);
}

/// The time for the exchange is over: what is there can be sent all the same.
#[test]
fn a_late_answer_is_replaced() {
    let mut bench = tapped(GET, &[504]);
    bench.settings.exchange_timeout = Duration::from_secs(3);
    bench.connect(false);
    bench.pass(Duration::from_secs(3));
    assert_eq!(
        bench.actions(),
        [
            Action::Release { reuse: false },
            Action::Connect { fresh: false }
        ]
    );
    assert_eq!(bench.verdict(), Verdict::Error);
    bench.handle(Event::UpstreamReady { reused: false });
    bench.send();
    bench.pass(Duration::from_secs(1));
    bench.backend(OK);
    assert_eq!(bench.answer(false).status, 200);
    let outcome = bench.outcome();
    assert_eq!((&outcome.ending, outcome.overran), (b"--", false));
    assert_eq!(bench.verdict(), Verdict::Good, "who has brought it");
}

/// What was not asked of any backend has no answer that could be replaced.
#[test]
fn pages_of_ours_are_not_replaced() {
    let mut bench = Bench::new();
    bench.name = "own";
    bench.tap = Some(Recorder {
        replaces: vec![508],
        ..Recorder::default()
    });
    bench.client(b"GET / HTTP/1.1\r\nHost: h\r\nVia: 1.1 own\r\n\r\n");
    assert_eq!(bench.page().status, 508);
}
