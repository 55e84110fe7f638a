// SPDX-License-Identifier: GPL-2.0

//! What is counted: per CPU, without locks, summed when somebody looks.

use kernel::prelude::*;

use crate::exchange::Outcome;
use crate::rt::percpu::Counter;

/// Counters of one namespace since the module was loaded.
pub(crate) struct Stats {
    /// Client connections accepted.
    pub(crate) accepted: Counter,
    /// Client connections refused because there were too many, or no memory.
    pub(crate) refused: Counter,
    /// Client connections that are open.
    pub(crate) open: Counter,
    /// Exchanges ended.
    pub(crate) requests: Counter,
    /// Exchanges whose answer was cut short.
    pub(crate) aborted: Counter,
    /// Answers by the first digit of their status: 2xx, 3xx, 4xx, 5xx.
    pub(crate) answers: [Counter; 4],
    /// Error pages of our own.
    pub(crate) pages: Counter,
    /// Connections opened to backends.
    pub(crate) connects: Counter,
    /// Exchanges that used a kept-alive backend connection.
    pub(crate) reuses: Counter,
    /// Octets sent to clients.
    pub(crate) sent: Counter,
}

impl Stats {
    /// Counters that are all zero. Process context.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            accepted: Counter::new()?,
            refused: Counter::new()?,
            open: Counter::new()?,
            requests: Counter::new()?,
            aborted: Counter::new()?,
            answers: [
                Counter::new()?,
                Counter::new()?,
                Counter::new()?,
                Counter::new()?,
            ],
            pages: Counter::new()?,
            connects: Counter::new()?,
            reuses: Counter::new()?,
            sent: Counter::new()?,
        })
    }

    /// Counts an exchange that is over.
    pub(crate) fn finish(&self, outcome: &Outcome) {
        self.requests.add(1);
        if outcome.aborted {
            self.aborted.add(1);
        }
        if outcome.own_page {
            self.pages.add(1);
        }
        let class = outcome
            .status
            .map_or(0, |status| usize::from(status.code() / 100));
        if let Some(counter) = class
            .checked_sub(2)
            .and_then(|index| self.answers.get(index))
        {
            counter.add(1);
        }
    }
}
