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

impl<T: Events> Attached<T> {
    /// Passes up to `most` octets that have been received on to another socket, and tells how many, more
    /// than none. None if that cannot be now: to receive them and to send them says why.
    ///
    /// Any context but hard interrupts, without a socket's lock held. Does not sleep. Nobody else may
    /// read from this socket at the same time.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn pass<U: Events>(&self, to: &Attached<U>, most: usize) -> Option<usize> {
        let mut peeked = Peeked::none();
        self.socket.try_lock()?.peek(most, &mut peeked);
        if peeked.is_empty() {
            return None;
        }
        let sent = to.socket.try_lock()?.write_peeked(&peeked);
        let Ok(Io::Done(octets)) = sent else {
            return None;
        };
        self.socket.consume(octets);
        Some(octets)
    }
}
