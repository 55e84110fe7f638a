// SPDX-License-Identifier: GPL-2.0

//! Where the stored responses are: entries by key, several for one key (its variants), in slots of the
//! caller's, with a limit on the octets of all of them.
//!
//! # The life of an entry
//!
//! [`insert`](Index::insert) puts one in that is [`Incomplete`](State::Incomplete): those who look find
//! it, and know that they have to wait for its body. It has a pin, of the one who fills it.
//! [`resize`](Index::resize) charges what comes. [`finish`](Index::finish) makes it
//! [`Whole`](State::Whole), and from then on it may be evicted. Whoever reads an entry
//! [pins](Index::pin) it: a pinned entry is not evicted. It can be [killed](Index::kill), though: then
//! nobody finds it any more, but it keeps its slot and is charged, since it still takes its memory,
//! until the last [`unpin`](Index::unpin) and the [`reap`](Index::reap) that has to follow.
//!
//! # Eviction
//!
//! It is S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023). What is
//! new goes into a small queue of a tenth of the octets. Who was asked for twice until he comes to its
//! end goes into the main queue; the others are evicted, and remembered as ghosts. Who comes back while
//! his ghost is there goes into the main queue at once. At the end of that an entry goes round again
//! as often as it was asked for, three times at most. So what is asked for once only, however much of
//! it there is, drives nothing out of the main queue.
//!
//! # What a hit touches
//!
//! A lookup reads a bucket and the slots of its chain. [`hit`](Index::hit) then writes two atomic words
//! of the one slot, and [`pin`](Index::pin) and [`unpin`](Index::unpin) a third; no list is changed. So
//! everything that takes `&self` can run at the same time on many processors under a lock that readers
//! share, and what takes `&mut self` (inserting, finishing, killing, evicting) excludes the others.

mod evict;
mod ghost;

use core::marker::PhantomData;
use core::ops::DerefMut;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering;

use crate::bytes::Full;
use evict::Fifo;
use evict::Queue;
use ghost::Ghosts;

pub(crate) use evict::Room;
pub(crate) use ghost::Ghost;

/// Names an entry. The name of one that is gone finds nothing, even when its slot is in use again
/// (until it was used anew 2^32 times).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Id {
    index: u32,
    generation: u32,
}

/// How far an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It is being filled.
    Incomplete,
    /// All of it is there.
    Whole,
    /// Nobody finds it any more; somebody still has it pinned.
    Dead,
}

/// The most variants of one key: who varies a field that a response varies by cannot make lookups slow.
pub(crate) const MAX_VARIANTS: usize = 32;

/// "No slot" in a link.
const NONE: u32 = u32::MAX;

/// The first slot of a chain of entries whose keys have something in common. There should be as many
/// buckets as slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket(u32);

impl Bucket {
    /// An empty chain.
    pub(crate) const EMPTY: Bucket = Bucket(NONE);
}

/// The room for one entry.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: Option<T>,
    key: u64,
    variant: u64,
    octets: u64,
    /// The next in the bucket's chain, which was inserted earlier; in an empty slot, the next empty one.
    next: u32,
    newer: u32,
    older: u32,
    generation: u32,
    pins: AtomicU32,
    hits: AtomicU32,
    /// Hits since it came to the front of its queue, up to [`MAX_FREQUENCY`].
    frequency: AtomicU8,
    state: State,
    queue: Queue,
}

/// More hits than this say no more about what will be asked for.
const MAX_FREQUENCY: u8 = 3;

impl<T> Slot<T> {
    /// An empty slot.
    pub(crate) const fn new() -> Slot<T> {
        Slot {
            value: None,
            key: 0,
            variant: 0,
            octets: 0,
            next: NONE,
            newer: NONE,
            older: NONE,
            generation: 0,
            pins: AtomicU32::new(0),
            hits: AtomicU32::new(0),
            frequency: AtomicU8::new(0),
            state: State::Dead,
            queue: Queue::None,
        }
    }

    /// By what its ghost is known.
    fn ghost(&self) -> u64 {
        self.key ^ self.variant
    }

    fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::Acquire) > 0
    }
}

/// How much there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Entries that can be found.
    pub(crate) entries: usize,
    /// Entries that cannot, and are still pinned.
    pub(crate) dead: usize,
    /// Octets of all of them, and of the slots, buckets and ghosts.
    pub(crate) octets: u64,
    /// How many were ever evicted, by [`Index::make_room`] and [`Index::evict`]. Hits and misses are
    /// for the caller to count, for each processor apart.
    pub(crate) evictions: u64,
}

