// SPDX-License-Identifier: GPL-2.0

//! What has to hold for every line of the access log, whatever a client sends: the body of the fuzz
//! target `log_grammar`, also run by the tests of `log`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::bytes::Writer;
use crate::http::field;
use crate::http::head::{self, Parse, RequestHead, Scan};
use crate::http::{Limits, Version};
use crate::log::{self, Entry, Format};
use crate::time::{Duration, UnixTime};

/// A line of the combined format as log tools take it apart, and our columns.
static COMBINED: LazyLock<Regex> = LazyLock::new(|| {
    let quoted = r#"" ((?: [\x20!\#-\[\]-~] | \\["\\] | \\x[0-9A-F]{2} )*) ""#;
    let pattern = format!(
        r"(?x-u) ^ (?<client>[0-9a-f.:]+) \ -\ -\ \[
            (?<time>\d\d/[A-Z][a-z][a-z]/\d{{4}}:\d\d:\d\d:\d\d\ \+0000) \]\x20
            {quoted}\ (?<status>\d{{3}})\ (?<octets>\d+)\ {quoted}\ {quoted}\x20
            (?<backend>srun-\d+|-)\ (?<cache>[A-Za-z0-9-]+)\ (?<total>\d+\.\d{{3}})\x20
            (?<first>\d+\.\d{{3}}|-)\ (?<ending>[A-Za-z0-9-]{{2}})\ (?<id>[0-9a-f]{{16}})\n $"
    );
    Regex::new(&pattern).expect("the pattern is one")
});

/// What a request says that gets into the log, as the client sent it.
struct Words {
    request: Vec<u8>,
    referer: Vec<u8>,
    user_agent: Vec<u8>,
}

/// Takes `text` for what a client sent, and for what is in a ring.
pub fn check(text: &[u8]) {
    let limits = Limits {
        head: 16_384,
        fields: 100,
        target: 8192,
    };
    let parsed = head::parse_request(text, &mut Scan::new(), &limits);
    for format in [Format::Combined, Format::Json] {
        let captured = match &parsed {
            Ok(Parse::Complete(head)) => captured(|out| log::capture(head, text, out)),
            _ => captured(|out| log::capture_refused(text, out)),
        };
        let words = match &parsed {
            Ok(Parse::Complete(head)) => words(head, text),
            _ => refused(text),
        };
        check_line(format, &entry(text), &captured, &words);
    }
    check_record(text);
}

/// A capture in a buffer of just the promised size.
fn captured(write: impl FnOnce(&mut Writer<'_>) -> Result<(), crate::bytes::Full>) -> Vec<u8> {
    let mut buffer = [0; log::MAX_CAPTURE];
    let mut out = Writer::new(&mut buffer);
    write(&mut out).expect("a capture fits");
    out.written().to_vec()
}

fn words(head: &RequestHead, text: &[u8]) -> Words {
    let value = |wanted: &[u8]| {
        let mut fields = field::fields(head.fields.of(text));
        let found = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map_or(&b""[..], |(_, value)| value).to_vec()
    };
    let version: &[u8] = match head.version {
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
    };
    Words {
        request: [head.method_span.of(text), head.target.of(text), version].join(&b' '),
        referer: value(b"referer"),
        user_agent: value(b"user-agent"),
    }
}

fn refused(text: &[u8]) -> Words {
    let is_end = |octet: &u8| matches!(octet, b'\r' | b'\n');
    let start = text.iter().position(|octet| !is_end(octet));
    let text = &text[start.unwrap_or(text.len())..];
    Words {
        request: text.split(is_end).next().unwrap_or(b"").to_vec(),
        referer: Vec::new(),
        user_agent: Vec::new(),
    }
}

/// An entry that follows from the octets.
fn entry(text: &[u8]) -> Entry<'static> {
    let number = |at: usize| {
        let octet = |offset| text.get(at * 8 + offset).copied().unwrap_or(0);
        u64::from_le_bytes(std::array::from_fn(octet))
    };
    let client = match number(0) % 3 {
        0 => IpAddr::V4(Ipv4Addr::from(number(1) as u32)),
        1 => IpAddr::V6(Ipv4Addr::from(number(1) as u32).to_ipv6_mapped()),
        _ => IpAddr::V6(Ipv6Addr::from(u128::from(number(1)) << 64)),
    };
    Entry {
        client,
        received: UnixTime::from_secs(number(2) as i64),
        status: [0, 200, 999][number(3) as usize % 3],
        octets: number(4),
        backend: [None, Some(0), Some(65_534)][number(5) as usize % 3],
        cache: ["-", "", "hit", "stale", "\"\n", "12345678"][number(6) as usize % 6],
        total: Duration::from_nanos(number(7)),
        first_byte: (number(8) % 2 == 0).then(|| Duration::from_nanos(number(9))),
        ending: [(number(10) >> 8) as u8, number(10) as u8],
        id: number(11),
        is_remark: false,
    }
}

