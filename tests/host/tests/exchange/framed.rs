// SPDX-License-Identifier: GPL-2.0

//! Exchanges with backends that speak HMUX or srun: the client must not notice.

mod endings;
mod random;
mod uploads;

use super::bench::{quiet, Bench, End};
use crate::config::{Forwarding, Protocol, Settings};
use crate::exchange::{Action, Event, Phase};
use crate::frames_grammar::{frame, told, Told};
use crate::simulation::reference::{self, After, Response};
use crate::srun::Wire;

const BOTH: [Wire; 2] = [Wire::Hmux, Wire::Srun];

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const CHUNKED: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A bench whose backend speaks this.
fn bench(wire: Wire) -> Bench {
    let mut bench = Bench::new();
    bench.ends.protocol = match wire {
        Wire::Hmux => Protocol::Hmux,
        Wire::Srun => Protocol::Srun,
    };
    bench
}

/// A request that has gone out to a new backend connection.
fn connected(wire: Wire, request: &[u8]) -> Bench {
    let mut bench = bench(wire);
    bench.client(request);
    bench.connect(false);
    bench
}

/// One frame. `code` is HMUX's.
fn put(wire: Wire, code: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    match (wire, code) {
        (Wire::Hmux, b'Q' | b'X' | b'Y') => vec![code],
        (Wire::Hmux, b'A' | b'C') => vec![code, 0, 0],
        (Wire::Hmux, _) => [&[code][..], &length[2..], payload].concat(),
        (Wire::Srun, _) => {
            let code = match code {
                b's' => b'S',
                b'S' => b'V',
                b'f' => b'F',
                b'Q' => b'Z',
                same => same,
            };
            [&[code][..], &length[1..], payload].concat()
        }
    }
}

/// A response: its status, lines of fields, pieces of its content and how it ends.
fn answer(wire: Wire, status: &str, fields: &str, content: &[&str], end: u8) -> Vec<u8> {
    let status = match wire {
        Wire::Hmux => status.to_owned(),
        Wire::Srun => format!("HTTP/1.1 {status}"),
    };
    let mut frames = put(wire, b's', status.as_bytes());
    for line in fields.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        frames.extend(put(wire, b'H', name.as_bytes()));
        frames.extend(put(wire, b'S', value.as_bytes()));
    }
    frames.extend(put(wire, b'G', b""));
    for piece in content {
        frames.extend(put(wire, b'D', piece.as_bytes()));
    }
    frames.extend(put(wire, end, b""));
    frames
}

fn hello(wire: Wire) -> Vec<u8> {
    answer(wire, "200 OK", "Content-Length: 5", &["hello"], b'Q')
}

/// The client sends these octets while the backend takes what there is for it. Returns how many
/// were wanted.
fn feed(bench: &mut Bench, octets: &[u8]) -> usize {
    let mut fed = 0;
    loop {
        bench.send();
        match bench.client(&octets[fed..]) {
            0 => return fed,
            some => fed += some,
        }
    }
}

/// What the backend was sent.
fn request(wire: Wire, bench: &mut Bench) -> Told {
    let octets = bench.requested();
    let told = told(wire, &octets);
    assert_eq!(told.len, octets.len());
    told
}

struct Conversation {
    request: &'static str,
    answer: fn(Wire) -> Vec<u8>,
    /// What the client has to see: see `conversations`.
    seen: &'static str,
    body: &'static str,
    end: End,
    /// The backend's connection is kept.
    reuse: bool,
    /// The client's connection goes on.
    keeps: bool,
}

const GET11: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const GET10: &str = "GET /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n";
const HEAD11: &str = "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n";

