// SPDX-License-Identifier: GPL-2.0

//! What the kernel log gets from one network namespace.
//!
//! A line has the namespace's name in front unless that is the initial one. Any user can be root of a
//! namespace of his own, and of many: so each has a budget, and all but the initial one share another.
//! How many lines were left out is said with the next one that is not.

use core::fmt::Arguments;
use core::fmt::Formatter;
use kernel::fmt::Display;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

use crate::rt::clock;
use crate::rt::net::Net;
use crate::time::Duration;
use crate::time::Instant;

/// A namespace's way into the kernel log, for one kind of lines.
pub(crate) struct Journal {
    space: Space,
    /// What the lines are, to say how many were left out.
    what: &'static str,
    budget: Budget,
    /// Those that were left out since the last one that was not.
    unsaid: Atomic<u64>,
}

impl Journal {
    /// One for lines that are `what`, in the plural.
    pub(crate) fn new(net: &Net, what: &'static str) -> Self {
        Self {
            space: Space((!net.is_init()).then(|| net.number())),
            what,
            budget: Budget::new(10),
            unsaid: Atomic::new(0),
        }
    }

    /// Logs something that is wrong. Process context.
    pub(crate) fn warn(&self, text: Arguments<'_>) {
        if self.may_say() {
            pr_warn!("{}{}\n", self.space, text);
        }
    }

    /// Logs something that is right again. Process context.
    pub(crate) fn notice(&self, text: Arguments<'_>) {
        if self.may_say() {
            pr_notice!("{}{}\n", self.space, text);
        }
    }

    /// Whether there is room for a line. Says first what there was none for.
    fn may_say(&self) -> bool {
        let now = clock::now();
        let admits = self.budget.admits(now) && (self.space.0.is_none() || OTHERS.admits(now));
        if !admits {
            self.unsaid.fetch_add(1, Relaxed);
            return false;
        }
        let unsaid = self.unsaid.xchg(0, Relaxed);
        if unsaid != 0 {
            pr_warn!("{}{} {} were not logged\n", self.space, unsaid, self.what);
        }
        true
    }
}

/// How the kernel log names the namespace: by its number, and the initial one not at all.
struct Space(Option<u32>);

impl Display for Space {
    fn fmt(&self, f: &mut Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(number) => write!(f, "net:[{number}]: "),
            None => Ok(()),
        }
    }
}

/// Keeps whoever makes lines in a loop from flooding the kernel log.
struct Budget {
    /// At most so many lines in a period.
    most: u32,
    /// When the present one began, in nanoseconds of the monotonic clock.
    since: Atomic<u64>,
    /// How many lines it has had.
    count: Atomic<u32>,
}

/// What all namespaces but the initial one share.
static OTHERS: Budget = Budget::new(20);

impl Budget {
    const PERIOD: Duration = Duration::from_secs(5);

    const fn new(most: u32) -> Self {
        Self {
            most,
            since: Atomic::new(0),
            count: Atomic::new(0),
        }
    }

    fn admits(&self, now: Instant) -> bool {
        let since = self.since.load(Relaxed);
        // Who changes it begins the period; others who saw its end count in one or the other.
        if now.since(Instant::from_nanos(since)) >= Self::PERIOD
            && self.since.cmpxchg(since, now.as_nanos(), Relaxed).is_ok()
        {
            self.count.store(0, Relaxed);
        }
        self.count.fetch_add(1, Relaxed) < self.most
    }
}
