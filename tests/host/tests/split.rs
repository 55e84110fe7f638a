// SPDX-License-Identifier: GPL-2.0

//! Messages come in pieces: wherever they are cut, the same must be understood. Also that we
//! understand what httparse, an independent parser, understands.

use std::fmt::Debug;

use proptest::prelude::*;

use super::head::{request, response};
use crate::head_grammar::{parse_prefixes, Parser};
use crate::http::head::{parse_request, parse_response, Parse, Scan};
use crate::{chunked_grammar, head_grammar};

/// Whole requests, good and bad.
const REQUESTS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "\r\n\r\nGET /a?b=c HTTP/1.1\r\nHost: www.example.org:81\r\nAccept: */*\r\n\r\nGET",
    "POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "POST /f HTTP/1.1\r\nhost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close, x-a\r\nX-A: \t 1 \t\r\n\r\n",
    "HEAD http://a/b HTTP/1.0\r\nConnection: Keep-Alive\r\nKeep-Alive: 5\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nobs: \u{e4}\u{f6}\r\nempty:\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET /\r\n",
    "GET / HTTP/1.1\nHost: h\n\n",
    "GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
];

/// Whole responses, good and bad.
const RESPONSES: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 304\r\nETag: \"x\"\r\n\r\n",
    "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nDate: x\r\n\r\n",
    "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nTrailer: a\r\n\r\n0\r\na: b\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
    "HTTP/1.1 2 OK\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
];

/// Chunked bodies, good and bad.
const CHUNKED: &[&str] = &[
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\nGET /",
    "a\r\n0123456789\r\nB\r\n0123456789a\r\n000\r\nA: b\r\nC:\r\n\r\n",
    "1;a;b=c;d = \"\\\"e;\\\r\n\" \r\nx\r\n0\r\n\r\n",
    "1 ; a = \"q\\\"\" ;b\r\nx\r\n0;x\r\n\r\n",
    "1\nx\n0\n\n",
    "1\r\nxy\r\n0\r\n\r\n",
    "-1\r\nx\r\n0\r\n\r\n",
    "0x1\r\nx\r\n0\r\n\r\n",
    "1 \r\nx\r\n0\r\n\r\n",
    "8000000000000000\r\nx",
    "7fffffffffffffff\r\nx",
    "00000000000000001\r\nx\r\n0\r\n\r\n",
    "0\r\nA b: c\r\n\r\n",
    "0\r\n A: b\r\n\r\n",
    "0\r\nA: b\n\r\n",
    "0\r\n\rX",
];

#[test]
fn every_cut_of_every_message_is_understood_alike() {
    for text in REQUESTS.iter().chain(RESPONSES).chain(CHUNKED) {
        let text = text.as_bytes();
        head_grammar::check(text);
        chunked_grammar::check(text);
        assert_heads_alike(text, parse_request);
        assert_heads_alike(text, parse_response);
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let ends = [first, second, text.len()];
                assert_eq!(
                    chunked_grammar::decode(text, ends),
                    chunked_grammar::decode(text, [text.len()]),
                );
            }
        }
    }
}

/// In three pieces, cut wherever three pieces can be cut. The LF at the end brings a
/// fault of the last line to light, however it was cut.
fn assert_heads_alike<H: PartialEq + Debug>(text: &[u8], parse: Parser<H>) {
    let text = [text, b"\n"].concat();
    let whole = parse_prefixes(&text, [text.len()], parse);
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let ends = [first, second, text.len()];
            assert_eq!(parse_prefixes(&text, ends, parse), whole);
        }
    }
}

#[test]
fn no_message_is_understood_before_its_end() {
    for text in REQUESTS {
        if let Ok(Parse::Complete(head)) = request(text.as_bytes()) {
            for end in 0..head.len {
                assert_eq!(request(&text.as_bytes()[..end]), Ok(Parse::Partial));
            }
        }
    }
    for text in RESPONSES {
        if let Ok(Parse::Complete(head)) = response(text.as_bytes()) {
            for end in 0..head.len {
                assert_eq!(response(&text.as_bytes()[..end]), Ok(Parse::Partial));
            }
        }
    }
}

#[test]
fn a_scan_starts_over_after_each_message() {
    let mut scan = Scan::new();
    let text = b"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n";
    for _ in 0..3 {
        for end in 0..text.len() {
            let partial = parse_request(&text[..end], &mut scan, &head_grammar::LIMITS);
            assert_eq!(partial, Ok(Parse::Partial));
        }
        let whole = parse_request(text, &mut scan, &head_grammar::LIMITS);
        assert_eq!(whole, request(text));
    }
    assert!(parse_request(b"GET /a\n", &mut scan, &head_grammar::LIMITS).is_err());
    assert_eq!(
        parse_request(text, &mut scan, &head_grammar::LIMITS),
        request(text)
    );
    let whole = parse_response(RESPONSES[0].as_bytes(), &mut scan, &head_grammar::LIMITS);
    assert_eq!(whole, response(RESPONSES[0].as_bytes()));
}

/// A head that comes octet by octet is read once: 32 times the octets take 32 times the work, not
/// 1,024 times. Counted by the clock, with a wide margin.
#[test]
fn reading_octet_by_octet_is_linear() {
    use std::time::Instant;
    let feed = |len: usize| {
        let limits = crate::http::Limits {
            head: len,
            fields: 1,
            target: len,
        };
        let text = [b"GET / HTTP/1.1\r\na: ".as_slice(), &vec![b'x'; len]].concat();
        let start = Instant::now();
        let mut scan = Scan::new();
        for end in 0..len {
            assert_eq!(
                parse_request(&text[..end], &mut scan, &limits),
                Ok(Parse::Partial)
            );
        }
        start.elapsed()
    };
    let best = |len| (0..5).map(|_| feed(len)).min().unwrap();
    let (short, long) = (best(8 << 10), best(256 << 10));
    assert!(
        long < short * 32 * 8,
        "{short:?} for 8 KiB, {long:?} for 256 KiB"
    );
}

