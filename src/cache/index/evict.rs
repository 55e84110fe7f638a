// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is to go: the two queues of S3-FIFO.

use core::ops::DerefMut;
use core::sync::atomic::Ordering;

use super::Bucket;
use super::Ghost;
use super::Id;
use super::Index;
use super::Slot;
use super::MAX_VARIANTS;
use super::NONE;

/// The queue that an entry is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Queue {
    /// It is incomplete or dead.
    None,
    /// It is new.
    Small,
    /// It has been asked for.
    Main,
}

/// A queue of slots, linked by `newer` and `older`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fifo {
    newest: u32,
    oldest: u32,
    /// Of all entries in it.
    pub(super) octets: u64,
}

impl Fifo {
    pub(super) const EMPTY: Fifo = Fifo {
        newest: NONE,
        oldest: NONE,
        octets: 0,
    };
}

/// The main queue has nine times the octets of the small one, before anything of it goes: the small one
/// has a tenth of all. (The paper, section 4.1.)
const MAIN_SHARE: u64 = 9;

/// Who was hit as often as this in the small queue goes on to the main queue (the paper, algorithm 1).
const WANTED: u8 = 2;

/// How many entries are looked at for one to evict: a caller that must not wait is not kept waiting.
const STEPS: usize = 64;

/// What became of the wish for room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room<T> {
    /// There is room, as long as nothing else is inserted.
    Ready,
    /// This was evicted: drop it, and ask again.
    Evicted(T),
    /// Too much is in use, or was asked for lately: either do without, or ask again.
    Busy,
    /// There never is: it is larger than everything together may be.
    Never,
}

