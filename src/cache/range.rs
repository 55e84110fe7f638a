// SPDX-License-Identifier: GPL-2.0

//! Parts of representations: which of them a request asks for, and which a response has (RFC 9110
//! section 14).
//!
//! What numbers come from outside is decided by checked arithmetic here and nowhere else: a
//! [`ByteRange`] that exists is one that can be counted.

mod multipart;
mod part;

pub(crate) use multipart::Boundary;
pub(crate) use multipart::Multipart;
pub(crate) use part::Part;

use super::conditional::Validators;
use super::field::{values, Field};
use crate::bytes;
use crate::bytes::parse_saturating;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::http::Method;
use crate::http::Status;

/// A range of octets, the last of which belongs to it (RFC 9110 section 14.1.2).
///
/// # Invariants
///
/// `first <= last < u64::MAX`, so that its length and the position behind it are numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ByteRange {
    first: u64,
    last: u64,
}

impl ByteRange {
    /// For places that hold no range yet: the first octet.
    pub(crate) const FIRST: ByteRange = ByteRange { first: 0, last: 0 };

    /// The octets from `first` to `last`; none if there are none, or too many to be counted.
    pub(crate) const fn new(first: u64, last: u64) -> Option<ByteRange> {
        if first <= last && last < u64::MAX {
            // INVARIANT: As compared.
            Some(ByteRange { first, last })
        } else {
            None
        }
    }

    /// Position of the first octet.
    pub(crate) const fn first(self) -> u64 {
        self.first
    }

    /// Position of the last octet.
    pub(crate) const fn last(self) -> u64 {
        self.last
    }

    /// Position behind the last octet.
    pub(crate) const fn end(self) -> u64 {
        // By the invariants this does not saturate; nor does the next.
        self.last.saturating_add(1)
    }

    /// Number of octets, at least one.
    pub(crate) const fn len(self) -> u64 {
        self.end().saturating_sub(self.first)
    }

    /// Whether all of `other` is in it.
    pub(crate) const fn contains(self, other: ByteRange) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether they have octets in common.
    pub(crate) const fn overlaps(self, other: ByteRange) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Both as one, if they overlap or one begins where the other ends.
    pub(crate) fn joined(self, other: ByteRange) -> Option<ByteRange> {
        let meet = self.first <= other.end() && other.first <= self.end();
        // INVARIANT: Both ends are ones of ranges, and the first of all is before the last of all.
        meet.then_some(ByteRange {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        })
    }

    /// Writes the value of Content-Range for a part of `complete` octets (RFC 9110 section 14.4):
    /// `bytes 0-499/1234`.
    pub(crate) fn put_content_range(self, complete: u64, out: &mut Writer<'_>) -> Result<(), Full> {
        out.put(b"bytes ")?;
        out.put_decimal(self.first)?;
        out.put(b"-")?;
        out.put_decimal(self.last)?;
        out.put(b"/")?;
        out.put_decimal(complete)
    }
}

/// Writes the value of Content-Range in a 416: `bytes */1234` (RFC 9110 section 15.5.17).
pub(crate) fn put_unsatisfied(complete: u64, out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"bytes */")?;
    out.put_decimal(complete)
}

/// What to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parts<'a> {
    /// The whole representation, with a 200: nobody asks for parts of it, or not so that it would do
    /// to send them.
    Whole,
    /// This part, with a 206 and a Content-Range (RFC 9110 section 15.3.7.1).
    Single(ByteRange),
    /// These parts in this order, with a 206: see [`Multipart`]. They do not overlap.
    Several(&'a [ByteRange]),
    /// None, with a 416: see [`put_unsatisfied`].
    None,
}

/// Whether ranges of a response to such a request are defined, which they are for GET only (RFC 9110
/// section 14.2); and of a 200, since a Range is looked at after all other conditions.
pub(crate) fn is_divisible(method: Method, status: Status) -> bool {
    method == Method::Get && status == Status::OK
}

