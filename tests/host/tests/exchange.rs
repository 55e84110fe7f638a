// SPDX-License-Identifier: GPL-2.0

//! One exchange at a time: what is answered, what is kept, when time is up.

mod behind;
mod bench;
mod conversations;
mod endings;
mod framed;
mod hops;
mod pages;
mod retries;
mod reviewed;
mod taps;
mod timeouts;
mod uploads;

use crate::exchange::{Action, Event, Phase, Refusal};
use crate::http::Status;
use bench::{Bench, GET};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn a_request_goes_there_and_its_answer_comes_back() {
    let mut bench = Bench::new();
    bench.client(b"GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n");
    assert_eq!(bench.actions(), [Action::Connect { fresh: false }]);
    assert_eq!(bench.phase(), Phase::Route);
    bench.handle(Event::UpstreamReady { reused: false });
    assert_eq!(
        bench.requested(),
        b"GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"
    );
    bench.backend(OK);
    assert_eq!(bench.actions(), [Action::Release { reuse: true }]);
    assert_eq!(bench.answered(), OK);
    bench.assert_finished(200, false);
    assert_eq!(bench.phase(), Phase::Idle);
    assert_eq!(bench.buffered(), 0);
}

/// Each of these is answered with a page of its status, and the connection ends: where the next
/// request would begin is not known.
#[test]
fn a_violation_is_answered_and_ends_the_connection() {
    let long = "x".repeat(20_000);
    let cases: &[(u16, String)] = &[
        (400, "GET / HTTP/1.1\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\nHost: h\n\n".into()),
        (400, "GET  / HTTP/1.1\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n".into()),
        (
            400,
            "GET / HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n".into(),
        ),
        (400, "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n".into()),
        (
            400,
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n".into(),
        ),
        (
            400,
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
        ),
        (414, format!("GET /{long} HTTP/1.1\r\n")),
        (
            431,
            format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"),
        ),
        (
            431,
            format!(
                "GET / HTTP/1.1\r\nHost: h\r\n{}\r\n",
                "A: b\r\n".repeat(200)
            ),
        ),
        (501, "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        (
            501,
            "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n".into(),
        ),
        (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into()),
        (505, "GET /\r\n".into()),
    ];
    for (status, text) in cases {
        let mut bench = Bench::new();
        bench.client(text.as_bytes());
        let page = bench.page();
        assert_eq!(page.status, *status, "{text}");
        assert!(page.closes(), "{text}");
        bench.assert_finished(*status, true);
        assert_eq!(bench.actions(), [Action::ShutdownClient], "{text}");
        assert_eq!(bench.phase(), Phase::Linger);
    }
}

/// Of a request that is answered with a page, the body is skipped if it is all there; else the
/// connection ends.
#[test]
fn a_page_ends_the_connection_unless_the_request_is_whole() {
    let cases: &[(&[u8], bool)] = &[
        (b"DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", true),
        (
            b"DELETE / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            false,
        ),
        (b"DELETE / HTTP/1.0\r\n\r\n", false),
        (b"DELETE / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /",
            true,
        ),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nGET /",
            false,
        ),
        (
            b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
            true,
        ),
        (
            b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /",
            false,
        ),
    ];
    for (text, keeps) in cases {
        let mut bench = Bench::new();
        bench.client(text);
        bench.actions();
        bench.handle(Event::UpstreamRefused(Refusal::NoBackend));
        let page = bench.page();
        assert_eq!(
            (page.status, !page.closes()),
            (503, *keeps),
            "{}",
            text.escape_ascii()
        );
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
        let phase = if *keeps { Phase::Idle } else { Phase::Linger };
        assert_eq!(bench.phase(), phase, "{}", text.escape_ascii());
        // What looked like a request in the body of one never becomes one.
        bench.client(b"GET /poison HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(bench.phase() == Phase::Route, *keeps);
    }
}

