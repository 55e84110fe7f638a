// SPDX-License-Identifier: GPL-2.0

//! `last-error`: why the last refused write was refused.
//!
//! It stays until the next refusal, so that it can be read after any number of other writes. Empty
//! when nothing was refused yet.

use core::fmt;
use kernel::{
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
    #[pin]
    state: Mutex<State>,
}

impl LastError {
    #[inline(never)]
    pub(super) fn new() -> Result<Arc<Self>> {
        let state = State::new()?;
        Arc::pin_init(
            pin_init!(Self {
                state <- new_mutex!(state, "LastError::state"),
            }),
            GFP_KERNEL,
        )
    }

    /// Keeps `reason` in the place of the one before, and logs it. Process context.
    pub(super) fn record(&self, reason: fmt::Arguments<'_>) {
        let mut state = self.state.lock();
        state.set(reason);
        if LOG.admits(clock::now()) {
            pr_warn!("{}\n", state.as_str());
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
}

impl State {
    /// Room for the longest refusal and the name of the file.
    const LEN: usize = Refusal::MAX_LEN + 32;

    fn new() -> Result<Self> {
        Ok(Self {
            text: KVec::from_elem(0, Self::LEN, GFP_KERNEL)?,
            len: 0,
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

/// Keeps writers in a loop from flooding the kernel log: any user can be root of a namespace of his
/// own, and of many. So all of them share it; `last-error` has what the log leaves out.
struct Limiter {
    /// When the present period began, in nanoseconds of the monotonic clock.
    since: Atomic<u64>,
    /// How many messages it has had.
    count: Atomic<u32>,
}

static LOG: Limiter = Limiter {
    since: Atomic::new(0),
    count: Atomic::new(0),
};

impl Limiter {
    /// At most so many messages...
    const BURST: u32 = 10;
    /// ...in this time.
    const PERIOD: Duration = Duration::from_secs(5);

    fn admits(&self, now: Instant) -> bool {
        let since = self.since.load(Relaxed);
        // Who changes it begins the period; others who saw its end count in one or the other.
        if now.since(Instant::from_nanos(since)) >= Self::PERIOD
            && self.since.cmpxchg(since, now.as_nanos(), Relaxed).is_ok()
        {
            self.count.store(0, Relaxed);
        }
        self.count.fetch_add(1, Relaxed) < Self::BURST
    }
}
