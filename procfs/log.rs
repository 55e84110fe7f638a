// SPDX-License-Identifier: GPL-2.0

//! `log`: a line for every exchange, for as many readers as like to follow.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    rt::{
        proc::Stream,
        wait::Waiters, //
    },
    server::log::{
        Log,
        Reader, //
    },
};

pub(super) struct Lines(pub(super) Arc<Log>);

impl Stream for Lines {
    type Reader = Reader;

    fn open(&self) -> Result<Reader> {
        self.0.reader()
    }

    fn fill(&self, reader: &mut Reader, out: &mut [u8]) -> Result<usize> {
        self.0.fill(reader, out)
    }

    fn is_ready(&self, reader: &Reader) -> bool {
        self.0.is_ready(reader)
    }

    fn version(&self) -> u64 {
        self.0.version()
    }

    fn waiters(&self) -> &Waiters {
        self.0.waiters()
    }
}
