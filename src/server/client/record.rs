// SPDX-License-Identifier: GPL-2.0

//! What the access log says of an exchange.

use super::State;
use crate::exchange::Outcome;
use crate::exchange::Store as _;
use crate::log::Entry;
use crate::log::Format;
use crate::server::Engine;
use crate::time::Instant;

/// The part of an [`Entry`] that the exchange does not know.
#[derive(Default)]
pub(super) struct Record {
    backend: Option<u16>,
}

impl Record {
    /// The exchange goes to the backend of this number.
    pub(super) fn routed(&mut self, number: u8) {
        self.backend = Some(number.into());
    }
}

impl State {
    /// Logs an exchange that is over, if the settings have it logged.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn log(&mut self, engine: &Engine, now: Instant, outcome: &Outcome) {
        let record = core::mem::take(&mut self.record);
        let Some(format) = Format::of(outcome.log) else {
            return self.forget();
        };
        let entry = Entry {
            client: self.peer.ip(),
            received: outcome.received,
            status: outcome.status.map_or(0, |status| status.code()),
            octets: outcome.octets,
            backend: record.backend,
            cache: self.visit.word(),
            total: outcome.total,
            first_byte: outcome.first_byte,
            ending: outcome.ending,
            id: outcome.id,
            is_remark: false,
        };
        engine.log_line(format, now, &entry, self.buffers.captured.filled());
        self.forget();
    }

    /// Gives back the memory of what was captured.
    fn forget(&mut self) {
        let captured = &mut self.buffers.captured;
        captured.clear();
        captured.store_mut().release();
    }
}
