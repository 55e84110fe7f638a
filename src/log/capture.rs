// SPDX-License-Identifier: GPL-2.0

//! What is remembered of a request until its line is written.

use super::Format;
use crate::bytes;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::http::field;
use crate::http::head::RequestHead;
use crate::http::Version;

/// Octets that a capture takes at most.
pub(crate) const MAX_CAPTURE: usize = 1024;

/// Octets of Referer, and of User-Agent, at most. What they leave is for the request line.
const MAX_FIELD: usize = 256;
/// Octets of a method at most.
const MAX_METHOD: usize = 64;

/// Between the parts of a capture, which are the Referer, the User-Agent and the request line: no
/// part can hold it.
pub(super) const SEPARATOR: u8 = 0;

/// What a part that was cut ends in.
const CUT: &[u8] = b"...";

/// Writes what the log has to remember of a request: it may be needed long after the octets of the
/// request are gone.
///
/// All of it is harmless in that format, and at most [`MAX_CAPTURE`] octets: parts that are too
/// long are cut. It fits if `out` has room for that many.
pub(crate) fn capture(
    format: Format,
    head: &RequestHead,
    bytes: &[u8],
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let before = out.len();
    let (referer, user_agent) = fields(head.fields.of(bytes));
    put(format, referer, MAX_FIELD, out)?;
    out.put(&[SEPARATOR])?;
    put(format, user_agent, MAX_FIELD, out)?;
    out.put(&[SEPARATOR])?;
    put(format, head.method_span.of(bytes), MAX_METHOD, out)?;
    out.put(b" ")?;
    let version: &[u8] = match head.version {
        Version::Http10 => b" HTTP/1.0",
        Version::Http11 => b" HTTP/1.1",
    };
    let used = out.len().saturating_sub(before);
    let room = MAX_CAPTURE
        .saturating_sub(used)
        .saturating_sub(version.len());
    put(format, head.target.of(bytes), room, out)?;
    out.put(version)
}

/// Writes what the log has to remember of octets that are no request: their first line, whatever
/// it is. As [`capture`] otherwise.
pub(crate) fn capture_refused(
    format: Format,
    bytes: &[u8],
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let start = bytes
        .iter()
        .take_while(|octet| matches!(octet, b'\r' | b'\n'))
        .count();
    let text = bytes.get(start..).unwrap_or(&[]);
    let line = text
        .split(|octet| matches!(octet, b'\r' | b'\n'))
        .next()
        .unwrap_or(&[]);
    out.put(&[SEPARATOR, SEPARATOR])?;
    put(format, line, MAX_CAPTURE.saturating_sub(2), out)
}

/// The values of the first Referer and of the first User-Agent.
fn fields(lines: &[u8]) -> (&[u8], &[u8]) {
    let (mut referer, mut user_agent) = (None, None);
    for (name, value) in field::fields(lines) {
        match name.len() {
            7 if referer.is_none() && bytes::eq_ignore_case(name, b"referer") => {
                referer = Some(value);
            }
            10 if user_agent.is_none() && bytes::eq_ignore_case(name, b"user-agent") => {
                user_agent = Some(value);
            }
            _ => {}
        }
    }
    (referer.unwrap_or(b""), user_agent.unwrap_or(b""))
}

/// Writes `text` escaped, and cut if that is more than `room` octets.
pub(super) fn put(
    format: Format,
    text: &[u8],
    room: usize,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    if text.len() <= room && bytes::find_unquotable(text).is_none() {
        return out.put(text);
    }
    let whole = text.iter().try_fold(0usize, |len, octet| {
        let len = len.saturating_add(escaped(format, *octet).len());
        (len <= room).then_some(len)
    });
    if whole.is_some() {
        return put_octets(format, text, room, out);
    }
    put_octets(format, text, room.saturating_sub(CUT.len()), out)?;
    out.put(CUT)
}

/// Writes as much of `text` as fits into `room` octets once it is escaped.
fn put_octets(format: Format, text: &[u8], room: usize, out: &mut Writer<'_>) -> Result<(), Full> {
    let mut left = room;
    for octet in text {
        let escaped = escaped(format, *octet);
        let Some(rest) = left.checked_sub(escaped.len()) else {
            break;
        };
        left = rest;
        escaped.put(out)?;
    }
    Ok(())
}

/// An octet as the log has it.
enum Escaped {
    /// Itself.
    Plain(u8),
    /// Behind a backslash.
    Quoted(u8),
    /// `\xHH`
    Hex(u8),
    /// `\u00HH`
    Unicode(u8),
}

fn escaped(format: Format, octet: u8) -> Escaped {
    match (octet, format) {
        (b'"' | b'\\', _) => Escaped::Quoted(octet),
        (b' '..=b'~', _) => Escaped::Plain(octet),
        (_, Format::Combined) => Escaped::Hex(octet),
        (_, Format::Json) => Escaped::Unicode(octet),
    }
}

impl Escaped {
    fn len(&self) -> usize {
        match self {
            Escaped::Plain(_) => 1,
            Escaped::Quoted(_) => 2,
            Escaped::Hex(_) => 4,
            Escaped::Unicode(_) => 6,
        }
    }

    fn put(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        let (before, octet): (&[u8], u8) = match self {
            Escaped::Plain(octet) => return out.put(&[*octet]),
            Escaped::Quoted(octet) => return out.put(&[b'\\', *octet]),
            Escaped::Hex(octet) => (b"\\x", *octet),
            Escaped::Unicode(octet) => (b"\\u00", *octet),
        };
        out.put(before)?;
        out.put(&[hex_digit(octet >> 4), hex_digit(octet & 15)])
    }
}

/// A hexadecimal digit, as nginx writes it: upper case.
fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0'.wrapping_add(value),
        _ => (b'A' - 10).wrapping_add(value),
    }
}
