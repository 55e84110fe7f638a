// SPDX-License-Identifier: GPL-2.0

//! Buffer memory that fails when it is told to.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::bytes::Buffer;
use crate::exchange::{Buffers, Store};

/// When allocations fail.
#[derive(Clone, Default)]
pub(crate) struct Shortage(Rc<Cell<Kind>>);

#[derive(Clone, Copy, Default)]
enum Kind {
    #[default]
    None,
    /// All but every so many fail; the count goes up.
    Most(u32, u32),
    /// So many do not.
    After(u32),
}

impl Shortage {
    /// `0`: none fails, `1`: all do, `n`: all but every `n`th.
    pub(crate) fn set(&self, kind: u32) {
        self.0.set(match kind {
            0 => Kind::None,
            1 => Kind::After(0),
            _ => Kind::Most(kind, 0),
        });
    }

    /// So many succeed, and then none.
    pub(crate) fn spare(&self, count: u32) {
        self.0.set(Kind::After(count));
    }

    fn fails(&self) -> bool {
        let (next, fails) = match self.0.get() {
            Kind::None => (Kind::None, false),
            Kind::Most(every, count) => (Kind::Most(every, count + 1), (count + 1) % every != 0),
            Kind::After(left) => (Kind::After(left.saturating_sub(1)), left == 0),
        };
        self.0.set(next);
        fails
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
        captured: buffer(),
    }
}
