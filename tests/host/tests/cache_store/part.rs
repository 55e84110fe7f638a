// SPDX-License-Identifier: GPL-2.0

//! What is stored of a representation of which only a part has come.

use crate::cache::range::Part;
use crate::cache::{Request, Validators};
use crate::http::head::BodyLength;
use crate::http::Method;
use crate::time::UnixTime;

fn part(range: &str, octets: u64) -> Option<Part> {
    Part::of_response(
        format!("Content-Range: bytes {range}\r\n").as_bytes(),
        octets,
    )
}

#[test]
fn a_part_is_what_a_206_says_and_brings() {
    let some = part("4-11/20", 8).unwrap();
    assert_eq!(
        (some.range().first(), some.range().end(), some.complete()),
        (4, 12, 20)
    );
    assert!(!some.is_whole());
    assert!(part("0-19/20", 20).unwrap().is_whole());
    for (range, octets) in [
        ("4-11/20", 7),
        ("4-11/20", 9),
        ("4-11/*", 8),
        ("4-11/11", 8),
        ("11-4/20", 8),
        ("*/20", 0),
        ("0-18446744073709551615/18446744073709551615", u64::MAX),
    ] {
        assert_eq!(part(range, octets), None, "{range}");
    }
    assert!(part("0-18446744073709551613/18446744073709551614", u64::MAX - 1).is_some());
    assert_eq!(Part::of_response(b"", 0), None);
}

/// A part serves who asks for one that is in it, of the version that it is of.
#[test]
fn a_part_serves_what_is_in_it() {
    let some = part("4-11/20", 8).unwrap();
    let serves = |method: Method, lines: &str| {
        let request = Request::of(method, lines.as_bytes(), BodyLength::None, false);
        let stored = b"ETag: \"a\"\r\n";
        let validators = Validators::of(stored, UnixTime::from_secs(784_111_777));
        some.serves(&request, &validators)
    };
    for range in ["4-11", "5-6", "11-", "-16", "11-99"] {
        let right = matches!(range, "4-11" | "5-6");
        let lines = format!("Range: bytes={range}\r\n");
        assert_eq!(serves(Method::Get, &lines), right, "{range}");
        assert!(!serves(Method::Head, &lines), "{range}");
    }
    for (lines, right) in [
        ("Range: bytes=5-6\r\nIf-Range: \"a\"\r\n", true),
        ("Range: bytes=5-6\r\nIf-Range: \"b\"\r\n", false),
        ("Range: bytes=5-6\r\nRange: bytes=5-6\r\n", false),
        ("Range: bytes=5-6,8-9\r\n", false),
        ("Range: bytes=5-6, 6-7\r\n", false),
        ("Range: lines=5-6\r\n", false),
        ("Range: bytes=99-\r\n", false),
        ("", false),
    ] {
        assert_eq!(serves(Method::Get, lines), right, "{lines}");
    }
}

#[test]
fn parts_that_meet_are_one() {
    let joined = |one: &str, other: &str| {
        let of = |text: &str| {
            let (first, rest) = text.split_once('-').unwrap();
            let (last, _) = rest.split_once('/').unwrap();
            let len = last.parse::<u64>().unwrap() - first.parse::<u64>().unwrap() + 1;
            part(text, len).unwrap()
        };
        let there = of(one).joined(of(other));
        assert_eq!(there, of(other).joined(of(one)));
        there.map(|part| (part.range().first(), part.range().last()))
    };
    assert_eq!(joined("0-4/20", "5-9/20"), Some((0, 9)));
    assert_eq!(joined("0-4/20", "3-9/20"), Some((0, 9)));
    assert_eq!(joined("0-19/20", "3-9/20"), Some((0, 19)));
    assert_eq!(joined("0-4/20", "6-9/20"), None);
    assert_eq!(joined("0-4/20", "5-9/21"), None);
}
