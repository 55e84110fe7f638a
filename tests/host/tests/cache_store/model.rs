// SPDX-License-Identifier: GPL-2.0

//! The index against a slow one: random histories, after each step of which both must agree. There
//! are as many steps as `RESIN_STEPS` says, or a million.

use std::sync::{Arc, Mutex};

use super::random::Random;
use super::rig::{index, By, Shared, Writer, FIXED};
use super::slow::{hash, Known, Slow, Verdict, KEYS, OCTETS, SLOTS};
use crate::cache::index::{Budget, Charge, Cursor, Gone, Id, Room, Step, Wanted};

/// What is stored.
#[derive(Debug)]
struct Entry {
    key: u64,
    /// Which insertion it was.
    number: u64,
    /// Which entry: an update has the number of what it updates.
    serial: u64,
    charge: Mutex<Charge<Arc<Budget>>>,
}

impl Entry {
    fn octets(&self) -> u64 {
        self.charge.lock().unwrap().octets()
    }
}

type Entries = Arc<Entry>;

/// Entries of a key and of some variants; the number counts by halves.
struct Sought {
    key: u64,
    variants: u64,
}

impl Wanted<Entries> for Sought {
    type Rank = u64;

    fn may_be(&mut self, variant: u64) -> bool {
        assert_ne!(variant, 0);
        (self.variants >> variant) & 1 != 0
    }

    fn rank(&mut self, entry: &Entries) -> Option<u64> {
        (entry.key == self.key).then_some(entry.number % 4)
    }
}

struct World {
    table: Shared<Entries>,
    ledger: Writer<Entries>,
    budget: Arc<Budget>,
    _tables: Charge<Arc<Budget>>,
    random: Random,
    slow: Slow,
    /// Those who fill an entry, which may have been killed.
    fillers: Vec<(Id, Entries)>,
    readers: Vec<Entries>,
    serials: u64,
    hits: u64,
}

impl World {
    fn new(seed: u64, ghosts: usize) -> World {
        let (table, ledger) = index(SLOTS, ghosts);
        let budget = Arc::new(Budget::new(FIXED + OCTETS));
        let tables = Charge::new(budget.clone(), FIXED).unwrap();
        World {
            table,
            ledger,
            budget,
            _tables: tables,
            random: Random(seed),
            slow: Slow::new(ghosts == 0),
            fillers: Vec::new(),
            readers: Vec::new(),
            serials: 0,
            hits: 0,
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..30 => self.ask(),
            30..50 => self.insert(),
            50..67 => self.finish(),
            67..76 => self.leave(),
            76..82 => self.grow(),
            82..85 => self.abandon(),
            85..89 => self.kill(),
            89..92 => self.update(),
            92..94 => self.evict(),
            94 => self.clear(),
            95 => self.sweep(),
            96..98 => self.change_limit(),
            _ => self.list(),
        }
    }

    /// Half of all is about one key.
    fn key(&mut self) -> u64 {
        match self.random.below(2) {
            0 => 0,
            _ => self.random.below(KEYS),
        }
    }

    /// The name of an entry that is there, or sometimes of one that was.
    fn any(&mut self) -> Option<Id> {
        let at = self.random.below(self.slow.entries.len() as u64 + 1) as usize;
        let known = self.slow.entries.get(at).map(|known| known.id);
        known.or_else(|| self.fillers.first().map(|(id, _)| *id))
    }

    fn ask(&mut self) {
        let (key, variants) = (self.key(), self.random.below(16));
        let will_do = |known: &&Known| {
            known.key == key && (!known.is_whole || (variants >> known.variant) & 1 != 0)
        };
        let right = self.slow.entries.iter().filter(will_do);
        let right = right.max_by_key(|known| (known.number % 4, known.number));
        let right = right.map(|known| (known.id, known.serial));
        let mut sought = Sought { key, variants };
        let found = self.table.find(hash(key), &mut sought);
        let found = found.map(|(_, id, entry)| (id, entry));
        assert_eq!(found.as_ref().map(|(id, entry)| (*id, entry.serial)), right);
        let Some((id, entry)) = found else { return };
        self.table.hit(id);
        self.slow.hit(id);
        self.hits += 1;
        if self.readers.len() < 30 && self.random.below(8) == 0 {
            self.readers.push(entry);
        }
    }

