// SPDX-License-Identifier: GPL-2.0

//! The index: readers beside whom a slot is killed and used anew, at the worst moment.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::rig::{By, Cells};
use crate::cache::index::{Bucket, Ghost, Id, Ledger, Place, Slot, Store, Table};

/// What is done while a reader looks into a cell, look by look.
type Meanwhile = Rc<RefCell<VecDeque<Box<dyn FnOnce()>>>>;

struct Meddled {
    cells: Cells<u64>,
    meanwhile: Meanwhile,
}

impl Store for Meddled {
    type Entry = u64;

    fn slots(&self) -> &[Slot] {
        self.cells.slots()
    }

    fn buckets(&self) -> &[Bucket] {
        self.cells.buckets()
    }

    fn get(&self, slot: usize) -> Option<u64> {
        let first = self.meanwhile.borrow_mut().pop_front();
        if let Some(meddle) = first {
            meddle();
        }
        self.cells.get(slot)
    }

    fn put(&self, slot: usize, entry: Option<u64>) -> Option<u64> {
        self.cells.put(slot, entry)
    }
}

type Writer = Ledger<Rc<Table<Meddled>>, Vec<Place>, Vec<Ghost>>;

/// Hashes of two buckets.
const KEY: u64 = 0;
const OTHER: u64 = u64::MAX;

/// Three entries of a key, of which the best is the last in the chain.
struct Rig {
    table: Rc<Table<Meddled>>,
    ledger: Rc<RefCell<Writer>>,
    meanwhile: Meanwhile,
    /// The one in the middle.
    between: Id,
}

impl Rig {
    fn new() -> Rig {
        let meanwhile = Meanwhile::default();
        let table = Rc::new(Table::new(Meddled {
            cells: Cells::new(8, 0),
            meanwhile: meanwhile.clone(),
        }));
        let mut ledger = Ledger::new(table.clone(), vec![Place::EMPTY; 8], Vec::new(), 0);
        let ids = [30, 20, 10].map(|number| ledger.insert(KEY, number).unwrap());
        Rig {
            table,
            ledger: Rc::new(RefCell::new(ledger)),
            meanwhile,
            between: ids[1],
        }
    }

    /// Does something with the ledger at the next look that nothing is done at yet.
    fn meanwhile(&self, meddle: impl FnOnce(&mut Writer) + 'static) {
        let ledger = self.ledger.clone();
        let meddle = Box::new(move || meddle(&mut ledger.borrow_mut()));
        self.meanwhile.borrow_mut().push_back(meddle);
    }

    fn find(&self) -> Option<u64> {
        let found = self.table.find(KEY, &mut By(|number: &u64| Some(*number)));
        found.map(|(_, _, number)| number)
    }
}

/// RFC 9111 section 4: "When more than one suitable response is stored, a cache MUST use the most
/// recent one".
#[test]
fn no_worse_one_is_found_than_is_there() {
    let rig = Rig::new();
    assert_eq!(rig.find(), Some(30));
    // He stands on the first, and the next one, of which he knows, goes into another chain.
    let between = rig.between;
    rig.meanwhile(move |ledger| {
        assert_eq!(ledger.kill(between), Some(20));
        let other = ledger.insert(OTHER, 99).unwrap();
        assert_ne!(other, between);
    });
    assert_eq!(rig.find(), Some(30));
    assert!(rig.meanwhile.borrow().is_empty());
    // Who is killed and not used anew leads on.
    let rig = Rig::new();
    let between = rig.between;
    rig.meanwhile(move |ledger| assert_eq!(ledger.kill(between), Some(20)));
    assert_eq!(rig.find(), Some(30));
}

/// None is what a reader gets who never comes through, and he asks again under the lock.
#[test]
fn who_is_disturbed_again_and_again_finds_none() {
    let rig = Rig::new();
    for _ in 0..9 {
        rig.meanwhile(|ledger| {
            let id = ledger.insert(OTHER, 99).unwrap();
            assert_eq!(ledger.kill(id), Some(99));
        });
    }
    assert_eq!(rig.find(), None);
    assert!(
        rig.meanwhile.borrow().is_empty(),
        "three looks at three cells"
    );
    assert_eq!(rig.find(), Some(30));
    // What is inserted beside him disturbs nobody.
    rig.meanwhile(|ledger| assert!(ledger.insert(OTHER, 99).is_ok()));
    rig.meanwhile(|ledger| assert!(ledger.insert(KEY, 40).is_ok()));
    assert_eq!(rig.find(), Some(30));
    assert_eq!(rig.find(), Some(40));
}
