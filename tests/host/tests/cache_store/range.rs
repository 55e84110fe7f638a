// SPDX-License-Identifier: GPL-2.0

//! Parts of representations (RFC 9110 section 14).

use proptest::prelude::*;

use crate::bytes::{Full, Writer};
use crate::cache::range::{
    choose, if_range, is_divisible, of_request, put_unsatisfied, Boundary, ByteRange, ContentRange,
    Multipart, Parts,
};
use crate::cache::Validators;
use crate::http::{Method, Status};
use crate::time::UnixTime;

/// What is chosen, as a text: `whole`, `none`, or the ranges.
fn chosen(value: &str, complete: u64) -> String {
    let mut room = [ByteRange::FIRST; 8];
    match choose(value.as_bytes(), complete, &mut room) {
        Parts::Whole => "whole".into(),
        Parts::None => "none".into(),
        Parts::Single(range) => show(&[range]),
        Parts::Several(ranges) => {
            assert!(ranges.len() > 1);
            show(ranges)
        }
    }
}

pub(super) fn show(ranges: &[ByteRange]) -> String {
    let texts = ranges
        .iter()
        .map(|range| format!("{}-{}", range.first(), range.last()));
    texts.collect::<Vec<_>>().join(",")
}

pub(super) fn range(first: u64, last: u64) -> ByteRange {
    ByteRange::new(first, last).unwrap()
}

pub(super) const MAX: u64 = u64::MAX;

/// The examples of sections 14.1.2 and 14.2 and what the text says beside them.
#[test]
fn ranges_are_chosen_as_the_rfc_has_it() {
    for (value, right) in [
        ("bytes=0-499", "0-499"),
        ("bytes=500-999", "500-999"),
        ("bytes=-500", "9500-9999"),
        ("bytes=9500-", "9500-9999"),
        ("bytes=0-0,-1", "0-0,9999-9999"),
        // "Other valid (but not canonical) specifications of the second 500 bytes".
        ("bytes=500-600,601-999", "500-999"),
        ("bytes=500-700,601-999", "500-999"),
        (
            "bytes= 0-999, 4500-5499, -1000",
            "0-999,4500-5499,9000-9999",
        ),
        // "range-unit names are case-insensitive".
        ("Bytes=1-2", "1-2"),
        ("BYTES=1-2", "1-2"),
        // Ends beyond the end, suffixes longer than all.
        ("bytes=0-", "0-9999"),
        ("bytes=9999-", "9999-9999"),
        ("bytes=9990-20000", "9990-9999"),
        ("bytes=-10000", "0-9999"),
        ("bytes=-10001", "0-9999"),
        ("bytes=0000000000000000000000000000001-2", "1-2"),
        // Empty elements of lists (section 5.6.1.2).
        ("bytes=,, 1-2 ,\t,4-5,", "1-2,4-5"),
        // The order is the client's; what is joined is where its first part was.
        ("bytes=50-59,10-19", "50-59,10-19"),
        ("bytes=50-59,10-19,60-69", "50-69,10-19"),
        ("bytes=10-19,30-39,20-29", "10-39"),
        ("bytes=1-1,90-91,30-39,5-5,35-60", "1-1,90-91,30-60,5-5"),
        // Those that are not satisfiable are left out.
        ("bytes=20000-,1-2", "1-2"),
        ("bytes=10000-", "none"),
        ("bytes=-0", "none"),
        ("bytes=-0,10000-20000", "none"),
        ("bytes=-0,1-1", "1-1"),
    ] {
        assert_eq!(chosen(value, 10_000), right, "{value}");
    }
}

#[test]
fn what_is_not_valid_is_ignored() {
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes= ",
        "bytes=-",
        "bytes=a-",
        "bytes=1",
        "bytes=2-1",
        "bytes=1-2-3",
        "bytes=--1",
        "bytes=1--2",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=0x1-2",
        "bytes=1 -2",
        "bytes=1- 2",
        "bytes=1-2;3-4",
        "bytes=1-2 3-4",
        "bytes =1-2",
        "bytes:1-2",
        " bytes=1-2",
        "byte=1-2",
        "bytesx=1-2",
        "items=1-2",
        "none",
        "bytes=1-2,x",
        "bytes=x,1-2",
        "bytes=1.0-2",
        "bytes=\u{661}-2",
        "bytes=1-2,bytes=3-4",
        "bytes=1-2, bytes=3-4",
        "bytes=\"1-2\"",
        "bytes=*",
        "bytes=*/5",
        "bytes=1-2/5",
    ] {
        assert_eq!(chosen(value, 10_000), "whole", "{value}");
        assert_eq!(chosen(value, 0), "whole", "{value}");
    }
}