    /// Makes room, for a new entry of a key if there is one. Whether there is.
    fn make_room(&mut self, key: Option<u64>, octets: u64) -> bool {
        loop {
            let (held, limit) = (self.budget.held(), self.budget.limit());
            let verdict = self.slow.room(key, octets, held, limit);
            let room = match key {
                Some(key) => self.ledger.room_to_insert(&self.budget, hash(key), octets),
                None => self.ledger.room_to_grow(&self.budget, octets),
            };
            match (room, verdict) {
                (Room::Ready, Verdict::Ready) => return true,
                (Room::Busy, Verdict::Busy) | (Room::Never, Verdict::Never) => return false,
                (Room::Evicted(entry), Verdict::Evict(who)) => self.was_evicted(&entry, who),
                (Room::Again, Verdict::Again | Verdict::Evict(None)) => {}
                (room, verdict) => panic!("{room:?}, not {verdict:?}"),
            }
        }
    }

    /// Only what is whole goes, and if it is known who, it is he.
    fn was_evicted(&mut self, entry: &Entry, who: Option<u64>) {
        assert_eq!(entry.number, who.unwrap_or(entry.number));
        let known = self.slow.remove(entry.number);
        assert!(known.is_whole && known.serial == entry.serial);
        self.slow.evictions += 1;
    }

    fn insert(&mut self) {
        let key = self.key();
        let octets = match self.random.below(50) {
            0 => self.random.next() >> self.random.below(64),
            1 => 0,
            _ => self.random.below(400),
        };
        if !self.make_room(Some(key), octets) {
            return;
        }
        let number = self.slow.numbers;
        let entry = self.entry(key, number, octets).unwrap();
        let id = self.ledger.insert(hash(key), entry.clone()).unwrap();
        self.slow.insert(id, key, entry.serial, octets);
        self.fillers.push((id, entry));
    }

    fn entry(&mut self, key: u64, number: u64, octets: u64) -> Option<Entries> {
        let charge = Charge::new(self.budget.clone(), octets).ok()?;
        self.serials += 1;
        Some(Arc::new(Entry {
            key,
            number,
            serial: self.serials,
            charge: Mutex::new(charge),
        }))
    }

    fn filler(&mut self) -> Option<usize> {
        let at = self.random.below(self.fillers.len() as u64) as usize;
        (at < self.fillers.len()).then_some(at)
    }

    fn finish(&mut self) {
        let Some(at) = self.filler() else { return };
        let (id, entry) = self.fillers.swap_remove(at);
        let variant = 1 + self.random.below(3);
        let replaces = match self.random.below(3) {
            0 => self.any(),
            _ => None,
        };
        let finished = self.ledger.finish(id, variant, entry.octets(), replaces);
        let right = self.slow.finish(id, variant, replaces);
        let finished = finished.map(|replaced| replaced.map(|replaced| replaced.serial));
        assert_eq!(finished, right.ok_or(Gone));
    }

    /// Somebody has read enough.
    fn leave(&mut self) {
        let at = self.random.below(self.readers.len() as u64) as usize;
        if at < self.readers.len() {
            self.readers.swap_remove(at);
        }
    }

    /// What is being filled grows, killed or not.
    fn grow(&mut self) {
        let Some(at) = self.filler() else { return };
        let octets = self.random.below(600);
        if !self.make_room(None, octets) {
            return;
        }
        let (id, entry) = &self.fillers[at];
        entry.charge.lock().unwrap().grow(octets).unwrap();
        if let Some(known) = self.slow.get_mut(*id) {
            known.octets += octets;
        }
    }

    /// A filler gives up.
    fn abandon(&mut self) {
        let Some(at) = self.filler() else { return };
        let (id, _) = self.fillers.swap_remove(at);
        self.kill_one(id);
    }

    fn kill(&mut self) {
        if let Some(id) = self.any() {
            self.kill_one(id);
        }
    }

    fn kill_one(&mut self, id: Id) {
        let killed = self.ledger.kill(id).map(|entry| entry.serial);
        let number = self.slow.get_mut(id).map(|known| known.number);
        let known = number.map(|number| self.slow.remove(number));
        assert_eq!(killed, known.map(|known| known.serial));
    }

    fn update(&mut self) {
        let Some(id) = self.any() else { return };
        let octets = self.random.below(600);
        let of = self.slow.get_mut(id).map(|known| (known.key, known.number));
        let (key, number) = of.unwrap_or_default();
        let Some(entry) = self.entry(key, number, octets) else {
            return;
        };
        let serial = entry.serial;
        let updated = self.ledger.update(id, entry, octets, |_| true);
        match self.slow.get_mut(id).filter(|known| known.is_whole) {
            Some(known) => {
                assert_eq!(updated.unwrap().unwrap().serial, known.serial);
                (known.serial, known.octets) = (serial, octets);
            }
            None => assert_eq!(updated.unwrap_err().serial, serial),
        }
    }

