// SPDX-License-Identifier: GPL-2.0

//! What is counted: per CPU, without locks, summed when somebody looks.

use kernel::prelude::*;

use crate::exchange::Outcome;
use crate::exchange::Reset;
use crate::http::Status;
use crate::rt::percpu::Counters;
use crate::status::histogram;
use crate::status::Count;
use crate::time::Duration;

/// Counters of one namespace since it began. Made in process context, used in any.
pub(crate) struct Stats {
    counts: Counters<{ Count::LEN }>,
    /// How long exchanges took.
    durations: Timing,
}

impl Stats {
    /// Counters that are all zero. Process context.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            counts: Counters::new()?,
            durations: Timing::new()?,
        })
    }

    /// Counts one.
    pub(crate) fn count(&self, what: Count) {
        self.add(what, 1);
    }

    /// Counts `n`.
    pub(crate) fn add(&self, what: Count, n: u64) {
        self.counts.add(what as usize, n);
    }

    /// Takes one away, of what goes up and down.
    pub(crate) fn less(&self, what: Count) {
        self.counts.sub(what as usize, 1);
    }

    /// How many there have been, or are.
    pub(crate) fn get(&self, what: Count) -> u64 {
        if what.is_level() {
            self.counts.level(what as usize)
        } else {
            self.counts.sum(what as usize)
        }
    }

    /// Counts an exchange that is over.
    pub(crate) fn finish(&self, outcome: &Outcome) {
        self.count(Count::Requests);
        if !outcome.tunnel {
            self.durations.add(outcome.total);
        }
        if outcome.uploads {
            self.count(Count::Uploads);
        }
        if outcome.replayed {
            self.count(Count::Replays);
        }
        if outcome.tunnel {
            self.less(Count::Tunnels);
        }
        if outcome.aborted {
            self.count(Count::of_ending(outcome.ending[0]));
        }
        if outcome.overran {
            self.count(Count::TimeoutExchange);
        } else if let Some(limit) = Count::of_limit(outcome.ending) {
            self.count(limit);
        }
        let Some(status) = outcome.status else {
            return;
        };
        self.count(Count::of_answer(status));
        match (outcome.own_page, status) {
            (true, Status::OK) => self.count(Count::OwnAnswers),
            (true, status) => self.count(Count::of_page(status)),
            (false, _) => {}
        }
    }

    /// A client's connection is reset while no exchange is under way.
    pub(crate) fn reset(&self, how: Reset) {
        self.count(match how {
            Reset::Idle => Count::ResetIdle,
            Reset::Linger => Count::ResetLinger,
            Reset::Untaken => Count::ResetUntaken,
        });
    }

    /// An exchange has become a tunnel.
    pub(crate) fn tunnel(&self) {
        self.count(Count::Tunnels);
        self.count(Count::TunnelsOpened);
    }

    /// Appends what a [`Snapshot`](crate::status::Snapshot) wants: each [`Count`], then the
    /// durations. `into` has room for it.
    pub(crate) fn read(&self, into: &mut KVVec<u64>) -> Result {
        for index in 0..Count::LEN {
            // What goes up and down may seem to be below zero; nothing else comes near 2^63.
            into.push(self.counts.level(index), GFP_KERNEL)?;
        }
        self.durations.read(into)
    }
}

/// How long something took, each time. Made in process context, used in any.
pub(crate) struct Timing(Counters<{ histogram::SLOTS }>);

impl Timing {
    /// Nothing was timed yet.
    pub(crate) fn new() -> Result<Self> {
        Counters::new().map(Self)
    }

    /// It took so long.
    pub(crate) fn add(&self, span: Duration) {
        self.0.add(histogram::bucket(span), 1);
        self.0.add(histogram::SUM, histogram::micros(span));
    }

    /// Appends what a [`Histogram`](crate::status::Histogram) wants.
    pub(crate) fn read(&self, into: &mut KVVec<u64>) -> Result {
        for index in 0..histogram::SLOTS {
            into.push(self.0.sum(index), GFP_KERNEL)?;
        }
        Ok(())
    }
}
