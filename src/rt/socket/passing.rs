// SPDX-License-Identifier: GPL-2.0

//! Octets from one socket to another, by reference: what was received stays in its queue until the other
//! socket has taken it.
//!
//! No two locks are held at a time: the one who calls this is the only one who takes anything from the
//! queue, and references keep the pages between.

use super::{
    locked::Peeked,
    Attached,
    Events,
    Io, //
};

/// What came of passing octets on.
pub(crate) enum Passed {
    /// So many were, more than none.
    Octets(usize),
    /// The other socket takes nothing now: it tells when that has changed.
    Wait,
    /// They have to be received and sent: that says why, if it cannot be either.
    Not,
}

impl<T: Events> Attached<T> {
    /// Passes up to `most` octets that have been received on to another socket.
    ///
    /// Any context but hard interrupts, without a socket's lock held. Does not sleep. Nobody else may
    /// read from this socket at the same time.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn pass<U: Events>(&self, to: &Attached<U>, most: usize) -> Passed {
        let mut peeked = Peeked::none();
        match self.socket.try_lock() {
            Some(mut locked) => locked.peek(most, &mut peeked),
            None => return Passed::Not,
        }
        if peeked.is_empty() {
            return Passed::Not;
        }
        let sent = match to.socket.try_lock() {
            Some(mut locked) => locked.write_peeked(&peeked),
            None => return Passed::Not,
        };
        match sent {
            Ok(Io::Done(octets)) => {
                self.socket.consume(octets);
                Passed::Octets(octets)
            }
            Ok(Io::Wait) => Passed::Wait,
            _ => Passed::Not,
        }
    }
}
