// SPDX-License-Identifier: GPL-2.0

//! The index: what an entry goes through.

use std::collections::HashSet;
use std::sync::Arc;

use super::rig::{hash, index, By, Item, Rig, Shared, Writer};
use crate::bytes::Full;
use crate::cache::index::{
    Budget, Charge, Counts, Cursor, Gone, Id, Room, Step, Wanted, MAX_VARIANTS,
};

#[test]
fn an_entry_is_found_from_its_insertion_to_its_death() {
    let mut rig = Rig::new(4, 4, 100);
    let id = rig.insert(1, 10);
    assert_eq!(rig.find(1).map(|found| found.0), Some(id));
    assert!(rig.find(2).is_none());
    assert_eq!(rig.ledger.counts().octets, 0, "it is being filled");
    assert!(rig.ledger.finish(id, 1, 10, None).unwrap().is_none());
    assert_eq!(
        rig.ledger.finish(id, 1, 10, None).err(),
        Some(Gone),
        "it is whole"
    );
    let counts = Counts {
        entries: 1,
        octets: 10,
        evictions: 0,
    };
    assert_eq!(rig.ledger.counts(), counts);
    rig.table.hit(id);
    rig.table.hit(id);
    assert_eq!(rig.table.hits(id), Some(2));
    assert_eq!(rig.ledger.kill(id).unwrap().key, 1);
    assert!(rig.find(1).is_none() && rig.ledger.kill(id).is_none());
    assert_eq!(
        (rig.ledger.counts(), rig.held()),
        (Counts::default(), 0),
        "it was the last"
    );
    // Its name finds nothing, though its slot is in use again.
    let again = rig.insert(1, 10);
    assert_ne!(id, again);
    assert!(rig.ledger.kill(id).is_none() && rig.table.hits(id).is_none());
    assert_eq!(rig.ledger.finish(id, 1, 1, None).err(), Some(Gone));
    rig.table.hit(id);
    assert_eq!(rig.table.hits(again), Some(0));
}

#[test]
fn who_is_killed_lives_on_with_his_readers() {
    let mut rig = Rig::new(4, 4, 100);
    rig.put(1, 60);
    let (_, reader) = rig.find(1).unwrap();
    assert_eq!(rig.evict(), Room::Evicted(1));
    assert!(rig.find(1).is_none());
    assert_eq!(rig.held(), 60, "it still takes its memory");
    assert_eq!(rig.room(2, 41), Room::Busy);
    assert_eq!(rig.room(2, 40), Room::Ready);
    assert_eq!(reader.charge.octets(), 60);
    drop(reader);
    assert_eq!((rig.held(), rig.room(2, 100)), (0, Room::Ready));
}

#[test]
fn who_is_killed_while_he_is_filled_is_not_finished() {
    let mut rig = Rig::new(4, 4, 100);
    let id = rig.insert(1, 10);
    assert_eq!(
        rig.evict(),
        Room::Busy,
        "nobody evicts what is being filled"
    );
    drop(rig.ledger.kill(id));
    assert_eq!(rig.ledger.finish(id, 1, 10, None).err(), Some(Gone));
    assert_eq!(rig.held(), 0);
}

#[test]
fn there_are_no_more_entries_than_slots() {
    let mut rig = Rig::new(2, 0, 100);
    rig.put(1, 1);
    rig.put(2, 1);
    let (_, item) = rig.find(1).unwrap();
    assert_eq!(rig.ledger.insert(hash(3), item).unwrap_err().key, 1);
    assert_eq!(rig.put(3, 1), [1]);
    let (filling, other) = (rig.find(2).unwrap().0, rig.find(3).unwrap().0);
    drop((rig.ledger.kill(filling), rig.ledger.kill(other)));
    rig.insert(4, 1);
    rig.insert(5, 1);
    assert_eq!(rig.room(6, 1), Room::Busy, "both are being filled");
    let mut none = Rig::new(0, 0, 100);
    assert_eq!(none.room(1, 1), Room::Busy);
    let (mut cursor, mut by) = (Cursor::default(), By(|_: &Arc<Item>| Some(())));
    assert!(none.table.find(1, &mut by).is_none());
    assert!(matches!(none.table.next(&mut cursor, 1), Step::Done));
}

