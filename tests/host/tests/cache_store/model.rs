// SPDX-License-Identifier: GPL-2.0

//! The index against a slow one: random histories, after each step of which both must agree.

use std::collections::HashMap;

use super::index::{index, Store};
use super::random::Random;
use crate::cache::index::{Cursor, Id, Room, State, Swept};

const KEYS: u64 = 60;
const SLOTS: usize = 40;
const OCTETS: u64 = 5_000;

/// What is stored: a key, of which the index knows the hash only, and which of all insertions it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Value {
    key: u64,
    number: u64,
}

/// What the model knows of an entry.
#[derive(Clone, Copy)]
struct Entry {
    value: Value,
    octets: u64,
    state: State,
    pins: u32,
}

struct World {
    index: Store<Value>,
    random: Random,
    /// All that take a slot, and their names in no order.
    entries: HashMap<Id, Entry>,
    ids: Vec<Id>,
    /// What the tables take, and what everything does.
    fixed: u64,
    octets: u64,
    evictions: u64,
    numbers: u64,
    hits: u64,
}

/// Few hashes for many keys: three keys share each.
fn hash(key: u64) -> u64 {
    (key % (KEYS / 3)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl World {
    fn new(seed: u64) -> World {
        let index = index(SLOTS, 64, OCTETS);
        let fixed = index.counts().octets;
        World {
            index,
            random: Random(seed),
            entries: HashMap::new(),
            ids: Vec::new(),
            fixed,
            octets: fixed,
            evictions: 0,
            numbers: 0,
            hits: 0,
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..25 => self.ask(),
            25..45 => self.insert(),
            45..58 => self.finish(),
            58..63 => self.pin(),
            63..88 => self.unpin(),
            88..93 => self.resize(),
            93..96 => self.kill(),
            96 => self.evict(),
            97 => self.sweep(),
            98 => self.change_limit(),
            _ => self.list(),
        }
    }

    fn any(&mut self) -> Option<Id> {
        let at = self.random.below(self.ids.len() as u64);
        self.ids.get(at as usize).copied()
    }

    /// Asks for a key: the one inserted last of those that are whole, or that are there.
    fn ask(&mut self) {
        let key = self.random.below(KEYS);
        let is_whole = self.random.below(2) == 0;
        let will_do = |entry: &&Entry| match entry.state {
            State::Whole => true,
            State::Incomplete => !is_whole,
            State::Dead => false,
        };
        let of_key = self.entries.values().filter(|entry| entry.value.key == key);
        let right = of_key.filter(will_do).map(|entry| entry.value.number).max();
        let found = self.index.find(hash(key), |value, state| {
            let is_wanted = value.key == key && (state == State::Whole || !is_whole);
            is_wanted.then_some(value.number)
        });
        assert_eq!(found.map(|(_, value)| value.number), right);
        if let Some((id, value)) = found {
            assert_eq!(self.entries[&id].value, *value);
            self.index.hit(id);
            self.hits += 1;
        }
    }

    fn insert(&mut self) {
        let key = self.random.below(KEYS);
        let octets = match self.random.below(50) {
            0 => self.random.next() >> self.random.below(64),
            1 => 0,
            _ => self.random.below(600),
        };
        loop {
            match self.index.make_room(hash(key), octets) {
                Room::Ready => break,
                Room::Evicted(value) => self.was_evicted(value),
                Room::Busy => return self.is_refused(key, octets),
                Room::Never => {
                    assert!(octets > self.index.limit());
                    return self.is_refused(key, octets);
                }
            }
        }
        self.numbers += 1;
        let value = Value {
            key,
            number: self.numbers,
        };
        let id = self.index.insert(hash(key), octets, value).unwrap();
        let entry = Entry {
            value,
            octets,
            state: State::Incomplete,
            pins: 1,
        };
        assert!(
            self.entries.insert(id, entry).is_none(),
            "a name that is in use"
        );
        self.ids.push(id);
        self.octets += octets;
    }

    fn is_refused(&mut self, key: u64, octets: u64) {
        let value = Value { key, number: 0 };
        assert_eq!(self.index.insert(hash(key), octets, value), Err(value));
    }

    /// Only what is whole and nobody has pinned goes to make room.
    fn was_evicted(&mut self, value: Value) {
        let id = self.id_of(value);
        let entry = self.remove(id);
        assert_eq!((entry.state, entry.pins), (State::Whole, 0));
        self.evictions += 1;
    }

    fn id_of(&self, value: Value) -> Id {
        let mut found = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.value == value);
        *found.next().expect("it was there").0
    }

    fn remove(&mut self, id: Id) -> Entry {
        self.ids.retain(|other| *other != id);
        let entry = self.entries.remove(&id).unwrap();
        self.octets -= entry.octets;
        assert_eq!(self.index.get(id), None);
        entry
    }

    fn finish(&mut self) {
        let Some(id) = self.any() else { return };
        let variant = self.random.below(3);
        let entry = self.entries.get_mut(&id).unwrap();
        let is_incomplete = entry.state == State::Incomplete;
        assert_eq!(self.index.finish(id, variant), is_incomplete);
        if is_incomplete {
            entry.state = State::Whole;
        }
    }

    fn pin(&mut self) {
        let Some(id) = self.any() else { return };
        let entry = self.entries.get_mut(&id).unwrap();
        let is_alive = entry.state != State::Dead;
        assert_eq!(self.index.pin(id), is_alive);
        entry.pins += u32::from(is_alive);
    }

    /// Ends a pin; that of an incomplete entry's filler only when it is finished or dead.
    fn unpin(&mut self) {
        let Some(id) = self.any() else { return };
        let entry = self.entries.get_mut(&id).unwrap();
        let own = u32::from(entry.state == State::Incomplete);
        if entry.pins <= own {
            return;
        }
        entry.pins -= 1;
        let is_over = entry.pins == 0 && entry.state == State::Dead;
        assert_eq!(self.index.unpin(id), is_over);
        let value = entry.value;
        let reaped = self.index.reap(id);
        assert_eq!(reaped, is_over.then_some(value));
        if is_over {
            self.remove(id);
        }
    }

    fn resize(&mut self) {
        let Some(id) = self.any() else { return };
        let octets = self.random.below(900);
        let entry = self.entries.get_mut(&id).unwrap();
        let after = self.octets - entry.octets + octets;
        let is_allowed = octets <= entry.octets || after <= self.index.limit();
        assert_eq!(self.index.resize(id, octets).is_ok(), is_allowed);
        if is_allowed {
            self.octets = after;
            entry.octets = octets;
        }
    }

    fn kill(&mut self) {
        let Some(id) = self.any() else { return };
        let killed = self.index.kill(id);
        self.was_killed(id, killed);
    }

    fn was_killed(&mut self, id: Id, killed: Option<Value>) {
        let entry = self.entries.get_mut(&id).unwrap();
        let is_gone = entry.pins == 0 && entry.state != State::Dead;
        assert_eq!(killed, is_gone.then_some(entry.value));
        entry.state = State::Dead;
        if is_gone {
            self.remove(id);
        }
    }

    fn evict(&mut self) {
        match self.index.evict() {
            Room::Evicted(value) => self.was_evicted(value),
            Room::Busy => {}
            other => panic!("{other:?}"),
        }
    }

    /// Kills what has a number of some sort, in steps.
    fn sweep(&mut self) {
        let sort = self.random.below(8);
        let is_condemned = |value: &Value| value.number % 8 == sort;
        let mut killed = Vec::new();
        let mut cursor = Cursor::default();
        loop {
            match self
                .index
                .sweep(&mut cursor, 7, |value, _| is_condemned(value))
            {
                Swept::Killed(value) => killed.push(value),
                Swept::More => {}
                Swept::Done => break,
            }
        }
        let living = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.state != State::Dead);
        let condemned = living.filter(|(_, entry)| is_condemned(&entry.value));
        let condemned: Vec<Id> = condemned.map(|(id, _)| *id).collect();
        for id in condemned {
            let value = self.entries[&id].value;
            let found = killed.iter().position(|other| *other == value);
            let killed = found.map(|at| killed.swap_remove(at));
            self.was_killed(id, killed);
        }
        assert_eq!(killed, []);
    }

    fn change_limit(&mut self) {
        let octets = self.random.below(2 * OCTETS);
        self.index.set_limit(self.fixed + octets);
    }

    fn list(&mut self) {
        let mut cursor = Cursor::default();
        let mut listed = 0;
        while let Some((id, value)) = self.index.next(&mut cursor) {
            assert_eq!(self.entries[&id].value, *value);
            listed += 1;
        }
        assert_eq!(listed, self.index.counts().entries);
    }

    /// What must hold after each step, when so much was held before.
    fn check(&self, before: u64) {
        let counts = self.index.counts();
        assert_eq!(counts.octets, self.octets);
        assert_eq!(counts.entries + counts.dead, self.ids.len());
        assert_eq!(counts.evictions, self.evictions);
        assert!(
            counts.octets <= self.index.limit().max(before),
            "the limit is hard"
        );
    }
}

#[test]
fn the_index_is_what_a_slow_one_would_be() {
    let (mut evictions, mut hits) = (0, 0);
    for seed in 0..12 {
        let mut world = World::new(seed);
        for _ in 0..100_000 {
            let before = world.index.counts().octets;
            world.step();
            world.check(before);
        }
        let dead = world
            .entries
            .values()
            .filter(|entry| entry.state == State::Dead);
        assert_eq!(world.index.counts().dead, dead.count());
        for (id, entry) in &world.entries {
            let about = world.index.about(*id).unwrap();
            assert_eq!((about.state, about.octets), (entry.state, entry.octets));
        }
        evictions += world.evictions;
        hits += world.hits;
    }
    assert!(
        evictions > 20_000 && hits > 20_000,
        "{evictions} evictions, {hits} hits"
    );
}