/// What there is to know of an entry besides its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct About {
    /// How far it is.
    pub(crate) state: State,
    /// What is charged for it.
    pub(crate) octets: u64,
    /// How often it was hit, at most 2^32 - 1; two at the same time may count as one.
    pub(crate) hits: u32,
}

/// A place in the order of the slots, for whoever goes over all entries in steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cursor(u32);

/// What a step of [`Index::sweep`] has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Swept<T> {
    /// It took this out of the index; there may be more.
    Killed(T),
    /// It has gone as many steps as it may; there may be more.
    More,
    /// Every entry that there was from the beginning was looked at.
    Done,
}

/// The index, over slots, buckets and ghosts that the caller owns.
///
/// # Invariants
///
/// A slot has a value from `insert` until it is freed. Those that are not [`State::Dead`] are each in
/// the chain of their key's bucket, and the [`State::Whole`] among them in one of the two queues; no
/// others are. Empty slots below `used` form a list by `next`, from `free`. `counts` are the numbers and
/// sums of what the slots say; `counts.octets` never grows beyond `limit`.
#[derive(Debug)]
pub(crate) struct Index<T, S, B, G> {
    slots: S,
    buckets: B,
    ghosts: Ghosts<G>,
    small: Fifo,
    main: Fifo,
    free: u32,
    used: u32,
    limit: u64,
    counts: Counts,
    _values: PhantomData<T>,
}

