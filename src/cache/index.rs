// SPDX-License-Identifier: GPL-2.0

//! Where the stored responses are: entries by key, several for one key (its variants).
//!
//! # The parts
//!
//! * The [`Table`] is what readers look into, on all processors at the same time. They do not wait for
//!   each other, nor for the ledger, but for a moment at the cell of an entry that they look at, where
//!   they take a reference: its lock, its count, and the counts of its [hits](Table::hit) are what
//!   processors that serve the same entry write to.
//! * The [`Ledger`] changes it, and knows whose turn it is to go. Everything that it does takes a
//!   bounded number of steps. It is for one lock that no hit takes, that does not sleep, and that is
//!   held with bottom halves off, since softirqs take it too (`spin_lock_bh`). Within it the locks of
//!   cells are taken, one at a time; within these none is.
//! * The [`Budget`] is how many octets there may be; each entry owns a [`Charge`] on it.
//!
//! An entry is a reference that is counted. To kill one is to drop the index's: nobody finds it any
//! more, whoever still sends from it keeps his own, and with the last the charge is given back. The
//! last may be dropped by anybody, in softirq too.
//!
//! # The life of an entry
//!
//! Whoever looks for a response and finds none takes the ledger's lock and looks again; then he
//! [makes room](Ledger::room_to_insert) and [inserts](Ledger::insert) an entry for what he is about to
//! fetch. It can be found, and itself says that it is not whole. [`finish`](Ledger::finish) tells the
//! ledger that it is, and from then on it may be evicted. What the ledger hands out is for dropping
//! when the lock is free again.
//!
//! So room may take several turns, and each begins with looking again: while the lock was free
//! somebody else may have inserted what is wanted, and the room may be gone.
//!
//! ```text
//! loop {
//!     lock
//!     find: somebody has it, so it is his      => unlock, done
//!     room_to_insert: Ready                    => insert, unlock, done
//!                     Busy, Never              => unlock, done without
//!                     Evicted(entry), Again    => unlock, drop(entry)
//! }
//! ```
//!
//! # Readers beside the writer
//!
//! A reader walks from slot to slot while the writer may take one out and use it anew. What was in it
//! is kept until then, so a reader who stands on it comes to the end of the chain he was in, or into
//! the chain of the new one, or round his own again; the number of his steps is bounded. So:
//!
//! * He never gets what he does not want: he compares the whole key and the selector of the entry that
//!   he holds.
//! * He never gets a worse one than there is all the time ("When more than one suitable response is
//!   stored, a cache MUST use the most recent one", RFC 9111 section 4). Only a slot that is killed
//!   while he walks can lead him astray: one that was killed before no link leads to. Kills are
//!   counted, after the links around the slot are mended and before it can be used anew; so if there
//!   were none from his beginning to his end he has seen all, and else he looks again, and at last
//!   finds none.
//! * None may be a mistake. That is why a miss is looked up again under the lock, where nobody kills,
//!   before anything is done about it.
//! * What has been inserted before he began, and beside which nothing is killed, he finds: links are
//!   stored with `Release` and loaded with `Acquire`, so whoever comes to a slot by one sees at least
//!   what was written into it, and into all others, before the link was.
//!
//! Key, variant, frequency and hits are `Relaxed`: they are hints, or ordered by the links.

mod budget;
mod evict;
mod ghost;
mod ledger;
mod queues;

use core::iter;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering;

pub(crate) use budget::Budget;
pub(crate) use budget::Charge;
pub(crate) use evict::Room;
pub(crate) use ghost::Ghost;
pub(crate) use ledger::Counts;
pub(crate) use ledger::Gone;
pub(crate) use ledger::Ledger;
pub(crate) use queues::Place;

/// Names an entry. The name of one that is gone finds nothing, even when its slot is in use again
/// (until it was used anew 2^32 times).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Id {
    index: u32,
    generation: u32,
}

/// The most variants of one key: who varies a field that a response varies by cannot make lookups slow.
pub(crate) const MAX_VARIANTS: usize = 32;

