// SPDX-License-Identifier: GPL-2.0

//! Conversations, and the same ones cut at every octet: however the octets of client and backend
//! come, the same goes out.

use super::bench::{Bench, End};
use crate::exchange::{Action, Event};
use crate::simulation::reference::{self, After, Response};

/// One request and its answer.
struct Conversation {
    request: &'static str,
    response: &'static str,
    /// The backend sends FIN behind it.
    ends: bool,
    /// What the client has to see: chunked bodies are taken apart, the fields of framing and
    /// connection stay.
    seen: &'static str,
    body: &'static str,
    end: End,
    /// The client's connection goes on.
    keeps: bool,
}

const GET11: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const HEAD11: &str = "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n";
const GET10: &str = "GET /a HTTP/1.0\r\nHost: h\r\n\r\n";
const KEEP10: &str = "GET /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n";
const CLOSE11: &str = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

const LENGTH: &str = "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\nTrailer: T\r\n\r\n\
                       2;x=\"y\"\r\nhe\r\n003\r\nllo\r\n0\r\nT: u\r\n\r\n";
const CLOSED: &str = "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\nhello";

const TABLE: &[Conversation] = &[
    Conversation {
        request: GET11,
        response: LENGTH,
        ends: false,
        seen: "200 A: b, Content-Length: 5",
        body: "hello",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: GET11,
        response: CHUNKED,
        ends: false,
        seen: "200 A: b, Trailer: T, Transfer-Encoding: chunked",
        body: "hello",
        end: End::Framed,
        keeps: true,
    },
    // What ends with the backend's connection is chunked for those who know that.
    Conversation {
        request: GET11,
        response: CLOSED,
        ends: true,
        seen: "200 A: b, Transfer-Encoding: chunked",
        body: "hello",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: GET11,
        response: "HTTP/1.0 200 OK\r\n\r\n",
        ends: true,
        seen: "200 Transfer-Encoding: chunked",
        body: "",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: GET11,
        response: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ends: false,
        seen: "200 Content-Length: 0",
        body: "",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: CLOSE11,
        response: LENGTH,
        ends: false,
        seen: "200 A: b, Content-Length: 5, Connection: close",
        body: "hello",
        end: End::Framed,
        keeps: false,
    },
    Conversation {
        request: GET10,
        response: LENGTH,
        ends: false,
        seen: "200 A: b, Content-Length: 5, Connection: close",
        body: "hello",
        end: End::Framed,
        keeps: false,
    },
    Conversation {
        request: KEEP10,
        response: LENGTH,
        ends: false,
        seen: "200 A: b, Content-Length: 5, Connection: keep-alive",
        body: "hello",
        end: End::Framed,
        keeps: true,
    },
    // An HTTP/1.0 client does not know chunks: the end of the connection ends the body.
    Conversation {
        request: KEEP10,
        response: CHUNKED,
        ends: false,
        seen: "200 A: b, Connection: close",
        body: "hello",
        end: End::Closed,
        keeps: false,
    },
    Conversation {
        request: KEEP10,
        response: CLOSED,
        ends: true,
        seen: "200 A: b, Connection: close",
        body: "hello",
        end: End::Closed,
        keeps: false,
    },
    Conversation {
        request: HEAD11,
        response: "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n",
        ends: false,
        seen: "200 Content-Length: 12345",
        body: "",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: HEAD11,
        response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ends: false,
        seen: "200 ",
        body: "",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: HEAD11,
        response: "HTTP/1.1 200 OK\r\n\r\n",
        ends: false,
        seen: "200 ",
        body: "",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: GET11,
        response: "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\nContent-Length: 12345\r\n\r\n",
        ends: false,
        seen: "304 ETag: \"e\", Content-Length: 12345",
        body: "",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: GET11,
        response: "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        ends: false,
        seen: "204 ",
        body: "",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: GET11,
        response: "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hint\r\nL: m\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        ends: false,
        seen: "100 ; 103 L: m; 200 Content-Length: 1",
        body: "x",
        end: End::Framed,
        keeps: true,
    },
    Conversation {
        request: GET10,
        response: "HTTP/1.1 103 Hint\r\nL: m\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        ends: false,
        seen: "200 Content-Length: 1, Connection: close",
        body: "x",
        end: End::Framed,
        keeps: false,
    },
];