/// Entries that are their own numbers, under one key. The last ten are being filled.
fn variants(count: u64) -> (Shared<u64>, Writer<u64>, Vec<Id>) {
    let (table, mut ledger) = index(2 * MAX_VARIANTS, 0);
    let ids = (0..count).map(|number| {
        let id = ledger.insert(hash(1), number).unwrap();
        if number + 10 < count {
            assert_eq!(ledger.finish(id, 1, 1, None), Ok(None));
        }
        id
    });
    let ids = ids.collect();
    (table, ledger, ids)
}

#[test]
fn the_best_of_a_keys_entries_is_found() {
    let (table, ..) = variants(32);
    let best = |rank: fn(&u64) -> Option<u64>| {
        let found = table.find(hash(1), &mut By(rank));
        found.map(|(_, _, number)| number)
    };
    assert_eq!(best(|_| Some(0)), Some(31), "the latest");
    assert_eq!(best(|number| Some(number % 8)), Some(31));
    assert_eq!(best(|number| (*number < 9).then_some(number % 8)), Some(7));
    assert_eq!(best(|number| (*number == 5).then_some(0)), Some(5));
    assert_eq!(best(|_| None), None);
}

/// Wants what a function says, and writes down what it was shown.
struct Shown<F>(F, Vec<u64>);

impl<F: FnMut(u64) -> bool> Wanted<u64> for Shown<F> {
    type Rank = u64;

    fn may_be(&mut self, variant: u64) -> bool {
        (self.0)(variant)
    }

    fn rank(&mut self, entry: &u64) -> Option<u64> {
        self.1.push(*entry);
        Some(*entry)
    }
}

#[test]
fn what_is_known_to_be_another_variant_is_not_touched() {
    let (table, mut ledger, ids) = variants(10);
    for (id, variant) in ids.iter().zip(100..108) {
        assert_eq!(ledger.finish(*id, variant, 1, None), Ok(None));
    }
    let mut shown = Shown(|variant| variant == 103, Vec::new());
    assert_eq!(table.find(hash(1), &mut shown), Some((9, ids[9], 9)));
    // Of the last two nothing is known yet.
    assert_eq!(shown.1, [9, 8, 3]);
}

#[test]
fn a_key_loses_the_variant_that_is_wanted_least() {
    let mut rig = Rig::new(2 * MAX_VARIANTS, 0, 1000);
    let mut ids = vec![rig.insert(1, 10)];
    for _ in 1..MAX_VARIANTS {
        let id = rig.insert(1, 10);
        assert!(rig.ledger.finish(id, 7, 10, None).is_ok());
        rig.table.hit(id);
        ids.push(id);
    }
    for id in &ids[4..] {
        rig.table.hit(*id);
    }
    assert_eq!(rig.room(2, 10), Room::Ready, "another key");
    let item = rig.find(1).unwrap().1;
    assert!(rig.ledger.insert(hash(1), item).is_err());
    // Nobody goes for one that does not fit, or not now.
    assert_eq!(rig.room(1, 1001), Room::Never);
    assert_eq!(rig.room(1, 681), Room::Busy);
    assert_eq!(rig.ledger.counts().evictions, 0);
    // Of those that were hit once the first inserted.
    for id in &ids[1..4] {
        assert!(rig.table.hits(*id).is_some());
        assert_eq!(rig.room(1, 10), Room::Evicted(1));
        assert!(rig.table.hits(*id).is_none());
        assert_eq!(rig.room(1, 10), Room::Ready);
        let id = rig.insert(1, 10);
        assert!(rig.ledger.finish(id, 8, 10, None).is_ok());
        (0..3).for_each(|_| rig.table.hit(id));
    }
    assert_eq!(rig.table.hits(ids[0]), Some(0), "it is being filled");
}

