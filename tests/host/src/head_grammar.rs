// SPDX-License-Identifier: GPL-2.0

//! What has to hold for every head that anybody may send: the body of the fuzz target
//! `head_grammar`.

use std::net::{IpAddr, Ipv4Addr};

use crate::bytes::Writer;
use crate::http::encode::{request_head, response_head, Delivery, Framing, Persist};
use crate::http::field::{fields, Name};
use crate::http::forward::{Forward, Treatment};
use crate::http::head::{
    parse_request, parse_response, BodyLength, Parse, RequestHead, ResponseHead, Scan,
};
use crate::http::{Limits, Version, Violation};

/// Limits that small inputs can reach.
pub(crate) const LIMITS: Limits = Limits {
    head: 1024,
    fields: 16,
    target: 256,
};

pub(crate) type Parsed<H> = Result<Parse<H>, Violation>;

/// A parser of heads, given all octets so far.
pub(crate) type Parser<H> = fn(&[u8], &mut Scan, &Limits) -> Parsed<H>;

/// Reads `text` as a request and as a response.
pub fn check(text: &[u8]) {
    let request = check_splits(text, parse_request);
    compare_request(text, &request);
    if let Ok(Parse::Complete(head)) = request {
        check_request(text, &head);
    }
    let response = check_splits(text, parse_response);
    compare_response(text, &response);
    if let Ok(Parse::Complete(head)) = response {
        check_response(text, &head);
    }
}

/// The same must come out however the octets are cut: all at once, one by one, and in pieces of a
/// few sizes.
///
/// A fault within a line may be seen at once or, when the octets come in pieces, at the line's
/// end: so it is asked for once more with an LF at the end of the text.
fn check_splits<H: PartialEq + std::fmt::Debug>(text: &[u8], parse: Parser<H>) -> Parsed<H> {
    let whole = parse_prefixes(text, [text.len()], parse);
    let ended = [text, b"\n"].concat();
    let ended_whole = parse_prefixes(&ended, [ended.len()], parse);
    for step in [1, 2, 3, 7, 8, 64] {
        let pieces = parse_prefixes(text, steps(text, step), parse);
        let is_late = whole.is_err() && matches!(pieces, Ok(Parse::Partial));
        assert!(
            is_late || pieces == whole,
            "{pieces:?} in pieces, {whole:?} in one"
        );
        let ended_pieces = parse_prefixes(&ended, steps(&ended, step), parse);
        assert_eq!(ended_pieces, ended_whole);
    }
    if whole.is_err() {
        assert_eq!(ended_whole, whole);
    }
    whole
}

/// The ends of the pieces of a text that is cut at every `step`th octet.
fn steps(text: &[u8], step: usize) -> impl Iterator<Item = usize> {
    (0..text.len()).step_by(step).chain([text.len()])
}

/// Parses longer and longer prefixes of `text`, until the parser has made up its mind.
pub(crate) fn parse_prefixes<H>(
    text: &[u8],
    ends: impl IntoIterator<Item = usize>,
    parse: Parser<H>,
) -> Parsed<H> {
    let mut scan = Scan::new();
    for end in ends {
        match parse(&text[..end], &mut scan, &LIMITS) {
            Ok(Parse::Partial) => {}
            decided => return decided,
        }
    }
    Ok(Parse::Partial)
}

/// What httparse refuses we refuse, and what both take both understand alike.
fn compare_request(text: &[u8], ours: &Parsed<RequestHead>) {
    let mut slots = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut slots);
    let theirs = request.parse(text);
    match ours {
        Err(_) => {}
        Ok(Parse::Partial) => assert!(!matches!(theirs, Ok(httparse::Status::Complete(_)))),
        Ok(Parse::Complete(head)) => {
            assert_eq!(theirs, Ok(httparse::Status::Complete(head.len)));
            assert_eq!(
                request.method.unwrap().as_bytes(),
                head.method_span.of(text)
            );
            assert_eq!(request.path.unwrap().as_bytes(), head.target.of(text));
            assert_eq!(request.version, Some(minor(head.version)));
            compare_fields(request.headers, head.fields.of(text));
        }
    }
}

