// SPDX-License-Identifier: GPL-2.0

//! An index on the host: cells with mutexes, and entries that own what is charged for them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::cache::index::{
    Bucket, Budget, Charge, Ghost, Id, Ledger, Place, Room, Slot, Store, Table, Wanted,
};

pub(super) struct Cells<E> {
    slots: Vec<Slot>,
    buckets: Vec<Bucket>,
    cells: Vec<Mutex<Option<E>>>,
    /// After so many looks into a cell a reader lets others go first; zero: never.
    pause: u32,
    looks: AtomicU32,
}

impl<E> Cells<E> {
    pub(super) fn new(slots: usize, pause: u32) -> Cells<E> {
        Cells {
            slots: (0..slots).map(|_| Slot::new()).collect(),
            buckets: (0..slots).map(|_| Bucket::new()).collect(),
            cells: (0..slots).map(|_| Mutex::new(None)).collect(),
            pause,
            looks: AtomicU32::new(0),
        }
    }
}

impl<E: Clone> Store for Cells<E> {
    type Entry = E;

    fn slots(&self) -> &[Slot] {
        &self.slots
    }

    fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    fn get(&self, slot: usize) -> Option<E> {
        if self.pause > 0 && self.looks.fetch_add(1, Ordering::Relaxed) % self.pause == 0 {
            thread::yield_now();
        }
        self.cells[slot].lock().unwrap().clone()
    }

    fn put(&self, slot: usize, entry: Option<E>) -> Option<E> {
        std::mem::replace(&mut *self.cells[slot].lock().unwrap(), entry)
    }
}

pub(super) type Shared<E> = Arc<Table<Cells<E>>>;
pub(super) type Writer<E> = Ledger<Shared<E>, Vec<Place>, Vec<Ghost>>;

/// What the tables take, in these tests.
pub(super) const FIXED: u64 = 1_000;

pub(super) fn index<E: Clone>(slots: usize, ghosts: usize) -> (Shared<E>, Writer<E>) {
    index_over(Cells::new(slots, 0), ghosts)
}

pub(super) fn index_over<E: Clone>(cells: Cells<E>, ghosts: usize) -> (Shared<E>, Writer<E>) {
    let slots = cells.slots.len();
    let table = Arc::new(Table::new(cells));
    let places = vec![Place::EMPTY; slots];
    let ledger = Ledger::new(table.clone(), places, vec![Ghost::NONE; ghosts], FIXED);
    (table, ledger)
}

/// Wants what a function ranks, of any variant.
pub(super) struct By<F>(pub(super) F);

impl<E, R: Ord, F: FnMut(&E) -> Option<R>> Wanted<E> for By<F> {
    type Rank = R;

    fn may_be(&mut self, variant: u64) -> bool {
        assert_ne!(variant, 0);
        true
    }

    fn rank(&mut self, entry: &E) -> Option<R> {
        (self.0)(entry)
    }
}

/// The hash of a key: spread over all buckets.
pub(super) fn hash(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) key: u64,
    pub(super) charge: Charge<Arc<Budget>>,
}

/// An index of items.
pub(super) struct Rig {
    pub(super) table: Shared<Arc<Item>>,
    pub(super) ledger: Writer<Arc<Item>>,
    pub(super) budget: Arc<Budget>,
    _tables: Charge<Arc<Budget>>,
}

impl Rig {
    /// One of so many slots and octets beside its tables.
    pub(super) fn new(slots: usize, ghosts: usize, octets: u64) -> Rig {
        let (table, ledger) = index(slots, ghosts);
        let budget = Arc::new(Budget::new(FIXED + octets));
        let tables = Charge::new(budget.clone(), FIXED).unwrap();
        Rig {
            table,
            ledger,
            budget,
            _tables: tables,
        }
    }

    /// Octets that are held beside the tables.
    pub(super) fn held(&self) -> u64 {
        self.budget.held() - FIXED
    }

    pub(super) fn room(&mut self, key: u64, octets: u64) -> Room<u64> {
        key_of(self.ledger.room_to_insert(&self.budget, hash(key), octets))
    }

    /// Inserts an entry for which there is room.
    pub(super) fn insert(&mut self, key: u64, octets: u64) -> Id {
        let charge = Charge::new(self.budget.clone(), octets).unwrap();
        let item = Arc::new(Item { key, charge });
        self.ledger.insert(hash(key), item).unwrap()
    }

    /// Puts a whole entry in. The keys of what was evicted for it.
    pub(super) fn put(&mut self, key: u64, octets: u64) -> Vec<u64> {
        let mut evicted = Vec::new();
        loop {
            match self.room(key, octets) {
                Room::Ready => break,
                Room::Evicted(key) => evicted.push(key),
                Room::Again => {}
                other => panic!("{other:?} after {evicted:?}"),
            }
        }
        let id = self.insert(key, octets);
        assert!(self.ledger.finish(id, 1, octets, None).unwrap().is_none());
        evicted
    }

    pub(super) fn find(&self, key: u64) -> Option<(Id, Arc<Item>)> {
        let mut wanted = By(|item: &Arc<Item>| (item.key == key).then_some(()));
        let found = self.table.find(hash(key), &mut wanted);
        found.map(|(_, id, item)| (id, item))
    }

    /// Asks for an entry as a request does.
    pub(super) fn ask(&self, key: u64) -> bool {
        let found = self.find(key);
        found.inspect(|(id, _)| self.table.hit(*id)).is_some()
    }

    pub(super) fn evict(&mut self) -> Room<u64> {
        key_of(self.ledger.evict())
    }
}

fn key_of(room: Room<Arc<Item>>) -> Room<u64> {
    match room {
        Room::Evicted(item) => Room::Evicted(item.key),
        Room::Ready => Room::Ready,
        Room::Again => Room::Again,
        Room::Busy => Room::Busy,
        Room::Never => Room::Never,
    }
}