#[test]
fn no_backend_is_502_or_503_and_the_connection_goes_on() {
    let cases = [
        (Refusal::Unreachable, 502),
        (Refusal::NoBackend, 503),
        (Refusal::NoMemory, 503),
    ];
    for (refusal, status) in cases {
        let mut bench = Bench::new();
        bench.client(GET);
        bench.actions();
        bench.handle(Event::UpstreamRefused(refusal));
        if refusal == Refusal::Unreachable {
            bench.nobody_else();
        }
        let page = bench.page();
        assert_eq!((page.status, page.closes()), (status, false));
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
        assert_eq!(bench.phase(), Phase::Idle);
    }
}

/// A backend that does not speak HTTP as it should gets no second word.
#[test]
fn a_bad_answer_is_502() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let cases: &[&[u8]] = &[
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        long.as_bytes(),
    ];
    for text in cases {
        let mut bench = Bench::connected(GET);
        bench.backend(text);
        let page = bench.page();
        assert_eq!(
            (page.status, page.closes()),
            (502, false),
            "{}",
            text.escape_ascii()
        );
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    }
}

#[test]
fn a_backend_that_goes_before_it_answers_is_502() {
    for event in [Event::UpstreamEof, Event::UpstreamLost] {
        for sent in [&b""[..], b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n"] {
            let mut bench = Bench::connected(GET);
            bench.backend(sent);
            bench.handle(event);
            if sent.is_empty() {
                bench.nobody_else();
            }
            assert_eq!(bench.page().status, 502);
            assert_eq!(bench.actions()[0], Action::Release { reuse: false });
        }
    }
}

/// A body that is cut short must not look whole.
#[test]
fn a_cut_body_is_seen_to_be_cut() {
    let cases: &[(&[u8], Event)] = &[
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            Event::UpstreamEof,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
            Event::UpstreamLost,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf",
            Event::UpstreamEof,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            Event::UpstreamEof,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
            Event::UpstreamEof,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf!",
            Event::Tick,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            Event::Tick,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nhalf", Event::UpstreamLost),
    ];
    for (text, event) in cases {
        let mut bench = Bench::connected(GET);
        bench.backend(text);
        bench.take();
        bench.handle(*event);
        bench.take();
        assert_eq!(
            bench.answer(false).end,
            bench::End::Cut,
            "{}",
            text.escape_ascii()
        );
        let actions = bench.actions();
        assert_eq!(actions[0], Action::Release { reuse: false });
        assert!(matches!(actions[1], Action::Finish(outcome) if outcome.aborted));
        assert_eq!(actions[2], Action::ShutdownClient);
    }
}

/// An HTTP/1.0 client knows the end of the connection only: it has to be a reset.
#[test]
fn a_cut_body_that_ends_with_the_connection_is_reset() {
    let request = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let cases: &[(&[u8], Event)] = &[
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf",
            Event::UpstreamEof,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nhalf", Event::UpstreamLost),
    ];
    for (text, event) in cases {
        let mut bench = Bench::connected(request);
        bench.backend(text);
        bench.take();
        bench.handle(*event);
        let actions = bench.actions();
        assert_eq!(actions.last(), Some(&Action::CloseClient { abort: true }));
    }
}