/// The value of a request's Range field. None if it has none, or several: one alone is valid (RFC
/// 9110 section 14.2).
pub(crate) fn of_request(lines: &[u8]) -> Option<&[u8]> {
    let mut values = values(lines, Field::Range);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// How many ranges of one request may overlap others: "a Range header field that contains [...] more
/// than two overlapping ranges" is one that "a server that supports range requests MAY ignore" (RFC
/// 9110 section 14.2).
const MAX_OVERLAPS: usize = 2;

/// Decides which parts of a representation of `complete` octets the value of a Range field asks for.
///
/// `room` is as many ranges as a request may have: one with more gets the whole, and so does one that
/// is not valid, or in another unit than bytes. Ranges that overlap or meet become one, where the
/// first of them was; so the parts are never longer than the whole, in any order that was asked for.
pub(crate) fn choose<'a>(value: &[u8], complete: u64, room: &'a mut [ByteRange]) -> Parts<'a> {
    let Some(set) = byte_ranges(value) else {
        return Parts::Whole;
    };
    let mut chosen = Chosen {
        room,
        len: 0,
        overlaps: 0,
    };
    let (mut asked, mut is_empty_part) = (0usize, false);
    for element in bytes::tokens(set) {
        asked = asked.saturating_add(1);
        let Some(spec) = Spec::parse(element) else {
            return Parts::Whole;
        };
        if asked > chosen.room.len() || chosen.overlaps > MAX_OVERLAPS {
            return Parts::Whole;
        }
        match spec.within(complete) {
            Some(range) => chosen.add(range),
            // The last octets of nothing: they are there, but no Content-Range can say so.
            None => is_empty_part |= complete == 0 && spec.is_suffix(),
        }
    }
    if asked == 0 || is_empty_part || chosen.overlaps > MAX_OVERLAPS {
        return Parts::Whole;
    }
    chosen.parts()
}

/// What follows `bytes=` (RFC 9110 section 14.1.1; units are in any case).
fn byte_ranges(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked("bytes=".len())?;
    bytes::eq_ignore_case(unit, b"bytes=").then_some(set)
}

/// One element of a Range.
#[derive(Clone, Copy)]
enum Spec {
    /// `first-`, `first-last`
    From(u64, u64),
    /// `-length`
    Suffix(u64),
}

impl Spec {
    /// Reads a range-spec (RFC 9110 section 14.1.1); none if it is not valid.
    fn parse(text: &[u8]) -> Option<Spec> {
        // A position that is too large for a number is beyond every end, as the largest number is.
        let (first, rest) = text.split_at_checked(bytes::find_byte(text, b'-')?)?;
        let last = rest.get(1..)?;
        match (first, last) {
            ([], []) => None,
            ([], length) => Some(Spec::Suffix(parse_saturating(length)?)),
            (first, []) => Some(Spec::From(parse_saturating(first)?, u64::MAX)),
            (first, last) => {
                let (first, last) = (parse_saturating(first)?, parse_saturating(last)?);
                // "An int-range is invalid if the last-pos value is present and less than
                // first-pos."
                (first <= last).then_some(Spec::From(first, last))
            }
        }
    }

    fn is_suffix(self) -> bool {
        matches!(self, Spec::Suffix(1..))
    }

    /// What there is of it in so many octets; none if it is not satisfiable.
    fn within(self, complete: u64) -> Option<ByteRange> {
        let end = complete.checked_sub(1)?;
        match self {
            // "If the last-pos value is absent, or if the value is greater than or equal to the
            // current length of the representation data, the byte range is interpreted as the
            // remainder of the representation".
            Spec::From(first, last) => ByteRange::new(first, last.min(end)),
            Spec::Suffix(0) => None,
            // "If the selected representation is shorter than the specified suffix-length, the
            // entire representation is used."
            Spec::Suffix(length) => ByteRange::new(complete.saturating_sub(length), end),
        }
    }
}

/// Moves all but the last one up by a place. (What `rotate` is for, but with a large stack frame.)
fn shift_up(ranges: &mut [ByteRange]) {
    let last = ranges.len().saturating_sub(1);
    ranges.copy_within(..last, ranges.len().min(1));
}

/// Moves all but the first `count` down by so many places.
fn shift_down(ranges: &mut [ByteRange], count: usize) {
    ranges.copy_within(count.min(ranges.len()).., 0);
}

