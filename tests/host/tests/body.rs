// SPDX-License-Identifier: GPL-2.0

//! Where bodies end.

use crate::chunked_grammar::{check, decode, Decoded};
use crate::http::body::{Body, Step};
use crate::http::head::BodyLength;
use crate::http::{Method, Status};

fn step(skip: usize, data: usize, done: bool) -> Step {
    Step {
        skip,
        data,
        done,
        ..Step::default()
    }
}

fn decode_whole(text: &str) -> Decoded {
    check(text.as_bytes());
    decode(text.as_bytes(), [text.len()])
}

fn refusal(text: &str) -> (u16, &'static str) {
    let mut body = Body::of_request(BodyLength::Chunked);
    let mut rest = text.as_bytes();
    loop {
        match body.next(rest) {
            Ok(step) if step.done || step.skip + step.data + step.trailer == 0 => {
                panic!("{text:?} is taken")
            }
            Ok(step) => rest = &rest[step.skip + step.data + step.trailer..],
            Err(violation) => return (violation.status.code(), violation.reason),
        }
    }
}

#[test]
fn the_length_of_a_response_follows_the_rules_of_the_rfc() {
    // RFC 9112 section 6.3.
    let (none, length, chunked) = (BodyLength::None, BodyLength::Length(5), BodyLength::Chunked);
    for (method, code, declared, ended) in [
        (Method::Head, 200, length, true),
        (Method::Head, 200, chunked, true),
        (Method::Get, 100, length, true),
        (Method::Get, 101, none, true),
        (Method::Get, 199, chunked, true),
        (Method::Get, 204, length, true),
        (Method::Get, 304, length, true),
        (Method::Get, 304, chunked, true),
        (Method::Get, 200, BodyLength::Length(0), true),
        (Method::Get, 205, none, false),
        (Method::Get, 404, length, false),
        (Method::Post, 200, chunked, false),
    ] {
        let status = Status::new(code).unwrap();
        let body = Body::of_response(method, status, declared);
        assert_eq!(body.is_done(), ended, "{method:?} {code} {declared:?}");
    }
    let of = |declared| Body::of_response(Method::Get, Status::OK, declared);
    assert_eq!(of(none), Body::UntilClose);
    assert_eq!(of(length), Body::Length(5));
    assert_eq!(of(chunked), Body::of_request(chunked));
    assert_eq!(Body::of_request(none), Body::None);
    assert_eq!(Status::new(99), None);
    assert_eq!(Status::new(1000), None);
}

#[test]
fn a_body_of_known_length_ends_there() {
    let mut body = Body::of_request(BodyLength::Length(5));
    assert_eq!(body.next(b""), Ok(step(0, 0, false)));
    assert_eq!(body.next(b"hel"), Ok(step(0, 3, false)));
    assert!(body.eof().is_err());
    assert_eq!(body.next(b"loGET"), Ok(step(0, 2, true)));
    assert!(body.is_done() && body.eof().is_ok());
    assert_eq!(body.next(b"GET"), Ok(step(0, 0, true)));

    let mut huge = Body::of_request(BodyLength::Length(i64::MAX as u64));
    assert_eq!(huge.next(b"x"), Ok(step(0, 1, false)));
    assert_eq!(huge, Body::Length(i64::MAX as u64 - 1));
}

#[test]
fn a_body_without_length_ends_with_the_stream() {
    let mut body = Body::of_response(Method::Get, Status::OK, BodyLength::None);
    assert_eq!(body.next(b"abc"), Ok(step(0, 3, false)));
    assert!(!body.is_done());
    assert_eq!(body.eof(), Ok(()));
    assert!(body.is_done());
}

#[test]
fn steps_name_framing_and_data_in_turn() {
    let mut body = Body::of_request(BodyLength::Chunked);
    assert_eq!(
        body.next(b"5\r\nhello\r\n0\r\n\r\nGET"),
        Ok(step(3, 5, false))
    );
    assert_eq!(body.next(b"\r\n0\r\n\r\nGET"), Ok(step(7, 0, true)));
    assert_eq!(body.next(b"GET"), Ok(step(0, 0, true)));

    let mut body = Body::of_request(BodyLength::Chunked);
    assert_eq!(body.next(b"ffff"), Ok(step(4, 0, false)));
    assert_eq!(body.next(b""), Ok(step(0, 0, false)));
    assert_eq!(body.next(b"\r\n"), Ok(step(2, 0, false)));
    assert_eq!(body.next(b"abc"), Ok(step(0, 3, false)));
    assert!(body.eof().is_err());
}

