// SPDX-License-Identifier: GPL-2.0

//! Answers to requests for parts (RFC 9110 section 14).

use super::*;
use crate::cache::answer::MAX_RANGES;

const RANGE: &str = "Range: bytes=0-499";

fn range(first: u64, last: u64) -> ByteRange {
    ByteRange::new(first, last).unwrap()
}

/// Octets that tell where they are.
fn body() -> Vec<u8> {
    let digits = (0..250).flat_map(|number: u32| format!("{number:04}").into_bytes());
    digits.collect()
}

/// RFC 9110 section 15.3.7.1, with all that a 200 would have (section 15.3.7).
#[test]
fn one_part_is_a_206_with_content_range() {
    let kept = [
        TYPE,
        DATE,
        TAG,
        MODIFIED,
        "Vary: a",
        "Cache-Control: max-age=60",
        "Expires: 0",
        "Content-Location: /x",
        "Content-Encoding: gzip",
        "Content-Language: de",
    ];
    for (asked, part, value) in [
        ("bytes=0-499", range(0, 499), "bytes 0-499/1000"),
        ("bytes=500-", range(500, 999), "bytes 500-999/1000"),
        ("bytes=-1", range(999, 999), "bytes 999-999/1000"),
        ("bytes=0-", range(0, 999), "bytes 0-999/1000"),
        // Those meet.
        ("bytes=0-1, 2-3", range(0, 3), "bytes 0-3/1000"),
        ("bytes=0-1, 5000-", range(0, 1), "bytes 0-1/1000"),
    ] {
        let answer = of(&kept, &[&format!("Range: {asked}")], &MANNER);
        let ours = [
            "Accept-Ranges: bytes".to_owned(),
            format!("Content-Range: {value}"),
            "Age: 10".to_owned(),
            format!("Content-Length: {}", part.len()),
        ];
        let expected: Vec<_> = kept.map(str::to_owned).into_iter().chain(ours).collect();
        assert_eq!(answer.said(), (206, expected));
        assert_eq!(answer.content, Content::Part(part));
    }
}

/// RFC 9110 section 15.3.7.2: "a server MUST NOT generate a Content-Range header field in the HTTP
/// header section of a multiple part response", and each part has the Content-Type of the whole.
#[test]
fn several_parts_are_a_multipart() {
    let name = "0123456789abcdef0000000000000001";
    let kept = [TYPE, DATE, "content-type: x", TAG];
    let answer = of(&kept, &["Range: bytes=4-7, -4, 0-0"], &MANNER);
    let expected = [
        DATE.to_owned(),
        TAG.to_owned(),
        "Accept-Ranges: bytes".to_owned(),
        format!("Content-Type: multipart/byteranges; boundary={name}"),
        "Age: 10".to_owned(),
        "Content-Length: 344".to_owned(),
    ];
    assert_eq!(answer.said(), (206, expected.to_vec()));
    assert_eq!(answer.content, Content::Parts);
    assert_eq!(
        answer.several.ranges(),
        [range(4, 7), range(996, 999), range(0, 0)]
    );
    let part = |range: &str, octets: &str| {
        format!(
            "\r\n--{name}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/1000\r\n\r\n\
             {octets}"
        )
    };
    let right = [
        part("4-7", "0001"),
        part("996-999", "0249"),
        part("0-0", "0"),
        format!("\r\n--{name}--\r\n"),
    ];
    let octets = answer.octets(&lines(&kept), &body());
    assert_eq!(String::from_utf8(octets).unwrap(), right.concat());
    // "If the selected representation would have had a Content-Type header field".
    let untyped = of(&[DATE], &["Range: bytes=4-7, -4"], &MANNER);
    let octets = untyped.octets(&lines(&[DATE]), &body());
    assert!(!String::from_utf8(octets).unwrap().contains("Content-Type"));
}

/// The parts are written in the room that is promised, or not at all.
#[test]
fn a_head_of_a_part_fits_or_is_refused() {
    let kept = lines(&[TYPE, DATE]);
    let asked = format!("Range: bytes={}-{},0-0", 1u64 << 62, 1u64 << 62);
    let (response, asked) = (plain(&kept, 200), lines(&[&asked]));
    let stored = Stored {
        lines: &kept,
        response: &response,
        length: u64::MAX >> 1,
    };
    let found = answer(&stored, &get(&asked), &MANNER);
    assert_eq!(found.content, Content::Parts);
    let several = &found.several;
    let longest = several.ranges()[0];
    let head = |out: &mut Writer<'_>| several.put_head(longest, &kept, out);
    let end = |out: &mut Writer<'_>| several.put_end(out);
    let head_len = written(Several::room(&kept), head).len();
    for len in 0..head_len {
        assert_eq!(head(&mut Writer::new(&mut vec![0; len])), Err(Full));
    }
    for len in 0..written(Several::room(b""), end).len() {
        assert_eq!(end(&mut Writer::new(&mut vec![0; len])), Err(Full));
    }
}

