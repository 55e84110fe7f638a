// SPDX-License-Identifier: GPL-2.0

//! What has to hold for whatever requests and responses say to a cache: the body of the fuzz target
//! `cache_grammar`, also run over its corpus by the tests.

use crate::bytes::{Full, Writer};
use crate::cache::answer::{room, write, Content, Manner, Several, Stored};
use crate::cache::range::Part;
use crate::cache::{
    age, reuse, vary, Cookies, DeltaSeconds, Forward, Received, Request, Response, Reuse, Rules,
    SetCookie, Times, Validators, DATE_ROOM,
};
use crate::head_grammar::LIMITS;
use crate::http::field::{self, fields};
use crate::http::head::{parse_request, parse_response, BodyLength, Parse, Scan};
use crate::http::{Limits, Method, Status};
use crate::time::{Duration, Instant, UnixTime};

/// What the first octets of the input say; the rest are field lines.
struct Case<'a> {
    method: Method,
    status: Status,
    rules: Rules<'static>,
    manner: Manner<'static>,
    /// Octets of the whole.
    length: u64,
    /// Of the request, of a response, and of one that updates that.
    lines: [&'a [u8]; 3],
}

const BEGIN: Instant = Instant::from_nanos(1_000_000_000_000);
const DATE: UnixTime = UnixTime::from_secs(784_111_777);

/// Takes `input` for a request and two responses, one after the other, behind some octets that say what
/// else there is.
pub fn check(input: &[u8]) {
    let Some(case) = Case::of(input) else {
        return;
    };
    let [asked, came, updates] = case.lines;
    let request = Request::of(case.method, asked, BodyLength::None, false);
    let times = Times {
        request_boottime: BEGIN,
        response_boottime: BEGIN,
        response_wall: DATE,
    };
    let response = Response::of(&request, case.status, came, age(came), &times, &case.rules);
    let storable = response.may_be_stored(&request, &case.rules, BEGIN);
    let received = Received::of(came, &case.rules, DATE);
    let stored = written(merged(came, &[]), |out| received.store(out));
    check_stored(&stored, &case.rules);
    check_selector(came, &request, &case.rules);
    check_reuse(&request, &response, &case);
    let response = response.as_whole();
    if storable.is_ok() {
        check_answers(&stored, &request, &response, &case);
        check_part(&stored, &request, &response, &case);
    }
    let update = Received::of(updates, &case.rules, DATE);
    let updated = written(merged(&stored, updates), |out| update.update(&stored, out));
    check_stored(&updated, &case.rules);
    let response = response.updated(&updated, age(updates), &times, &case.rules);
    check_answers(&updated, &request, &response, &case);
}

impl<'a> Case<'a> {
    fn of(input: &'a [u8]) -> Option<Self> {
        let (first, rest) = input.split_first_chunk::<8>()?;
        let [flags, code, length, later, heuristic, grace, mapped, _] = *first;
        let mut parts = rest.splitn(3, |octet| *octet == 0);
        let lines = [(); 3].map(|()| field::readable(parts.next().unwrap_or(b"")));
        let secs = |octet: u8| DeltaSeconds::from_secs(u64::from(octet));
        let flag = |bit: u8| flags & (1 << bit) != 0;
        // What comes to a cache is the lines of heads.
        let are_heads = is_head(b"GET / HTTP/1.1\r\n", lines[0], |head| {
            parse_request(head, &mut Scan::new(), &LIMITS).is_ok()
        });
        let is_response = |lines: &&[u8]| {
            is_head(b"HTTP/1.1 200 OK\r\n", lines, |head| {
                parse_response(head, &mut Scan::new(), &LIMITS).is_ok()
            })
        };
        if !are_heads || !lines.iter().skip(1).all(is_response) {
            return None;
        }
        let cookies = [SetCookie::Explicit, SetCookie::Strip];
        Some(Case {
            method: if flag(0) { Method::Head } else { Method::Get },
            status: Status::new(200 + u16::from(code) * 2).filter(|_| code != 255)?,
            rules: Rules {
                heuristic_cap: secs(heuristic),
                mapped: flag(1).then_some(secs(mapped)),
                set_cookie: cookies[usize::from(flag(2))],
                vary_cookie: if flag(3) {
                    Cookies::Compared
                } else {
                    Cookies::Anonymous
                },
                grace: secs(grace),
                ..Rules::DEFAULT
            },
            manner: Manner {
                now: BEGIN + Duration::from_secs(u64::from(later)),
                boundary: [1, 2],
                ranges: flag(4),
                private: flag(5),
                brought: flag(6).then_some(DeltaSeconds::ZERO),
                mapped: None,
                told: None,
            },
            length: u64::from(length),
            lines,
        })
    }
}

