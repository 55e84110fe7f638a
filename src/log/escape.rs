// SPDX-License-Identifier: GPL-2.0

//! Octets that anybody may have sent, made harmless.

use super::Format;
use crate::bytes;
use crate::bytes::Full;
use crate::bytes::Writer;

/// What a text that was cut ends in.
const CUT: &[u8] = b"...";

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
    let (kept, cut) = fitting(format, text, room);
    for octet in kept {
        escaped(format, *octet).put(out)?;
    }
    out.put(cut)
}

/// How many octets that writes.
pub(super) fn len(format: Format, text: &[u8], room: usize) -> usize {
    let (kept, cut) = fitting(format, text, room);
    let lens = kept.iter().map(|octet| escaped(format, *octet).len());
    lens.fold(cut.len(), usize::saturating_add)
}

/// As much of `text` as fits into `room` octets once it is escaped, and what follows it.
fn fitting(format: Format, text: &[u8], room: usize) -> (&[u8], &'static [u8]) {
    let start = |room: usize| {
        let mut left = room;
        let end = text.iter().position(|octet| {
            let rest = left.checked_sub(escaped(format, *octet).len());
            left = rest.unwrap_or(0);
            rest.is_none()
        });
        end.and_then(|end| text.get(..end))
    };
    match start(room) {
        None => (text, b""),
        Some(_) => (start(room.saturating_sub(CUT.len())).unwrap_or(text), CUT),
    }
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