const TABLE: &[Conversation] = &[
    Conversation {
        request: GET11,
        answer: |wire| {
            answer(
                wire,
                "200 OK",
                "A: b\nContent-Length: 5",
                &["he", "llo"],
                b'Q',
            )
        },
        seen: "200 A: b, Content-Length: 5",
        body: "hello",
        end: End::Framed,
        reuse: true,
        keeps: true,
    },
    // The backend does not say how long it is: chunks, or the end of the connection.
    Conversation {
        request: GET11,
        answer: |wire| answer(wire, "200 OK", "A: b", &["he", "", "llo"], b'Q'),
        seen: "200 A: b, Transfer-Encoding: chunked",
        body: "hello",
        end: End::Framed,
        reuse: true,
        keeps: true,
    },
    Conversation {
        request: GET10,
        answer: |wire| answer(wire, "200 OK", "A: b", &["hello"], b'Q'),
        seen: "200 A: b, Connection: close",
        body: "hello",
        end: End::Closed,
        reuse: true,
        keeps: false,
    },
    Conversation {
        request: GET11,
        answer: |wire| answer(wire, "200 OK", "", &[], b'Q'),
        seen: "200 Transfer-Encoding: chunked",
        body: "",
        end: End::Framed,
        reuse: true,
        keeps: true,
    },
    // The backend closes its connection, which is nothing to the client.
    Conversation {
        request: GET11,
        answer: |wire| answer(wire, "200 OK", "", &["hello"], b'X'),
        seen: "200 Transfer-Encoding: chunked",
        body: "hello",
        end: End::Framed,
        reuse: false,
        keeps: true,
    },
    // What a servlet says of connections is not about one of ours.
    Conversation {
        request: GET11,
        answer: |wire| {
            let fields = "Connection: close\nContent-Length: 5\nTransfer-Encoding: chunked";
            answer(wire, "404 Not Found", fields, &["hello"], b'Q')
        },
        seen: "404 Content-Length: 5",
        body: "hello",
        end: End::Framed,
        reuse: true,
        keeps: true,
    },
    // The end of an answer without content is read too.
    Conversation {
        request: HEAD11,
        answer: |wire| answer(wire, "200 OK", "Content-Length: 12345", &[], b'Q'),
        seen: "200 Content-Length: 12345",
        body: "",
        end: End::Framed,
        reuse: true,
        keeps: true,
    },
    Conversation {
        request: HEAD11,
        answer: |wire| answer(wire, "200 OK", "", &[], b'X'),
        seen: "200 ",
        body: "",
        end: End::Framed,
        reuse: false,
        keeps: true,
    },
    Conversation {
        request: GET11,
        answer: |wire| {
            answer(
                wire,
                "304 Not Modified",
                "ETag: \"e\"\nContent-Length: 0",
                &[],
                b'Q',
            )
        },
        seen: "304 ETag: \"e\"",
        body: "",
        end: End::Framed,
        reuse: true,
        keeps: true,
    },
    Conversation {
        request: GET11,
        answer: |wire| answer(wire, "204 No Content", "Content-Length: 0", &[], b'Q'),
        seen: "204 ",
        body: "",
        end: End::Framed,
        reuse: true,
        keeps: true,
    },
    // Flushes, acknowledgements and unknown frames between all others.
    Conversation {
        request: GET11,
        answer: |wire| {
            let plain = answer(wire, "200 OK", "Content-Length: 5", &["he", "llo"], b'Q');
            let noise = [
                put(wire, b'f', b""),
                put(wire, b'A', b""),
                put(wire, b'K', b"old"),
                put(wire, b'z', b"QXZ"),
            ]
            .concat();
            let mut rest = &plain[..];
            let mut noisy = noise.clone();
            while let Some((code, _, len)) = frame(wire, rest) {
                noisy.extend(&rest[..len]);
                rest = &rest[len..];
                if code != b'H' && !rest.is_empty() {
                    noisy.extend(&noise);
                }
            }
            noisy
        },
        seen: "200 Content-Length: 5",
        body: "hello",
        end: End::Framed,
        reuse: true,
        keeps: true,
    },
];

fn talk(wire: Wire, conversation: &Conversation, pieces: &[&[u8]]) {
    let mut bench = connected(wire, conversation.request.as_bytes());
    let told = request(wire, &mut bench);
    let uri = if wire == Wire::Hmux { b'U' } else { b'o' };
    assert_eq!(told.fact(uri), Some(&b"/a"[..]));
    for piece in pieces {
        bench.backend(piece);
    }
    bench.take();
    let actions = bench.actions();
    let octets = bench.answered();
    let lasts = actions.last() != Some(&Action::ShutdownClient);
    let release = Action::Release {
        reuse: conversation.reuse,
    };
    assert_eq!((actions[0], lasts), (release, conversation.keeps));
    let to_head = conversation.request.starts_with("HEAD");
    let response = reference::response(&octets, to_head, After::Fin).expect("a response");
    assert_eq!(response.len, octets.len());
    assert_eq!(described(&response), conversation.seen);
    let body = String::from_utf8_lossy(&response.body);
    assert_eq!(
        (body.as_ref(), response.end),
        (conversation.body, conversation.end)
    );
}

fn described(response: &Response) -> String {
    let fields = response
        .fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    let fields = fields.collect::<Vec<_>>().join(", ");
    format!("{} {fields}", response.status)
}