/// The most entries in one chain, and so the most steps of a lookup. Hashes are keyed and there are
/// as many buckets as slots: eight keys that all have as many variants as they may do not meet.
const MAX_CHAIN: usize = 8 * MAX_VARIANTS;

/// "No slot" in a link.
const NONE: u32 = u32::MAX;

/// How often a reader walks before he takes it that he will not come through undisturbed.
const LOOKS: usize = 3;

/// Where a table keeps what it consists of.
///
/// # The cells
///
/// The puts of a cell have an order, and each `get` gives what one of them has put there:
///
/// * not an earlier one than the last that happened before the `get`, and
/// * so that all that happened before this put happened before the `get` returns.
///
/// A lock of each cell's own around an `Option` does it. It is taken in process context and in softirq,
/// within the ledger's lock and without: so bottom halves are off while it is held. Within it the
/// reference is cloned or exchanged, and nothing is dropped.
pub(crate) trait Store {
    /// What is kept: a counted reference. Whoever drops one, in whatever context, may drop the last;
    /// neither that nor cloning may sleep or take the ledger's lock.
    type Entry: Clone;

    /// New slots, the same each time. Fewer than 2^32 - 1 are used.
    fn slots(&self) -> &[Slot];

    /// New buckets, as many as there are slots, the same each time.
    fn buckets(&self) -> &[Bucket];

    /// What is in the cell that belongs to a slot, by anybody at any time.
    fn get(&self, slot: usize) -> Option<Self::Entry>;

    /// Puts something else there, and gives what was. Only the ledger does that, under its lock.
    fn put(&self, slot: usize, entry: Option<Self::Entry>) -> Option<Self::Entry>;
}

/// The first slot of a chain of entries whose keys have something in common.
#[derive(Debug)]
pub(crate) struct Bucket(AtomicU32);

impl Bucket {
    /// An empty chain.
    pub(crate) const fn new() -> Bucket {
        Bucket(AtomicU32::new(NONE))
    }
}

/// What readers see of an entry without its cell.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The hash of the key.
    key: AtomicU64,
    /// The caller's word for the variant; zero as long as nobody knows.
    variant: AtomicU64,
    /// The next in the bucket's chain, which was inserted earlier. It stays when the slot is emptied.
    next: AtomicU32,
    /// How often the slot was emptied, modulo 2^32.
    generation: AtomicU32,
    hits: AtomicU32,
    /// Hits since the entry came to the front of its queue, up to [`MAX_FREQUENCY`].
    frequency: AtomicU8,
}

/// More hits than this say no more about what will be asked for.
const MAX_FREQUENCY: u8 = 3;

impl Slot {
    /// An empty slot.
    pub(crate) const fn new() -> Slot {
        Slot {
            key: AtomicU64::new(0),
            variant: AtomicU64::new(0),
            next: AtomicU32::new(NONE),
            generation: AtomicU32::new(0),
            hits: AtomicU32::new(0),
            frequency: AtomicU8::new(0),
        }
    }

    fn key(&self) -> u64 {
        self.key.load(Ordering::Relaxed)
    }

    fn variant(&self) -> u64 {
        self.variant.load(Ordering::Relaxed)
    }

    fn frequency(&self) -> u8 {
        self.frequency.load(Ordering::Relaxed)
    }

    /// By what its ghost is known.
    fn ghost(&self) -> u64 {
        self.key() ^ self.variant()
    }

    /// Says that what is in it was asked for so many times more; counts that meet may be lost.
    fn hit(&self, hits: u32, frequency: u8) {
        // Loads and stores: it does not matter whether one of two hits at the same time is lost. What
        // stays as it is is not written, as the frequency of the hottest entries.
        let before = self.frequency();
        let sum = before.saturating_add(frequency).min(MAX_FREQUENCY);
        if sum != before {
            self.frequency.store(sum, Ordering::Relaxed);
        }
        let before = self.hits.load(Ordering::Relaxed);
        let sum = before.saturating_add(hits);
        if sum != before {
            self.hits.store(sum, Ordering::Relaxed);
        }
    }
}

/// What somebody looks for among the entries of a key.
pub(crate) trait Wanted<E> {
    /// How good one is.
    type Rank: Ord;

