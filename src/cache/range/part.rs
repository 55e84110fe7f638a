// SPDX-License-Identifier: GPL-2.0

//! What is stored of a representation of which only a part has come (RFC 9111 sections 3.3 and 3.4).

use super::{choose, if_range, is_divisible, of_request};
use super::{ByteRange, ContentRange, Parts};
use crate::cache::conditional::Validators;
use crate::cache::request::Request;
use crate::http::Status;

/// A part of a representation, of which is known how long it is.
///
/// # Invariants
///
/// `range` does not reach behind `complete`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    range: ByteRange,
    complete: u64,
}

impl Part {
    /// What the field lines of a 206 with so many octets of content say that it is. None if they do not
    /// say it, or if that is something else.
    pub(crate) fn of_response(lines: &[u8], octets: u64) -> Option<Part> {
        let (range, complete) = ContentRange::of_response(lines)?;
        let complete = complete.filter(|complete| range.end() <= *complete)?;
        // INVARIANT: As compared.
        (range.len() == octets).then_some(Part { range, complete })
    }

    /// Its octets of the whole.
    pub(crate) const fn range(self) -> ByteRange {
        self.range
    }

    /// Octets of the whole.
    pub(crate) const fn complete(self) -> u64 {
        self.complete
    }

    /// Whether there is nothing else.
    pub(crate) const fn is_whole(self) -> bool {
        self.range.len() == self.complete
    }

    /// This and another part of the same version as one. None if there is a gap between them, or if they
    /// are of wholes that are not equally long.
    pub(crate) fn joined(self, other: Part) -> Option<Part> {
        let range = self.range.joined(other.range)?;
        // INVARIANT: Neither reaches behind that.
        (self.complete == other.complete).then_some(Part { range, ..self })
    }

    /// Whether a request that asks for parts of what has these validators asks for one that is here.
    pub(crate) fn serves(self, request: &Request<'_>, validators: &Validators<'_>) -> bool {
        let may_divide = request.has_range && is_divisible(request.method, Status::OK);
        let Some(asked) = of_request(request.lines).filter(|_| may_divide) else {
            return false;
        };
        match choose(asked, self.complete, &mut [ByteRange::FIRST]) {
            Parts::Single(range) => {
                self.range.contains(range) && if_range(request.lines, validators)
            }
            Parts::Whole | Parts::Several(_) | Parts::None => false,
        }
    }
}