/// What httparse takes and we refuse, and why: anything else that we refuse it refuses as well.
#[test]
fn where_we_are_stricter_than_httparse() {
    for (text, reason) in [
        // RFC 9112 section 2.2 lets a recipient take a bare LF for a line end. Not all do.
        ("GET / HTTP/1.1\nHost: h\r\n\r\n", "bare LF"),
        ("GET / HTTP/1.1\r\nHost: h\n\r\n", "bare LF"),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", "bare LF"),
        ("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "bare LF"),
        // RFC 3986: no fragment in a target, no octets beyond ASCII.
        (
            "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n",
            "bad octet in the request target",
        ),
        (
            "GET /\u{e4} HTTP/1.1\r\nHost: h\r\n\r\n",
            "bad octet in the request target",
        ),
        // What the target and the fields mean is not httparse's business.
        ("GET a HTTP/1.1\r\nHost: h\r\n\r\n", "bad request target"),
        (
            "CONNECT a:1 HTTP/1.1\r\nHost: h\r\n\r\n",
            "CONNECT is not offered",
        ),
        ("GET / HTTP/1.1\r\n\r\n", "no Host field"),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
            "more than one Host",
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
            "bad Content-Length",
        ),
        // "At least one" empty line before the request is a few, not any number.
        (
            "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "bad octet in the method",
        ),
    ] {
        let mut slots = [httparse::EMPTY_HEADER; 8];
        let theirs = httparse::Request::new(&mut slots).parse(text.as_bytes());
        assert_eq!(
            theirs,
            Ok(httparse::Status::Complete(text.len())),
            "for {text:?}"
        );
        let violation = request(text.as_bytes()).unwrap_err();
        assert_eq!(violation.reason, reason, "for {text:?}");
    }
}

/// Words that heads and chunked bodies are made of: put together at random they come much nearer
/// to messages than random octets do.
const WORDS: &[&str] = &[
    "GET",
    "POST",
    "OPTIONS",
    " ",
    " ",
    " ",
    "/",
    "*",
    "http://h",
    "/a?b",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/2.0",
    "\r\n",
    "\r\n",
    "\r\n",
    "\r",
    "\n",
    "\t",
    "\0",
    ":",
    ": ",
    "Host",
    "Host: h\r\n",
    "Content-Length",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "chunked",
    "gzip",
    "Connection: ",
    "close",
    "upgrade",
    ",",
    "a",
    "0123456789abcdef",
    "\u{e4}",
    "200",
    " OK",
    "5",
    "0\r\n\r\n",
    "1\r\nx\r\n",
    "a\r\n0123456789\r\n",
    ";",
    "=",
    "\"",
    "\\",
];

fn words() -> impl Strategy<Value = Vec<u8>> {
    let word = proptest::sample::select(WORDS);
    proptest::collection::vec(word, 0..24).prop_map(|words| words.concat().into_bytes())
}

/// One of the messages above, with some octets replaced, removed or doubled.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let all = [REQUESTS, RESPONSES, CHUNKED].concat();
    let damage = (any::<proptest::sample::Index>(), 0..3, any::<u8>());
    let damages = proptest::collection::vec(damage, 1..4);
    (proptest::sample::select(all), damages).prop_map(|(text, damages)| {
        let mut text = text.as_bytes().to_vec();
        for (index, kind, octet) in damages {
            let at = index
                .index(text.len().max(1))
                .min(text.len().saturating_sub(1));
            match kind {
                _ if text.is_empty() => {}
                0 => text[at] = octet,
                1 => drop(text.remove(at)),
                _ => text.insert(at, text[at]),
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(super::cases(2000))]

    #[test]
    fn damaged_messages_are_judged_alike_in_pieces(text in damaged()) {
        head_grammar::check(&text);
        chunked_grammar::check(&text);
    }

    #[test]
    fn strung_words_are_judged_alike_in_pieces(text in words()) {
        head_grammar::check(&text);
        chunked_grammar::check(&text);
    }

    #[test]
    fn random_octets_are_judged_alike_in_pieces(text: Vec<u8>) {
        head_grammar::check(&text);
        chunked_grammar::check(&text);
    }

    #[test]
    fn any_good_request_is_read_as_it_was_written(
        method in "[A-Za-z!#$%&'*+.^_`|~-]{1,32}",
        target in "/[!\"$-~]{0,60}",
        names in proptest::collection::vec("[A-Za-z!#$%&'*+.^_`|~0-9-]{1,12}", 0..6),
        values in proptest::collection::vec("[!-~\u{80}-\u{ff}]([\t -~\u{80}-\u{ff}]{0,20}[!-~])?", 6),
    ) {
        prop_assume!(names.iter().all(|name| {
            crate::http::field::Name::of(name.as_bytes()) == crate::http::field::Name::Other
        }));
        prop_assume!(method != "CONNECT");
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n");
        for (name, value) in names.iter().zip(&values) {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let text = text.as_bytes();
        let head = super::head::good_request(text);
        prop_assert_eq!(head.method_span.of(text), method.as_bytes());
        prop_assert_eq!(head.target.of(text), target.as_bytes());
        let seen: Vec<_> = crate::http::field::fields(head.fields.of(text)).skip(1).collect();
        let written = names.iter().zip(&values);
        let written: Vec<_> = written.map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        prop_assert_eq!(seen, written);
        head_grammar::check(text);
    }
}