/// Who fills slowly takes no more than half of a key's variants from those that are whole.
#[test]
fn a_key_keeps_half_of_its_variants() {
    let mut rig = Rig::new(4 * MAX_VARIANTS, 0, 10_000);
    (0..MAX_VARIANTS).for_each(|_| assert!(rig.put(1, 10).is_empty()));
    let mut fillings = Vec::new();
    for _ in 0..MAX_VARIANTS / 2 {
        assert_eq!(rig.room(1, 10), Room::Evicted(1));
        assert_eq!(rig.room(1, 10), Room::Ready);
        fillings.push(rig.insert(1, 10));
    }
    assert_eq!(rig.room(1, 10), Room::Busy);
    assert_eq!(rig.room(2, 10), Room::Ready, "another key");
    let (_, item) = rig.find(1).unwrap();
    assert!(rig.ledger.insert(hash(1), item).is_err());
    assert_eq!(rig.ledger.counts().entries, MAX_VARIANTS);
    // One is finished, one is given up.
    assert!(rig.ledger.finish(fillings[3], 1, 10, None).is_ok());
    assert_eq!(rig.room(1, 10), Room::Evicted(1));
    assert_eq!(rig.room(1, 10), Room::Ready);
    rig.insert(1, 10);
    assert_eq!(rig.room(1, 10), Room::Busy);
    drop(rig.ledger.kill(fillings[5]));
    assert_eq!(rig.room(1, 10), Room::Ready);
    // Nor do they when there is nothing else.
    let mut rig = Rig::new(4 * MAX_VARIANTS, 0, 10_000);
    for _ in 0..MAX_VARIANTS / 2 {
        rig.insert(1, 10);
    }
    assert_eq!(rig.room(1, 10), Room::Busy);
}

/// A chain is bounded as the variants of a key are, so that lookups are.
#[test]
fn a_chain_has_an_end() {
    let (table, mut ledger) = index(8 * MAX_VARIANTS + 2, 0);
    // The upper bits of a hash choose the bucket.
    let insert = |ledger: &mut Writer<u64>, key: u64| ledger.insert(key, key);
    let mut ids = Vec::new();
    for key in 0..256 {
        let id = insert(&mut ledger, key).unwrap();
        if key < 128 {
            assert!(ledger.finish(id, 1, 1, None).is_ok());
        }
        if key != 77 {
            table.hit(id);
        }
        ids.push(id);
    }
    assert_eq!(insert(&mut ledger, 256), Err(256));
    let budget = Budget::new(u64::MAX);
    assert_eq!(ledger.room_to_insert(&budget, 256, 0), Room::Busy);
    let find = |key| table.find(key, &mut By(|found: &u64| (*found == key).then_some(())));
    assert!((0..256).all(|key| find(key) == Some(((), ids[key as usize], key))));
    assert!(ledger.finish(ids[200], 1, 1, None).is_ok());
    assert_eq!(ledger.room_to_insert(&budget, 256, 0), Room::Evicted(77));
    assert_eq!(ledger.room_to_insert(&budget, 256, 0), Room::Ready);
    assert!(insert(&mut ledger, 256).is_ok());
    assert!(insert(&mut ledger, u64::MAX).is_ok(), "another bucket");
}

#[test]
fn the_entries_of_a_key_are_listed_and_cleared() {
    let (_, mut ledger, ids) = variants(6);
    let other = ledger.insert(hash(2), 99).unwrap();
    let listed: Vec<(Id, u64)> = ledger.variants(hash(1)).collect();
    let right: Vec<(Id, u64)> = (0..6).rev().map(|at| (ids[at as usize], at)).collect();
    assert_eq!(listed, right);
    let mut killed = Vec::new();
    while let Some(number) = ledger.kill_of(hash(1), |number| number % 2 == 0) {
        killed.push(number);
    }
    assert_eq!(killed, [4, 2, 0]);
    let listed: Vec<u64> = ledger.variants(hash(1)).map(|(_, number)| number).collect();
    assert_eq!(listed, [5, 3, 1]);
    assert_eq!(ledger.kill(other), Some(99));
    assert_eq!(ledger.kill_of(hash(2), |_| true), None);
}

