// SPDX-License-Identifier: GPL-2.0

//! Takes the picture that [`crate::status`] shows.

use core::fmt;
use kernel::alloc::KVVec;
use kernel::prelude::*;

use crate::config::Settings;
use crate::lb::Condition;
use crate::lb::View;
use crate::rt::clock;
use crate::server::engine::Srun;
use crate::server::memory;
use crate::server::Engine;
use crate::status;
use crate::status::histogram::SLOTS;
use crate::status::Count;
use crate::status::Format;
use crate::status::Histogram;
use crate::status::Snapshot;
use crate::time::Duration;

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
        let numbers = self.numbers(&config.sruns)?;
        let (counts, rest) = numbers.split_at_checked(Count::LEN).ok_or(EINVAL)?;
        let (durations, rest) = rest.split_at_checked(SLOTS).ok_or(EINVAL)?;
        let backends = self.rows(&config.sruns, rest)?;
        show(
            &self.snapshot(&config.settings, counts, durations, &backends),
            format,
        )
    }

    /// All counters, one after the other: see [`Stats::read`](super::stats::Stats::read); then
    /// [`OF_BACKEND`] of each backend.
    #[inline(never)]
    fn numbers(&self, sruns: &[Srun]) -> Result<KVVec<u64>> {
        let of_backends = sruns.len().saturating_mul(OF_BACKEND);
        let len = of_backends.saturating_add(Count::LEN + SLOTS);
        let mut numbers = KVVec::with_capacity(len, GFP_KERNEL)?;
        self.stats().read(&mut numbers)?;
        for srun in sruns {
            srun.backend.connecting.read(&mut numbers)?;
            srun.backend.responding.read(&mut numbers)?;
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
            dead_time: Some(settings.recover_time),
            max_connections: settings.max_connections as u64,
            waiting: self.balancer().waiting() as u64,
            memory: held as u64,
            memory_limit: limit as u64,
            log_lost: self.log().lost(),
            cache: self.cache_state(),
            counts,
            durations: Histogram(durations),
            backends,
        }
    }

    /// What is cached.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn cache_state(&self) -> status::Cache {
        let evictions = self.evicted();
        let config = self.config();
        let Some(cache) = &config.store else {
            return status::Cache {
                evictions,
                ..status::Cache::default()
            };
        };
        let counts = cache.counts();
        let (octets, limit) = cache.memory();
        status::Cache {
            entries: counts.entries as u64,
            octets,
            limit,
            evictions: counts.evictions.saturating_add(evictions),
        }
    }
}

impl Engine {
    /// The backends' part of the picture; `numbers` are [`OF_BACKEND`] of each.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn rows<'a>(
        &self,
        sruns: &'a [Srun],
        numbers: &'a [u64],
    ) -> Result<KVVec<status::Backend<'a>>> {
        let mut rows = KVVec::with_capacity(sruns.len(), GFP_KERNEL)?;
        let all = sruns.iter().zip(numbers.chunks(OF_BACKEND));
        for (slot, (srun, numbers)) in all.enumerate() {
            push(&mut rows, srun, self.balancer().view(slot), numbers)?;
        }
        Ok(rows)
    }
}

#[inline(never)] // Keeps its frame out of its caller's.
fn push<'a>(
    rows: &mut KVVec<status::Backend<'a>>,
    srun: &'a Srun,
    seen: Option<(View, u16)>,
    numbers: &'a [u64],
) -> Result {
    let (connecting, responding) = numbers.split_at_checked(SLOTS).ok_or(EINVAL)?;
    let backend = &srun.backend;
    let now = clock::now();
    let view = seen.map(|(view, _)| view);
    let row = status::Backend {
        config: &srun.config,
        condition: view.map_or(Condition::Up, |view| view.condition),
        lasted: view.map_or(Duration::ZERO, |view| now.since(view.since)),
        why: view.and_then(|view| view.why),
        failures: view.map_or(0, |view| view.failures),
        active: backend.active.level(),
        waiting: seen.map_or(0, |(_, waiting)| waiting.into()),
        pooled: backend.pooled() as u64,
        requests: backend.requests.sum(),
        retries: backend.retries.sum(),
        probes: backend.probes.sum(),
        probe_failures: backend.probe_failures.sum(),
        connects: backend.connects.sum(),
        connect_failures: backend.failures.sum(),
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