#[test]
fn requests_in_a_row_are_answered_in_a_row() {
    let mut bench = Bench::new();
    let requests = b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3";
    bench.client(requests);
    for number in 1..=2 {
        bench.connect(number == 2);
        let request = format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(bench.requested(), request.as_bytes());
        bench.backend(OK);
        assert_eq!(bench.actions(), [Action::Release { reuse: true }]);
        assert_eq!(bench.answered(), OK);
        bench.assert_finished(200, false);
    }
    assert_eq!(bench.phase(), Phase::Head);
    bench.client(b" HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(bench.actions(), [Action::Connect { fresh: false }]);
}

/// FIN behind requests that are here, whole, does not take their answers away.
#[test]
fn an_end_behind_requests_leaves_them_their_answers() {
    let two = [GET, GET].concat();
    for part in [&b""[..], b"GET /part"] {
        let mut bench = Bench::new();
        bench.client(&[&two, part].concat());
        bench.connect(false);
        bench.backend(OK);
        bench.actions();
        // The end may be read before the first exchange was reported.
        bench.take();
        assert!(bench.reads_client());
        bench.handle(Event::ClientEof);
        assert!(!bench.reads_client());
        bench.assert_finished(200, false);
        bench.connect(true);
        bench.backend(OK);
        bench.take();
        let actions = bench.actions();
        assert_eq!(actions[0], Action::Release { reuse: true });
        assert!(matches!(actions[1..], [Action::Finish(_)]));
        let mut actions = bench.actions();
        // What was begun is told of too.
        let told = actions.len() > 1;
        assert_eq!(told, !part.is_empty());
        assert_eq!(actions.pop(), Some(Action::CloseClient { abort: false }));
        assert_eq!(bench.answered(), [OK, OK].concat());
    }
}

#[test]
fn a_client_that_leaves_takes_its_backend_connection_with_it() {
    let mut bench = Bench::connected(GET);
    bench.handle(Event::ClientLost);
    let actions = bench.actions();
    assert_eq!(actions[0], Action::Release { reuse: false });
    assert!(matches!(actions[1], Action::Finish(outcome) if outcome.status.is_none()));
    assert_eq!(actions[2..], [Action::CloseClient { abort: true }]);
    // Nothing comes after this, whatever happens.
    for event in [Event::ClientData, Event::UpstreamEof, Event::Tick] {
        bench.handle(event);
        assert_eq!(bench.actions(), []);
    }
}

/// A wish that nobody has heard of is not released.
#[test]
fn a_connection_that_was_not_asked_for_is_not_released() {
    let mut bench = Bench::new();
    bench.client(GET);
    bench.handle(Event::ClientLost);
    let actions = bench.actions();
    assert!(matches!(actions[0], Action::Finish(_)), "{actions:?}");
    assert_eq!(actions[1..], [Action::CloseClient { abort: true }]);
}

/// What the backend has said beyond its answer would be taken for the next one.
#[test]
fn a_connection_with_something_left_on_it_is_not_kept() {
    let cases: &[(&[u8], bool)] = &[
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!", false),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n",
            false,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
            false,
        ),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
            true,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            true,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\r\n",
            false,
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", true),
        (b"HTTP/1.1 204 No Content\r\n\r\nhi", false),
        (
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            true,
        ),
    ];
    for (text, reuse) in cases {
        let mut bench = Bench::connected(GET);
        bench.backend(text);
        bench.take();
        assert_eq!(
            bench.actions()[0],
            Action::Release { reuse: *reuse },
            "{}",
            text.escape_ascii()
        );
    }
}

/// An answer to a request that the backend has not read to its end.
#[test]
fn a_connection_with_a_request_half_sent_is_not_kept() {
    let mut bench = Bench::new();
    bench.client(GET);
    bench.actions();
    bench.handle(Event::UpstreamReady { reused: false });
    bench.backend(OK);
    assert_eq!(bench.actions(), [Action::Release { reuse: false }]);
}

#[test]
fn what_comes_after_the_last_answer_is_thrown_away() {
    let mut bench = Bench::new();
    bench.client(b"nonsense\r\n\r\n");
    bench.take();
    bench.actions();
    assert_eq!(bench.phase(), Phase::Linger);
    for _ in 0..100 {
        bench.client(&[b'x'; 4096]);
        assert_eq!(bench.phase(), Phase::Linger);
        assert_eq!(bench.actions(), []);
    }
    bench.handle(Event::ClientEof);
    assert_eq!(bench.actions(), [Action::CloseClient { abort: false }]);
}

