//! Parts of what is stored (RFC 9110 section 14).

use crate::cached::{set, whole, Visitor, FRESH};
use crate::conn::Response;
use crate::http::{head_end, Framing, Head};
use crate::origin::{Answer, Step};
use crate::pattern;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    one_part,
    several_parts,
    parts_that_meet_or_overlap,
    parts_that_are_not_there,
    what_is_no_range,
    too_many_parts,
    if_range,
    with_other_conditions,
    of_every_size,
    switched_off,
    a_part_is_not_the_whole,
    parts_become_the_whole,
];

const LEN: u64 = 100_000;
const PAGE: &str = "/script/page";
const MODIFIED: &str = "Sat, 01 Nov 2025 00:00:00 GMT";

/// A gateway that has stored `/script/page`: the body 1 of [`LEN`] octets.
fn stored() -> Result<Bed, Failure> {
    let bed = Bed::cached(&[])?;
    let fields = format!(
        "{FRESH}ETag: \"v1\"\r\nLast-Modified: {MODIFIED}\r\nContent-Type: image/png\r\n\
         Vary: Accept\r\n"
    );
    bed.origin.answer("page", &Answer::new(&fields, 1, LEN));
    whole(&Visitor::new(&bed)?.miss(PAGE, "")?, 1, LEN)?;
    Ok(bed)
}

/// These octets of the body.
fn octets(first: u64, last: u64) -> Vec<u8> {
    pattern::body(1, last as usize + 1).split_off(first as usize)
}

fn range(set: &str) -> String {
    format!("Range: bytes={set}\r\n")
}

/// Fails unless that is a 206 with one part, the octets from `first` to `last` of so many.
fn is_part(response: &Response, first: u64, last: u64, complete: u64) -> Outcome {
    same!(response.status, 206, "the status");
    let right = format!("bytes {first}-{last}/{complete}");
    let said: Vec<_> = response.head.all("Content-Range").collect();
    same!(said, [right.as_str()], "Content-Range");
    same!(response.length, last - first + 1, "the length");
    ensure!(
        response.body == octets(first, last),
        "other octets than {first} to {last}"
    );
    Ok(())
}

fn one_part() -> Outcome {
    let bed = stored()?;
    let mut visitor = Visitor::new(&bed)?;
    for (set, first, last) in [
        ("0-0", 0, 0),
        ("0-99", 0, 99),
        ("4095-4096", 4095, 4096),
        ("4096-8191", 4096, 8191),
        ("50000-50999", 50_000, 50_999),
        ("99999-", 99_999, 99_999),
        ("60000-", 60_000, 99_999),
        ("90000-200000", 90_000, 99_999),
        ("90000-99999999999999999999999999", 90_000, 99_999),
        ("-1", 99_999, 99_999),
        ("-500", 99_500, 99_999),
        (" 5-6 ", 5, 6),
        ("5-6,", 5, 6),
        // All of it, as a part.
        ("0-", 0, 99_999),
        ("0-99999", 0, 99_999),
        ("-100000", 0, 99_999),
        ("-200000", 0, 99_999),
    ] {
        let response = visitor.hit(PAGE, &range(set))?;
        is_part(&response, first, last, LEN).context(set)?;
        for (name, right) in [
            ("ETag", "\"v1\""),
            ("Content-Type", "image/png"),
            ("Vary", "Accept"),
        ] {
            same!(response.head.get(name), Some(right), "{set}: {name}");
        }
    }
    // Only GET has ranges.
    let head = visitor.hit_by("HEAD", PAGE, &range("0-99"))?;
    same!(head.status, 200, "the status for HEAD");
    same!(head.head.get("Content-Length"), Some("100000"), "for HEAD");
    Ok(())
}

/// A part of a multipart/byteranges: its first and last octet, the length of the whole, and its octets.
type Part = (u64, u64, u64, Vec<u8>);