    /// Whether an entry with this word for its variant may do, which is not zero. Those of which it
    /// is clear that they will not are not touched.
    fn may_be(&mut self, variant: u64) -> bool;

    /// How good this entry is; none if it will not do. It has to compare the whole key, since hashes
    /// may collide, and the selector of an entry that has one, whatever `may_be` has said: words for
    /// variants may collide too, and the slot may have been used anew between the two.
    ///
    /// It may be asked about the same entry several times, and about some that are killed meanwhile.
    fn rank(&mut self, entry: &E) -> Option<Self::Rank>;
}

/// A place in the order of the slots, for whoever goes over all entries in steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cursor(usize);

/// What [`Table::next`] has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step<E> {
    /// This entry; there may be more.
    Entry(Id, E),
    /// It has gone as many steps as it may; there may be more.
    More,
    /// All that was there from the beginning was seen.
    Done,
}

/// What readers look into.
#[derive(Debug)]
pub(crate) struct Table<S> {
    store: S,
    /// How many entries were ever killed, modulo 2^32.
    kills: AtomicU32,
}

impl<S: Store> Table<S> {
    /// An empty table, if the store is new.
    pub(crate) const fn new(store: S) -> Table<S> {
        Table {
            store,
            kills: AtomicU32::new(0),
        }
    }

    /// The entry under the hash of a key that ranks highest, and its rank; of equal ones that which was
    /// inserted last. None may be a mistake, unless somebody asks who has the ledger.
    ///
    /// Entries may go on changing: what is known of this one is its rank.
    ///
    /// In process context or in softirq.
    pub(crate) fn find<W>(&self, key: u64, wanted: &mut W) -> Option<(W::Rank, Id, S::Entry)>
    where
        W: Wanted<S::Entry>,
    {
        let mut kills = self.kills.load(Ordering::Acquire);
        for _ in 0..LOOKS {
            let best = self.best_of(key, wanted);
            // The links were loaded with `Acquire`: whoever came by one that was written after a kill
            // sees that here.
            let before = kills;
            kills = self.kills.load(Ordering::Acquire);
            if kills == before {
                return best;
            }
        }
        None
    }

    /// The same as far as one walk shows.
    fn best_of<W>(&self, key: u64, wanted: &mut W) -> Option<(W::Rank, Id, S::Entry)>
    where
        W: Wanted<S::Entry>,
    {
        let mut best: Option<(W::Rank, Id, S::Entry)> = None;
        for (index, slot) in self.chain_of(key) {
            let variant = slot.variant();
            if variant != 0 && !wanted.may_be(variant) {
                continue;
            }
            let Some((id, entry)) = self.entry_at(index) else {
                continue;
            };
            let Some(rank) = wanted.rank(&entry) else {
                continue;
            };
            if best.as_ref().is_none_or(|(highest, ..)| rank > *highest) {
                best = Some((rank, id, entry));
            }
        }
        best
    }

    /// Says that an entry was asked for and served. That writes to the slot, unless it was hit 2^32
    /// times before.
    pub(crate) fn hit(&self, id: Id) {
        if let Some(slot) = self.slot_of(id) {
            slot.hit(1, 1);
        }
    }

    /// How often an entry was hit, and those that it has replaced; at most 2^32 - 1.
    pub(crate) fn hits(&self, id: Id) -> Option<u32> {
        let slot = self.slot_of(id)?;
        Some(slot.hits.load(Ordering::Relaxed))
    }

    /// The next entry in no particular order, looking into so many slots at most. Begin with a new
    /// cursor, and call it until it is [`Step::Done`]: then every entry was seen once that was there
    /// all the time. What was inserted meanwhile was seen or not.
    pub(crate) fn next(&self, cursor: &mut Cursor, steps: usize) -> Step<S::Entry> {
        for _ in 0..steps {
            let index = cursor.0;
            if index >= self.store.slots().len() {
                return Step::Done;
            }
            cursor.0 = index.saturating_add(1);
            let entry = u32::try_from(index).ok().and_then(|at| self.entry_at(at));
            if let Some((id, entry)) = entry {
                return Step::Entry(id, entry);
            }
        }
        Step::More
    }