impl<T, S, B, G> Index<T, S, B, G>
where
    S: DerefMut<Target = [Slot<T>]>,
    B: DerefMut<Target = [Bucket]>,
    G: DerefMut<Target = [Ghost]>,
{
    /// An empty index; values in the slots are dropped. `limit` is how many octets it may hold, its
    /// own tables included.
    pub(crate) fn new(mut slots: S, mut buckets: B, ghosts: G, limit: u64) -> Self {
        for slot in slots.iter_mut() {
            slot.value = None;
        }
        buckets.fill(Bucket::EMPTY);
        let ghosts = Ghosts::new(ghosts);
        let tables = size_of_val::<[Slot<T>]>(&slots)
            .saturating_add(size_of_val::<[Bucket]>(&buckets))
            .saturating_add(ghosts.size());
        Self {
            slots,
            buckets,
            ghosts,
            small: Fifo::EMPTY,
            main: Fifo::EMPTY,
            free: NONE,
            used: 0,
            limit,
            counts: Counts {
                octets: u64::try_from(tables).unwrap_or(u64::MAX),
                ..Counts::default()
            },
            _values: PhantomData,
        }
    }

    /// How much there is.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// How many octets it may hold.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Changes that. If it holds more, nothing is inserted until enough was [evicted](Index::evict).
    pub(crate) fn set_limit(&mut self, octets: u64) {
        self.limit = octets;
    }

    /// The entry of a key that `rank` ranks highest; of equal ones that which was inserted last.
    /// `rank` has to compare the whole key, since hashes may collide; it gives none for what will
    /// not do.
    pub(crate) fn find<R, F>(&self, key: u64, mut rank: F) -> Option<(Id, &T)>
    where
        R: Ord,
        F: FnMut(&T, State) -> Option<R>,
    {
        let mut best: Option<(R, Id, &T)> = None;
        let mut next = self.first_of(key);
        while let Some(slot) = self.slot(next) {
            let (index, is_key) = (next, slot.key == key);
            next = slot.next;
            let Some(value) = slot.value.as_ref().filter(|_| is_key) else {
                continue;
            };
            let Some(rank) = rank(value, slot.state) else {
                continue;
            };
            if best.as_ref().is_none_or(|(highest, ..)| rank > *highest) {
                let generation = slot.generation;
                best = Some((rank, Id { index, generation }, value));
            }
        }
        best.map(|(_, id, value)| (id, value))
    }

    /// The value of an entry, dead ones included.
    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        self.slot_of(id)?.value.as_ref()
    }

    /// The same, to change.
    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.slot_of_mut(id)?.value.as_mut()
    }

    /// What else is known of an entry.
    pub(crate) fn about(&self, id: Id) -> Option<About> {
        self.slot_of(id).map(|slot| About {
            state: slot.state,
            octets: slot.octets,
            hits: slot.hits.load(Ordering::Relaxed),
        })
    }

    /// Says that an entry was asked for and served.
    pub(crate) fn hit(&self, id: Id) {
        let Some(slot) = self.slot_of(id) else {
            return;
        };
        // Loads and stores: whether one of two hits at the same time is lost does not matter, and
        // the hottest entries are not written to for their frequency at all.
        let frequency = slot.frequency.load(Ordering::Relaxed);
        if frequency < MAX_FREQUENCY {
            let more = frequency.saturating_add(1);
            slot.frequency.store(more, Ordering::Relaxed);
        }
        let hits = slot.hits.load(Ordering::Relaxed);
        slot.hits.store(hits.saturating_add(1), Ordering::Relaxed);
    }

    /// Keeps an entry from being freed until [`unpin`](Self::unpin). False if it is dead or gone.
    pub(crate) fn pin(&self, id: Id) -> bool {
        let slot = self.slot_of(id).filter(|slot| slot.state != State::Dead);
        slot.is_some_and(|slot| {
            let more = |pins: u32| pins.checked_add(1);
            let pinned = slot
                .pins
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            pinned.is_ok()
        })
    }

    /// Ends a pin. True if that was the last of a dead entry: then [`reap`](Self::reap) it.
    pub(crate) fn unpin(&self, id: Id) -> bool {
        self.slot_of(id).is_some_and(|slot| {
            let fewer = |pins: u32| pins.checked_sub(1);
            let before = slot
                .pins
                .fetch_update(Ordering::AcqRel, Ordering::Relaxed, fewer);
            before == Ok(1) && slot.state == State::Dead
        })
    }

    /// Takes a dead entry out that nobody has pinned any more.
    pub(crate) fn reap(&mut self, id: Id) -> Option<T> {
        let slot = self.slot_of(id)?;
        if slot.state != State::Dead || slot.is_pinned() {
            return None;
        }
        self.counts.dead = self.counts.dead.saturating_sub(1);
        self.release(id.index)
    }

    /// Puts an entry in, incomplete and with one pin, under the hash of its key. The value comes back
    /// if there is no room for it: ask [`make_room`](Self::make_room) before.
    pub(crate) fn insert(&mut self, key: u64, octets: u64, value: T) -> Result<Id, T> {
        if !self.fits(octets) {
            return Err(value);
        }
        let chain = self.first_of(key);
        let index = if self.free == NONE {
            self.used
        } else {
            self.free
        };
        // There is one: it fits.
        let Some(slot) = self.slot_mut(index) else {
            return Err(value);
        };
        let next_free = slot.next;
        let generation = slot.generation;
        *slot = Slot {
            value: Some(value),
            key,
            octets,
            next: chain,
            pins: AtomicU32::new(1),
            state: State::Incomplete,
            generation,
            ..Slot::new()
        };
        if self.free == NONE {
            self.used = self.used.saturating_add(1);
        } else {
            self.free = next_free;
        }
        self.set_first_of(key, index);
        self.counts.entries = self.counts.entries.saturating_add(1);
        self.counts.octets = self.counts.octets.saturating_add(octets);
        Ok(Id { index, generation })
    }

    /// Says that all of an entry is there, and what the hash of its selector is, if it has one. False if
    /// it was killed meanwhile. The filler's pin remains.
    pub(crate) fn finish(&mut self, id: Id, variant: u64) -> bool {
        let slot = self.slot_of_mut(id);
        let Some(slot) = slot.filter(|slot| slot.state == State::Incomplete) else {
            return false;
        };
        slot.state = State::Whole;
        slot.variant = variant;
        let ghost = slot.ghost();
        let queue = match self.ghosts.recall(ghost) {
            true => Queue::Main,
            false => Queue::Small,
        };
        self.enqueue(id.index, queue);
        true
    }

    /// Charges an entry so many octets from now on, in the place of what was charged. It fails, and
    /// nothing is changed, when that is more than there is room for.
    pub(crate) fn resize(&mut self, id: Id, octets: u64) -> Result<(), Full> {
        let before = self.slot_of(id).ok_or(Full)?.octets;
        let others = self.counts.octets.saturating_sub(before);
        let sum = others.checked_add(octets).ok_or(Full)?;
        if octets > before && sum > self.limit {
            return Err(Full);
        }
        let slot = self.slot_of_mut(id).ok_or(Full)?;
        slot.octets = octets;
        let queue = slot.queue;
        if let Some(fifo) = self.fifo(queue) {
            fifo.octets = fifo.octets.saturating_sub(before).saturating_add(octets);
        }
        self.counts.octets = sum;
        Ok(())
    }

    /// Takes an entry out of the index: from now on nobody finds it. Its value comes back if nobody has
    /// it pinned; else the last who does [reaps](Self::reap) it.
    pub(crate) fn kill(&mut self, id: Id) -> Option<T> {
        let slot = self.slot_of(id)?;
        if slot.state == State::Dead {
            return None;
        }
        let is_pinned = slot.is_pinned();
        self.dequeue(id.index);
        self.unchain(id.index);
        self.counts.entries = self.counts.entries.saturating_sub(1);
        if !is_pinned {
            return self.release(id.index);
        }
        if let Some(slot) = self.slot_mut(id.index) {
            slot.state = State::Dead;
        }
        self.counts.dead = self.counts.dead.saturating_add(1);
        None
    }

    /// Kills the next entry of those that are `condemned`, looking at so many slots at most. Begin with
    /// a new cursor and call it again until it is [`Swept::Done`]: then every condemned entry is gone
    /// that was there when it began. What is inserted meanwhile is looked at or not.
    pub(crate) fn sweep<F>(
        &mut self,
        cursor: &mut Cursor,
        steps: usize,
        mut condemned: F,
    ) -> Swept<T>
    where
        F: FnMut(&T, State) -> bool,
    {
        for _ in 0..steps {
            if cursor.0 >= self.used {
                return Swept::Done;
            }
            let index = cursor.0;
            cursor.0 = cursor.0.saturating_add(1);
            let found = self.living(index);
            if let Some((id, ..)) = found.filter(|(_, slot, value)| condemned(value, slot.state)) {
                if let Some(value) = self.kill(id) {
                    return Swept::Killed(value);
                }
            }
        }
        Swept::More
    }

    /// The next entry that can be found, in no particular order.
    pub(crate) fn next(&self, cursor: &mut Cursor) -> Option<(Id, &T)> {
        while cursor.0 < self.used {
            let index = cursor.0;
            cursor.0 = cursor.0.saturating_add(1);
            if let Some((id, _, value)) = self.living(index) {
                return Some((id, value));
            }
        }
        None
    }

    /// What is in a slot, unless it is dead.
    fn living(&self, index: u32) -> Option<(Id, &Slot<T>, &T)> {
        let slot = self.slot(index).filter(|slot| slot.state != State::Dead)?;
        let generation = slot.generation;
        Some((Id { index, generation }, slot, slot.value.as_ref()?))
    }

    /// Whether there is a slot and room for so many octets.
    fn fits(&self, octets: u64) -> bool {
        let has_slot = self.free != NONE || (self.used as usize) < self.slots.len();
        let sum = self.counts.octets.checked_add(octets);
        has_slot && sum.is_some_and(|sum| sum <= self.limit)
    }

    /// Empties a slot that is in no chain and no queue.
    fn release(&mut self, index: u32) -> Option<T> {
        let free = self.free;
        let slot = self.slot_mut(index)?;
        let octets = slot.octets;
        let value = slot.value.take();
        slot.generation = slot.generation.wrapping_add(1);
        slot.state = State::Dead;
        slot.next = free;
        self.free = index;
        self.counts.octets = self.counts.octets.saturating_sub(octets);
        value
    }

    /// Takes an entry out of its bucket's chain.
    fn unchain(&mut self, index: u32) {
        let Some(slot) = self.slot(index) else {
            return;
        };
        let (key, next) = (slot.key, slot.next);
        let mut before = self.first_of(key);
        if before == index {
            return self.set_first_of(key, next);
        }
        while let Some(slot) = self.slot_mut(before) {
            if slot.next == index {
                slot.next = next;
                return;
            }
            before = slot.next;
        }
    }

    fn first_of(&self, key: u64) -> u32 {
        let bucket = self.buckets.get(scale(key, self.buckets.len()));
        bucket.map_or(NONE, |bucket| bucket.0)
    }

    fn set_first_of(&mut self, key: u64, index: u32) {
        let bucket = scale(key, self.buckets.len());
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.0 = index;
        }
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.slots.get(index as usize)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.slots.get_mut(index as usize)
    }

    fn slot_of(&self, id: Id) -> Option<&Slot<T>> {
        self.slot(id.index)
            .filter(|slot| slot.generation == id.generation && slot.value.is_some())
    }

    fn slot_of_mut(&mut self, id: Id) -> Option<&mut Slot<T>> {
        self.slot_mut(id.index)
            .filter(|slot| slot.generation == id.generation && slot.value.is_some())
    }
}

/// A number below `len`, the same for the same hash, as its upper half says.
fn scale(hash: u64, len: usize) -> usize {
    // CAST: The product's upper half is less than `len`.
    ((u128::from(hash).saturating_mul(len as u128)) >> 64) as usize
}