/// 1xx responses go to those who understand them: a backend that is at work for an hour may say so
/// each 20 s. Only one gone mad sends more than a thousand.
#[test]
fn interim_responses_are_relayed_before_the_answer() {
    let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for (version, count, status) in [("1.1", 1000, 200), ("1.0", 1000, 200), ("1.1", 1001, 502)] {
        let mut bench =
            Bench::connected(format!("GET / HTTP/{version}\r\nHost: h\r\n\r\n").as_bytes());
        bench.backend(&[hint.repeat(count).as_slice(), OK].concat());
        bench.take();
        let answer = bench.answered().to_vec();
        let hints = if version == "1.1" { count.min(1000) } else { 0 };
        let rest = answer
            .strip_prefix(hint.repeat(hints).as_slice())
            .expect("hints");
        let start = format!("HTTP/1.1 {status} ");
        assert!(
            rest.starts_with(start.as_bytes()),
            "{}",
            rest.escape_ascii()
        );
    }
}

/// A page that follows a 1xx response on its way must not push it out.
#[test]
fn a_page_follows_what_is_left_of_an_interim_response() {
    let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for cut in 0..=hint.len() {
        let mut bench = Bench::connected(GET);
        bench.backend(hint);
        bench.take_some(cut);
        bench.handle(Event::UpstreamLost);
        bench.take();
        let text = bench.answered();
        let page = text
            .strip_prefix(hint.as_slice())
            .expect("the whole of the 103");
        assert!(
            page.starts_with(b"HTTP/1.1 502 "),
            "{}",
            text.escape_ascii()
        );
    }
}

/// The answer behind a 1xx response that the client is slow to take is waited for, not lost.
#[test]
fn a_slow_client_holds_up_what_follows_an_interim_response() {
    let mut bench = Bench::connected(GET);
    bench.backend(b"HTTP/1.1 103 Early Hints\r\n\r\n");
    assert!(!bench.reads_upstream());
    bench.take_some(3);
    assert!(!bench.reads_upstream());
    bench.take();
    assert!(bench.reads_upstream());
}

#[test]
fn a_body_is_not_read_ahead_of_the_client() {
    let mut bench = Bench::connected(GET);
    bench.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
    assert!(bench.reads_upstream());
    bench.backend(b"some");
    assert!(!bench.reads_upstream());
    bench.take();
    assert!(bench.reads_upstream());
}

/// Heads of many fields grow when each gets a space after its colon.
#[test]
fn a_head_without_spaces_fits_when_it_has_got_them() {
    let lines = "a:b\r\n".repeat(990);
    let mut bench = Bench::new();
    bench.settings.header_fields = 1000;
    bench.client(format!("GET / HTTP/1.1\r\nHost:h\r\n{lines}\r\n").as_bytes());
    bench.connect(false);
    let start = b"GET / HTTP/1.1\r\nHost: h\r\n".len();
    assert_eq!(bench.requested().len(), start + 990 * b"a: b\r\n".len() + 2);
    bench.backend(format!("HTTP/1.1 200\r\nContent-Length:0\r\n{lines}\r\n").as_bytes());
    assert!(bench.answered().starts_with(b"HTTP/1.1 200 \r\na: b\r\n"));
    assert_eq!(bench.actions()[0], Action::Release { reuse: true });
}

/// Memory that is not there makes a page or ends the connection, at the latest when time is up.
#[test]
fn without_memory_there_is_a_page_or_an_end() {
    let mut seen = Vec::new();
    for spared in 0..9 {
        let mut bench = Bench::new();
        bench.spare(spared);
        bench.client(GET);
        if bench.phase() == Phase::Route {
            bench.actions();
            bench.handle(Event::UpstreamReady { reused: false });
            bench.send();
            bench.backend(OK);
        }
        let answer = bench.answered();
        let mut actions = bench.actions();
        while actions.last() != Some(&Action::CloseClient { abort: false })
            && actions.last() != Some(&Action::CloseClient { abort: true })
        {
            bench.pass(bench.deadline() - bench.now);
            actions.extend(bench.actions());
        }
        assert!(
            answer.is_empty() || answer == OK,
            "{}",
            answer.escape_ascii()
        );
        seen.push(answer == OK);
    }
    // One of them is for what the log remembers, which is no reason to end.
    assert_eq!(seen[..5], [false; 5]);
    assert_eq!(seen[5..], [true; 4]);
}
