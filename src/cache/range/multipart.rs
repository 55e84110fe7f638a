// SPDX-License-Identifier: GPL-2.0

//! Several parts in one response: multipart/byteranges (RFC 9110 section 14.6).

use super::ByteRange;
use crate::bytes::Full;
use crate::bytes::Writer;

/// What separates the parts. It must not be in any of them, so it is random: 128 bits of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Boundary([u8; 32]);

impl Boundary {
    /// The boundary of two random numbers.
    pub(crate) fn new(random: [u64; 2]) -> Boundary {
        let [high, low] = random;
        let number = (u128::from(high) << 64) | u128::from(low);
        let mut shift = 128u32;
        Boundary([(); 32].map(|()| {
            shift = shift.saturating_sub(4);
            // CAST: Four bits.
            match (number.wrapping_shr(shift) & 0xf) as u8 {
                digit @ 0..=9 => b'0'.wrapping_add(digit),
                digit => (b'a' - 10).wrapping_add(digit),
            }
        }))
    }

    /// Writes the value of the response's Content-Type.
    pub(crate) fn put_content_type(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.put(b"multipart/byteranges; boundary=")?;
        out.put(&self.0)
    }
}

/// The content of a response with several parts. It consists of [a head](Self::put_head) and the
/// octets of the part for each of them, and [the end](Self::put_end).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Multipart<'a> {
    /// The parts in their order.
    pub(crate) ranges: &'a [ByteRange],
    /// Octets of the whole representation.
    pub(crate) complete: u64,
    /// The value of the representation's Content-Type; empty if it has none.
    pub(crate) content_type: &'a [u8],
    /// What separates them.
    pub(crate) boundary: Boundary,
}

const DELIMITER: &[u8] = b"\r\n--";
const CONTENT_TYPE: &[u8] = b"\r\nContent-Type: ";
const CONTENT_RANGE: &[u8] = b"\r\nContent-Range: ";
const HEAD_END: &[u8] = b"\r\n\r\n";
const END: &[u8] = b"--\r\n";

impl Multipart<'_> {
    /// Octets of the content, which is the response's Content-Length. None if they cannot be counted.
    pub(crate) fn len(&self) -> Option<u64> {
        let delimiter = DELIMITER.len().checked_add(self.boundary.0.len())?;
        let end = delimiter.checked_add(END.len())?;
        let mut ranges = self.ranges.iter();
        ranges.try_fold(u64::try_from(end).ok()?, |len, range| {
            let head = u64::try_from(delimiter).ok()?;
            let head = head.checked_add(self.head_len(*range)?)?;
            len.checked_add(head)?.checked_add(range.len())
        })
    }

    /// Octets of a part's head behind the boundary.
    fn head_len(&self, range: ByteRange) -> Option<u64> {
        let content_type = match self.content_type {
            [] => 0,
            value => CONTENT_TYPE.len().checked_add(value.len())?,
        };
        let fixed = content_type
            .checked_add(CONTENT_RANGE.len())?
            .checked_add("bytes -/".len())?
            .checked_add(HEAD_END.len())?;
        let digits = [range.first(), range.last(), self.complete].map(decimal_digits);
        let mut digits = digits.into_iter();
        digits.try_fold(u64::try_from(fixed).ok()?, u64::checked_add)
    }

    /// Writes what comes before the octets of a part.
    ///
    /// The first, too, begins with an empty line: it belongs to no part (the preamble of RFC 2046
    /// section 5.1.1), and every head is written the same way.
    pub(crate) fn put_head(&self, range: ByteRange, out: &mut Writer<'_>) -> Result<(), Full> {
        out.put(DELIMITER)?;
        out.put(&self.boundary.0)?;
        if !self.content_type.is_empty() {
            out.put(CONTENT_TYPE)?;
            out.put(self.content_type)?;
        }
        out.put(CONTENT_RANGE)?;
        range.put_content_range(self.complete, out)?;
        out.put(HEAD_END)
    }

    /// Writes what comes behind the last part.
    pub(crate) fn put_end(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.put(DELIMITER)?;
        out.put(&self.boundary.0)?;
        out.put(END)
    }
}

/// How many digits a number has.
fn decimal_digits(number: u64) -> u64 {
    u64::from(number.checked_ilog10().unwrap_or(0)).saturating_add(1)
}