/// Takes a multipart/byteranges apart (RFC 9110 section 14.6, RFC 2046 section 5.1.1).
fn parts(response: &Response) -> Result<Vec<Part>, Failure> {
    same!(response.status, 206, "the status");
    same!(response.head.get("Content-Range"), None, "Content-Range");
    let media_type = response.head.get("Content-Type").unwrap_or("");
    let boundary = media_type
        .strip_prefix("multipart/byteranges; boundary=")
        .ok_or_else(|| Failure(format!("Content-Type: {media_type:?}")))?;
    let boundary = boundary.trim_matches('"');
    ensure!((1..=70).contains(&boundary.len()), "{boundary:?}");
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = &response.body[..];
    // The first delimiter may stand at the very beginning.
    rest = match rest.strip_prefix(&delimiter.as_bytes()[2..]) {
        Some(after) => after,
        None => split_at(rest, delimiter.as_bytes())?.1,
    };
    let mut found = Vec::new();
    while !rest.starts_with(b"--") {
        let (part, after) = split_at(rest, delimiter.as_bytes())?;
        found.push(one_of(part)?);
        rest = after;
    }
    same!(rest, b"--\r\n".as_slice(), "what follows the last part");
    Ok(found)
}

/// What comes before a delimiter, and what follows it.
fn split_at<'a>(text: &'a [u8], delimiter: &[u8]) -> Result<(&'a [u8], &'a [u8]), Failure> {
    let mut windows = text.windows(delimiter.len());
    let at = windows.position(|window| window == delimiter);
    let at = at.ok_or("a delimiter is missing")?;
    Ok((&text[..at], &text[at + delimiter.len()..]))
}

/// One part, with its head, as it stands between two delimiters.
fn one_of(part: &[u8]) -> Result<Part, Failure> {
    // What is parsed wants a first line.
    let text = [b"part".as_slice(), part].concat();
    let end = head_end(&text, 0).ok_or("a part has no head")?;
    let head = Head::parse(&text[..end])?;
    same!(head.first, "part", "what follows the delimiter");
    same!(head.get("Content-Type"), Some("image/png"), "its type");
    let range = head.get("Content-Range").unwrap_or("");
    let numbers: Vec<u64> = range
        .strip_prefix("bytes ")
        .unwrap_or("")
        .split(['-', '/'])
        .filter_map(|number| number.parse().ok())
        .collect();
    match numbers[..] {
        [first, last, complete] => Ok((first, last, complete, text[end..].to_vec())),
        _ => Err(Failure(format!("a part's Content-Range: {range:?}"))),
    }
}

/// Fails unless the answer has these parts in this order, and nothing else.
fn has_parts(response: &Response, right: &[(u64, u64)]) -> Outcome {
    let parts = parts(response)?;
    let seen: Vec<_> = parts.iter().map(|part| (part.0, part.1)).collect();
    same!(seen, right, "the parts");
    for (first, last, complete, body) in parts {
        same!(complete, LEN, "the length of the whole");
        same!(body.len() as u64, last - first + 1, "the length of a part");
        ensure!(
            body == octets(first, last),
            "other octets than {first} to {last}"
        );
    }
    Ok(())
}

fn several_parts() -> Outcome {
    let bed = stored()?;
    let mut visitor = Visitor::new(&bed)?;
    for (set, right) in [
        ("0-0,2-2", &[(0, 0), (2, 2)][..]),
        ("0-9,100-199,-5", &[(0, 9), (100, 199), (99_995, 99_999)]),
        ("50000-50009, 0-9", &[(50_000, 50_009), (0, 9)]),
        ("4090-4100,8190-8200", &[(4090, 4100), (8190, 8200)]),
        ("0-40000,50000-", &[(0, 40_000), (50_000, 99_999)]),
        // One of them is not there.
        ("0-9,200000-,20-29", &[(0, 9), (20, 29)]),
    ] {
        let response = visitor.hit(PAGE, &range(set))?;
        has_parts(&response, right).context(set)?;
        same!(response.head.get("ETag"), Some("\"v1\""), "{set}: ETag");
    }
    // The connection is where it should be.
    whole(&visitor.hit(PAGE, "")?, 1, LEN)
}