fn check_line(format: Format, entry: &Entry<'_>, captured: &[u8], words: &Words) {
    let line = printed(format, entry, captured);
    assert!(line.ends_with(b"\n") && line.len() <= log::MAX_LINE);
    let body = &line[..line.len() - 1];
    assert!(
        body.iter().all(|octet| matches!(octet, b' '..=b'~')),
        "{}",
        line.escape_ascii()
    );
    match format {
        Format::Combined => check_combined(&line, entry, words),
        Format::Json => check_json(&line, entry, words),
    }
    // What went through a ring gives the same line.
    let mut record: Vec<u8> = entry
        .pack(format)
        .iter()
        .flat_map(|field| field.to_le_bytes())
        .collect();
    record.extend_from_slice(captured);
    let (unpacked_format, unpacked, text) = Entry::unpack(&record).expect("a whole record");
    assert_eq!(unpacked_format, format);
    let again = printed(format, &unpacked, text);
    assert_eq!(
        again.escape_ascii().to_string(),
        line.escape_ascii().to_string()
    );
}

fn printed(format: Format, entry: &Entry<'_>, captured: &[u8]) -> Vec<u8> {
    let mut buffer = [0; log::MAX_LINE];
    let mut out = Writer::new(&mut buffer);
    log::line(format, entry, captured, &mut out).expect("a line fits");
    out.written().to_vec()
}

/// Whatever octets come out of a ring, they make a line or none.
fn check_record(text: &[u8]) {
    if let Some((format, entry, rest)) = Entry::unpack(text) {
        let mut buffer = [0; 256];
        let _ = log::line(format, &entry, rest, &mut Writer::new(&mut buffer));
    }
}

fn check_combined(line: &[u8], entry: &Entry<'_>, words: &Words) {
    let columns = COMBINED
        .captures(line)
        .unwrap_or_else(|| panic!("no line of the format: {}", line.escape_ascii()));
    let column = |name: &str| std::str::from_utf8(&columns[name]).expect("it is ASCII");
    assert_eq!(column("client"), entry.client.to_canonical().to_string());
    assert_eq!(column("octets"), entry.octets.to_string());
    assert_eq!(column("id"), format!("{:016x}", entry.id));
    let total = column("total").replace('.', "");
    assert_eq!(total.parse(), Ok(entry.total.as_nanos() / 1000));
    assert_eq!(column("first") == "-", entry.first_byte.is_none());
    for (index, sent) in [
        (3, &words.request),
        (6, &words.referer),
        (7, &words.user_agent),
    ] {
        assert_same(&unescaped(&columns[index]), sent);
    }
}

/// The octets that stand behind `\"`, `\\` and `\xHH`.
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    while let [first, rest @ ..] = text {
        (octets, text) = match (first, rest) {
            (b'\\', [b'x', high, low, rest @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("two digits");
                octets.push(u8::from_str_radix(digits, 16).expect("two digits"));
                (octets, rest)
            }
            (b'\\', [quoted, rest @ ..]) => {
                octets.push(*quoted);
                (octets, rest)
            }
            _ => {
                octets.push(*first);
                (octets, rest)
            }
        };
    }
    octets
}

fn check_json(line: &[u8], entry: &Entry<'_>, words: &Words) {
    let object: serde_json::Value = serde_json::from_slice(line)
        .unwrap_or_else(|error| panic!("{error}: {}", line.escape_ascii()));
    let octets = |name: &str| -> Vec<u8> {
        // Each octet is a code point of its own.
        let text = object[name].as_str().unwrap_or("-");
        text.chars().map(|one| one as u32 as u8).collect()
    };
    assert_eq!(
        object["client"],
        entry.client.to_canonical().to_string().as_str()
    );
    assert_eq!(object["octets"], entry.octets);
    assert_eq!(object["id"], format!("{:016x}", entry.id).as_str());
    assert_eq!(
        object["first_byte_ms"].is_null(),
        entry.first_byte.is_none()
    );
    assert_eq!(object["backend"].is_null(), entry.backend.is_none());
    assert!(object["total_ms"].is_number() && object["status"].is_number());
    assert_eq!(object.as_object().map(serde_json::Map::len), Some(13));
    assert_same(&octets("request"), &words.request);
    assert_same(&octets("referer"), &words.referer);
    assert_same(&octets("user_agent"), &words.user_agent);
}

/// The log has what was sent, or as much of it as fits.
fn assert_same(logged: &[u8], sent: &[u8]) {
    if sent.is_empty() {
        return assert_eq!(logged, b"-");
    }
    if logged == sent {
        return;
    }
    // A request line is cut in its method, in its target or in both, the version always stays.
    let mut rest = sent;
    for (index, part) in logged.split(|octet| *octet == b' ').enumerate() {
        let whole = part.strip_suffix(b"...").unwrap_or(part);
        let at = (0..=rest.len())
            .find(|at| rest[*at..].starts_with(whole))
            .unwrap_or_else(|| panic!("{} is not in {}", part.escape_ascii(), sent.escape_ascii()));
        assert!(index > 0 || at == 0, "it does not begin as it should");
        rest = &rest[at + whole.len()..];
    }
    assert!(
        logged.windows(3).any(|octets| octets == b"...") && logged.len() + 3 < sent.len() + 6,
        "{} for {}",
        logged.escape_ascii(),
        sent.escape_ascii()
    );
}
