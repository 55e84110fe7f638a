// SPDX-License-Identifier: GPL-2.0

//! `last-error`: why the last refused write was refused.
//!
//! It stays until the next refusal, so that it can be read after any number of other writes. Empty
//! when nothing was refused yet.
//!
//! The kernel log gets it too ([`Journal`]).

use core::fmt;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

use crate::{
    bytes::Writer,
    config::Refusal,
    rt::{
        net::Net,
        proc::{
            File,
            SeqFile, //
        },
    },
    server::journal::Journal, //
};

/// The reason of the last refusal in this namespace.
#[pin_data]
pub(super) struct LastError {
    journal: Journal,
    #[pin]
    state: Mutex<State>,
}

impl LastError {
    #[inline(never)]
    pub(super) fn new(net: &Net) -> Result<Arc<Self>> {
        let state = State::new()?;
        Arc::pin_init(
            pin_init!(Self {
                journal: Journal::new(net, "refusals"),
                state <- new_mutex!(state, "LastError::state"),
            }),
            GFP_KERNEL,
        )
    }

    /// Keeps `reason` in the place of the one before, and logs it. Process context.
    pub(super) fn record(&self, reason: fmt::Arguments<'_>) {
        let mut state = self.state.lock();
        state.set(reason);
        self.journal.warn(format_args!("{}", state.as_str()));
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