#[test]
fn what_replaces_another_is_as_much_in_use() {
    let mut rig = Rig::new(20, 0, 100);
    rig.put(1, 10);
    (0..5).for_each(|_| assert!(rig.ask(1)));
    // It goes on to the main queue.
    (100..120).for_each(|key| drop(rig.put(key, 10)));
    for round in 0..50 {
        let (old, _) = rig.find(1).unwrap();
        while matches!(rig.room(1, 10), Room::Evicted(_)) {}
        let new = rig.insert(1, 10);
        rig.table.hit(new);
        let replaced = rig.ledger.finish(new, 1, 10, Some(old));
        assert_eq!(replaced.unwrap().unwrap().key, 1);
        assert_eq!(rig.table.hits(new), Some(6 + round));
        assert_eq!(rig.ledger.variants(hash(1)).count(), 1);
        // What is new does not drive it out.
        (0..20).for_each(|key| drop(rig.put(1000 + 20 * u64::from(round) + key, 10)));
    }
    // It was never asked for again. Who replaces nobody, or somebody who is gone, is new.
    let (old, _) = rig.find(1).unwrap();
    drop(rig.ledger.kill(old));
    let new = rig.insert(1, 10);
    assert!(rig.ledger.finish(new, 1, 10, Some(old)).unwrap().is_none());
    (5000..5020).for_each(|key| drop(rig.put(key, 10)));
    assert!(rig.find(1).is_none());
    // Nobody replaces himself.
    assert!(matches!(rig.evict(), Room::Evicted(_)));
    let new = rig.insert(1, 10);
    assert!(rig.ledger.finish(new, 1, 10, Some(new)).unwrap().is_none());
    assert!(rig.find(1).is_some());
}

#[test]
fn an_update_is_another_entry_in_the_same_place() {
    let (table, mut ledger) = index(4, 0);
    let id = ledger.insert(hash(1), 1).unwrap();
    assert_eq!(ledger.update(id, 2, 5, |_| true), Err(2), "it is not whole");
    assert_eq!(ledger.finish(id, 1, 10, None), Ok(None));
    let other = ledger.update(id, 2, 5, |old| *old == 7);
    assert_eq!(other, Err(2), "it is another one");
    assert_eq!(ledger.update(id, 2, 5, |old| *old == 1), Ok(Some(1)));
    assert_eq!(ledger.counts().octets, 5);
    assert_eq!(
        table.find(hash(1), &mut By(|_: &i32| Some(()))),
        Some(((), id, 2))
    );
    assert_eq!(ledger.kill(id), Some(2));
    assert_eq!(ledger.counts().octets, 0);
    assert_eq!(ledger.update(id, 3, 5, |_| true), Err(3), "it is gone");
}

#[test]
fn a_sweep_sees_every_entry_in_steps() {
    let mut rig = Rig::new(50, 0, 1000);
    (0..50).for_each(|key| assert!(rig.put(key, 1).is_empty()));
    for key in (0..50).filter(|key| key % 3 == 0) {
        let (id, _) = rig.find(key).unwrap();
        drop(rig.ledger.kill(id));
    }
    let (mut cursor, mut seen, mut mores) = (Cursor::default(), HashSet::new(), 0);
    loop {
        match rig.table.next(&mut cursor, 1) {
            Step::Entry(id, item) => {
                assert_eq!(rig.find(item.key).unwrap().0, id);
                assert!(seen.insert(item.key));
            }
            Step::More => mores += 1,
            Step::Done => break,
        }
    }
    assert_eq!(mores, 17, "one for each empty slot");
    assert_eq!(seen, (0..50).filter(|key| key % 3 != 0).collect());
    assert!(matches!(rig.table.next(&mut cursor, 1), Step::Done));
}

#[test]
fn the_budget_is_never_passed() {
    let budget = Arc::new(Budget::new(100));
    let charge = |octets| Charge::new(budget.clone(), octets);
    assert_eq!(charge(101).err(), Some(Full));
    assert_eq!(charge(u64::MAX).err(), Some(Full));
    let mut one = charge(60).unwrap();
    assert_eq!((charge(41).err(), budget.held()), (Some(Full), 60));
    assert_eq!((one.grow(41), one.grow(u64::MAX)), (Err(Full), Err(Full)));
    assert_eq!((one.grow(40), one.octets()), (Ok(()), 100));
    assert!(budget.has_room(0) && !budget.has_room(1));
    budget.set_limit(50);
    assert_eq!((budget.limit(), budget.held()), (50, 100));
    assert!(charge(0).is_err() && !budget.has_room(0));
    drop(one);
    let other = charge(50).unwrap();
    assert_eq!((budget.held(), other.octets()), (50, 50));
}
