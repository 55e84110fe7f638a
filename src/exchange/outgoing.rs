// SPDX-License-Identifier: GPL-2.0

//! What goes to the client: staged octets, then octets of the response buffer, then a fixed tail.

use super::Buffers;
use super::Store;

/// The order of what is to be sent.
///
/// # Invariants
///
/// `relay` is at most the length of `buffers.response`.
pub(crate) struct Outgoing {
    /// Body octets at the front of `buffers.response` that go out after `buffers.to_client`.
    relay: usize,
    /// What goes out last.
    tail: &'static [u8],
}

impl Outgoing {
    pub(super) const fn new() -> Self {
        Self {
            relay: 0,
            tail: b"",
        }
    }

    /// Body octets that wait for the client.
    pub(super) fn relay(&self) -> usize {
        self.relay
    }

    /// The next `octets` at the front of `buffers.response` are to go out.
    pub(super) fn set_relay(&mut self, octets: usize) {
        self.relay = octets;
    }

    pub(super) fn set_tail(&mut self, tail: &'static [u8]) {
        self.tail = tail;
    }

    pub(super) fn is_empty<S: Store>(&self, buffers: &Buffers<S>) -> bool {
        buffers.to_client.is_empty() && self.relay == 0 && self.tail.is_empty()
    }

    /// The runs of octets, in their order.
    pub(super) fn parts<'b, S: Store>(&self, buffers: &'b Buffers<S>) -> [&'b [u8]; 3] {
        let body = buffers.response.filled().get(..self.relay).unwrap_or(b"");
        [buffers.to_client.filled(), body, self.tail]
    }

    /// The first `taken` octets of `parts` are sent.
    pub(super) fn took<S: Store>(&mut self, taken: usize, buffers: &mut Buffers<S>) {
        let staged = taken.min(buffers.to_client.len());
        buffers.to_client.consume(staged);
        let body = taken.saturating_sub(staged).min(self.relay);
        buffers.response.consume(body);
        self.relay = self.relay.saturating_sub(body);
        let tail = taken.saturating_sub(staged).saturating_sub(body);
        self.tail = self.tail.get(tail..).unwrap_or(b"");
    }
}