/// RFC 9110 section 15.5.17. Nothing in it is of the representation, nor lets other caches store it.
#[test]
fn no_part_is_a_416() {
    let kept = [
        TYPE,
        DATE,
        TAG,
        MODIFIED,
        "Vary: a",
        "Cache-Control: max-age=60",
        "CDN-Cache-Control: max-age=60",
        "Surrogate-Control: max-age=60",
        "Expires: Sun, 06 Nov 1994 09:49:37 GMT",
        "Content-Location: /x",
        "Content-Encoding: gzip",
        "Content-Language: de",
        "Content-Disposition: attachment",
        "Content-Digest: x",
        "Repr-Digest: x",
        "Set-Cookie: a=b",
        "Access-Control-Allow-Origin: *",
        "Content-Security-Policy: x",
    ];
    let right = [
        DATE,
        "Vary: a",
        "Set-Cookie: a=b",
        "Access-Control-Allow-Origin: *",
        "Content-Security-Policy: x",
        "Content-Range: bytes */1000",
        "Age: 10",
        "Content-Length: 0",
    ];
    for private in [false, true] {
        let manner = Manner { private, ..MANNER };
        for asked in ["bytes=1000-", "bytes=-0", "bytes=2000-3000, 5000-"] {
            let answer = of(&kept, &[&format!("Range: {asked}")], &manner);
            let expected = right.map(str::to_owned).to_vec();
            assert_eq!(answer.said(), (416, expected));
            assert_eq!(answer.content, Content::None);
        }
    }
    let empty = made(200, &kept, 0, Method::Get, &[RANGE], &MANNER);
    assert_eq!(empty.values("Content-Range"), ["bytes */0"]);
}

/// RFC 9110 section 13.2.2: If-None-Match or If-Modified-Since, then If-Range with Range.
#[test]
fn conditions_come_before_parts() {
    let kept = [DATE, TAG, MODIFIED];
    for (asked, code) in [
        (&[RANGE, "If-None-Match: \"a\""][..], 304),
        (&[RANGE, "If-None-Match: \"b\""], 206),
        (
            &[RANGE, "If-Modified-Since: Sun, 06 Nov 1994 08:00:00 GMT"],
            304,
        ),
        (&["Range: bytes=5000-", "If-None-Match: \"a\""], 304),
        (&[RANGE, "If-None-Match: \"b\"", "If-Range: \"b\""], 200),
        (&[RANGE, "If-Range: \"a\""], 206),
        (&[RANGE, "If-Range: W/\"a\""], 200),
        (&[RANGE, "If-Range: \"b\""], 200),
        (&[RANGE, "If-Range: Sun, 06 Nov 1994 08:00:00 GMT"], 206),
        (&[RANGE, "If-Range: Sun, 06 Nov 1994 08:00:01 GMT"], 200),
        // "Otherwise, if the condition is false, the recipient ignores the Range": no 416 either.
        (&["Range: bytes=5000-", "If-Range: \"b\""], 200),
        (&["If-Range: \"a\""], 200),
        // One alone is valid (section 14.2).
        (&[RANGE, RANGE], 200),
    ] {
        let answer = of(&kept, asked, &MANNER);
        assert_eq!(answer.head.status.code(), code, "for {asked:?}");
    }
}

/// "A sender that generates a 206 response to a request with an If-Range header field SHOULD NOT
/// generate other representation header fields": but browsers compare them.
#[test]
fn a_part_says_its_coding_even_to_who_knows_it() {
    let kept = [DATE, TAG, TYPE, "Content-Encoding: gzip"];
    let answer = of(&kept, &[RANGE, "If-Range: \"a\""], &MANNER);
    assert_eq!(answer.head.status.code(), 206);
    assert_eq!(answer.values("Content-Encoding"), ["gzip"]);
    assert_eq!(answer.values("Content-Type"), ["text/plain"]);
}