#[test]
fn conversations_cut_at_every_octet() {
    for wire in BOTH {
        for conversation in TABLE {
            let answer = (conversation.answer)(wire);
            for at in 0..answer.len() {
                let (front, back) = answer.split_at(at);
                talk(wire, conversation, &[front, back]);
            }
            talk(wire, conversation, &answer.chunks(1).collect::<Vec<_>>());
        }
    }
}

#[test]
fn requests_in_a_row_go_over_one_connection() {
    for wire in BOTH {
        let mut bench = bench(wire);
        bench.client(&GET.repeat(3));
        for number in 0..3 {
            bench.connect(number > 0);
            request(wire, &mut bench);
            bench.backend(&hello(wire));
            assert!(bench.answered().ends_with(b"\r\n\r\nhello"));
            let actions = bench.actions();
            assert_eq!(actions[0], Action::Release { reuse: true });
            assert!(matches!(actions[1], Action::Finish(outcome) if !outcome.aborted));
        }
    }
}

#[test]
fn a_backend_is_told_who_asks() {
    for wire in BOTH {
        let mut bench = bench(wire);
        bench
            .settings
            .apply(b"trusted-proxies 192.0.2.0/24")
            .unwrap();
        bench.settings.x_forwarded_proto = Forwarding::Append;
        bench.client(b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: https\r\n\r\n");
        bench.connect(false);
        let told = request(wire, &mut bench);
        assert_eq!(told.fact(b'i'), Some(&b"192.0.2.1"[..]));
        assert_eq!(told.fact(b'j'), Some(&b"4711"[..]));
        assert_eq!(told.fact(b'r'), Some(&b""[..]));
        // Not everybody may say that.
        bench.settings.apply(b"trusted-proxies 10.0.0.0/8").unwrap();
        bench.backend(&hello(wire));
        bench.take();
        bench.actions();
        for policy in [Forwarding::Append, Forwarding::Off, Forwarding::Replace] {
            bench.settings.x_forwarded_proto = policy;
            bench.client(b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: https\r\n\r\n");
            bench.connect(true);
            assert_eq!(request(wire, &mut bench).fact(b'r'), None);
            bench.backend(&hello(wire));
            bench.take();
            bench.actions();
        }
    }
}

/// A backend that does not speak as it should gets no second word.
#[test]
fn a_bad_answer_is_502() {
    for wire in BOTH {
        let long = "x".repeat(20_000);
        let cases = [
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(),
            put(wire, b'Q', b""),
            [put(wire, b's', b"200 OK"), put(wire, b'X', b"")].concat(),
            put(wire, b'D', b"x"),
            answer(wire, "2000 OK", "", &[], b'Q'),
            answer(wire, "OK", "", &[], b'Q'),
            answer(wire, "100 Continue", "", &[], b'Q'),
            answer(wire, "101 Switching Protocols", "", &[], b'Q'),
            answer(
                wire,
                "200 OK",
                "Content-Length: 1\nContent-Length: 1",
                &["a"],
                b'Q',
            ),
            answer(wire, "200 OK", "Content-Length: x", &["a"], b'Q'),
            answer(wire, "200 OK", "A: b\0", &["a"], b'Q'),
            answer(wire, "200 OK\rX: y", "", &[], b'Q'),
            answer(wire, "200 OK", &format!("A: {long}"), &[], b'Q'),
        ];
        for text in cases {
            let mut bench = connected(wire, GET);
            bench.backend(&text);
            if bench.phase() == Phase::Wait {
                bench.handle(Event::UpstreamEof);
            }
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
}

/// A body that is cut short must not look whole.
#[test]
fn a_cut_body_is_seen_to_be_cut() {
    for wire in BOTH {
        for fields in ["Content-Length: 9", ""] {
            let half = answer(wire, "200 OK", fields, &["half"], b'f');
            for event in [Event::UpstreamEof, Event::UpstreamLost] {
                for cut in [0, 1, 2, 5] {
                    let mut bench = connected(wire, GET);
                    bench.backend(&half[..half.len() - cut]);
                    bench.take();
                    bench.handle(event);
                    assert_eq!(bench.answer(false).end, End::Cut);
                    assert_eq!(bench.actions()[0], Action::Release { reuse: false });
                    assert_eq!(bench.phase(), Phase::Linger);
                }
            }
        }
        let mut bench = connected(wire, GET);
        let short = answer(wire, "200 OK", "Content-Length: 9", &["half"], b'Q');
        bench.backend(&short);
        assert_eq!(bench.answer(false).end, End::Cut);
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    }
}

/// What the backend has said beyond its answer would be taken for the next one.
#[test]
fn a_connection_with_something_left_on_it_is_not_kept() {
    for wire in BOTH {
        let mut bench = connected(wire, GET);
        bench.backend(&[hello(wire), hello(wire)].concat());
        bench.take();
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
    }
}

#[test]
fn an_upgrade_is_501_and_costs_no_connection() {
    let text = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for wire in BOTH {
        let mut bench = bench(wire);
        bench.client(text);
        bench.connect(true);
        assert_eq!(bench.requested(), b"");
        let page = bench.page();
        assert_eq!((page.status, page.closes()), (501, false));
        assert_eq!(bench.actions()[0], Action::Release { reuse: true });
        assert_eq!(bench.phase(), Phase::Idle);
    }
    // Nobody has to take h2c for more than a wish.
    let text = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let mut bench = connected(Wire::Hmux, text);
    assert_eq!(request(Wire::Hmux, &mut bench).fields.len(), 1);
}

#[test]
fn more_fields_than_the_wire_takes_are_431() {
    let head = |fields| {
        let lines = "a: b\r\n".repeat(fields);
        format!("GET /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n").into_bytes()
    };
    let told = |wire, settings: Settings, fields| {
        let mut bench = bench(wire);
        (bench.settings, bench.name) = (settings, "resin");
        bench.client(&head(fields));
        bench.connect(true);
        if bench.phase() == Phase::Wait {
            return Some(request(wire, &mut bench).fields.len());
        }
        assert_eq!(bench.page().status, 431);
        assert_eq!(bench.actions()[0], Action::Release { reuse: true });
        None
    };
    // Via is ours, and unless it is told otherwise who has asked, and how.
    assert_eq!(told(Wire::Hmux, quiet(), 62), Some(64));
    assert_eq!(told(Wire::Hmux, quiet(), 63), None);
    assert_eq!(told(Wire::Hmux, Settings::default(), 59), Some(64));
    assert_eq!(told(Wire::Hmux, Settings::default(), 60), None);
    assert_eq!(told(Wire::Srun, quiet(), 99), Some(101));
}

/// The same rules as for HTTP.
#[test]
fn a_request_is_sent_again_on_another_connection() {
    for wire in BOTH {
        let mut bench = bench(wire);
        bench.ends.upstream_acked = 1000;
        bench.client(GET);
        bench.connect(true);
        let first = bench.requested();
        bench.handle(Event::UpstreamEof);
        let again = [
            Action::Release { reuse: false },
            Action::Connect { fresh: true },
        ];
        assert_eq!(bench.actions(), again);
        bench.handle(Event::UpstreamReady { reused: false });
        assert_eq!(bench.requested(), first);
        bench.backend(&hello(wire));
        assert!(bench.answered().ends_with(b"hello"));

        // It has spoken.
        let mut bench = self::bench(wire);
        bench.client(GET);
        bench.connect(true);
        bench.backend(&put(wire, b'A', b""));
        bench.handle(Event::UpstreamEof);
        assert_eq!(bench.page().status, 502);
    }
}

/// Backends of a gateway may speak different protocols, and a second try may go to another one.
#[test]
fn a_second_try_may_be_in_another_protocol() {
    let text = [CHUNKED, b"5\r\nhello\r\n0\r\nA: b\r\n\r\n"].concat();
    let put = [b"PUT", &text[4..]].concat();
    let all = [Protocol::Http, Protocol::Hmux, Protocol::Srun];
    for first in all {
        for second in all {
            let mut bench = Bench::new();
            bench.ends.protocol = first;
            bench.client(&put);
            bench.connect(true);
            bench.requested();
            bench.handle(Event::UpstreamEof);
            bench.actions();
            bench.ends.protocol = second;
            bench.handle(Event::UpstreamReady { reused: false });
            match Wire::of(second) {
                None => {
                    let again = bench.requested();
                    assert!(again.ends_with(b"5\r\nhello\r\n0\r\nA: b\r\n\r\n"));
                    bench.backend(super::OK);
                }
                Some(wire) => {
                    assert_eq!(request(wire, &mut bench).content, b"hello");
                    bench.backend(&hello(wire));
                }
            }
            bench.take();
            assert_eq!(bench.actions()[0], Action::Release { reuse: true });
        }
    }
}
