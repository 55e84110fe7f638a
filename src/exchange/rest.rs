// SPDX-License-Identifier: GPL-2.0

//! What is remembered of a connection between two requests.

use super::Buffers;
use super::Ends;
use super::Exchange;
use super::Phase;
use super::Store;
use super::Upstream;
use crate::time::Instant;

/// All that is remembered while nothing goes on: an exchange is large, and idle connections are many.
#[derive(Clone, Copy)]
pub(crate) struct Rest {
    /// When the connection has been idle for too long.
    pub(crate) deadline: Instant,
    /// Requests that were answered.
    served: u64,
}

impl Exchange {
    /// What is to be remembered if nothing goes on, the client has all that it was sent, and no octet of
    /// another request has come.
    pub(crate) fn rest<S: Store>(&self, buffers: &Buffers<S>, ends: &dyn Ends) -> Option<Rest> {
        let is_idle = self.phase == Phase::Idle && !self.ended && self.gone.is_none();
        let is_alone = self.upstream == Upstream::None && !self.is_pending();
        let is_quiet = buffers.request.is_empty() && ends.client_unacked() == 0;
        (is_idle && is_alone && is_quiet).then_some(Rest {
            deadline: self.deadline,
            served: self.served,
        })
    }

    /// Goes on where another one has rested, of which this is all that is known.
    pub(crate) fn resume(&mut self, rest: Rest) {
        self.deadline = rest.deadline;
        self.served = rest.served;
    }
}
