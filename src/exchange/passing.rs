// SPDX-License-Identifier: GPL-2.0

//! A body that nobody needs to look at goes from socket to socket without being read: only its octets are
//! counted.

use super::Buffers;
use super::Exchange;
use super::Io;
use super::Phase;
use super::Store;
use super::Upstream;
use crate::time::Instant;

impl Exchange {
    /// How many octets of the request's body may go so now: none while something else has to go first,
    /// while they may have to be sent again, or while they have to be framed anew.
    pub(crate) fn passes_up<S: Store>(&self, buffers: &Buffers<S>) -> Option<u64> {
        let is_next = buffers.to_upstream.is_empty() && buffers.request.is_empty();
        let may_pass = self.sending && is_next && self.wire.is_none() && self.reads_client();
        self.upload.passes().filter(|_| may_pass)
    }

    /// So many octets have gone so.
    pub(crate) fn passed_up<S: Store>(&mut self, now: Instant, octets: u64, io: &mut Io<'_, S>) {
        self.upload.passed(octets);
        self.advance(now, io);
        self.watch(now, io);
    }

    /// How many octets of the answer's body may go so now, if nobody keeps it: likewise.
    pub(crate) fn passes<S: Store>(&self, buffers: &Buffers<S>) -> Option<u64> {
        let is_relaying = self.phase == Phase::Body && matches!(self.upstream, Upstream::Up { .. });
        let is_next = buffers.to_client.is_empty() && buffers.response.is_empty();
        let may_pass = is_relaying && is_next && self.wire.is_none() && !self.is_without_client();
        self.download.passes().filter(|_| may_pass)
    }

    /// So many octets have gone so.
    pub(crate) fn passed<S: Store>(&mut self, now: Instant, octets: u64, io: &mut Io<'_, S>) {
        self.clock.heard();
        self.download.passed(octets);
        self.advance(now, io);
        self.watch(now, io);
    }
}
