// SPDX-License-Identifier: GPL-2.0

//! The end of a client's connection: not before the client has all that it was sent.

use super::Exchange;
use super::Io;
use super::Phase;
use super::Reset;
use super::Store;
use super::Upstream;
use crate::time::Instant;

impl Exchange {
    /// Whether FIN follows what goes to the client next, at once if the client takes all of it.
    pub(crate) fn finishes(&self) -> bool {
        let is_over = self.phase == Phase::Flush && self.upstream == Upstream::None;
        is_over && !self.is_pending() && !self.persist && self.download.names_all()
    }

    /// Ends the connection, unless there is nobody any more.
    pub(super) fn part<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        match self.is_without_client() {
            true => self.shut_down(now, true),
            false => self.linger(now, io),
        }
    }

    /// Ends the connection, once the client has taken everything.
    pub(super) fn linger<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        io.buffers.release();
        // At the end of a tunnel it may have been told already.
        self.todo.shutdown |= !core::mem::replace(&mut self.told.client, true);
        let left = self.left_to_take(now, io);
        self.enter(Phase::Linger, now, left);
        self.end_linger(now, io);
    }

    /// Closes the connection if both ends have all that they will get, or gives the client its time to
    /// end it. Before, the kernel would keep for minutes what is not taken, and nobody would count it.
    pub(super) fn end_linger<S>(&mut self, now: Instant, io: &Io<'_, S>) {
        if self.phase != Phase::Linger || io.ends.client_unacked() > 0 {
            return;
        }
        if self.ended {
            return self.shut_down(now, false);
        }
        self.deadline = self.deadline.min(now + io.settings.linger_timeout);
    }

    /// Time is over, unless the client takes what is there for it as fast as it has to.
    pub(super) fn linger_on<S>(&mut self, now: Instant, io: &Io<'_, S>) {
        let left = self.left_to_take(now, io);
        if io.ends.client_unacked() == 0 {
            self.shut_down(now, false);
        } else if left.is_zero() {
            self.todo.reset = Some(Reset::Untaken);
            self.shut_down(now, true);
        } else {
            self.deadline = now + left;
        }
    }
}