    fn evict(&mut self) {
        let victim = self.slow.victim(false);
        match (self.ledger.evict(), victim) {
            (Room::Evicted(entry), Verdict::Evict(who)) => self.was_evicted(&entry, who),
            (Room::Again, Verdict::Again | Verdict::Evict(None)) => {}
            (Room::Busy, Verdict::Busy) => {}
            (evicted, victim) => panic!("{evicted:?}, not {victim:?}"),
        }
    }

    /// Kills all entries of a key.
    fn clear(&mut self) {
        let key = self.random.below(KEYS);
        while let Some(entry) = self.ledger.kill_of(hash(key), |entry| entry.key == key) {
            let known = self.slow.remove(entry.number);
            assert_eq!((known.key, known.serial), (key, entry.serial));
        }
        assert!(self.slow.entries.iter().all(|known| known.key != key));
    }

    /// Kills what has a number of some sort: sees in steps which that are, and then kills each.
    fn sweep(&mut self) {
        let (sort, steps) = (self.random.below(8), self.random.below(20) as usize + 1);
        let mut cursor = Cursor::default();
        let (mut condemned, mut seen) = (Vec::new(), 0);
        loop {
            match self.table.next(&mut cursor, steps) {
                Step::Entry(id, entry) => {
                    seen += 1;
                    if entry.number % 8 == sort {
                        condemned.push(id);
                    }
                }
                Step::More => {}
                Step::Done => break,
            }
        }
        assert_eq!(seen, self.slow.entries.len());
        condemned.into_iter().for_each(|id| self.kill_one(id));
        let mut left = self.slow.entries.iter();
        assert!(left.all(|known| known.number % 8 != sort));
    }

    fn change_limit(&mut self) {
        let octets = self.random.below(2 * OCTETS);
        self.budget.set_limit(FIXED + octets);
    }

    fn list(&mut self) {
        let key = self.random.below(KEYS);
        let listed = self.ledger.variants(hash(key));
        let listed: Vec<(Id, u64)> = listed.map(|(id, entry)| (id, entry.serial)).collect();
        let same = |known: &&Known| hash(known.key) == hash(key);
        let right = self.slow.entries.iter().rev().filter(same);
        let right: Vec<(Id, u64)> = right.map(|known| (known.id, known.serial)).collect();
        assert_eq!(listed, right);
    }

    /// What must hold after each step, when so much was held before.
    fn check(&self, before: u64) {
        let counts = self.ledger.counts();
        let whole = self.slow.entries.iter().filter(|known| known.is_whole);
        assert_eq!(counts.entries, self.slow.entries.len());
        assert_eq!(counts.octets, whole.map(|known| known.octets).sum::<u64>());
        assert_eq!(counts.evictions, self.slow.evictions);
        let held = self.budget.held();
        assert!(held <= self.budget.limit().max(before), "the limit is hard");
        // Whoever has an entry, in the index or not, keeps its octets; nobody else does.
        let fillers = self.fillers.iter().map(|(_, entry)| entry);
        let outside = fillers.chain(&self.readers);
        let outside = outside.map(|entry| (entry.serial, entry.octets()));
        let inside = self.slow.entries.iter();
        let inside = inside.map(|known| (known.serial, known.octets));
        let mut all: Vec<(u64, u64)> = inside.chain(outside).collect();
        all.sort_unstable();
        all.dedup();
        let octets: u64 = all.into_iter().map(|(_, octets)| octets).sum();
        assert_eq!(held, FIXED + octets);
    }

    fn end(mut self) {
        for known in &self.slow.entries {
            assert_eq!(self.table.hits(known.id), Some(known.hits));
        }
        self.readers.clear();
        self.fillers.clear();
        for id in self.slow.entries.iter().map(|known| known.id) {
            drop(self.ledger.kill(id));
        }
        assert_eq!(self.budget.held(), FIXED, "all of it came back");
        let mut by = By(|_: &Entries| Some(()));
        assert!((0..KEYS).all(|key| self.table.find(hash(key), &mut by).is_none()));
    }
}

#[test]
fn the_index_is_what_a_slow_one_would_be() {
    let steps = std::env::var("RESIN_STEPS").map_or(1_000_000, |steps| steps.parse().unwrap());
    let (mut evictions, mut hits) = (0, 0);
    for seed in 0..10 {
        // With ghosts it is not known who is evicted.
        let mut world = World::new(seed, if seed < 7 { 0 } else { 64 });
        for _ in 0..steps / 10 {
            let before = world.budget.held();
            world.step();
            world.check(before);
        }
        evictions += world.slow.evictions;
        hits += world.hits;
        world.end();
    }
    assert!(
        evictions > steps / 50 && hits > steps / 50,
        "{evictions} evictions, {hits} hits"
    );
}
