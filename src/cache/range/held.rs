// SPDX-License-Identifier: GPL-2.0

//! What is stored of a representation of which only parts have come (RFC 9111 sections 3.3 and 3.4).

use core::ops::DerefMut;

use super::shift_down;
use super::shift_up;
use super::ByteRange;

/// Why a part is not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// It says that the whole has another length, or it goes on behind the end: it is a part of
    /// something else, whatever its validator says.
    Length,
    /// There are too many gaps between what is held to remember another.
    Gaps,
}

/// The parts that are held of one representation of one strong validator (see
/// [`allow_combining_with`](crate::cache::Validators::allow_combining_with)), in room that the caller owns.
///
/// # Invariants
///
/// The first `len` of `room` are in ascending order, and there is a gap between any two. None reaches
/// behind `complete`, if that is known.
#[derive(Clone, Debug)]
pub(crate) struct Held<S> {
    room: S,
    len: usize,
    complete: Option<u64>,
}

impl<S: DerefMut<Target = [ByteRange]>> Held<S> {
    /// Nothing, in room for so many parts with gaps between them.
    pub(crate) fn new(room: S) -> Held<S> {
        Held {
            room,
            len: 0,
            complete: None,
        }
    }

    /// The parts in ascending order.
    pub(crate) fn ranges(&self) -> &[ByteRange] {
        self.room.get(..self.len).unwrap_or(&[])
    }

    /// Octets of the whole, once a part has told.
    pub(crate) fn complete(&self) -> Option<u64> {
        self.complete
    }

    /// Adds a part, as its Content-Range tells of it. What overlaps is held once.
    pub(crate) fn add(&mut self, range: ByteRange, complete: Option<u64>) -> Result<(), Refused> {
        let complete = self.agreed(range, complete)?;
        // Those from `from` up to `to` overlap it or meet it.
        let from = self.count(|held| held.end() < range.first());
        let to = self.count(|held| held.first() <= range.end());
        let touching = self.room.get(from..to).unwrap_or(&[]);
        let joined = touching
            .iter()
            .fold(range, |joined, held| joined.joined(*held).unwrap_or(joined));
        if from == to {
            self.open(from)?;
        } else {
            self.close(from.saturating_add(1), to);
        }
        if let Some(place) = self.room.get_mut(from) {
            *place = joined;
        }
        self.complete = complete;
        Ok(())
    }

    /// Whether all of a range is held.
    pub(crate) fn contains(&self, range: ByteRange) -> bool {
        let before = self.count(|held| held.first() <= range.first());
        let nearest = before.checked_sub(1).and_then(|at| self.ranges().get(at));
        nearest.is_some_and(|held| held.contains(range))
    }

    /// The first part of a range that is not held. To complete it one asks for this.
    pub(crate) fn missing(&self, range: ByteRange) -> Option<ByteRange> {
        let behind = self.count(|held| held.end() <= range.first());
        let mut next = self.ranges().iter().skip(behind);
        match next.next() {
            Some(held) if held.first() <= range.first() => {
                let until = next.next().map_or(u64::MAX, |held| held.first());
                ByteRange::new(held.end(), range.last().min(until.saturating_sub(1)))
            }
            held => {
                let until = held.map_or(u64::MAX, |held| held.first());
                ByteRange::new(range.first(), range.last().min(until.saturating_sub(1)))
            }
        }
    }

    /// Whether nothing of it is missing: it may be sent with a 200 (RFC 9111 section 3.4).
    pub(crate) fn is_whole(&self) -> bool {
        match (self.complete, self.ranges()) {
            (Some(0), _) => true,
            (Some(complete), [range]) => range.first() == 0 && range.end() == complete,
            _ => false,
        }
    }

    /// The length of the whole, as all parts agree.
    fn agreed(&self, range: ByteRange, complete: Option<u64>) -> Result<Option<u64>, Refused> {
        let agreed = match (self.complete, complete) {
            (Some(known), Some(told)) if known != told => return Err(Refused::Length),
            (known, told) => known.or(told),
        };
        let last = self.ranges().last().map_or(0, |held| held.end());
        match agreed {
            Some(complete) if last.max(range.end()) > complete => Err(Refused::Length),
            agreed => Ok(agreed),
        }
    }

    /// How many of the first ones are so.
    fn count(&self, are: impl Fn(&ByteRange) -> bool) -> usize {
        self.ranges().partition_point(are)
    }

    /// Makes a place for one more.
    fn open(&mut self, at: usize) -> Result<(), Refused> {
        let end = self.len.saturating_add(1);
        let moved = self.room.get_mut(at..end).ok_or(Refused::Gaps)?;
        shift_up(moved);
        self.len = end;
        Ok(())
    }

    /// Takes those from `from` up to `to` out.
    fn close(&mut self, from: usize, to: usize) {
        if let Some(moved) = self.room.get_mut(from..self.len) {
            let gone = to.saturating_sub(from);
            shift_down(moved, gone);
            self.len = self.len.saturating_sub(gone);
        }
    }
}