fn compare_response(text: &[u8], ours: &Parsed<ResponseHead>) {
    let mut slots = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut slots);
    let theirs = response.parse(text);
    match ours {
        Err(_) => {}
        Ok(Parse::Partial) => assert!(!matches!(theirs, Ok(httparse::Status::Complete(_)))),
        Ok(Parse::Complete(head)) => {
            assert_eq!(theirs, Ok(httparse::Status::Complete(head.len)));
            assert_eq!(response.code, Some(head.status.code()));
            assert_eq!(response.version, Some(minor(head.version)));
            let reason = head.reason.of(text);
            if reason.is_ascii() {
                assert_eq!(response.reason.unwrap().as_bytes(), reason);
            }
            compare_fields(response.headers, head.fields.of(text));
        }
    }
}

fn minor(version: Version) -> u8 {
    u8::from(version == Version::Http11)
}

fn compare_fields(theirs: &[httparse::Header<'_>], lines: &[u8]) {
    let theirs = theirs
        .iter()
        .map(|field| (field.name.as_bytes(), field.value));
    assert!(theirs.eq(fields(lines)));
}

/// What goes to the backend is a head that reads like the one that came, has nothing in it that
/// was for this hop only, and stays as it is when it goes through once more.
fn check_request(text: &[u8], head: &RequestHead) {
    assert!(head.len <= LIMITS.head && head.fields.end() + 2 == head.len);
    let encode = |head: &RequestHead, text: &[u8]| {
        encoded(|out| request_head(head, text, &QUIET, out).unwrap())
    };
    let first = encode(head, text);
    let again = match parse_request(&first, &mut Scan::new(), &ROOMY) {
        Ok(Parse::Complete(again)) => again,
        other => panic!("{other:?} for {}", first.escape_ascii()),
    };
    assert_eq!(again.len, first.len());
    assert_eq!(again.method_span.of(&first), head.method_span.of(text));
    assert_eq!((again.body, again.version), (head.body, Version::Http11));
    assert!(again.keep_alive && !again.upgrade);
    if !head.host.is_empty() {
        assert_eq!(again.host.of(&first), head.host.of(text));
    }
    assert_eq!(encode(&again, &first), first);
    check_fields(again.fields.of(&first), again.body);
}

fn check_response(text: &[u8], head: &ResponseHead) {
    let framing = match head.body {
        BodyLength::None => Framing::Close,
        BodyLength::Length(length) => Framing::Length(length),
        BodyLength::Chunked => Framing::Chunked,
    };
    let delivery = Delivery {
        framing,
        persist: Persist::KeepAlive,
        client: Version::Http11,
        date: None,
        name: b"",
        upgrade: false,
        stamp: None,
        amended: None,
    };
    let encode = |head: &ResponseHead, text: &[u8]| {
        encoded(|out| response_head(head, text, &delivery, out).unwrap())
    };
    let first = encode(head, text);
    let again = match parse_response(&first, &mut Scan::new(), &ROOMY) {
        Ok(Parse::Complete(again)) => again,
        other => panic!("{other:?} for {}", first.escape_ascii()),
    };
    assert_eq!(again.len, first.len());
    assert_eq!(again.status, head.status);
    assert_eq!(again.reason.of(&first), head.reason.of(text));
    assert_eq!(encode(&again, &first), first);
    check_fields(again.fields.of(&first), again.body);
}

/// Nothing is told to the backend but what the client said, and nothing of that which is for us.
pub(crate) const QUIET: Forward<'static> = Forward {
    client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 43)),
    client_port: 0,
    x_for: Treatment::Keep,
    x_proto: Treatment::Keep,
    x_host: Treatment::Keep,
    forwarded: Treatment::Keep,
    name: b"",
    cdn_loop: false,
    fallback_host: b"fallback",
    upgrade: false,
    expect: true,
    trailers: false,
    max_forwards: None,
    conditions: b"",
};

/// Limits for what the gateway writes: a little more than what it reads.
pub(crate) const ROOMY: Limits = Limits {
    head: 4096,
    fields: 32,
    target: 512,
};

fn check_fields(lines: &[u8], body: BodyLength) {
    for (name, _) in fields(lines) {
        let name = Name::of(name);
        let allowed = name == Name::TransferEncoding && body == BodyLength::Chunked;
        assert!(allowed || !name.is_hop_by_hop(), "{name:?}");
    }
}

pub(crate) fn encoded(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut room = [0; ROOMY.head];
    let mut out = Writer::new(&mut room);
    write(&mut out);
    out.written().to_vec()
}
