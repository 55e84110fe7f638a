// SPDX-License-Identifier: GPL-2.0

//! The index: who is evicted, and when nobody is.

use std::collections::{HashSet, VecDeque};

use super::random::Random;
use super::rig::{hash, Rig, FIXED};
use crate::cache::index::Room;

#[test]
fn room_is_made_only_where_it_helps() {
    let mut rig = Rig::new(8, 0, 100);
    assert_eq!(rig.room(1, 101), Room::Never);
    assert_eq!(rig.room(1, u64::MAX), Room::Never);
    rig.put(1, 30);
    rig.put(2, 30);
    let (_, slow) = rig.find(2).unwrap();
    let filling = rig.insert(3, 20);
    // What is being filled stays. It would be more than half.
    assert_eq!(rig.room(4, 31), Room::Busy);
    let grown = rig.ledger.room_to_grow(&rig.budget, 31);
    assert!(matches!(grown, Room::Busy));
    assert_eq!(rig.room(4, 20), Room::Ready);
    assert_eq!(rig.ledger.counts().evictions, 0);
    assert_eq!(rig.room(4, 30), Room::Evicted(1));
    assert_eq!(rig.room(4, 30), Room::Ready);
    assert_eq!(rig.room(4, 50), Room::Ready, "nobody has to go for it");
    // A reader keeps the second: that is half of all, so there is no use in going on.
    assert_eq!(rig.evict(), Room::Evicted(2));
    rig.put(5, 10);
    assert_eq!(rig.room(4, 41), Room::Busy);
    assert!(rig.find(5).is_some());
    drop(slow);
    rig.put(6, 45);
    let grown = rig.ledger.room_to_grow(&rig.budget, 26);
    assert!(matches!(grown, Room::Evicted(item) if item.key == 5));
    let grown = rig.ledger.room_to_grow(&rig.budget, 30);
    assert!(matches!(grown, Room::Ready));
    drop(rig.ledger.kill(filling));
    assert_eq!(rig.room(4, 55), Room::Ready);
    assert_eq!(rig.room(4, 56), Room::Busy, "more than half");
    // A limit that is lowered: nothing new, until enough has gone.
    rig.put(7, 40);
    rig.budget.set_limit(FIXED + 50);
    assert_eq!(rig.room(8, 51), Room::Never);
    assert_eq!(rig.room(8, 0), Room::Evicted(6));
    assert_eq!(rig.room(8, 10), Room::Ready);
    rig.budget.set_limit(FIXED - 1);
    assert_eq!(
        (rig.room(8, 0), rig.evict()),
        (Room::Busy, Room::Evicted(7))
    );
    assert_eq!((rig.evict(), rig.held()), (Room::Busy, 0));
}

/// However many are filled, and however slowly: half of all stays with what is whole.
#[test]
fn what_is_being_filled_drives_out_half_at_most() {
    for (slots, octets) in [(40, 100_000), (1000, 400)] {
        let mut rig = Rig::new(slots, 0, octets);
        (0..40).for_each(|key| assert!(rig.put(key, 10).is_empty()));
        let mut fillings = Vec::new();
        let mut key = 100;
        while key < 1000 {
            match rig.room(key, 10) {
                Room::Ready => fillings.push(rig.insert(key, 10)),
                Room::Evicted(_) => continue,
                Room::Busy => {}
                other => panic!("{other:?}"),
            }
            key += 1;
        }
        assert_eq!(fillings.len(), 20);
        assert_eq!((0..40).filter(|key| rig.find(*key).is_some()).count(), 20);
        // Once they are whole there is room again.
        for id in fillings {
            assert!(rig.ledger.finish(id, 1, 10, None).is_ok());
        }
        assert!(matches!(rig.room(key, 10), Room::Evicted(_)));
    }
    // A single one is filled even so.
    let mut rig = Rig::new(1, 0, 100);
    rig.put(1, 10);
    assert_eq!(rig.put(2, 10), [1]);
}

/// What S3-FIFO is for: a scan of ten times the cache takes nothing of what is asked for again and
/// again.
#[test]
fn a_scan_does_not_drive_out_what_is_in_use() {
    let mut rig = Rig::new(2000, 2000, 1000);
    for round in 0..4 {
        for key in 0..800 {
            if !rig.ask(key) {
                assert_eq!(round, 0);
                assert!(rig.put(key, 1).is_empty());
            }
        }
    }
    let evicted: HashSet<u64> = (10_000..20_000).flat_map(|key| rig.put(key, 1)).collect();
    assert!(evicted.iter().all(|key| *key >= 10_000));
    assert!((0..800).all(|key| rig.ask(key)));
    // Nor when what is scanned is larger, or the hot ones are asked for meanwhile.
    for key in 20_000..21_000 {
        rig.put(key, 50);
        assert!(rig.ask(key % 800));
    }
    assert!((0..800).all(|key| rig.ask(key)));
}

/// Who comes back soon after his eviction is taken for somebody who will come again.
#[test]
fn ghosts_come_back_into_the_main_queue() {
    let mut rig = Rig::new(100, 100, 50);
    (0..50).for_each(|key| assert!(rig.put(key, 1).is_empty()));
    assert_eq!(rig.put(50, 1), [0]);
    rig.put(0, 1);
    (100..400).for_each(|key| drop(rig.put(key, 1)));
    assert!(rig.ask(0), "it came back");
    assert!(!rig.ask(50), "it did not");
    // A ghost that is too old is none: it went away 300 evictions ago.
    rig.put(3, 1);
    (400..800).for_each(|key| drop(rig.put(key, 1)));
    assert!(!rig.ask(3));
    // Another variant of the same key is somebody else.
    let evicted = rig.put(900, 1)[0];
    while rig.room(evicted, 1) != Room::Ready {}
    let id = rig.insert(evicted, 1);
    assert!(rig.ledger.finish(id, 2, 1, None).is_ok());
    (1000..1400).for_each(|key| drop(rig.put(key, 1)));
    assert!(!rig.ask(evicted));
}

