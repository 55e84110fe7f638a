// SPDX-License-Identifier: GPL-2.0

//! The index with readers beside its writer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use super::random::Random;
use super::rig::{index, index_over, By, Cells, Shared, Writer};
use crate::cache::index::{Budget, Cursor, Id, Room, Step};

const READERS: u64 = 3;
const KEYS: u64 = 60;

/// Few buckets and keys, so that chains are long and slots change from one to another.
fn hash(key: u64) -> u64 {
    (key % 4).wrapping_mul(0x4000_0000_0000_0000) | (key / 8)
}

/// What lives from an insertion to its end.
struct Entry {
    key: u64,
    tenure: u64,
    /// Its name, soon after it was inserted.
    id: OnceLock<Id>,
}

impl Entry {
    fn new(key: u64, tenure: u64) -> Entry {
        Entry {
            key,
            tenure,
            id: OnceLock::new(),
        }
    }

    /// What has another name than its own was found wrongly.
    fn is_named(&self, id: Id) -> bool {
        self.id.get().is_none_or(|own| *own == id)
    }
}

type Entries = Arc<Entry>;

fn find(table: &Shared<Entries>, key: u64) -> Option<(Id, Entries)> {
    let mut wanted = By(|entry: &Entries| (entry.key == key).then_some(entry.tenure));
    let found = table.find(hash(key), &mut wanted);
    let found = found.map(|(_, id, entry)| (id, entry));
    found.inspect(|(id, entry)| assert!(entry.is_named(*id)))
}

/// Whatever the writer does, what a reader gets is of the key he wanted, and its name is its own.
#[test]
fn readers_get_what_they_want_or_nothing() {
    let (table, ledger) = index_over(Cells::new(40, 13), 16);
    let ledger = Mutex::new(ledger);
    let (is_over, found) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let (table, ledger, is_over, found) = (&table, &ledger, &is_over, &found);
        for seed in 1..=READERS {
            scope.spawn(move || {
                let (_end, mut random) = (End(is_over), Random(seed));
                while !is_over.load(Ordering::Relaxed) {
                    let count = u64::from(read(table, ledger, &mut random));
                    found.fetch_add(count, Ordering::Relaxed);
                }
            });
        }
        let _end = End(is_over);
        write(ledger, found, is_over);
    });
    // Nothing is left that nobody finds.
    let (mut cursor, mut entries) = (Cursor::default(), 0);
    let ledger = ledger.lock().unwrap();
    loop {
        match table.next(&mut cursor, 1) {
            Step::Entry(_, entry) => {
                assert!(find(&table, entry.key).is_some());
                entries += 1;
            }
            Step::More => {}
            Step::Done => break,
        }
    }
    assert_eq!(entries, ledger.counts().entries);
}

/// Ends all of it when one has ended, in a panic too.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Until the readers have found much.
fn write(ledger: &Mutex<Writer<Entries>>, found: &AtomicU64, is_over: &AtomicBool) {
    let (mut random, budget) = (Random(7), Budget::new(u64::MAX));
    let (mut ids, mut tenure) = (Vec::new(), 0);
    while tenure < 300_000 || found.load(Ordering::Relaxed) < 20_000 {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        tenure += 1;
        let key = random.below(KEYS);
        let mut ledger = ledger.lock().unwrap();
        while matches!(
            ledger.room_to_insert(&budget, hash(key), 0),
            Room::Evicted(_) | Room::Again
        ) {}
        let entry = Arc::new(Entry::new(key, tenure));
        let Ok(id) = ledger.insert(hash(key), entry.clone()) else {
            ids.drain(..).for_each(|id| drop(ledger.kill(id)));
            continue;
        };
        entry.id.set(id).unwrap();
        ids.push(id);
        if random.below(3) > 0 {
            let at = random.below(ids.len() as u64) as usize;
            drop(ledger.finish(ids.swap_remove(at), tenure | 1, 1, ids.last().copied()));
        }
        if random.below(3) == 0 {
            let newer = Entry::new(key, tenure);
            newer.id.set(id).unwrap();
            let _ = ledger.update(id, Arc::new(newer), 1, |_| true);
        }
        if random.below(3) == 0 {
            let at = random.below(ids.len() as u64) as usize;
            ids.get(at).map(|id| ledger.kill(*id));
        }
    }
}

/// One look, and sometimes a second at what was found; whether anything was.
fn read(table: &Shared<Entries>, ledger: &Mutex<Writer<Entries>>, random: &mut Random) -> bool {
    let Some((id, entry)) = find(table, random.below(KEYS)) else {
        return false;
    };
    table.hit(id);
    if random.below(20) == 0 {
        check_and_kill(&mut ledger.lock().unwrap(), id, &entry);
    }
    if let Step::Entry(id, entry) = table.next(&mut Cursor::default(), 40) {
        assert!(entry.is_named(id));
        if random.below(20) == 0 {
            check_and_kill(&mut ledger.lock().unwrap(), id, &entry);
        }
    }
    true
}

/// What was found under a name has no other, and nothing else has it.
fn check_and_kill(ledger: &mut Writer<Entries>, id: Id, entry: &Entry) {
    for (other, found) in ledger.variants(hash(entry.key)) {
        assert_eq!(other == id, found.tenure == entry.tenure);
    }
    let killed = ledger.kill(id);
    assert!(killed.is_none_or(|killed| killed.tenure == entry.tenure));
}

/// Beside insertions alone no lookup misses what was there before it began.
#[test]
fn readers_miss_nothing_while_nothing_is_killed() {
    for round in 0..20 {
        let (table, mut ledger) = index(400, 0);
        let inserted = AtomicU64::new(0);
        let read = |seed| {
            let mut random = Random(seed);
            loop {
                let count = inserted.load(Ordering::Acquire);
                let key = random.below(count);
                assert!(
                    count == 0 || find(&table, key).is_some(),
                    "{key} of {count}"
                );
                if count == 400 {
                    break;
                }
            }
        };
        thread::scope(|scope| {
            for seed in 0..READERS {
                scope.spawn(move || read(100 * round + seed));
            }
            for key in 0..400 {
                let entry = Arc::new(Entry::new(key, 0));
                assert!(ledger.insert(hash(key), entry).is_ok());
                inserted.store(key + 1, Ordering::Release);
            }
        });
    }
}