/// "Recipients ought to anticipate potentially large decimal numerals and prevent parsing errors due
/// to integer conversion overflows".
#[test]
fn no_number_is_too_large() {
    let many = "9".repeat(5000);
    for (value, complete, right) in [
        ("bytes=0-18446744073709551615", 10, "0-9"),
        ("bytes=0-18446744073709551614", 10, "0-9"),
        ("bytes=0-18446744073709551616", 10, "0-9"),
        ("bytes=9223372036854775807-", 10, "none"),
        ("bytes=9223372036854775808-", 10, "none"),
        ("bytes=18446744073709551615-", 10, "none"),
        ("bytes=18446744073709551616-", 10, "none"),
        (
            "bytes=18446744073709551615-18446744073709551615",
            10,
            "none",
        ),
        (
            "bytes=18446744073709551616-18446744073709551617",
            10,
            "none",
        ),
        ("bytes=18446744073709551615-0", 10, "whole"),
        ("bytes=-18446744073709551615", 10, "0-9"),
        ("bytes=-18446744073709551616", 10, "0-9"),
        ("bytes=-9223372036854775808", 10, "0-9"),
        (
            "bytes=1-,18446744073709551615-,-18446744073709551615",
            10,
            "0-9",
        ),
        ("bytes=0-", MAX, "0-18446744073709551614"),
        (
            "bytes=0-18446744073709551615",
            MAX,
            "0-18446744073709551614",
        ),
        ("bytes=-1", MAX, "18446744073709551614-18446744073709551614"),
        (
            "bytes=18446744073709551614-",
            MAX,
            "18446744073709551614-18446744073709551614",
        ),
        ("bytes=18446744073709551615-", MAX, "none"),
        ("bytes=0-,1-,-1", MAX, "0-18446744073709551614"),
    ] {
        assert_eq!(chosen(value, complete), right, "{value} of {complete}");
    }
    assert_eq!(chosen(&format!("bytes=0-{many}"), 10), "0-9");
    assert_eq!(chosen(&format!("bytes={many}-"), 10), "none");
    assert_eq!(chosen(&format!("bytes=-{many}"), 10), "0-9");
    assert_eq!(chosen(&format!("bytes={many}-1"), 10), "whole");
    assert_eq!(chosen(&format!("bytes={}-1", "0".repeat(5000)), 10), "0-1");
}

#[test]
fn nothing_has_no_part_but_its_end() {
    assert_eq!(chosen("bytes=0-", 0), "none");
    assert_eq!(chosen("bytes=0-0", 0), "none");
    assert_eq!(chosen("bytes=-0", 0), "none");
    // It is satisfiable, but no Content-Range says that.
    assert_eq!(chosen("bytes=-1", 0), "whole");
    assert_eq!(chosen("bytes=0-0,-1", 0), "whole");
    assert_eq!(chosen("bytes=0-0", 1), "0-0");
}

#[test]
fn who_asks_for_too_much_gets_the_whole() {
    let list = |ranges: Vec<String>| format!("bytes={}", ranges.join(","));
    let disjoint = |n: u64| {
        list(
            (0..n)
                .map(|at| format!("{}-{}", 10 * at, 10 * at + 1))
                .collect(),
        )
    };
    assert_eq!(chosen(&disjoint(8), 10_000).split(',').count(), 8);
    assert_eq!(chosen(&disjoint(9), 10_000), "whole");
    assert_eq!(chosen(&disjoint(5000), 10_000), "whole");
    // Unsatisfiable ones count, too.
    assert_eq!(chosen(&list(vec!["10000-".into(); 9]), 10_000), "whole");
    // CVE-2011-3192.
    let killer = list((0..1300).map(|last| format!("5-{}", last + 5)).collect());
    assert_eq!(chosen(&format!("{killer},0-"), 10_000), "whole");
    // More than two that overlap.
    assert_eq!(chosen("bytes=0-9,5-14,10-19", 10_000), "0-19");
    assert_eq!(chosen("bytes=0-9,5-14,10-19,15-24", 10_000), "whole");
    assert_eq!(chosen("bytes=0-,0-,0-,0-", 10_000), "whole");
    // Those that meet do not overlap.
    assert_eq!(chosen("bytes=0-0,1-1,2-2,3-3,4-4", 10_000), "0-4");
    assert_eq!(chosen("bytes=4-4,3-3,2-2,1-1,0-0", 10_000), "0-4");
    // Without room for any, every Range is ignored.
    assert_eq!(choose(b"bytes=0-0", 9, &mut []), Parts::Whole);
}

