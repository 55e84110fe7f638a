// SPDX-License-Identifier: GPL-2.0

//! Answers to whatever is asked, of whatever is stored.

use proptest::prelude::*;

use super::*;
use crate::cache::{Received, DATE_ROOM};

/// What the store keeps of such a response.
fn kept(came: &[u8]) -> Vec<u8> {
    let received = Received::of(came, &Rules::DEFAULT, at(0));
    written(came.len() * 2 + DATE_ROOM, |out| received.store(out))
}

fn field_lines(
    names: &'static [&'static str],
    values: &'static [&'static str],
) -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(names);
    let value = prop_oneof![
        4 => prop::sample::select(values).prop_map(str::to_owned),
        1 => "[ -~\t]{0,20}",
    ];
    let line = (name, ":|: |:\t ", value)
        .prop_map(|(name, colon, value)| format!("{name}{colon}{value}\r\n").into_bytes());
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

fn came() -> impl Strategy<Value = Vec<u8>> {
    field_lines(
        &[
            "Accept-Ranges",
            "Age",
            "Cache-Control",
            "CDN-Cache-Control",
            "Cache-Status",
            "Connection",
            "Content-Encoding",
            "Content-Length",
            "Content-Range",
            "Content-Type",
            "Date",
            "ETag",
            "Last-Modified",
            "Transfer-Encoding",
            "Vary",
            "a",
        ],
        &[
            "",
            "\"a\"",
            "W/\"a\"",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:00:00 GMT",
            "public,max-age=60",
            "private=\"a\",a,b,c,d",
            "text/plain",
            "gzip",
            "chunked",
            "5",
        ],
    )
}

fn wanted() -> impl Strategy<Value = Vec<u8>> {
    field_lines(
        &[
            "If-Match",
            "If-Modified-Since",
            "If-None-Match",
            "If-Range",
            "Range",
            "range",
            "a",
        ],
        &[
            "*",
            "\"a\"",
            "\"b\", W/\"a\"",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:00:00 GMT",
            "bytes=0-",
            "bytes=0-1",
            "bytes=-5",
            "bytes=0-0, -1",
            "bytes=0-0,2-2,4-4,6-6,8-8,1-1",
            "bytes=9-, 2-5, 0-0",
            "bytes=10000000-",
        ],
    )
}

fn manner() -> impl Strategy<Value = Manner<'static>> {
    let handling = prop_oneof![
        Just(Handling::Hit),
        (any::<bool>(), any::<bool>()).prop_map(|(is_stored, is_collapsed)| {
            Handling::Forwarded {
                why: Forward::VaryMiss,
                status: is_stored.then(|| status(304)),
                is_stored,
                is_collapsed,
            }
        }),
    ];
    let name = prop::sample::select(vec![&b"resin"[..], b"1.example", b""]);
    let brought = prop::option::of(any::<u64>().prop_map(DeltaSeconds::from_secs));
    (
        any::<u64>(),
        any::<[u64; 2]>(),
        any::<[bool; 2]>(),
        brought,
        prop::option::of((name, handling)),
    )
        .prop_map(|(now, boundary, [ranges, private], brought, told)| Manner {
            now: Instant::from_nanos(now),
            boundary,
            ranges,
            private,
            brought,
            mapped: None,
            told,
        })
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![4 => Just(Method::Get), 1 => Just(Method::Head)]
}

/// Few octets mostly, so that parts of them are asked for; or any number.
fn length() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0u64..30, 1 => 0u64..=1 << 62]
}

fn code() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(200u16), 1 => 100u16..=999]
}

proptest! {
    #![proptest_config(crate::tests::cases(2048))]

    /// [`answer`] looks at the head, its room and the framing of what follows. Here is what has to hold
    /// beyond that.
    #[test]
    fn every_answer_is_a_valid_one(
        came in came(),
        wanted in wanted(),
        (code, length, method) in (code(), length(), method()),
        manner in manner(),
    ) {
        let kept = kept(&came);
        let response = plain(&kept, code);
        let stored = Stored { lines: &kept, response: &response, length };
        let request = asked(method, &wanted);
        let found = answer(&stored, &request, &manner);
        let seen = found.head.status.code();
        prop_assert!(seen == code || (code < 300 && matches!(seen, 206 | 304 | 416)));
        // What is stored as it is may have some that say nothing.
        prop_assert!(seen == code || found.values("Content-Range").len() <= 1);
        prop_assert!(found.values("Age").len() <= 1);
        if let Content::Part(range) = found.content {
            prop_assert!(range.end() <= length);
        }
        // What is told does not change what is sent.
        let untold = answer(&stored, &request, &Manner { told: None, ..manner });
        prop_assert_eq!(untold.content, found.content);
        prop_assert_eq!(untold.said().0, seen);
        // Without the option all that varies says so, but for 304 and 416 of nothing.
        if !manner.private {
            let vary = fields(&kept).filter(|(name, _)| name.eq_ignore_ascii_case(b"vary"));
            prop_assert_eq!(found.values("Vary").len(), vary.count());
        } else if found.has("Vary") {
            prop_assert_eq!(seen, 416);
        }
    }

    /// Whoever puts the parts of a multipart together has octets of the whole.
    #[test]
    fn the_parts_are_those_of_the_whole(
        ranges in prop::collection::vec((0u64..60, 0u64..8), 2..12),
        boundary in any::<[u64; 2]>(),
        typed in any::<bool>(),
    ) {
        let body: Vec<u8> = (b'A'..b'A' + 50).collect();
        let kept = lines(if typed { &[DATE, TYPE] } else { &[DATE] });
        let list: Vec<_> = ranges.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
        let wanted = lines(&[&format!("Range: bytes={}", list.join(","))]);
        let response = plain(&kept, 200);
        let stored = Stored { lines: &kept, response: &response, length: 50 };
        let found = answer(&stored, &get(&wanted), &Manner { boundary, ..MANNER });
        if found.content != Content::Parts {
            return Ok(());
        }
        let octets = String::from_utf8(found.octets(&kept, &body)).unwrap();
        let name = format!("{:016x}{:016x}", boundary[0], boundary[1]);
        let declared = found.values("Content-Type");
        prop_assert_eq!(declared, [format!("multipart/byteranges; boundary={name}")]);
        let delimiter = format!("\r\n--{name}");
        let mut parts: Vec<_> = octets.split(&delimiter).collect();
        prop_assert_eq!(parts.remove(0), "");
        prop_assert_eq!(parts.pop(), Some("--\r\n"));
        prop_assert_eq!(parts.len(), found.several.ranges().len());
        for (part, range) in parts.iter().zip(found.several.ranges()) {
            let (head, octets) = part.split_once("\r\n\r\n").unwrap();
            let right = &body[range.first() as usize..range.end() as usize];
            prop_assert_eq!(octets.as_bytes(), right);
            let told = format!("Content-Range: bytes {}-{}/50", range.first(), range.last());
            prop_assert!(head.contains(&told));
            prop_assert_eq!(head.contains("\r\nContent-Type: text/plain\r\n"), typed);
        }
    }
}
