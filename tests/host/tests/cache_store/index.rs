// SPDX-License-Identifier: GPL-2.0

//! The index: what an entry goes through, and who is evicted.

use std::collections::{HashSet, VecDeque};

use super::random::Random;
use crate::bytes::Full;
use crate::cache::index::{
    Bucket, Counts, Cursor, Ghost, Id, Index, Room, Slot, State, Swept, MAX_VARIANTS,
};

pub(super) type Store<T> = Index<T, Vec<Slot<T>>, Vec<Bucket>, Vec<Ghost>>;

/// An index of so many slots that may hold so many octets beside its tables.
pub(super) fn index<T>(slots: usize, ghosts: usize, octets: u64) -> Store<T> {
    let mut index = Index::new(
        (0..slots).map(|_| Slot::new()).collect::<Vec<_>>(),
        vec![Bucket::EMPTY; slots],
        vec![Ghost::NONE; ghosts],
        0,
    );
    index.set_limit(index.counts().octets + octets);
    index
}

/// The hash of a key: spread over all buckets.
fn hash(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Evicts until there is room; what was evicted.
fn make_room(index: &mut Store<u64>, key: u64, octets: u64) -> Vec<u64> {
    let mut evicted = Vec::new();
    // Each that is busy has brought sixty-four on.
    for _ in 0..200 {
        match index.make_room(hash(key), octets) {
            Room::Ready => return evicted,
            Room::Evicted(value) => evicted.push(value),
            Room::Busy => {}
            Room::Never => break,
        }
    }
    panic!("no room after {evicted:?}");
}

/// Puts a whole entry in that nobody has pinned. What was evicted for it.
fn put(index: &mut Store<u64>, key: u64, octets: u64) -> Vec<u64> {
    let evicted = make_room(index, key, octets);
    let id = index.insert(hash(key), octets, key).unwrap();
    assert!(index.finish(id, 0));
    assert!(!index.unpin(id));
    evicted
}

fn find(index: &Store<u64>, key: u64) -> Option<Id> {
    let found = index.find(hash(key), |value, _| (*value == key).then_some(()));
    found.map(|(id, _)| id)
}

/// Asks for an entry as a request does.
fn ask(index: &Store<u64>, key: u64) -> bool {
    let found = find(index, key);
    found.into_iter().for_each(|id| index.hit(id));
    found.is_some()
}

#[test]
fn an_entry_is_found_from_its_insertion_to_its_death() {
    let mut index = index(4, 4, 100);
    let empty = index.counts();
    let id = index.insert(hash(1), 10, 1).unwrap();
    assert_eq!(find(&index, 1), Some(id));
    assert_eq!(find(&index, 2), None);
    let state = |index: &Store<u64>| index.about(id).map(|about| about.state);
    assert_eq!(state(&index), Some(State::Incomplete));
    assert!(index.finish(id, 0) && !index.finish(id, 0));
    assert_eq!(state(&index), Some(State::Whole));
    index.hit(id);
    index.hit(id);
    let about = index.about(id).unwrap();
    assert_eq!((about.hits, about.octets), (2, 10));
    assert_eq!(
        (index.counts().entries, index.counts().octets),
        (1, empty.octets + 10)
    );
    *index.get_mut(id).unwrap() = 7;
    assert_eq!(index.get(id), Some(&7));
    assert!(!index.unpin(id));
    assert_eq!(index.kill(id), Some(7));
    assert_eq!((index.get(id), state(&index)), (None, None));
    assert_eq!(index.kill(id), None);
    assert_eq!(index.counts(), empty);
    let again = index.insert(hash(1), 10, 1).unwrap();
    assert_ne!(id, again);
    assert!(index.get(id).is_none() && !index.pin(id) && !index.unpin(id) && !index.finish(id, 0));
    assert_eq!(index.resize(id, 1), Err(Full));
    index.hit(id);
    assert_eq!(index.about(again).unwrap().hits, 0);
}

#[test]
fn who_is_pinned_dies_at_once_and_is_charged_until_it_is_reaped() {
    let mut index = index(4, 4, 100);
    let empty = index.counts().octets;
    let id = index.insert(hash(1), 60, 1).unwrap();
    assert!(index.pin(id), "a follower");
    assert_eq!(index.kill(id), None);
    assert_eq!(find(&index, 1), None);
    assert!(!index.finish(id, 0), "the filler is told");
    assert!(!index.pin(id), "nobody comes any more");
    assert_eq!(index.get(id), Some(&1), "the follower reads on");
    assert_eq!(index.resize(id, 70), Ok(()), "and the filler goes on");
    let counts = index.counts();
    assert_eq!(
        (counts.entries, counts.dead, counts.octets),
        (0, 1, empty + 70)
    );
    assert_eq!(index.make_room(0, 31), Room::Busy);
    assert_eq!(index.insert(hash(2), 31, 2), Err(2));
    assert_eq!(index.reap(id), None, "too early");
    assert!(!index.unpin(id));
    assert!(index.unpin(id), "the last");
    assert_eq!(index.reap(id), Some(1));
    assert_eq!(index.reap(id), None);
    assert_eq!(index.counts().octets, empty);
}

#[test]
fn the_limit_is_never_passed() {
    let mut index = index(4, 0, 100);
    let empty = index.counts().octets;
    assert_eq!(index.make_room(0, empty + 101), Room::Never);
    assert_eq!(index.make_room(0, u64::MAX), Room::Never);
    assert_eq!(index.insert(hash(1), 101, 1), Err(1));
    assert_eq!(index.insert(hash(1), u64::MAX, 1), Err(1));
    let id = index.insert(hash(1), 100, 1).unwrap();
    assert_eq!(index.resize(id, 101), Err(Full));
    assert_eq!(index.resize(id, u64::MAX), Err(Full));
    assert_eq!(index.make_room(0, 1), Room::Busy, "it is incomplete");
    assert_eq!(index.resize(id, 99), Ok(()));
    assert_eq!(index.make_room(0, 1), Room::Ready);
    index.finish(id, 0);
    assert_eq!(index.make_room(0, 2), Room::Busy, "it is pinned");
    index.unpin(id);
    assert_eq!(index.make_room(0, 2), Room::Evicted(1));
    assert_eq!(
        index.counts(),
        Counts {
            octets: empty,
            evictions: 1,
            ..Counts::default()
        }
    );
    // A limit that is lowered: nothing new, and whatever is there goes when it is asked to.
    put(&mut index, 1, 40);
    put(&mut index, 2, 40);
    index.set_limit(empty + 50);
    assert_eq!(index.insert(hash(3), 0, 3), Err(3));
    assert_eq!(index.evict(), Room::Evicted(1));
    assert_eq!(index.make_room(0, 10), Room::Ready);
    // Slots are a limit, too.
    let mut index = self::index(2, 0, 100);
    put(&mut index, 1, 1);
    put(&mut index, 2, 1);
    assert_eq!(put(&mut index, 3, 1), [1]);
    let mut none = self::index(0, 0, 100);
    assert_eq!(none.make_room(0, 1), Room::Busy);
    assert_eq!(none.insert(hash(1), 1, 1), Err(1));
}

#[test]
fn variants_of_a_key_are_ranked_and_bounded() {
    let mut index: Store<u64> = index(MAX_VARIANTS + 8, 0, 1000);
    let key = hash(1);
    let insert = |index: &mut Store<u64>, variant: u64| {
        let id = index.insert(key, 1, variant).unwrap();
        index.finish(id, variant);
        index.unpin(id);
    };
    (0..MAX_VARIANTS as u64).for_each(|variant| insert(&mut index, variant));
    let best = |index: &Store<u64>, rank: fn(&u64) -> Option<u64>| {
        let found = index.find(key, |value, _| rank(value));
        found.map(|(_, value)| *value)
    };
    assert_eq!(
        best(&index, |_| Some(0)),
        Some(MAX_VARIANTS as u64 - 1),
        "the latest"
    );
    assert_eq!(
        best(&index, |value| Some(*value % 8)),
        Some(MAX_VARIANTS as u64 - 1)
    );
    assert_eq!(
        best(&index, |value| (*value < 9).then_some(*value % 8)),
        Some(7)
    );
    assert_eq!(best(&index, |value| (*value == 5).then_some(0)), Some(5));
    assert_eq!(best(&index, |_| None), None);
    assert_eq!(index.make_room(hash(2), 1), Room::Ready, "another key");
    // The first inserted goes.
    assert_eq!(index.make_room(key, 1), Room::Evicted(0));
    assert_eq!(index.make_room(key, 1), Room::Ready);
    insert(&mut index, 99);
    // A pinned one dies.
    let (id, _) = index
        .find(key, |value, _| (*value == 1).then_some(()))
        .unwrap();
    assert!(index.pin(id));
    assert_eq!(index.make_room(key, 1), Room::Ready);
    assert_eq!(best(&index, |value| (*value == 1).then_some(0)), None);
    assert!(index.unpin(id));
    assert_eq!(index.reap(id), Some(1));
}

#[test]
fn a_sweep_takes_what_is_condemned_in_steps() {
    let mut index = index(50, 0, 1000);
    (0..50).for_each(|key| assert!(put(&mut index, key, 1).is_empty()));
    let pinned = find(&index, 14).unwrap();
    index.pin(pinned);
    let (mut cursor, mut killed, mut calls) = (Cursor::default(), Vec::new(), 0);
    loop {
        calls += 1;
        match index.sweep(&mut cursor, 5, |value, _| value % 7 == 0) {
            Swept::Killed(value) => killed.push(value),
            Swept::More => {}
            Swept::Done => break,
        }
    }
    killed.sort_unstable();
    assert_eq!(killed, [0, 7, 21, 28, 35, 42, 49]);
    assert!(calls >= 10);
    assert_eq!(find(&index, 14), None);
    assert!(index.unpin(pinned));
    assert_eq!(index.reap(pinned), Some(14));
    let mut cursor = Cursor::default();
    let mut listed = Vec::new();
    while let Some((id, value)) = index.next(&mut cursor) {
        assert_eq!(find(&index, *value), Some(id));
        listed.push(*value);
    }
    listed.sort_unstable();
    assert_eq!(
        listed,
        (0..50).filter(|value| value % 7 != 0).collect::<Vec<_>>()
    );
    // All of it.
    let mut cursor = Cursor::default();
    while index.sweep(&mut cursor, 9, |_, _| true) != Swept::Done {}
    assert_eq!(index.counts().entries, 0);
}

/// What S3-FIFO is for: a scan of ten times the cache takes nothing of what is asked for again and
/// again.
#[test]
fn a_scan_does_not_drive_out_what_is_in_use() {
    let mut index = index(2000, 2000, 1000);
    for round in 0..4 {
        for key in 0..800 {
            if !ask(&index, key) {
                assert_eq!(round, 0);
                assert!(put(&mut index, key, 1).is_empty());
            }
        }
    }
    let evicted: HashSet<u64> = (10_000..20_000)
        .flat_map(|key| put(&mut index, key, 1))
        .collect();
    assert!(evicted.iter().all(|key| *key >= 10_000));
    assert!((0..800).all(|key| ask(&index, key)));
    // Nor when what is scanned is larger, or the hot ones are asked for meanwhile.
    for key in 20_000..21_000 {
        put(&mut index, key, 50);
        assert!(ask(&index, key % 800));
    }
    let kept = (0..800).filter(|key| ask(&index, *key)).count();
    assert_eq!(kept, 800);
}

/// Who comes back soon after his eviction is taken for somebody who will come again.
#[test]
fn ghosts_come_back_into_the_main_queue() {
    let mut index = index(100, 100, 50);
    (0..50).for_each(|key| assert!(put(&mut index, key, 1).is_empty()));
    assert_eq!(put(&mut index, 50, 1), [0]);
    put(&mut index, 0, 1);
    (100..400).for_each(|key| drop(put(&mut index, key, 1)));
    assert!(ask(&index, 0), "it came back");
    assert!(!ask(&index, 50), "it did not");
    // A ghost that is too old is none: it went away 300 evictions ago.
    put(&mut index, 3, 1);
    (400..800).for_each(|key| drop(put(&mut index, key, 1)));
    assert!(!ask(&index, 3));
    // Another variant of the same key is somebody else.
    let evicted = put(&mut index, 900, 1)[0];
    make_room(&mut index, evicted, 1);
    let id = index.insert(hash(evicted), 1, evicted).unwrap();
    index.finish(id, 1);
    index.unpin(id);
    (1000..1400).for_each(|key| drop(put(&mut index, key, 1)));
    assert!(!ask(&index, evicted));
}

/// However much everything is wanted, or pinned, one call does not take long, and takes something.
#[test]
fn an_eviction_is_bounded() {
    let mut index = index(3000, 0, 3000);
    for key in 0..3000 {
        put(&mut index, key, 1);
        (0..3).for_each(|_| assert!(ask(&index, key)));
    }
    // They are brought on to the main queue, sixty-four at a time, until that has enough of them; from
    // then on each call takes one.
    let calls: Vec<Room<u64>> = (0..100).map(|_| index.evict()).collect();
    let busy = calls.iter().take_while(|room| **room == Room::Busy).count();
    assert!((40..=47).contains(&busy), "{busy}");
    let taken = |room: &Room<u64>| matches!(room, Room::Evicted(_));
    assert!(calls.iter().skip(busy).all(taken));
    // All but the last are pinned.
    let mut index = self::index(100, 0, 100);
    let ids = |index: &Store<u64>| (0..100).map(|key| find(index, key)).collect::<Vec<_>>();
    (0..100).for_each(|key| assert!(put(&mut index, key, 1).is_empty()));
    let pinned: Vec<Id> = ids(&index).into_iter().flatten().take(99).collect();
    pinned.iter().for_each(|id| assert!(index.pin(*id)));
    let calls = (0..10).position(|_| index.evict() == Room::Evicted(99));
    assert!(calls.is_some(), "it is found in the end");
    assert_eq!(index.evict(), Room::Busy);
    pinned.iter().for_each(|id| assert!(!index.unpin(*id)));
    assert!(matches!(index.evict(), Room::Evicted(_)));
}

/// S3-FIFO as the paper has it (algorithm 1), with queues of the standard library and no ghosts.
struct Plain {
    small: VecDeque<(u64, u64, u8)>,
    main: VecDeque<(u64, u64, u8)>,
    limit: u64,
}

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

    fn evict(&mut self) -> u64 {
        loop {
            let of_small = 9 * Self::octets(&self.small) >= Self::octets(&self.main);
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
    let mut index = index(15, 0, 6_000);
    let fixed = index.counts().octets;
    let mut plain = Plain {
        small: VecDeque::new(),
        main: VecDeque::new(),
        limit: index.limit(),
    };
    let mut evictions = 0;
    for step in 0..200_000 {
        // Some are asked for much more often than others.
        let key = random.below(8) * random.below(8);
        assert_eq!(ask(&index, key), plain.ask(key), "step {step}");
        if find(&index, key).is_some() {
            continue;
        }
        let octets = 1 + random.below(1000);
        let mut expected = Vec::new();
        loop {
            let held = Plain::octets(&plain.small) + Plain::octets(&plain.main);
            let entries = plain.small.len() + plain.main.len();
            if fixed + held + octets <= plain.limit && entries < 15 {
                break;
            }
            expected.push(plain.evict());
        }
        plain.small.push_back((key, octets, 0));
        assert_eq!(put(&mut index, key, octets), expected, "step {step}");
        evictions += expected.len();
    }
    assert!(evictions > 10_000, "{evictions}");
}
