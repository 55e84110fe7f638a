// SPDX-License-Identifier: GPL-2.0

//! Buffer memory that fails when it is told to.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::bytes::Buffer;
use crate::exchange::{Buffers, Store};

/// When allocations fail: `0` never, `1` always, `n` all but every `n`th.
#[derive(Clone, Default)]
pub(crate) struct Shortage(Rc<Cell<(u32, u32)>>);

impl Shortage {
    pub(crate) fn set(&self, kind: u32) {
        self.0.set((kind, 0));
    }

    fn fails(&self) -> bool {
        let (kind, count) = self.0.get();
        let count = count.wrapping_add(1);
        self.0.set((kind, count));
        match kind {
            0 => false,
            1 => true,
            kind => count % kind != 0,
        }
    }
}

/// Memory of one buffer.
#[derive(Default)]
pub(crate) struct Memory {
    octets: Vec<u8>,
    shortage: Shortage,
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.octets
    }
}

impl Store for Memory {
    fn reserve(&mut self, capacity: usize) -> bool {
        if capacity <= self.octets.len() {
            return true;
        }
        if self.shortage.fails() {
            return false;
        }
        // Whoever reads what was never written shall see that it is none of his.
        self.octets.resize(capacity, b'?');
        true
    }

    fn release(&mut self) {
        self.octets = Vec::new();
    }
}

/// Empty buffers whose memory runs short as `shortage` says.
pub(crate) fn buffers(shortage: &Shortage) -> Buffers<Memory> {
    let buffer = || {
        Buffer::new(Memory {
            octets: Vec::new(),
            shortage: shortage.clone(),
        })
    };
    Buffers {
        request: buffer(),
        to_upstream: buffer(),
        response: buffer(),
        to_client: buffer(),
    }
}
