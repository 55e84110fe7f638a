// SPDX-License-Identifier: GPL-2.0

//! What a client gets of a stored response (RFC 9110 sections 13 to 15, RFC 9111 section 4).

mod parts;
mod passing;
mod private;
mod random;

use super::{asked, at, date, get, instant, lines, response, status};
use crate::bytes::{Full, Writer};
use crate::cache::answer::{room, write, Content, Manner, Several, Stored};
use crate::cache::mapping::Command;
use crate::cache::range::ByteRange;
use crate::cache::{DeltaSeconds, Forward, Handling, Request, Response, Rules};
use crate::http::body::Body;
use crate::http::field::fields;
use crate::http::head::{parse_response, BodyLength, Parse, ResponseHead, Scan};
use crate::http::{Limits, Method};
use crate::time::Instant;

/// Ten seconds after everything came, ranges allowed, and nobody is told anything.
const MANNER: Manner<'static> = Manner {
    now: Instant::from_nanos((365 * 86_400 + 10) * 1_000_000_000),
    boundary: [0x0123_4567_89ab_cdef, 1],
    ranges: true,
    private: false,
    brought: None,
    mapped: None,
    told: None,
};

const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
const TAG: &str = "ETag: \"a\"";
const MODIFIED: &str = "Last-Modified: Sun, 06 Nov 1994 08:00:00 GMT";
const TYPE: &str = "Content-Type: text/plain";

/// An answer, and what was seen of it.
struct Answer {
    text: Vec<u8>,
    head: ResponseHead,
    content: Content,
    several: Several,
}

impl Answer {
    /// The code and the field lines.
    fn said(&self) -> (u16, Vec<String>) {
        let lines = self.head.fields.of(&self.text);
        let lines = String::from_utf8(lines.to_vec()).unwrap();
        let lines = lines.split_terminator("\r\n").map(str::to_owned).collect();
        (self.head.status.code(), lines)
    }

    /// The values of a field.
    fn values(&self, wanted: &str) -> Vec<String> {
        let lines = self.head.fields.of(&self.text);
        fields(lines)
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
            .map(|(_, value)| String::from_utf8(value.to_vec()).unwrap())
            .collect()
    }

    fn has(&self, wanted: &str) -> bool {
        !self.values(wanted).is_empty()
    }

    /// The octets that follow, of a representation of these octets.
    fn octets(&self, stored: &[u8], body: &[u8]) -> Vec<u8> {
        let part = |range: ByteRange| &body[range.first() as usize..range.end() as usize];
        match self.content {
            Content::None => Vec::new(),
            Content::Whole => body.to_vec(),
            Content::Part(range) => part(range).to_vec(),
            Content::Parts => {
                let mut octets = Vec::new();
                let most = Several::room(stored);
                for range in self.several.ranges() {
                    let put = |out: &mut Writer<'_>| self.several.put_head(*range, stored, out);
                    octets.extend(written(most, put));
                    octets.extend(part(*range));
                }
                octets.extend(written(most, |out| self.several.put_end(out)));
                octets
            }
        }
    }
}