#[test]
fn ranges_are_of_answers_to_get() {
    assert!(is_divisible(Method::Get, Status::OK));
    assert!(!is_divisible(Method::Head, Status::OK));
    assert!(!is_divisible(Method::Post, Status::OK));
    assert!(!is_divisible(Method::Get, Status::NOT_FOUND));
    assert!(!is_divisible(Method::Get, Status::PARTIAL_CONTENT));
    assert_eq!(of_request(b"A: b\r\nrange: x=y\r\n"), Some(&b"x=y"[..]));
    assert_eq!(of_request(b"A: b\r\n"), None);
    assert_eq!(of_request(b"Range: a=1\r\nRange: a=1\r\n"), None);
}

fn written(write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) -> String {
    let mut out = [0; 256];
    let mut writer = Writer::new(&mut out);
    write(&mut writer).unwrap();
    String::from_utf8(writer.written().to_vec()).unwrap()
}

/// The examples of section 14.4.
#[test]
fn content_range_is_written_and_read() {
    let text = written(|out| range(42, 1233).put_content_range(1234, out));
    assert_eq!(text, "bytes 42-1233/1234");
    assert_eq!(written(|out| put_unsatisfied(47022, out)), "bytes */47022");
    use ContentRange::{Part, Unsatisfied};
    for (text, right) in [
        ("bytes 42-1233/1234", Part(range(42, 1233), Some(1234))),
        ("bytes 42-1233/*", Part(range(42, 1233), None)),
        ("Bytes 0-0/1", Part(range(0, 0), Some(1))),
        ("bytes */1234", Unsatisfied(1234)),
        ("bytes */0", Unsatisfied(0)),
        (
            "bytes 18446744073709551614-18446744073709551614/18446744073709551615",
            Part(range(MAX - 1, MAX - 1), Some(MAX)),
        ),
    ] {
        assert_eq!(ContentRange::parse(text.as_bytes()), Some(right), "{text}");
    }
    for text in [
        // "A Content-Range field value is invalid if it contains a range-resp that has a last-pos
        // value less than its first-pos value, or a complete-length value less than or equal to its
        // last-pos value."
        "bytes 2-1/5",
        "bytes 0-5/5",
        "bytes 0-6/5",
        "bytes 0-0/0",
        "bytes */*",
        "bytes 0-1",
        "bytes 0-1/",
        "bytes -1/5",
        "bytes 0-/5",
        "bytes /5",
        "bytes 0/5",
        "bytes=0-1/5",
        "bytes",
        "bytes ",
        "",
        "items 0-1/5",
        "bytes  0-1/5",
        "bytes 0 - 1/5",
        "bytes 0-1/5x",
        "bytes 0-1/5/5",
        "bytes 0-18446744073709551615/*",
        "bytes 0-18446744073709551616/*",
        "bytes 0-1/18446744073709551616",
        "bytes 18446744073709551616-18446744073709551617/*",
        "bytes +0-1/5",
        "bytes */-1",
    ] {
        assert_eq!(ContentRange::parse(text.as_bytes()), None, "{text}");
    }
}

/// The whole content of a response with these parts.
fn content(multipart: &Multipart<'_>, body: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    for part in multipart.ranges {
        content.extend(written(|out| multipart.put_head(*part, out)).bytes());
        content.extend(&body[part.first() as usize..part.end() as usize]);
    }
    content.extend(written(|out| multipart.put_end(out)).bytes());
    content
}

/// As the example of section 15.3.7.2.
#[test]
fn several_parts_are_a_multipart() {
    let boundary = Boundary::new([0x0123_4567_89ab_cdef, 1]);
    let name = "0123456789abcdef0000000000000001";
    assert_eq!(
        written(|out| boundary.put_content_type(out)),
        format!("multipart/byteranges; boundary={name}")
    );
    let multipart = Multipart {
        ranges: &[range(0, 1), range(9, 11)],
        complete: 12,
        content_type: b"text/plain",
        boundary,
    };
    let right = format!(
        "\r\n--{name}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/12\r\n\r\nab\
         \r\n--{name}\r\nContent-Type: text/plain\r\nContent-Range: bytes 9-11/12\r\n\r\njkl\
         \r\n--{name}--\r\n"
    );
    let content = content(&multipart, b"abcdefghijkl");
    assert_eq!(String::from_utf8(content).unwrap(), right);
    assert_eq!(multipart.len(), Some(right.len() as u64));
    let untyped = Multipart {
        content_type: b"",
        ..multipart
    };
    let head = written(|out| untyped.put_head(range(0, 1), out));
    assert_eq!(
        head,
        format!("\r\n--{name}\r\nContent-Range: bytes 0-1/12\r\n\r\n")
    );
}