/// Nobody gets an octet twice that he asks for twice.
fn parts_that_meet_or_overlap() -> Outcome {
    let bed = stored()?;
    let mut visitor = Visitor::new(&bed)?;
    for (set, first, last) in [
        ("0-9,10-19", 0, 19),
        ("0-9,5-19", 0, 19),
        ("10-19,0-9", 0, 19),
        ("0-99,10-19", 0, 99),
        ("500-,-99500", 500, 99_999),
        ("7-8,200000-", 7, 8),
    ] {
        let response = visitor.hit(PAGE, &range(set))?;
        is_part(&response, first, last, LEN).context(set)?;
    }
    let response = visitor.hit(PAGE, &range("0-9,100-109,5-14"))?;
    has_parts(&response, &[(0, 14), (100, 109)])
}

fn parts_that_are_not_there() -> Outcome {
    let bed = stored()?;
    let mut visitor = Visitor::new(&bed)?;
    for set in [
        "100000-",
        "100000-100001",
        "200000-300000",
        "99999999999999999999999999-",
        "-0",
        "100000-,200000-",
    ] {
        let response = visitor.hit(PAGE, &range(set))?;
        same!(response.status, 416, "{set}: the status");
        same!(
            response.head.get("Content-Range"),
            Some("bytes */100000"),
            "{set}: Content-Range"
        );
    }
    whole(&visitor.hit(PAGE, "")?, 1, LEN)
}

/// What is not valid, or in another unit, is as if it was not there.
fn what_is_no_range() -> Outcome {
    let bed = stored()?;
    let mut visitor = Visitor::new(&bed)?;
    for set in [
        "",
        "5",
        "-",
        "9-5",
        "a-b",
        "0-9,x",
        "0x1-2",
        "1--2",
        "0-9;10-19",
    ] {
        whole(&visitor.hit(PAGE, &range(set))?, 1, LEN).context(set)?;
    }
    for fields in [
        "Range: lines=0-9\r\n",
        "Range: bytes 0-9\r\n",
        "Range: 0-9\r\n",
        "Range: bytes=0-9\r\nRange: bytes=20-29\r\n",
    ] {
        whole(&visitor.hit(PAGE, fields)?, 1, LEN).context(fields)?;
    }
    Ok(())
}

/// "A server that supports range requests MAY ignore or reject a Range header field that contains [...]
/// more than two overlapping ranges, or a set of many small ranges" (RFC 9110 section 14.2).
fn too_many_parts() -> Outcome {
    let bed = stored()?;
    let mut visitor = Visitor::new(&bed)?;
    let many: Vec<_> = (0..500)
        .map(|number| format!("{}-{}", number * 100, number * 100 + 1))
        .collect();
    for set in ["0-,0-,0-,0-,0-", "0-5,1-6,2-7,3-8,4-9", &many.join(",")] {
        let response = visitor.hit(PAGE, &range(set))?;
        whole(&response, 1, LEN).context(&set[..14])?;
    }
    Ok(())
}

fn if_range() -> Outcome {
    let bed = stored()?;
    let mut visitor = Visitor::new(&bed)?;
    for (condition, holds) in [
        ("\"v1\"", true),
        ("\"v2\"", false),
        // Only strong ones count (RFC 9110 section 13.1.5).
        ("W/\"v1\"", false),
        (MODIFIED, true),
        ("Sat, 01 Nov 2025 00:00:01 GMT", false),
        ("nonsense", false),
    ] {
        let fields = format!("{}If-Range: {condition}\r\n", range("10-19"));
        let response = visitor.hit(PAGE, &fields)?;
        match holds {
            true => is_part(&response, 10, 19, LEN).context(condition)?,
            false => whole(&response, 1, LEN).context(condition)?,
        }
    }
    // Without a Range it says nothing.
    whole(&visitor.hit(PAGE, "If-Range: \"v1\"\r\n")?, 1, LEN)
}

/// RFC 9110 section 13.2.2: a Range is looked at last.
fn with_other_conditions() -> Outcome {
    let bed = stored()?;
    let mut visitor = Visitor::new(&bed)?;
    let part = range("10-19");
    let known = visitor.hit(PAGE, &format!("{part}If-None-Match: \"v1\"\r\n"))?;
    same!(known.status, 304, "the status with a tag that is the same");
    let other = visitor.hit(PAGE, &format!("{part}If-None-Match: \"v2\"\r\n"))?;
    is_part(&other, 10, 19, LEN)?;
    let fields = format!("{}If-None-Match: \"v1\"\r\n", range("200000-"));
    same!(visitor.hit(PAGE, &fields)?.status, 304, "the status");
    Ok(())
}