/// The ranges that were chosen so far: none overlaps or meets another.
struct Chosen<'a> {
    room: &'a mut [ByteRange],
    len: usize,
    /// How many were asked for that overlapped others.
    overlaps: usize,
}

impl<'a> Chosen<'a> {
    /// Adds a range. There is room for as many as are added.
    fn add(&mut self, mut range: ByteRange) {
        let mut place = self.len;
        while let Some((index, other, joined)) = self.touching(range) {
            self.overlaps = self
                .overlaps
                .saturating_add(usize::from(range.overlaps(other)));
            range = joined;
            place = place.min(index);
            self.remove(index);
        }
        let end = self.len.saturating_add(1);
        if let Some(moved) = self.room.get_mut(place..end) {
            shift_up(moved);
            if let Some(first) = moved.first_mut() {
                *first = range;
            }
            self.len = end;
        }
    }

    /// The first of the ranges that overlap this one or meet it, and both as one.
    fn touching(&self, range: ByteRange) -> Option<(usize, ByteRange, ByteRange)> {
        let mut held = self.room.iter().take(self.len).enumerate();
        held.find_map(|(index, other)| Some((index, *other, other.joined(range)?)))
    }

    fn remove(&mut self, index: usize) {
        if let Some(moved) = self.room.get_mut(index..self.len) {
            shift_down(moved, 1);
            self.len = self.len.saturating_sub(1);
        }
    }

    fn parts(self) -> Parts<'a> {
        let room: &'a [ByteRange] = self.room;
        match room.get(..self.len).unwrap_or(&[]) {
            [] => Parts::None,
            [range] => Parts::Single(*range),
            ranges => Parts::Several(ranges),
        }
    }
}

/// Whether the If-Range of a request lets its Range be obeyed: see [`Validators::pass_if_range`].
/// Without one every Range is, with several none.
pub(crate) fn if_range(lines: &[u8], stored: &Validators<'_>) -> bool {
    let mut values = values(lines, Field::IfRange);
    match (values.next(), values.next()) {
        (None, _) => true,
        (Some(value), None) => stored.pass_if_range(value),
        _ => false,
    }
}

/// The value of a response's Content-Range (RFC 9110 section 14.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ContentRange {
    /// `bytes 0-499/1234`, or `bytes 0-499/*` when nobody knows how long the whole is.
    Part(ByteRange, Option<u64>),
    /// `bytes */1234`: what was asked for is not there.
    Unsatisfied(u64),
}

impl ContentRange {
    /// The part that the field lines of a 206 say they come with. None if they do not say it once:
    /// several parts are in a multipart, each with its own.
    pub(crate) fn of_response(lines: &[u8]) -> Option<(ByteRange, Option<u64>)> {
        let mut values = values(lines, Field::ContentRange);
        match (Self::parse(values.next()?)?, values.next()) {
            (ContentRange::Part(range, complete), None) => Some((range, complete)),
            _ => None,
        }
    }

    /// Reads a value. None for another unit and for what is not valid, which nobody may combine with
    /// anything: an end before the beginning, or beyond the whole; a number that is too large.
    pub(crate) fn parse(value: &[u8]) -> Option<ContentRange> {
        let (unit, range) = value.split_at_checked("bytes ".len())?;
        if !bytes::eq_ignore_case(unit, b"bytes ") {
            return None;
        }
        let (range, complete) = range.split_at_checked(bytes::find_byte(range, b'/')?)?;
        let complete = match complete.get(1..)? {
            b"*" => None,
            digits => Some(bytes::parse_decimal(digits)?),
        };
        if range == b"*" {
            return complete.map(ContentRange::Unsatisfied);
        }
        let (first, last) = range.split_at_checked(bytes::find_byte(range, b'-')?)?;
        let first = bytes::parse_decimal(first)?;
        let last = bytes::parse_decimal(last.get(1..)?)?;
        let is_within = complete.is_none_or(|complete| last < complete);
        let range = ByteRange::new(first, last).filter(|_| is_within)?;
        Some(ContentRange::Part(range, complete))
    }
}