#[test]
fn a_multipart_that_cannot_be_counted_has_no_length() {
    let multipart = Multipart {
        ranges: &[range(0, MAX - 1)],
        complete: MAX,
        content_type: b"",
        boundary: Boundary::new([0, 0]),
    };
    assert_eq!(multipart.len(), None);
    let fits = [range(0, MAX - 1000)];
    let multipart = Multipart {
        ranges: &fits,
        ..multipart
    };
    // Three numbers of 20, 20 and one digit.
    let around = 36 + 17 + 8 + 4 + 41 + 36 + 4;
    assert_eq!(multipart.len(), Some(MAX - 999 + around));
}

/// Sunday, 6 November 1994, 08:49:37 GMT.
const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
pub(super) const MODIFIED_AT: i64 = 784_111_777;

/// Of a response with these field lines, the body of which is of that time.
pub(super) fn validators(lines: &str, dated: i64) -> Validators<'_> {
    Validators::of(lines.as_bytes(), UnixTime::from_secs(dated))
}

pub(super) const TAG: &str = "ETag: \"a\"\r\n";
pub(super) const WEAK_TAG: &str = "ETag: W/\"a\"\r\n";
pub(super) const LAST_MODIFIED: &str = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

/// Section 13.1.5.
#[test]
fn if_range_compares_strongly() {
    let lines = [TAG, LAST_MODIFIED].concat();
    let stored = validators(&lines, MODIFIED_AT + 60);
    for (value, right) in [
        ("\"a\"", true),
        ("\"b\"", false),
        ("\"a", false),
        ("\"", false),
        ("\"a\", \"a\"", false),
        // "A client MUST NOT generate an If-Range header field containing an entity tag that is
        // marked as weak."
        ("W/\"a\"", false),
        ("", false),
        ("a", false),
        ("*", false),
        (MODIFIED, true),
        // "exactly matches".
        ("Sun, 06 Nov 1994 08:49:38 GMT", false),
        ("Sun, 06 Nov 1994 08:49:36 GMT", false),
        ("Sunday, 06-Nov-94 08:49:37 GMT", false),
    ] {
        assert_eq!(stored.pass_if_range(value.as_bytes()), right, "{value}");
    }
    let weak = validators(WEAK_TAG, MODIFIED_AT);
    assert!(!weak.pass_if_range(b"\"a\""));
    assert!(!weak.pass_if_range(b"W/\"a\""));
    assert!(!weak.pass_if_range(b""));
    assert!(!validators("", 0).pass_if_range(b"\"\""));
    assert!(validators("ETag: \"\"\r\n", 0).pass_if_range(b"\"\""));
    assert!(!validators("ETag: a\r\n", 0).pass_if_range(b"a"));
}

/// "If the HTTP-date validator provided is not a strong validator in the sense defined by Section
/// 8.8.2.2, the condition is false."
#[test]
fn a_date_counts_when_it_is_strong() {
    let sent = |dated| validators(LAST_MODIFIED, dated).pass_if_range(MODIFIED.as_bytes());
    assert!(sent(MODIFIED_AT + 1));
    assert!(!sent(MODIFIED_AT));
    assert!(!sent(MODIFIED_AT - 1));
    assert!(!sent(0));
    // The Date of a 304 says nothing of the body.
    let updated = [LAST_MODIFIED, "Date: Sun, 06 Nov 1994 09:49:37 GMT\r\n"].concat();
    assert!(!validators(&updated, MODIFIED_AT).pass_if_range(MODIFIED.as_bytes()));
    assert!(!validators("Last-Modified: soon\r\n", MODIFIED_AT).pass_if_range(b"soon"));
}

