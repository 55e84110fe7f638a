// SPDX-License-Identifier: GPL-2.0

//! `last-error`: why the last refused write was refused.
//!
//! It stays until the next refusal, so that it can be read after any number of other writes. Empty
//! when nothing was refused yet.
//!
//! The kernel log gets it too, with the namespace's name in front unless that is the initial one.
//! Any user can be root of a namespace of his own, and of many: so each has a budget, all but the
//! initial one share another. How many refusals the log has left out is said with the next one that
//! it gets.

use core::fmt::{
    self,
    Formatter, //
};
use kernel::{
    fmt::Display,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
};

use crate::{
    bytes::Writer,
    config::Refusal,
    rt::{
        clock,
        net::Net,
        proc::{
            File,
            SeqFile, //
        },
    },
    time::{
        Duration,
        Instant, //
    },
};

/// The reason of the last refusal in this namespace.
#[pin_data]
pub(super) struct LastError {
    space: Space,
    budget: Budget,
    #[pin]
    state: Mutex<State>,
}

impl LastError {
    #[inline(never)]
    pub(super) fn new(net: &Net) -> Result<Arc<Self>> {
        let state = State::new()?;
        let space = Space((!net.is_init()).then(|| net.number()));
        Arc::pin_init(
            pin_init!(Self {
                space,
                budget: Budget::new(10),
                state <- new_mutex!(state, "LastError::state"),
            }),
            GFP_KERNEL,
        )
    }

    /// Keeps `reason` in the place of the one before, and logs it. Process context.
    pub(super) fn record(&self, reason: fmt::Arguments<'_>) {
        let mut state = self.state.lock();
        state.set(reason);
        if !self.may_log(clock::now()) {
            state.unsaid = state.unsaid.saturating_add(1);
            return;
        }
        if state.unsaid != 0 {
            pr_warn!("{}{} refusals were not logged\n", self.space, state.unsaid);
            state.unsaid = 0;
        }
        pr_warn!("{}{}\n", self.space, state.as_str());
    }

    fn may_log(&self, now: Instant) -> bool {
        self.budget.admits(now) && (self.space.0.is_none() || OTHERS.admits(now))
    }
}

/// How the kernel log names the namespace: by its number, and the initial one not at all.
struct Space(Option<u32>);

impl Display for Space {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, "net:[{number}]: "),
            None => Ok(()),
        }
    }
}

/// The file itself.
pub(super) struct Reader(pub(super) Arc<LastError>);

impl File for Reader {
    fn show(&self, out: &SeqFile) -> Result {
        let state = self.0.state.lock();
        if state.len != 0 {
            out.write(state.as_str().as_bytes());
            out.write(b"\n");
        }
        Ok(())
    }
}

/// What is protected by [`LastError`]'s lock.
struct State {
    /// Of length [`Self::LEN`].
    text: KVec<u8>,
    /// How much of `text` is used.
    len: usize,
    /// Refusals that the kernel log has not got since the last one that it has got.
    unsaid: u64,
}

impl State {
    /// Room for the longest refusal and the name of the file.
    const LEN: usize = Refusal::MAX_LEN + 32;

    fn new() -> Result<Self> {
        Ok(Self {
            text: KVec::from_elem(0, Self::LEN, GFP_KERNEL)?,
            len: 0,
            unsaid: 0,
        })
    }

    fn set(&mut self, reason: fmt::Arguments<'_>) {
        let mut out = Writer::new(&mut self.text);
        // What does not fit is cut off, which is better than no reason at all.
        let _ = fmt::write(&mut out, reason);
        self.len = out.len();
    }

    fn as_str(&self) -> &str {
        let text = self.text.get(..self.len).unwrap_or(&[]);
        core::str::from_utf8(text).unwrap_or("")
    }
}

/// Keeps writers in a loop from flooding the kernel log.
struct Budget {
    /// At most so many messages in a period.
    most: u32,
    /// When the present one began, in nanoseconds of the monotonic clock.
    since: Atomic<u64>,
    /// How many messages it has had.
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
