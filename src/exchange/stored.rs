// SPDX-License-Identifier: GPL-2.0

//! An answer that is stored: its head is staged as a whole, and its content stays where it is. The
//! client gets that as one that has fallen behind gets what it has missed ([`relay`](super::relay)).

use super::buffers::stage;
use super::Exchange;
use super::Io;
use super::Phase;
use super::Relay;
use super::Store;
use super::Upstream;
use super::NO_MEMORY;
use crate::http::encode::Framing;
use crate::http::encode::StoredEnd;
use crate::http::Status;
use crate::time::Instant;

/// What there is to say of a stored answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// That in its head.
    pub(crate) status: Status,
    /// What Content-Length is to say, if there is to be one.
    pub(crate) length: Option<u64>,
    /// Octets that follow the head.
    pub(crate) content: u64,
    /// So many of those are here.
    pub(crate) here: u64,
}

impl Exchange {
    /// The answer is stored.
    pub(super) fn stored<S: Store>(&mut self, now: Instant, ready: Ready, io: &mut Io<'_, S>) {
        if self.phase != Phase::Route {
            return;
        }
        let end = StoredEnd {
            name: io.name,
            length: ready.length,
            persist: self.end_request(io),
            client: self.client_version(),
        };
        if stage(&mut io.buffers.to_client, end.room(), |out| end.put(out)).is_err() {
            // There would be an answer without an end in front of any page.
            return self.close(now, NO_MEMORY.2);
        }
        self.upstream = Upstream::None;
        self.start_waiting(now, io);
        self.download = Relay::stored(Framing::Length(ready.content), ready.content, ready.here);
        self.outcome.status = Some(ready.status);
        self.answered = true;
        self.start_answer(now, io);
        self.phase = Phase::Body;
    }

    /// More of it is here.
    pub(super) fn stored_grew(&mut self, here: u64) {
        self.clock.heard();
        self.download.stored_grew(here);
    }

    /// How many octets of a stored answer's content are here, if the client has taken them and waits for
    /// more: the glue looks for more ([`Event::StoredGrew`](super::Event::StoredGrew)).
    pub(crate) fn awaits_stored(&self) -> Option<u64> {
        let known = self.download.awaits_stored();
        known.filter(|_| self.phase == Phase::Body)
    }
}