#[test]
fn a_request_without_if_range_has_its_range_and_one_with_several_has_not() {
    let stored = validators(TAG, 0);
    assert!(if_range(b"A: b\r\n", &stored));
    assert!(if_range(b"if-range: \"a\"\r\n", &stored));
    assert!(!if_range(b"If-Range: \"b\"\r\n", &stored));
    assert!(!if_range(
        b"If-Range: \"a\"\r\nIf-Range: \"a\"\r\n",
        &stored
    ));
}

/// Section 15.3.7: one part says which it is, several say so in the multipart.
#[test]
fn a_response_is_a_part_if_it_says_so_once() {
    for (lines, right) in [
        (
            "Content-Range: bytes 0-1/5\r\n",
            Some((range(0, 1), Some(5))),
        ),
        ("content-range:bytes 0-1/*\r\n", Some((range(0, 1), None))),
        ("Content-Range: bytes */5\r\n", None),
        ("Content-Range: bytes 0-5/5\r\n", None),
        (
            "Content-Range: bytes 0-1/5\r\nContent-Range: bytes 0-1/5\r\n",
            None,
        ),
        ("Content-Type: multipart/byteranges; boundary=x\r\n", None),
        ("", None),
    ] {
        assert_eq!(
            ContentRange::of_response(lines.as_bytes()),
            right,
            "{lines}"
        );
    }
}

proptest! {
    #![proptest_config(super::super::cases(2048))]

    /// Against a slow reading: the octets that are asked for, one by one.
    #[test]
    fn every_octet_that_is_asked_for_is_sent_once(
        asked in proptest::collection::vec((0u64..40, 0u64..40, 0..3), 1..10),
        complete in 0u64..32,
    ) {
        let mut wanted = std::collections::BTreeSet::new();
        let mut is_valid = true;
        let specs = asked.iter().map(|(first, last, kind)| match kind {
            0 => { wanted.extend(*first..complete); format!("{first}-") }
            1 => { wanted.extend(complete.saturating_sub(*last)..complete); format!("-{last}") }
            _ => {
                is_valid &= first <= last;
                wanted.extend((*first..=*last).filter(|at| *at < complete));
                format!("{first}-{last}")
            }
        });
        let value = format!("bytes={}", specs.collect::<Vec<_>>().join(","));
        let mut room = [ByteRange::FIRST; 8];
        let ranges = match choose(value.as_bytes(), complete, &mut room) {
            // Ignoring is always allowed; here it has a reason.
            Parts::Whole => {
                prop_assert!(!is_valid || asked.len() > 1 || complete == 0);
                return Ok(());
            }
            Parts::None => vec![],
            Parts::Single(range) => vec![range],
            Parts::Several(ranges) => ranges.to_vec(),
        };
        prop_assert!(is_valid);
        let sent: Vec<u64> = ranges.iter().flat_map(|range| range.first()..range.end()).collect();
        prop_assert_eq!(sent.len(), wanted.len(), "each once");
        prop_assert_eq!(sent.into_iter().collect::<std::collections::BTreeSet<_>>(), wanted);
    }

    /// Nothing that anybody can write makes more of a response than there is, or panics.
    #[test]
    fn any_range_is_within_the_whole(
        value in "(bytes=)?([0-9]{0,21}-[0-9]{0,21}[, ]{0,2}){0,12}",
        complete in prop_oneof![0..100u64, Just(MAX), any::<u64>()],
    ) {
        let mut room = [ByteRange::FIRST; 16];
        let parts = match choose(value.as_bytes(), complete, &mut room) {
            Parts::Single(range) => vec![range],
            Parts::Several(ranges) => ranges.to_vec(),
            _ => vec![],
        };
        let sum: u128 = parts.iter().map(|range| u128::from(range.len())).sum();
        prop_assert!(sum <= u128::from(complete));
        prop_assert!(parts.iter().all(|range| range.end() <= complete));
    }

    #[test]
    fn a_multipart_is_as_long_as_it_says(
        asked in proptest::collection::vec((0u64..2000, 0u64..2000), 0..6),
        content_type in "([a-z]{1,9}/[a-z]{1,9})?",
    ) {
        let body = [b'x'; 2000];
        let ranges: Vec<_> = asked.iter()
            .filter_map(|(one, other)| ByteRange::new(*one.min(other), *one.max(other)))
            .collect();
        let multipart = Multipart {
            ranges: &ranges,
            complete: 2000,
            content_type: content_type.as_bytes(),
            boundary: Boundary::new([1, 2]),
        };
        prop_assert_eq!(multipart.len(), Some(content(&multipart, &body).len() as u64));
    }
}