fn is_head(start: &[u8], lines: &[u8], parses: impl FnOnce(&[u8]) -> bool) -> bool {
    parses(&[start, lines, b"\r\n"].concat())
}

fn written(most: usize, put: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) -> Vec<u8> {
    let mut room = vec![0; most];
    let mut out = Writer::new(&mut room);
    put(&mut out).expect("it is as long as it may be");
    out.written().to_vec()
}

/// What merged lines have at most: as the glue has it.
fn merged(stored: &[u8], lines: &[u8]) -> usize {
    stored.len() + lines.len() + lines.len() / 4 + stored.len() / 4 + DATE_ROOM
}

fn has(lines: &[u8], name: &[u8]) -> bool {
    fields(lines).any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// What is stored are field lines; to store them again changes nothing but their order.
fn check_stored(stored: &[u8], rules: &Rules<'_>) {
    assert_eq!(field::readable(&[b"X\r\n", stored].concat()), stored);
    assert!(has(stored, b"date"), "{}", stored.escape_ascii());
    for name in [&b"age"[..], b"content-length", b"trailer"] {
        assert!(!has(stored, name), "{}", stored.escape_ascii());
    }
    let again = Received::of(stored, rules, DATE);
    let again = written(merged(stored, &[]), |out| again.store(out));
    assert_eq!(sorted(&again), sorted(stored), "{}", stored.escape_ascii());
}

fn sorted(lines: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut all: Vec<_> = fields(lines).collect();
    all.sort_unstable();
    all
}

/// Whoever has got an answer is one of those whom it is for.
fn check_selector(lines: &[u8], request: &Request<'_>, rules: &Rules<'_>) {
    let mut place = vec![0; 4096];
    let mut out = Writer::new(&mut place);
    if vary::select(lines, request, rules.vary_cookie, &mut out).is_ok() {
        assert!(vary::matches(out.written(), request, rules.vary_cookie));
    }
}

fn check_reuse(request: &Request<'_>, response: &Response, case: &Case<'_>) {
    let now = case.manner.now;
    let found = reuse(request, Some(response), Forward::Miss, &case.rules, now);
    let control = &response.control;
    match found {
        Reuse::Fresh => assert!(response.freshness.is_fresh(now) && !control.no_cache),
        Reuse::Stale(_) => {
            assert!(!response.freshness.is_fresh(now) && !control.no_cache);
            assert!(!control.must_revalidate, "it is stale");
        }
        _ => {}
    }
    if matches!(found, Reuse::Fresh | Reuse::Stale(_)) {
        assert!(!control.private && !control.no_store);
    }
}

/// Whatever is asked, what comes is a head that says how much follows, and that is there.
fn check_answers(stored: &[u8], request: &Request<'_>, response: &Response, case: &Case<'_>) {
    let shape = answer(stored, request, response, case, case.length);
    match shape {
        Content::None | Content::Parts => {}
        Content::Whole => assert!(case.length > 0),
        Content::Part(range) => assert!(range.end() <= case.length),
    }
}

fn answer(
    lines: &[u8],
    request: &Request<'_>,
    response: &Response,
    case: &Case<'_>,
    length: u64,
) -> Content {
    let stored = Stored {
        lines,
        response,
        length,
    };
    let mut several = Several::new();
    let mut place = vec![0; room(&stored, &case.manner)];
    let mut out = Writer::new(&mut place);
    let written = write(&stored, request, &case.manner, Some(&mut several), &mut out);
    let written = written.expect("there is room");
    let text = &[out.written(), b"\r\n"].concat()[..];
    let limits = Limits {
        head: text.len(),
        fields: 1000,
        target: 0,
    };
    let parsed = parse_response(text, &mut Scan::new(), &limits);
    let Ok(Parse::Complete(head)) = parsed else {
        panic!("{parsed:?}: {}", text.escape_ascii());
    };
    assert_eq!(head.len, text.len());
    written.content
}

/// Who is said to be served with a part gets one that is in it, or hears that it has it already.
fn check_part(stored: &[u8], request: &Request<'_>, response: &Response, case: &Case<'_>) {
    let came = case.lines[1];
    let Some(part) = Part::of_response(came, case.length) else {
        return;
    };
    assert!(part.range().end() <= part.complete() && part.range().len() == case.length);
    let validators = Validators::of(stored, response.dated);
    if !case.manner.ranges || !part.serves(request, &validators) {
        return;
    }
    match answer(stored, request, response, case, part.complete()) {
        Content::None => {}
        Content::Part(range) => assert!(part.range().contains(range)),
        content => panic!("{content:?} of a part"),
    }
}