/// Runs a conversation whose octets come in pieces of two sizes.
fn talk(conversation: &Conversation, request: &[&[u8]], response: &[&[u8]]) {
    let mut bench = Bench::new();
    for piece in request {
        bench.client(piece);
    }
    bench.connect(false);
    let sent = bench.requested();
    let method = conversation.request.split(' ').next().unwrap_or("");
    assert_eq!(
        sent,
        format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()
    );
    for piece in response {
        bench.backend(piece);
    }
    if conversation.ends {
        bench.take();
        bench.handle(Event::UpstreamEof);
    }
    let octets = bench.answered();
    let actions = bench.actions();
    let lasts = actions.last() != Some(&Action::ShutdownClient);
    let release = Action::Release {
        reuse: !conversation.ends,
    };
    assert_eq!((actions[0], lasts), (release, conversation.keeps));
    assert_seen(conversation, &octets, method == "HEAD");
}

fn assert_seen(conversation: &Conversation, octets: &[u8], to_head: bool) {
    let mut seen = Vec::new();
    let mut rest = octets;
    let last = loop {
        let response = reference::response(rest, to_head, After::Fin).expect("a response");
        rest = &rest[response.len..];
        seen.push(described(&response));
        if response.status >= 200 {
            break response;
        }
    };
    assert_eq!(rest, b"");
    assert_eq!(seen.join("; "), conversation.seen);
    let body = String::from_utf8_lossy(&last.body);
    assert_eq!(
        (body.as_ref(), last.end),
        (conversation.body, conversation.end),
        "{}",
        octets.escape_ascii()
    );
}

fn described(response: &Response) -> String {
    let fields = response
        .fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    format!(
        "{} {}",
        response.status,
        fields.collect::<Vec<_>>().join(", ")
    )
}

#[test]
fn conversations_in_one_piece() {
    for conversation in TABLE {
        let request = conversation.request.as_bytes();
        talk(
            conversation,
            &[request],
            &[conversation.response.as_bytes()],
        );
    }
}

#[test]
fn conversations_cut_at_every_octet() {
    for conversation in TABLE {
        let request = conversation.request.as_bytes();
        let response = conversation.response.as_bytes();
        for at in 1..request.len() {
            let (front, back) = request.split_at(at);
            talk(conversation, &[front, back], &[response]);
        }
        for at in 1..response.len() {
            let (front, back) = response.split_at(at);
            talk(conversation, &[request], &[front, back]);
        }
    }
}

#[test]
fn conversations_octet_by_octet() {
    for conversation in TABLE {
        let request: Vec<&[u8]> = conversation.request.as_bytes().chunks(1).collect();
        let response: Vec<&[u8]> = conversation.response.as_bytes().chunks(1).collect();
        talk(conversation, &request, &response);
    }
}

/// Two requests in one stream, cut anywhere: the second begins where the first ends.
#[test]
fn pipelined_requests_cut_at_every_octet() {
    let requests = b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: h\r\n\r\n";
    let answers: [&[u8]; 2] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    ];
    for at in 0..requests.len() {
        let (front, back) = requests.split_at(at);
        let mut bench = Bench::new();
        let mut late = back;
        bench.client(front);
        for answer in answers {
            // The client's other octets come as soon as they are wanted.
            if bench.reads_client() {
                bench.client(std::mem::take(&mut late));
            }
            bench.connect(false);
            bench.backend(answer);
            bench.take();
            bench.actions();
        }
        assert_eq!(bench.answered(), answers.concat(), "cut at {at}");
    }
}

/// An HTTP/1.0 request without Host is given the backend's name.
#[test]
fn a_request_without_host_gets_one() {
    let mut bench = Bench::new();
    bench.client(b"GET / HTTP/1.0\r\n\r\n");
    bench.connect(false);
    assert_eq!(
        bench.requested(),
        b"GET / HTTP/1.1\r\nHost: backend:1\r\n\r\n"
    );
}