/// However much everything is wanted, one call does not take long, and some take somebody.
#[test]
fn an_eviction_is_bounded() {
    let mut rig = Rig::new(3000, 0, 3000);
    for key in 0..3000 {
        rig.put(key, 1);
        (0..3).for_each(|_| assert!(rig.ask(key)));
    }
    // They are brought on to the main queue, sixty-four at a time, until that has enough of them; from
    // then on each call takes one.
    let calls: Vec<Room<u64>> = (0..100).map(|_| rig.evict()).collect();
    let again = calls.iter().take_while(|room| **room == Room::Again);
    let again = again.count();
    assert!((40..=47).contains(&again), "{again}");
    let taken = |room: &Room<u64>| matches!(room, Room::Evicted(_));
    assert!(calls.iter().skip(again).all(taken));
    // Of sixty-four in the main queue that are all wanted the one goes that was asked for least.
    let mut rig = Rig::new(64, 0, 1000);
    for key in 0..64 {
        rig.put(key, 1);
        (0..2).for_each(|_| assert!(rig.ask(key)));
    }
    assert_eq!(
        rig.evict(),
        Room::Evicted(0),
        "there are enough in the main queue"
    );
    for key in 1..64 {
        let often = if key == 9 { 1 } else { 3 };
        (0..often).for_each(|_| assert!(rig.ask(key)));
    }
    assert_eq!(rig.evict(), Room::Evicted(9));
}

/// Who takes much memory does not have to go for that when what is short is slots, and the other way
/// round.
#[test]
fn queues_are_measured_by_what_is_short() {
    let hot = 0..10;
    for (slots, octets, lives) in [(100, 100_000, true), (1000, 10_090, false)] {
        let mut rig = Rig::new(slots, 0, octets);
        for key in hot.clone() {
            assert!(rig.put(key, 1000).is_empty());
            (0..2).for_each(|_| assert!(rig.ask(key)));
        }
        (1000..1500).for_each(|key| drop(rig.put(key, 1)));
        let living = hot.clone().filter(|key| rig.find(*key).is_some()).count();
        assert_eq!(living == 10, lives, "{living}");
    }
}

/// S3-FIFO as the paper has it (algorithm 1), with queues of the standard library and no ghosts.
struct Plain {
    small: VecDeque<(u64, u64, u8)>,
    main: VecDeque<(u64, u64, u8)>,
}

/// What the plain one may hold.
const SLOTS: usize = 15;
const OCTETS: u64 = 6_000;

impl Plain {
    fn octets(queue: &VecDeque<(u64, u64, u8)>) -> u64 {
        queue.iter().map(|(_, octets, _)| octets).sum()
    }

    fn ask(&mut self, key: u64) -> bool {
        let mut all = self.small.iter_mut().chain(&mut self.main);
        let Some((.., frequency)) = all.find(|entry| entry.0 == key) else {
            return false;
        };
        *frequency = (*frequency + 1).min(3);
        true
    }

    fn put(&mut self, key: u64, octets: u64) -> Vec<u64> {
        let mut evicted = Vec::new();
        loop {
            let held = Self::octets(&self.small) + Self::octets(&self.main);
            if self.small.len() + self.main.len() == SLOTS {
                evicted.push(self.evict(|queue| queue.len() as u64));
            } else if held + octets > OCTETS {
                evicted.push(self.evict(Self::octets));
            } else {
                self.small.push_back((key, octets, 0));
                return evicted;
            }
        }
    }

    fn evict(&mut self, measure: fn(&VecDeque<(u64, u64, u8)>) -> u64) -> u64 {
        loop {
            let of_small = 9 * measure(&self.small) >= measure(&self.main);
            if !self.small.is_empty() && (of_small || self.main.is_empty()) {
                let (key, octets, frequency) = self.small.pop_front().unwrap();
                if frequency < 2 {
                    return key;
                }
                self.main.push_back((key, octets, 0));
            } else {
                let (key, octets, frequency) = self.main.pop_front().unwrap();
                if frequency == 0 {
                    return key;
                }
                self.main.push_back((key, octets, frequency - 1));
            }
        }
    }
}

#[test]
fn who_is_evicted_is_who_the_paper_says() {
    let mut random = Random(1);
    // Few entries, so that a round is shorter than an eviction may take.
    let mut rig = Rig::new(SLOTS, 0, OCTETS);
    let mut plain = Plain {
        small: VecDeque::new(),
        main: VecDeque::new(),
    };
    let mut evictions = 0;
    for step in 0..200_000 {
        // Some are asked for much more often than others.
        let key = random.below(8) * random.below(8);
        assert_eq!(rig.ask(key), plain.ask(key), "step {step}");
        if rig.find(key).is_some() {
            continue;
        }
        let octets = 1 + random.below(1000);
        let evicted = rig.put(key, octets);
        assert_eq!(evicted, plain.put(key, octets), "step {step}");
        evictions += evicted.len();
    }
    assert!(evictions > 10_000, "{evictions}");
    assert!(rig.ledger.variants(hash(0)).count() <= 1);
}