    /// The slots of a key's bucket, from that which was filled last.
    fn chain(&self, key: u64) -> impl Iterator<Item = (u32, &Slot)> {
        let links = iter::successors(Some(self.first_of(key)), |index| {
            Some(self.slot(*index)?.next.load(Ordering::Acquire))
        });
        links
            .map_while(|index| Some((index, self.slot(index)?)))
            .take(MAX_CHAIN)
    }

    /// Those of them whose key has this hash.
    fn chain_of(&self, key: u64) -> impl Iterator<Item = (u32, &Slot)> {
        self.chain(key).filter(move |(_, slot)| slot.key() == key)
    }

    /// What is in a slot's cell, with its name.
    fn entry_at(&self, index: u32) -> Option<(Id, S::Entry)> {
        let slot = self.slot(index)?;
        // A slot is emptied, then its generation changes, then it is filled. If the first load gave a
        // later one than the entry's, the cell's emptying would have been seen. What the second gives
        // is not earlier than the entry's. So both are its own if they are the same.
        let generation = slot.generation.load(Ordering::Acquire);
        let entry = self.store.get(index as usize)?;
        let id = Id { index, generation };
        (slot.generation.load(Ordering::Relaxed) == generation).then_some((id, entry))
    }

    fn first_of(&self, key: u64) -> u32 {
        let bucket = self.bucket(key);
        bucket.map_or(NONE, |bucket| bucket.0.load(Ordering::Acquire))
    }

    fn bucket(&self, key: u64) -> Option<&Bucket> {
        let buckets = self.store.buckets();
        buckets.get(scale(key, buckets.len()))
    }

    fn slot(&self, index: u32) -> Option<&Slot> {
        self.store.slots().get(index as usize)
    }

    fn slot_of(&self, id: Id) -> Option<&Slot> {
        let is_current = |slot: &&Slot| slot.generation.load(Ordering::Relaxed) == id.generation;
        self.slot(id.index).filter(is_current)
    }
}

/// What the ledger does, under its lock.
impl<S: Store> Table<S> {
    /// Fills an empty slot. The entry comes back if there is no such slot.
    fn fill(&self, index: u32, key: u64, entry: S::Entry) -> Result<Id, S::Entry> {
        let (Some(slot), Some(bucket)) = (self.slot(index), self.bucket(key)) else {
            return Err(entry);
        };
        slot.key.store(key, Ordering::Relaxed);
        slot.variant.store(0, Ordering::Relaxed);
        slot.hits.store(0, Ordering::Relaxed);
        slot.frequency.store(0, Ordering::Relaxed);
        // `Release` for him who stands here since it was another's.
        slot.next.store(self.first_of(key), Ordering::Release);
        self.store.put(index as usize, Some(entry));
        bucket.0.store(index, Ordering::Release);
        let generation = slot.generation.load(Ordering::Relaxed);
        Ok(Id { index, generation })
    }

    /// Empties a filled slot.
    fn empty(&self, index: u32) -> Option<S::Entry> {
        let slot = self.slot(index)?;
        let next = slot.next.load(Ordering::Relaxed);
        let mut chain = self.chain(slot.key());
        let link = match chain.find(|(_, slot)| slot.next.load(Ordering::Relaxed) == index) {
            Some((_, before)) => &before.next,
            None => &self.bucket(slot.key())?.0,
        };
        link.store(next, Ordering::Release);
        // `Release` after the link and before whatever comes of the slot: see `find`.
        let kills = self.kills.load(Ordering::Relaxed).wrapping_add(1);
        self.kills.store(kills, Ordering::Release);
        let entry = self.store.put(index as usize, None);
        let generation = slot.generation.load(Ordering::Relaxed).wrapping_add(1);
        slot.generation.store(generation, Ordering::Release);
        entry
    }
}

/// A number below `len`, the same for the same hash, as its upper half says.
fn scale(hash: u64, len: usize) -> usize {
    // CAST: The product's upper half is less than `len`.
    ((u128::from(hash).saturating_mul(len as u128)) >> 64) as usize
}