/// RFC 9110 section 14.2: "A server MAY ignore the Range header field."
#[test]
fn the_whole_goes_to_who_cannot_get_parts() {
    let is_whole = |answer: Answer, code: u16| {
        assert_eq!(answer.head.status.code(), code);
        assert!(answer.several.ranges().is_empty());
        assert!(!answer.has("Content-Range"));
    };
    let manner = Manner {
        ranges: false,
        ..MANNER
    };
    is_whole(of(&[DATE], &[RANGE], &manner), 200);
    // "The Range header field is evaluated [...] only if the result in absence of the Range header
    // field would be a 200". What is stored as a part stays one, without its Content-Range.
    for code in [203, 206, 301, 404] {
        let answer = made(code, &[DATE], 1000, Method::Get, &[RANGE], &MANNER);
        assert_eq!(answer.content, Content::Whole);
        is_whole(answer, code);
    }
    for asked in ["items=0-1", "bytes=", "bytes=1-0", "bytes=0-1,x", ""] {
        is_whole(of(&[DATE], &[&format!("Range: {asked}")], &MANNER), 200);
    }
    // The parts of what has a coding would be read as if the multipart had it.
    let coded = [DATE, "Content-Encoding: gzip"];
    let answer = of(&coded, &["Range: bytes=0-1, 3-4"], &MANNER);
    assert_eq!(answer.head.status.code(), 200);
    assert_eq!(answer.content, Content::Whole);
    let answer = of(&coded, &["Range: bytes=0-1, 2000-"], &MANNER);
    assert_eq!(answer.content, Content::Part(range(0, 1)));
}

/// "Many small ranges".
#[test]
fn there_are_so_many_parts_and_no_more() {
    let ranges = |count: usize| {
        let ranges: Vec<_> = (0..count).map(|at| format!("{0}-{0}", at * 2)).collect();
        format!("Range: bytes={}", ranges.join(","))
    };
    let answer = of(&[DATE], &[&ranges(MAX_RANGES)], &MANNER);
    assert_eq!(answer.content, Content::Parts);
    assert_eq!(answer.several.ranges().len(), MAX_RANGES);
    let answer = of(&[DATE], &[&ranges(MAX_RANGES + 1)], &MANNER);
    assert_eq!(answer.content, Content::Whole);
}

/// No such length is ever stored.
#[test]
fn parts_that_cannot_be_counted_are_none() {
    let (kept, asked) = (
        lines(&[DATE]),
        format!("Range: bytes=0-{},-9", u64::MAX - 99),
    );
    let (response, asked) = (plain(&kept, 200), lines(&[&asked]));
    let stored = Stored {
        lines: &kept,
        response: &response,
        length: u64::MAX,
    };
    let mut place = vec![0; room(&stored, &MANNER)];
    let mut out = Writer::new(&mut place);
    let found = write(
        &stored,
        &get(&asked),
        &MANNER,
        Some(&mut Several::new()),
        &mut out,
    );
    assert_eq!(found.map(|written| written.content), Ok(Content::Whole));
}

/// RFC 9110 section 14.3: a server "that supports byte-range requests for the target resource MAY send"
/// so.
#[test]
fn parts_are_offered_where_they_can_be_had() {
    const NONE: [&str; 0] = [];
    let found = |code, kept: &[&str], asked: &[&str], manner: &Manner<'_>| {
        let answer = made(code, kept, 1000, Method::Get, asked, manner);
        answer.values("Accept-Ranges")
    };
    assert_eq!(found(200, &[DATE], &[], &MANNER), ["bytes"]);
    assert_eq!(found(200, &[DATE], &[RANGE], &MANNER), ["bytes"]);
    assert_eq!(
        found(200, &[DATE], &["Range: bytes=0-1,3-4"], &MANNER),
        ["bytes"]
    );
    // What the origin says of it stays.
    for said in ["bytes", "none"] {
        let line = format!("accept-ranges: {said}");
        for asked in [&[][..], &[RANGE]] {
            assert_eq!(found(200, &[DATE, &line], asked, &MANNER), [said]);
        }
    }
    for code in [203, 204, 206, 301, 404] {
        assert_eq!(found(code, &[DATE], &[], &MANNER), NONE);
    }
    assert_eq!(found(200, &[DATE], &["Range: bytes=5000-"], &MANNER), NONE);
    assert_eq!(found(200, &[DATE], &["If-None-Match: *"], &MANNER), NONE);
    let manner = Manner {
        ranges: false,
        ..MANNER
    };
    assert_eq!(found(200, &[DATE], &[], &manner), NONE);
}

/// RFC 9110 section 14.4: a Content-Range of a 200 means nothing. It goes out with what it came with, but
/// not beside one that means something.
#[test]
fn a_content_range_of_the_whole_is_not_that_of_a_part() {
    let kept = [DATE, TAG, "Content-Range: bytes 0-1/9"];
    let of = |asked: &[&str]| of(&kept, asked, &MANNER);
    assert_eq!(of(&[]).values("Content-Range"), ["bytes 0-1/9"]);
    for (asked, status, said) in [
        ("Range: bytes=5-6", 206, &["bytes 5-6/1000"][..]),
        ("Range: bytes=5-6, 8-9", 206, &[]),
        ("Range: bytes=1000-", 416, &["bytes */1000"]),
        ("If-None-Match: \"a\"", 304, &[]),
    ] {
        let answer = of(&[asked]);
        assert_eq!(
            (answer.said().0, answer.values("Content-Range")),
            (status, said.iter().map(|text| (*text).to_owned()).collect())
        );
    }
}
