// SPDX-License-Identifier: GPL-2.0

//! Which lines of a head have to be looked at when it is written anew. Most pass as they stand, many in a
//! row: those are copied at once.

use super::field::{self, Fields};

/// How many lines may have to be looked at; of a head with more all are.
const MOST: usize = 7;

/// Where lines are that may not pass as they stand: hop-by-hop fields, those that are written anew, and
/// those that are not written as we write them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exceptions {
    /// Where they begin in the buffer that was parsed, in their order.
    starts: [u16; MOST],
    count: u8,
}

impl Exceptions {
    /// Every line passes.
    pub(super) const NONE: Self = Self {
        starts: [0; MOST],
        count: 0,
    };

    /// Every line has to be looked at.
    pub(crate) const ALL: Self = Self {
        starts: [0; MOST],
        count: u8::MAX,
    };

    /// The line that begins at `start` does not pass as it stands; it is the last one so far.
    pub(super) fn note(&mut self, start: usize) {
        let slot = self.starts.get_mut(usize::from(self.count));
        match (slot, u16::try_from(start)) {
            (Some(slot), Ok(start)) => {
                *slot = start;
                self.count = self.count.saturating_add(1);
            }
            _ => *self = Self::ALL,
        }
    }

    /// The `lines` of the head, which begin at `start` in the buffer, by parts.
    pub(crate) fn parts<'a>(&'a self, lines: &'a [u8], start: usize) -> Parts<'a> {
        Parts {
            rest: field::fields(lines),
            end: start.saturating_add(lines.len()),
            starts: self.starts.get(..usize::from(self.count)),
        }
    }
}

/// A part of a field section.
pub(crate) enum Part<'a> {
    /// Lines that pass as they stand.
    Lines(&'a [u8]),
    /// Name and value of one that has to be looked at.
    Field(&'a [u8], &'a [u8]),
}

/// Iterates over the parts of a field section.
pub(crate) struct Parts<'a> {
    rest: Fields<'a>,
    /// Where the section ends.
    end: usize,
    /// The exceptions in the rest; none if everything is one.
    starts: Option<&'a [u16]>,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    #[inline]
    fn next(&mut self) -> Option<Part<'a>> {
        let Some(starts) = self.starts else {
            return self.field();
        };
        let start = starts.first().map_or(self.end, |start| usize::from(*start));
        let left = self.rest.lines().len();
        let passing = left.saturating_sub(self.end.saturating_sub(start));
        if passing > 0 {
            return Some(Part::Lines(self.rest.take_octets(passing)));
        }
        self.starts = Some(starts.get(1..).unwrap_or(&[]));
        self.field()
    }
}

impl<'a> Parts<'a> {
    fn field(&mut self) -> Option<Part<'a>> {
        let (name, value) = self.rest.next()?;
        Some(Part::Field(name, value))
    }
}
