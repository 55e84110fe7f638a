// SPDX-License-Identifier: GPL-2.0

//! Takes the picture that [`crate::status`] shows.

use core::fmt;
use kernel::alloc::KVVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use crate::config::Settings;
use crate::rt::clock;
use crate::server::backend::Backend;
use crate::server::memory;
use crate::server::Engine;
use crate::status;
use crate::status::histogram::SLOTS;
use crate::status::Count;
use crate::status::Format;
use crate::status::Histogram;
use crate::status::Snapshot;

/// Numbers that are gathered of each backend: two histograms.
const OF_BACKEND: usize = 2 * SLOTS;

impl Engine {
    /// Tells how the gateway is: the octets of a whole page, whose type is
    /// [`Format::content_type`].
    ///
    /// It takes no lock for long and stops nothing. Process context: it allocates.
    ///
    /// # Errors
    ///
    /// `ENOMEM`
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn report(&self, format: Format) -> Result<KVVec<u8>> {
        let config = self.config();
        let numbers = self.numbers(&config.backends)?;
        let (counts, rest) = numbers.split_at_checked(Count::LEN).ok_or(EINVAL)?;
        let (durations, rest) = rest.split_at_checked(SLOTS).ok_or(EINVAL)?;
        let backends = rows(&config.backends, rest)?;
        show(
            &self.snapshot(&config.settings, counts, durations, &backends),
            format,
        )
    }

    /// All counters, one after the other: see [`Stats::read`](super::stats::Stats::read); then
    /// [`OF_BACKEND`] of each backend.
    #[inline(never)]
    fn numbers(&self, backends: &[Arc<Backend>]) -> Result<KVVec<u64>> {
        let of_backends = backends.len().saturating_mul(OF_BACKEND);
        let len = of_backends.saturating_add(Count::LEN + SLOTS);
        let mut numbers = KVVec::with_capacity(len, GFP_KERNEL)?;
        self.stats().read(&mut numbers)?;
        for backend in backends {
            backend.connecting.read(&mut numbers)?;
            backend.responding.read(&mut numbers)?;
        }
        Ok(numbers)
    }

    #[inline(never)]
    fn snapshot<'a>(
        &self,
        settings: &Settings,
        counts: &'a [u64],
        durations: &'a [u64],
        backends: &'a [status::Backend<'a>],
    ) -> Snapshot<'a> {
        let (held, limit) = memory::held();
        Snapshot {
            port: self.port(),
            now: clock::unix_now(),
            started: self.started_at(),
            uptime: clock::now().since(self.started()),
            connect_timeout: settings.connect_timeout,
            live_time: settings.idle_timeout,
            dead_time: None,
            max_connections: settings.max_connections as u64,
            memory: held as u64,
            memory_limit: limit as u64,
            log_lost: self.log().lost(),
            counts,
            durations: Histogram(durations),
            backends,
        }
    }
}

/// The backends' part of the picture; `numbers` are [`OF_BACKEND`] of each.
#[inline(never)] // Keeps its frame out of its caller's.
fn rows<'a>(
    backends: &'a [Arc<Backend>],
    numbers: &'a [u64],
) -> Result<KVVec<status::Backend<'a>>> {
    let mut rows = KVVec::with_capacity(backends.len(), GFP_KERNEL)?;
    for (backend, numbers) in backends.iter().zip(numbers.chunks(OF_BACKEND)) {
        push(&mut rows, backend, numbers)?;
    }
    Ok(rows)
}

#[inline(never)] // Keeps its frame out of its caller's.
fn push<'a>(
    rows: &mut KVVec<status::Backend<'a>>,
    backend: &'a Backend,
    numbers: &'a [u64],
) -> Result {
    let (connecting, responding) = numbers.split_at_checked(SLOTS).ok_or(EINVAL)?;
    let row = status::Backend {
        config: backend.config(),
        failing: backend.is_failing(),
        active: backend.active.level(),
        pooled: backend.pooled() as u64,
        requests: backend.requests.sum(),
        failures: backend.failures.sum(),
        connects: backend.connects.sum(),
        reuses: backend.reuses.sum(),
        sent: backend.sent.sum(),
        received: backend.received.sum(),
        connecting: Histogram(connecting),
        responding: Histogram(responding),
    };
    Ok(rows.push(row, GFP_KERNEL)?)
}

/// The picture in one of its forms.
#[inline(never)] // Keeps its frame out of its caller's.
fn show(snapshot: &Snapshot<'_>, format: Format) -> Result<KVVec<u8>> {
    let mut page = Page {
        octets: KVVec::new(),
    };
    // Fails only for want of memory.
    status::render(snapshot, format, &mut page).map_err(|_| ENOMEM)?;
    Ok(page.octets)
}

/// A page that grows as it is written.
struct Page {
    octets: KVVec<u8>,
}

impl fmt::Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.octets
            .extend_from_slice(text.as_bytes(), GFP_KERNEL)
            .map_err(|_| fmt::Error)
    }
}
