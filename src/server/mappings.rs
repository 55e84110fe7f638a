// SPDX-License-Identifier: GPL-2.0

//! The mappings of `cache-mapping`, in memory of the kernel's.

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::UniqueArc;

use crate::cache::mapping::list::Entry;
use crate::cache::mapping::list::List;
use crate::cache::regexp::Scratch;
use crate::cache::regexp::State;
use crate::rt::memory;

/// The mappings of one namespace. To ask them is allowed in any context.
pub(crate) type Mappings = List<KVec<Entry>, KVec<u8>, KVec<State>>;

/// A copy of a list that has the room to apply a text to it. Process context.
pub(crate) fn copy(old: &Mappings, text: &[u8]) -> Result<UniqueArc<Mappings>> {
    let room = old.room(text);
    let list = List::copy(
        old,
        KVec::from_elem(Entry::EMPTY, room.entries, GFP_KERNEL_ACCOUNT)?,
        KVec::from_elem(0, room.octets, GFP_KERNEL_ACCOUNT)?,
        KVec::from_elem(State::EMPTY, room.states, GFP_KERNEL_ACCOUNT)?,
    );
    Ok(UniqueArc::new(list, GFP_KERNEL_ACCOUNT)?)
}

/// Not on the stack.
static SCRATCH: Scratch = Scratch::NEW;

/// What is needed to read regular expressions. Process context.
pub(crate) fn scratch() -> Result<UniqueArc<Scratch>> {
    memory::duplicate(&SCRATCH)
}