#[test]
fn good_chunked_bodies_are_decoded() {
    for (text, data, rest) in [
        ("0\r\n\r\n", "", ""),
        ("000\r\n\r\n", "", ""),
        ("5\r\nhello\r\n0\r\n\r\nGET /", "hello", "GET /"),
        (
            "A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n",
            "0123456789abcdefghij",
            "",
        ),
        ("0000000000000002\r\nhi\r\n0\r\n\r\n", "hi", ""),
        // RFC 9112 section 7.1.1: extensions.
        ("2;a\r\nhi\r\n0;b=c\r\n\r\n", "hi", ""),
        ("2 ; a = b ;c\r\nhi\r\n0\r\n\r\n", "hi", ""),
        ("2;a=\"x;\\\"y \u{e4}\t\"\r\nhi\r\n0\r\n\r\n", "hi", ""),
        // RFC 9112 section 7.1.2: trailers.
        (
            "2\r\nhi\r\n0\r\nA: b\r\nc:\r\nContent-Length: 9\r\n\r\n",
            "hi\nA: b\r\n\nc:\r\n\nContent-Length: 9\r\n",
            "",
        ),
    ] {
        let decoded = Decoded::Complete(data.into(), text.len() - rest.len());
        assert_eq!(decode_whole(text), decoded, "for {text:?}");
    }
}

#[test]
fn bad_chunked_bodies_are_refused() {
    for (text, reason) in [
        ("\r\n", "bad chunk size"),
        ("g\r\n", "bad chunk size"),
        ("-1\r\n", "bad chunk size"),
        ("+1\r\n", "bad chunk size"),
        (" 1\r\n", "bad chunk size"),
        ("0x1\r\n", "bad chunk size"),
        ("1_0\r\n", "bad chunk size"),
        ("1\n", "bad chunk size"),
        ("1,2\r\n", "bad chunk size"),
        ("1\0\r\n", "bad chunk size"),
        ("8000000000000000\r\n", "chunk size too large"),
        ("ffffffffffffffff\r\n", "chunk size too large"),
        ("10000000000000000\r\n", "chunk size too large"),
        ("00000000000000001\r\n", "chunk size too large"),
        ("1\rx", "bare CR in chunked framing"),
        ("1 \r\n", "bad chunk extension"),
        ("1 2\r\n", "bad chunk extension"),
        ("1;\r\n", "bad chunk extension"),
        ("1;;\r\n", "bad chunk extension"),
        ("1;a=\r\n", "bad chunk extension"),
        ("1;a \r\n", "bad chunk extension"),
        ("1;a b\r\n", "bad chunk extension"),
        ("1;a\n", "bad chunk extension"),
        ("1;a=b \r\n", "bad chunk extension"),
        ("1;a=\"b\r\n", "bad chunk extension"),
        ("1;a=\"b\n\"\r\n", "bad chunk extension"),
        ("1;a=\"b\\\r\n\"\r\n", "bad chunk extension"),
        ("1;a=\"b\"c\r\n", "bad chunk extension"),
        ("1;a\0\r\n", "bad chunk extension"),
        ("1;\u{e4}\r\n", "bad chunk extension"),
        ("1\r\nxy\r\n", "chunk data longer than its size"),
        ("1\r\nx\n", "chunk data longer than its size"),
        ("1\r\nx\r0", "chunk data longer than its size"),
        ("1\r\nx0\r\n", "chunk data longer than its size"),
        (
            "0\r\nGET / HTTP/1.1\r\n",
            "white space before the colon of a field",
        ),
        ("0\r\n a: b\r\n", "folded field line"),
        ("0\r\na : b\r\n", "white space before the colon of a field"),
        ("0\r\n: b\r\n", "empty field name"),
        ("0\r\na\r\n", "field line without a colon"),
        ("0\r\na: b\n", "bare LF"),
        ("0\r\na: b\0\r\n", "control character"),
        ("0\r\na: b\rc", "bare CR"),
        ("0\r\na: b\r\n c\r\n", "folded field line"),
        ("0\r\n\n", "bare LF"),
        ("0\r\n\rx", "bare CR"),
    ] {
        assert_eq!(refusal(text), (400, reason), "for {text:?}");
        assert_eq!(decode_whole(text), Decoded::Refused, "for {text:?}");
    }
}

#[test]
fn extensions_and_trailers_have_their_limits() {
    let chunk = |len: usize| format!("1;{}\r\nx\r\n", "e".repeat(len - 1));
    let text = chunk(2048) + &chunk(2048) + "0\r\n\r\n";
    assert_eq!(
        decode_whole(&text),
        Decoded::Complete(b"xx".into(), text.len())
    );
    let text = chunk(2048) + &chunk(2049) + "0\r\n\r\n";
    assert_eq!(refusal(&text), (400, "chunk extensions too long"));
    assert_eq!(decode_whole(&text), Decoded::Refused);
    let many = (chunk(2) + "").repeat(2049);
    assert_eq!(refusal(&many), (400, "chunk extensions too long"));

    let trailer = |len: usize| format!("a:{}\r\n", "t".repeat(len - 2));
    let text = chunk(4096) + "0\r\n" + &trailer(2042) + "b:\r\n\r\n";
    let data = format!("x\n{}\nb:\r\n", trailer(2042));
    assert_eq!(
        decode_whole(&text),
        Decoded::Complete(data.into(), text.len())
    );
    let text = chunk(4096) + "0\r\n" + &trailer(2043) + "b:\r\n\r\n";
    assert_eq!(refusal(&text), (431, "trailers too long"));
    assert_eq!(decode_whole(&text), Decoded::Refused);
}
