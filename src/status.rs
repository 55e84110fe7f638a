// SPDX-License-Identifier: GPL-2.0

//! What the gateway tells about itself: a picture of one moment, and its forms for people and for
//! machines.
//!
//! One table of [`Family`]s names everything that is counted; each form goes through it, so that a
//! new counter is one [`Count`], its entry there, and the code that counts.

mod asked;
mod backends;
mod cache;
mod count;
pub(crate) mod escape;
mod family;
pub(crate) mod histogram;
mod html;
mod json;
pub(crate) mod numbers;
mod openmetrics;
mod state;
mod table;

#[allow(unused_imports)] // Named for the tests and the glue, not all of them in every build.
pub(crate) use self::{
    asked::{asked, Format},
    cache::Ratio,
    count::Count,
    family::{groups, Family, Kind, Unit, Values},
    histogram::Histogram,
    openmetrics::Flavour,
    state::{News, Phrase, State}, //
};

use core::fmt;

use crate::config;
use crate::lb::{Condition, Why};
use crate::time::{Duration, UnixTime};

/// The gateway of one network namespace at one moment.
pub(crate) struct Snapshot<'a> {
    /// The port that is listened on, 0 for none.
    pub(crate) port: u16,
    /// When this was taken.
    pub(crate) now: UnixTime,
    /// When the gateway began.
    pub(crate) started: UnixTime,
    /// How long ago that is.
    pub(crate) uptime: Duration,
    /// The setting `connect-timeout`.
    pub(crate) connect_timeout: Duration,
    /// How long an idle connection to a backend is kept: the setting `idle-timeout`.
    pub(crate) live_time: Duration,
    /// How long a backend is not asked after it could not be reached. None: it is asked again at
    /// once.
    pub(crate) dead_time: Option<Duration>,
    /// The setting `max-connections`.
    pub(crate) max_connections: u64,
    /// Requests that wait for a place at a backend.
    pub(crate) waiting: u64,
    /// Octets of connections and their buffers, in all namespaces.
    pub(crate) memory: u64,
    /// And how many they may be.
    pub(crate) memory_limit: u64,
    /// Lines of the access log that gave way to newer ones before a reader got to them.
    pub(crate) log_lost: u64,
    /// What the cache holds.
    pub(crate) cache: Cache,
    /// What was counted, by [`Count`].
    pub(crate) counts: &'a [u64],
    /// How long exchanges took, from the first octet of the request to the last of the answer.
    pub(crate) durations: Histogram<'a>,
    /// The backends, in their order.
    pub(crate) backends: &'a [Backend<'a>],
}

impl Snapshot<'_> {
    /// What was counted of one thing.
    pub(crate) fn count(&self, count: Count) -> u64 {
        self.counts.get(count as usize).copied().unwrap_or(0)
    }
}

/// The cache at that moment; all zero where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cache {
    /// Entries that can be found.
    pub(crate) entries: u64,
    /// Octets that are held.
    pub(crate) octets: u64,
    /// And how many they may be.
    pub(crate) limit: u64,
    /// Entries that gave way to others since the gateway began: never fewer than before.
    pub(crate) evictions: u64,
}

/// A backend at that moment. Its numbers begin anew when it is configured anew.
pub(crate) struct Backend<'a> {
    /// As it is configured.
    pub(crate) config: &'a config::Backend,
    /// What is known of it.
    pub(crate) condition: Condition,
    /// For how long that has been so.
    pub(crate) lasted: Duration,
    /// Why it failed the last time.
    pub(crate) why: Option<Why>,
    /// How often it has failed.
    pub(crate) failures: u64,
    /// Exchanges and connection attempts under way.
    pub(crate) active: u64,
    /// Requests that wait for a place there, and nowhere else.
    pub(crate) waiting: u64,
    /// Idle connections that are kept.
    pub(crate) pooled: u64,
    /// Exchanges begun.
    pub(crate) requests: u64,
    /// Exchanges that another backend was given after this one had failed them.
    pub(crate) retries: u64,
    /// Times that it was asked how it is, and those of them in which it did not say that it is well.
    pub(crate) probes: u64,
    pub(crate) probe_failures: u64,
    /// Connections that were begun.
    pub(crate) connects: u64,
    /// Those of them that could not be made.
    pub(crate) connect_failures: u64,
    /// Exchanges that used a kept connection.
    pub(crate) reuses: u64,
    /// Octets sent to it.
    pub(crate) sent: u64,
    /// Octets received from it.
    pub(crate) received: u64,
    /// How long it took to accept connections.
    pub(crate) connecting: Histogram<'a>,
    /// How long it took from when it began to get a request to the first octet of the response.
    pub(crate) responding: Histogram<'a>,
}

/// Writes `snapshot` in one of its forms.
///
/// # Errors
///
/// Only those of `out`.
pub(crate) fn render(
    snapshot: &Snapshot<'_>,
    format: Format,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    match format {
        Format::Html => html::write(snapshot, out),
        Format::Json => json::write(snapshot, out),
        Format::OpenMetrics => openmetrics::write(snapshot, Flavour::OpenMetrics, out),
        Format::Prometheus => openmetrics::write(snapshot, Flavour::Prometheus, out),
        Format::Text => table::write(snapshot, out),
    }
}