impl<T, S, B, G> Index<T, S, B, G>
where
    S: DerefMut<Target = [Slot<T>]>,
    B: DerefMut<Target = [Bucket]>,
    G: DerefMut<Target = [Ghost]>,
{
    /// Makes room for an entry of a key and so many octets, one eviction at a time. A key that has
    /// [`MAX_VARIANTS`] loses the one that was inserted first.
    pub(crate) fn make_room(&mut self, key: u64, octets: u64) -> Room<T> {
        if let Some(id) = self.surplus_variant(key) {
            if let Some(value) = self.kill(id) {
                return self.evicted(value);
            }
            // It is pinned: dead, but not gone. It is charged as long as that lasts.
        }
        if self.fits(octets) {
            Room::Ready
        } else if octets > self.limit {
            Room::Never
        } else {
            self.evict()
        }
    }

    /// Evicts an entry, or answers [`Room::Busy`] after a bounded search; never [`Room::Ready`].
    ///
    /// A search that finds wanted ones only has brought them on to the main queue, so the next goes
    /// further. In the main queue that could go on for ever, as fast as they are asked for: there the
    /// one goes that is wanted least.
    pub(crate) fn evict(&mut self) -> Room<T> {
        let mut least_wanted: Option<(u8, Id)> = None;
        let mut turned = false;
        for _ in 0..STEPS {
            let queue = self.next_queue(turned);
            let oldest = self.fifo(queue).map_or(NONE, |fifo| fifo.oldest);
            let Some((id, slot, _)) = self.living(oldest) else {
                break;
            };
            let frequency = slot.frequency.load(Ordering::Relaxed);
            if slot.is_pinned() {
                // Perhaps the whole queue is. Look into the other.
                turned = !turned;
                self.move_to(oldest, queue);
                continue;
            }
            match queue {
                Queue::Small if frequency < WANTED => return self.expel(id),
                Queue::Small => self.advance(oldest, 0),
                _ if frequency == 0 => return self.expel(id),
                _ => {
                    if least_wanted.is_none_or(|(least, _)| frequency < least) {
                        least_wanted = Some((frequency, id));
                    }
                    self.advance(oldest, frequency.saturating_sub(1));
                }
            }
        }
        match least_wanted {
            Some((_, id)) => self.expel(id),
            None => Room::Busy,
        }
    }

    /// Where the next to go is: the other queue than it should be if it is `turned`.
    fn next_queue(&self, turned: bool) -> Queue {
        let is_large = self.small.octets.saturating_mul(MAIN_SHARE) >= self.main.octets;
        match (self.small.oldest, self.main.oldest) {
            (NONE, _) => Queue::Main,
            (_, NONE) => Queue::Small,
            _ if is_large != turned => Queue::Small,
            _ => Queue::Main,
        }
    }

    /// Moves an entry to the front of the main queue.
    fn advance(&mut self, index: u32, frequency: u8) {
        if let Some(slot) = self.slot_mut(index) {
            *slot.frequency.get_mut() = frequency;
        }
        self.move_to(index, Queue::Main);
    }

    fn move_to(&mut self, index: u32, queue: Queue) {
        self.dequeue(index);
        self.enqueue(index, queue);
    }

    /// Evicts this one, which is not pinned.
    fn expel(&mut self, id: Id) -> Room<T> {
        let slot = self.slot(id.index);
        let ghost = slot.filter(|slot| slot.queue == Queue::Small);
        if let Some(ghost) = ghost.map(|slot| slot.ghost()) {
            self.ghosts.remember(ghost);
        }
        match self.kill(id) {
            Some(value) => self.evicted(value),
            None => Room::Busy,
        }
    }

    fn evicted(&mut self, value: T) -> Room<T> {
        self.counts.evictions = self.counts.evictions.saturating_add(1);
        Room::Evicted(value)
    }

    /// The first inserted of a key's entries, if it has as many as it may.
    fn surplus_variant(&self, key: u64) -> Option<Id> {
        let (mut variants, mut first) = (0usize, None);
        let mut next = self.first_of(key);
        while let Some(slot) = self.slot(next) {
            if slot.key == key {
                variants = variants.saturating_add(1);
                first = Some(Id {
                    index: next,
                    generation: slot.generation,
                });
            }
            next = slot.next;
        }
        first.filter(|_| variants >= MAX_VARIANTS)
    }

    /// The queue itself.
    pub(super) fn fifo(&mut self, queue: Queue) -> Option<&mut Fifo> {
        match queue {
            Queue::None => None,
            Queue::Small => Some(&mut self.small),
            Queue::Main => Some(&mut self.main),
        }
    }

    /// Puts an entry that is in no queue at the front of one.
    pub(super) fn enqueue(&mut self, index: u32, queue: Queue) {
        let octets = self.slot(index).map_or(0, |slot| slot.octets);
        let Some(fifo) = self.fifo(queue) else {
            return;
        };
        let older = fifo.newest;
        fifo.newest = index;
        fifo.octets = fifo.octets.saturating_add(octets);
        if older == NONE {
            fifo.oldest = index;
        }
        if let Some(slot) = self.slot_mut(older) {
            slot.newer = index;
        }
        if let Some(slot) = self.slot_mut(index) {
            slot.queue = queue;
            slot.newer = NONE;
            slot.older = older;
        }
    }

    /// Takes an entry out of the queue it is in, and says which that was.
    pub(super) fn dequeue(&mut self, index: u32) -> Queue {
        let Some(slot) = self.slot_mut(index) else {
            return Queue::None;
        };
        let (newer, older, octets) = (slot.newer, slot.older, slot.octets);
        let queue = core::mem::replace(&mut slot.queue, Queue::None);
        let Some(fifo) = self.fifo(queue) else {
            return Queue::None;
        };
        fifo.octets = fifo.octets.saturating_sub(octets);
        if newer == NONE {
            fifo.newest = older;
        }
        if older == NONE {
            fifo.oldest = newer;
        }
        if let Some(slot) = self.slot_mut(newer) {
            slot.older = older;
        }
        if let Some(slot) = self.slot_mut(older) {
            slot.newer = newer;
        }
        queue
    }
}