/// The ends of bodies around everything that has a size.
fn of_every_size() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    for size in [1, 2, 4095, 4096, 4097, 8192, 65_536, 300_001] {
        let target = format!("/len/{size}?seed=1&cc=max-age=3600");
        whole(&visitor.miss(&target, "")?, 1, size)?;
        let mut ranges = vec![(0, 0), (size - 1, size - 1), (size / 2, size - 1)];
        ranges.push((size - size.min(60_000), size - 1));
        for page in (4096..size).step_by(40_960) {
            ranges.push((page - 1, page));
            ranges.push((page, (page + 4095).min(size - 1)));
        }
        for (first, last) in ranges {
            let what = format!("{first}-{last} of {size}");
            let set = range(&format!("{first}-{last}"));
            let response = visitor.hit(&target, &set)?;
            is_part(&response, first, last, size).context(what)?;
        }
    }
    // Of nothing there is no part (RFC 9110 section 14.1.2).
    let target = "/len/0?cc=max-age=3600";
    visitor.miss(target, "")?;
    let response = visitor.hit(target, &range("0-"))?;
    same!(response.status, 416, "the status of the first of no octets");
    Ok(())
}

/// Then a Range is as if it was not there, or it is the backend's to answer.
fn switched_off() -> Outcome {
    let bed = stored()?;
    set("enable-range", "off")?;
    let mut visitor = Visitor::new(&bed)?;
    for set in ["0-99", "0-9,20-29", "200000-"] {
        // The backend does not know ranges.
        let (response, _) = visitor.ask("GET", PAGE, &range(set))?;
        whole(&response, 1, LEN).context(set)?;
    }
    whole(&visitor.hit(PAGE, "")?, 1, LEN)
}

/// What a backend sends for a part of the body.
fn part(first: u64, last: u64) -> Vec<Step> {
    let fields = format!("{TAGGED}Content-Range: bytes {first}-{last}/{LEN}\r\n");
    let mut steps = Answer::new(&fields, 0, 0)
        .status("206 Partial Content")
        .framed(Framing::Length(last - first + 1))
        .steps();
    steps.push(Step::Body {
        seed: 1,
        at: first,
        len: last - first + 1,
    });
    steps
}

const TAGGED: &str = "Cache-Control: max-age=3600\r\nETag: \"v1\"\r\n";

/// Those of one version, in any order.
fn parts_become_the_whole() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    for (first, last) in [
        (40_000, 59_999),
        (60_000, 99_999),
        (10_000, 40_000),
        (0, 9_999),
    ] {
        bed.origin.script("page", part(first, last));
        let set = range(&format!("{first}-{last}"));
        is_part(&visitor.miss(PAGE, &set)?, first, last, LEN)?;
        is_part(&visitor.hit(PAGE, &set)?, first, last, LEN)?;
        let inner = range(&format!("{}-{}", first + 5000, last - 3000));
        is_part(&visitor.hit(PAGE, &inner)?, first + 5000, last - 3000, LEN)?;
    }
    whole(&visitor.hit(PAGE, "")?, 1, LEN)?;
    is_part(&visitor.hit(PAGE, &range("5000-95000"))?, 5000, 95_000, LEN)?;
    bed.works()
}

/// RFC 9111 section 3.3: what came for a Range answers no request without one.
fn a_part_is_not_the_whole() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    bed.origin.script("page", part(0, 999));
    let response = visitor.miss(PAGE, &range("0-999"))?;
    is_part(&response, 0, 999, LEN)?;
    // Another part may come from anywhere, but has to be that part.
    bed.origin.script("page", part(500, 599));
    let (response, _) = visitor.ask("GET", PAGE, &range("500-599"))?;
    is_part(&response, 500, 599, LEN)?;
    bed.origin.answer("page", &Answer::new(TAGGED, 1, LEN));
    whole(&visitor.miss(PAGE, "")?, 1, LEN)?;
    is_part(&visitor.hit(PAGE, &range("500-599"))?, 500, 599, LEN)?;
    whole(&visitor.hit(PAGE, "")?, 1, LEN)
}
