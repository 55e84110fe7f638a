// SPDX-License-Identifier: GPL-2.0

//! Several parts on their way to a client.

use crate::bytes::{self, Full, Writer};
use crate::cache::range::{self, Boundary, ByteRange, Multipart, Parts};
use crate::http::field::fields;

/// How many ranges a request may have: one with more gets the whole, since "many small ranges [...] are
/// indications of either a broken client or a deliberate denial-of-service attack" (RFC 9110 section
/// 14.2).
pub(crate) const MAX_RANGES: usize = 12;

/// The parts that an answer has, if it has [several](super::Content::Parts). Its content is [a
/// head](Self::put_head) and the octets for each of them, and [the end](Self::put_end).
///
/// It is large for a stack: whoever writes the parts keeps it elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Several {
    ranges: [ByteRange; MAX_RANGES],
    len: usize,
    /// Octets of the whole representation.
    complete: u64,
    boundary: [u64; 2],
}

impl Several {
    /// None yet.
    pub(crate) const fn new() -> Several {
        Several {
            ranges: [ByteRange::FIRST; MAX_RANGES],
            len: 0,
            complete: 0,
            boundary: [0; 2],
        }
    }

    /// The parts in their order. They do not overlap.
    pub(crate) fn ranges(&self) -> &[ByteRange] {
        self.ranges.get(..self.len).unwrap_or(&[])
    }

    /// Octets that a head or the end has at most, with these field lines of the stored response.
    pub(crate) fn room(lines: &[u8]) -> usize {
        content_type(lines).len().saturating_add(EXTRA)
    }

    /// Writes what comes before the octets of a part, with these field lines of the stored response:
    /// those that the head of the answer was written with.
    pub(crate) fn put_head(
        &self,
        range: ByteRange,
        lines: &[u8],
        out: &mut Writer<'_>,
    ) -> Result<(), Full> {
        self.multipart(lines).put_head(range, out)
    }

    /// Writes what comes behind the last part.
    pub(crate) fn put_end(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        self.multipart(&[]).put_end(out)
    }

    /// As [`range::choose`] of a representation of `complete` octets. The parts stay here if there are
    /// several.
    pub(super) fn choose(&mut self, asked: &[u8], complete: u64, boundary: [u64; 2]) -> Parts<'_> {
        let parts = range::choose(asked, complete, &mut self.ranges);
        self.len = match parts {
            Parts::Several(ranges) => ranges.len(),
            _ => 0,
        };
        self.complete = complete;
        self.boundary = boundary;
        parts
    }

    /// Octets of the content; none if they cannot be counted.
    pub(super) fn content_len(&self, lines: &[u8]) -> Option<u64> {
        self.multipart(lines).len()
    }

    /// Writes the value of the answer's Content-Type.
    pub(super) fn put_content_type(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        Boundary::new(self.boundary).put_content_type(out)
    }

    fn multipart<'a>(&'a self, lines: &'a [u8]) -> Multipart<'a> {
        Multipart {
            ranges: self.ranges(),
            complete: self.complete,
            content_type: content_type(lines),
            boundary: Boundary::new(self.boundary),
        }
    }
}

/// Two delimiters with the boundary, the names of the two fields, and three numbers.
const EXTRA: usize = 144;

/// The value of a representation's Content-Type; empty if it has none.
fn content_type(lines: &[u8]) -> &[u8] {
    let mut fields = fields(lines);
    let found = fields.find(|(name, _)| bytes::eq_ignore_case(name, b"content-type"));
    found.map_or(&[], |(_, value)| value)
}