fn written(most: usize, put: impl Fn(&mut Writer<'_>) -> Result<(), Full>) -> Vec<u8> {
    let mut room = vec![0; most];
    let mut out = Writer::new(&mut room);
    put(&mut out).unwrap();
    out.written().to_vec()
}

/// Writes an answer, and looks whether it is a valid head that frames what follows it.
fn answer(stored: &Stored<'_>, request: &Request<'_>, manner: &Manner<'_>) -> Answer {
    let mut several = Several::new();
    let mut place = vec![0; room(stored, manner)];
    let mut out = Writer::new(&mut place);
    let written = write(stored, request, manner, Some(&mut several), &mut out).unwrap();
    let mut text = out.written().to_vec();
    if let Some(length) = written.length {
        text.extend(format!("Content-Length: {length}\r\n").bytes());
    }
    text.extend(b"\r\n");
    let limits = Limits {
        head: text.len(),
        fields: 1000,
        target: 0,
    };
    let Parse::Complete(head) = parse_response(&text, &mut Scan::new(), &limits).unwrap() else {
        panic!("no head: {}", text.escape_ascii());
    };
    assert_eq!(head.len, text.len());
    assert!(head.has_date && head.keep_alive && head.options.named == 0);
    assert_eq!(head.status, written.status);
    let answer = Answer {
        text,
        head,
        content: written.content,
        several,
    };
    check_framing(&answer, stored, request.method);
    answer
}

/// What the head says is what follows.
fn check_framing(answer: &Answer, stored: &Stored<'_>, method: Method) {
    const MOST: u64 = 1 << 20;
    let (head, content) = (&answer.head, answer.content);
    let framed = Body::of_response(method, head.status, head.body);
    match (framed, content) {
        (Body::None, Content::None) => {}
        (Body::Length(octets), Content::Whole) => assert_eq!(stored.length, octets),
        (Body::Length(octets), Content::Part(range)) => assert_eq!(range.len(), octets),
        (Body::Length(octets), Content::Parts) => {
            let complete = stored.length;
            if complete <= MOST {
                let body = vec![b'x'; complete as usize];
                assert_eq!(answer.octets(stored.lines, &body).len() as u64, octets);
            }
        }
        found => panic!("{found:?}"),
    }
}

/// Of a 200 with these lines and a body of a thousand octets.
fn of(kept: &[&str], asked: &[&str], manner: &Manner<'_>) -> Answer {
    made(200, kept, 1000, Method::Get, asked, manner)
}

fn made(
    code: u16,
    kept: &[&str],
    length: u64,
    method: Method,
    wanted: &[&str],
    manner: &Manner<'_>,
) -> Answer {
    let (kept, wanted) = (lines(kept), lines(wanted));
    let response = response(code, &kept, &Rules::DEFAULT);
    let stored = Stored {
        lines: &kept,
        response: &response,
        length,
    };
    let request = asked(method, &wanted);
    let answer = answer(&stored, &request, manner);
    // It fits, or it says that it does not.
    let length = answer.head.fields.of(&answer.text);
    let length = fields(length).filter(|(name, _)| *name == b"Content-Length");
    let end: usize = length
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    for len in 0..answer.text.len() - end - 2 {
        let mut place = vec![0; len];
        let mut out = Writer::new(&mut place);
        let found = write(
            &stored,
            &request,
            manner,
            Some(&mut Several::new()),
            &mut out,
        );
        assert_eq!(found, Err(Full));
    }
    answer
}

/// RFC 9111 section 4: it is as it was stored, with an Age.
#[test]
fn what_is_stored_is_the_answer() {
    let answer = of(&[TYPE, DATE, TAG], &[], &MANNER);
    assert_eq!(
        String::from_utf8(answer.text).unwrap(),
        "HTTP/1.1 200 OK\r\n\
         Content-Type: text/plain\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         ETag: \"a\"\r\n\
         Accept-Ranges: bytes\r\n\
         Age: 10\r\n\
         Content-Length: 1000\r\n\
         \r\n"
    );
    assert_eq!(answer.content, Content::Whole);
    let empty = made(200, &[DATE], 0, Method::Get, &[], &MANNER);
    assert_eq!(empty.head.body, BodyLength::Length(0));
    assert_eq!(empty.content, Content::None);
}

/// RFC 9110 section 9.3.2: "The server SHOULD send the same header fields in response to a HEAD
/// request as it would have sent if the request method had been GET"; section 14.2: Range is for GET.
#[test]
fn a_head_is_that_of_a_get_without_content() {
    const RANGE: &str = "Range: bytes=0-1";
    let kept = [TYPE, DATE, TAG, "Vary: a", "Content-Encoding: gzip"];
    for length in [1000, 0] {
        for code in [200, 203, 204, 301, 404] {
            let get = made(code, &kept, length, Method::Get, &[], &MANNER);
            for asked in [&[][..], &[RANGE]] {
                let head = made(code, &kept, length, Method::Head, asked, &MANNER);
                assert_eq!(head.said(), get.said());
                assert_eq!(head.content, Content::None);
            }
        }
    }
    let found = made(
        200,
        &kept,
        1000,
        Method::Head,
        &["If-None-Match: *"],
        &MANNER,
    );
    assert_eq!(found.head.status.code(), 304);
}

/// RFC 9530 section 2: Content-Digest is of "the actual message content". Appendix B.2 has an answer to
/// a HEAD with that of nothing.
#[test]
fn a_digest_of_the_content_goes_with_the_content() {
    let kept = [DATE, TAG, "Content-Digest: a", "content-md5: b"];
    let all = ["Repr-Digest: c", "Digest: d"];
    let kept = [&kept[..], &all].concat();
    let has = |answer: &Answer| ["Content-Digest", "Content-MD5"].map(|name| answer.has(name));
    assert_eq!(has(&of(&kept, &[], &MANNER)), [true; 2]);
    for (method, asked) in [
        (Method::Head, "A: b"),
        (Method::Get, "Range: bytes=0-1"),
        (Method::Get, "Range: bytes=0-1, 3-4"),
        (Method::Get, "Range: bytes=1000-"),
        (Method::Get, "If-None-Match: *"),
    ] {
        let answer = made(200, &kept, 1000, method, &[asked], &MANNER);
        assert_eq!(has(&answer), [false; 2], "for {asked}");
        // These are of the representation.
        let is_there = answer.head.status.code() < 300;
        assert_eq!(answer.has("Repr-Digest"), is_there);
        assert_eq!(answer.has("Digest"), is_there);
    }
}

/// RFC 9110 section 8.6: "A server MUST NOT send a Content-Length header field in any response with a
/// status code of 1xx (Informational) or 204 (No Content)"; section 15.3.6: no content in a 205.
#[test]
fn some_statuses_have_no_content() {
    for length in [0, 1000] {
        for (code, body) in [
            (204, BodyLength::None),
            (205, BodyLength::Length(0)),
            // These are never stored.
            (304, BodyLength::None),
            (199, BodyLength::None),
        ] {
            let answer = made(code, &[DATE], length, Method::Get, &[], &MANNER);
            assert_eq!(answer.head.status, status(code));
            assert_eq!(answer.head.body, body);
            assert_eq!(answer.content, Content::None);
        }
    }
}

/// RFC 9112 section 4.
#[test]
fn the_status_has_its_reason() {
    for (code, line) in [
        (200, "HTTP/1.1 200 OK\r\n"),
        (203, "HTTP/1.1 203 Non-Authoritative Information\r\n"),
        (301, "HTTP/1.1 301 Moved Permanently\r\n"),
        (302, "HTTP/1.1 302 Found\r\n"),
        (308, "HTTP/1.1 308 Permanent Redirect\r\n"),
        (404, "HTTP/1.1 404 Not Found\r\n"),
        (410, "HTTP/1.1 410 Gone\r\n"),
        // "A server MUST send the space that separates the status-code from the reason-phrase even
        // when the reason-phrase is absent".
        (299, "HTTP/1.1 299 \r\n"),
    ] {
        let answer = made(code, &[DATE], 5, Method::Get, &[], &MANNER);
        assert!(answer.text.starts_with(line.as_bytes()), "for {code}");
        assert_eq!(answer.content, Content::Whole);
    }
}

/// RFC 9110 section 15.4.5: "The server generating a 304 response MUST generate any of the following
/// header fields that would have been sent in a 200 (OK) response to the same request:
/// Content-Location, Date, ETag, and Vary; Cache-Control and Expires"; and "a sender SHOULD NOT
/// generate representation metadata other than the above listed fields".
#[test]
fn a_304_has_what_updates_what_the_client_has() {
    let sent = [
        "Content-Location: /x",
        DATE,
        TAG,
        "Vary: Accept",
        "Cache-Control: max-age=60, public",
        "Expires: Sun, 06 Nov 1994 09:49:37 GMT",
        // Of the response, not of the representation.
        "CDN-Cache-Control: max-age=60",
        "Set-Cookie: a=b",
        "Access-Control-Allow-Origin: *",
        "Content-Security-Policy: default-src 'self'",
        "Content-Disposition: attachment",
        "Server: x",
        "Via: 1.1 x",
        "X-Other: x",
        "Accept-Ranges: bytes",
        "Cache-Status: x; hit",
    ];
    let left = [
        TYPE,
        "Content-Encoding: gzip",
        "content-language: de",
        "Content-MD5: x",
        "Content-Digest: x",
        "Repr-Digest: x",
        "Digest: x",
        MODIFIED,
    ];
    let kept = [&left[..], &sent].concat();
    for asked in [
        "If-None-Match: \"a\"",
        "If-None-Match: \"b\", W/\"a\"",
        "If-None-Match: *",
        "If-Modified-Since: Sun, 06 Nov 1994 08:00:00 GMT",
    ] {
        let answer = of(&kept, &[asked], &MANNER);
        let mut expected: Vec<_> = sent.map(str::to_owned).to_vec();
        expected.push("Age: 10".to_owned());
        assert_eq!(answer.said(), (304, expected));
        assert_eq!(answer.head.body, BodyLength::None);
        assert_eq!(answer.content, Content::None);
    }
    for asked in [
        "If-None-Match: \"b\"",
        "If-Modified-Since: Sun, 06 Nov 1994 07:59:59 GMT",
    ] {
        assert_eq!(of(&kept, &[asked], &MANNER).head.status.code(), 200);
    }
}

/// "Last-Modified might be useful if the response does not have an ETag field".
#[test]
fn a_304_without_a_tag_has_last_modified() {
    const SINCE: &str = "If-Modified-Since: Sun, 06 Nov 1994 08:00:00 GMT";
    for (kept, has) in [
        (&[DATE, MODIFIED][..], true),
        (&[DATE, MODIFIED, TAG], false),
        (&[DATE, MODIFIED, "ETag: W/\"a\""], false),
        // That is none.
        (&[DATE, MODIFIED, "ETag: "], true),
    ] {
        let answer = of(kept, &[SINCE], &MANNER);
        assert_eq!(answer.head.status.code(), 304);
        assert_eq!(answer.has("Last-Modified"), has);
    }
}

/// RFC 9110 section 13.2.1: no conditions where the answer without them is no success; sections 13.1.1
/// and 13.1.4: some are for the origin, who must have let it pass.
#[test]
fn conditions_may_be_none() {
    for code in [301, 404, 500] {
        let found = made(
            code,
            &[DATE, TAG],
            9,
            Method::Get,
            &["If-None-Match: *"],
            &MANNER,
        );
        assert_eq!(found.head.status.code(), code);
    }
    for asked in [
        "If-Match: \"b\"",
        "If-Unmodified-Since: Sun, 06 Nov 1994 07:00:00 GMT",
    ] {
        let found = of(&[DATE, TAG, MODIFIED], &[asked], &MANNER);
        assert_eq!(found.head.status.code(), 200);
        let range = "Range: bytes=0-1";
        let found = of(&[DATE, TAG, MODIFIED], &[asked, range], &MANNER);
        assert_eq!(found.head.status.code(), 206);
    }
}

/// RFC 9111 section 4: "When a stored response is used to satisfy a request without validation, a cache
/// MUST generate an Age header field". Section 5.1: its presence "implies that the response was not
/// generated or validated by the origin server for this request".
#[test]
fn the_age_is_told_unless_the_origin_was_asked() {
    for (brought, right) in [
        (None, vec!["10"]),
        (Some(DeltaSeconds::ZERO), vec![]),
        // Another cache was asked: it was older than what has just come.
        (Some(DeltaSeconds::from_secs(4)), vec!["10"]),
    ] {
        let manner = Manner { brought, ..MANNER };
        for asked in ["A: b", "If-None-Match: *", "Range: bytes=0-1"] {
            let answer = of(&[DATE, TAG], &[asked], &manner);
            assert_eq!(answer.values("Age"), right);
        }
    }
    // As old as can be.
    let manner = Manner {
        now: Instant::from_nanos(u64::MAX),
        ..MANNER
    };
    let old = format!("Date: {}", date(-3_000_000_000));
    let answer = of(&[&old], &[], &manner);
    assert_eq!(answer.values("Age"), ["2147483648"]);
}

/// RFC 9211 section 2: each cache appends its own, and the ttl is in section 2.4.
#[test]
fn a_cache_says_what_it_did_if_it_may() {
    let stale = Handling::Forwarded {
        why: Forward::Stale,
        status: Some(status(304)),
        is_stored: true,
        is_collapsed: false,
    };
    let before = "Cache-Status: other; hit";
    let kept = [DATE, TAG, before, "Cache-Control: max-age=60"];
    for asked in [
        &[][..],
        &["If-None-Match: *"],
        &["Range: bytes=0-1"],
        &["Range: bytes=1000-"],
    ] {
        let untold = of(&kept, asked, &MANNER);
        assert_eq!(untold.values("Cache-Status"), ["other; hit"]);
        for (handling, right) in [
            (Handling::Hit, "resin; hit; ttl=50"),
            (stale, "resin; fwd=stale; fwd-status=304; stored; ttl=50"),
        ] {
            let told = Some((&b"resin"[..], handling));
            let answer = of(&kept, asked, &Manner { told, ..MANNER });
            assert_eq!(answer.values("Cache-Status"), ["other; hit", right]);
        }
    }
    let told = Some((&b"resin"[..], Handling::Hit));
    let answer = of(&[DATE], &[], &Manner { told, ..MANNER });
    assert_eq!(answer.values("Cache-Status"), ["resin; hit; ttl=-10"]);
}

/// The room for what is not stored is not more than is needed for the longest of all.
#[test]
fn the_room_is_enough() {
    let handling = Handling::Forwarded {
        why: Forward::VaryMiss,
        status: Some(status(999)),
        is_stored: true,
        is_collapsed: true,
    };
    let manner = Manner {
        now: Instant::from_nanos(u64::MAX),
        private: true,
        told: Some((b"-", handling)),
        ..MANNER
    };
    // Each element gets a space.
    let kept = lines(&[&format!("Date: {}", date(-3_000_000_000))]);
    let packed = lines(&["Vary:a", &format!("Cache-Control:{}", ["a"; 500].join(","))]);
    let kept = [kept, packed].concat();
    let response = response(200, &kept, &Rules::DEFAULT);
    let end = u64::MAX >> 1;
    let stored = Stored {
        lines: &kept,
        response: &response,
        length: end,
    };
    for wanted in [
        format!("bytes={}-", 1u64 << 62),
        "bytes=0-1,3-4".to_owned(),
        format!("bytes={end}-"),
    ] {
        let wanted = lines(&[&format!("Range: {wanted}")]);
        let found = answer(&stored, &get(&wanted), &manner);
        assert!(found.text.len() <= room(&stored, &manner));
    }
}

/// What comes of a time before the response did.
#[test]
fn a_clock_that_goes_back_does_no_harm() {
    let manner = Manner {
        now: Instant::from_nanos(0),
        ..MANNER
    };
    let answer = of(&[DATE], &[], &manner);
    assert_eq!(answer.values("Age"), ["0"]);
    assert_eq!(at(0).as_secs(), 784_111_777);
    assert!(instant(0) > manner.now);
}

fn plain(kept: &[u8], code: u16) -> Response {
    response(code, kept, &Rules::DEFAULT)
}

/// What a mapping says goes with what is fresh by it, and with nothing else.
#[test]
fn what_is_fresh_by_a_mapping_says_so() {
    let Ok(Command::Add(mapping)) = Command::parse(b"url-pattern / max-age 60s") else {
        panic!("no mapping");
    };
    let manner = Manner {
        mapped: Some(mapping.lifetimes),
        ..MANNER
    };
    let rules = Rules {
        mapped: Some(DeltaSeconds::from_secs(60)),
        ..Rules::DEFAULT
    };
    for (own, said) in [
        (&[DATE, TAG][..], &["max-age=60"][..]),
        (&[DATE, TAG, "Cache-Control: max-age=5"], &["max-age=5"]),
    ] {
        let kept = lines(own);
        let stored = Stored {
            lines: &kept,
            response: &response(200, &kept, &rules),
            length: 3,
        };
        let told = answer(&stored, &get(b""), &manner).values("Cache-Control");
        assert_eq!(told, said);
    }
}
