// SPDX-License-Identifier: GPL-2.0

//! The slab against a plain list of what it should hold.

use proptest::prelude::*;

use crate::slab::{Key, Slab, Slot};

fn slab<T>(capacity: usize) -> Slab<T, Vec<Slot<T>>> {
    Slab::new((0..capacity).map(|_| Slot::new()).collect())
}

#[test]
fn values_are_kept_in_the_order_of_their_use() {
    let mut slab = slab(3);
    let a = slab.insert('a').unwrap();
    let b = slab.insert('b').unwrap();
    let c = slab.insert('c').unwrap();
    assert_eq!(slab.insert('d'), Err('d'), "full");
    assert_eq!(
        (slab.oldest(), slab.newest(), slab.len()),
        (Some(a), Some(c), 3)
    );
    assert!(slab.touch(a));
    assert_eq!(
        slab.iter().map(|(_, value)| *value).collect::<String>(),
        "acb"
    );
    assert_eq!(slab.remove(c), Some('c'));
    assert_eq!(slab.iter().collect::<Vec<_>>(), [(a, &'a'), (b, &'b')]);
    *slab.get_mut(b).unwrap() = 'B';
    assert_eq!(slab.get(b), Some(&'B'));
}

#[test]
fn the_key_of_a_removed_value_finds_nothing() {
    let mut slab = slab(1);
    let old = slab.insert(1).unwrap();
    assert_eq!(slab.remove(old), Some(1));
    let new = slab.insert(2).unwrap();
    assert_ne!(old, new);
    assert_eq!(slab.get(old), None);
    assert_eq!(slab.get_mut(old), None);
    assert_eq!(slab.remove(old), None);
    assert!(!slab.touch(old));
    assert_eq!(slab.get(new), Some(&2));
    let mut other = self::slab::<i32>(0);
    assert_eq!(other.get(new), None);
    assert_eq!(other.remove(new), None);
    assert_eq!(other.insert(3), Err(3));
    assert!(other.is_empty() && other.oldest().is_none() && other.newest().is_none());
}

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn it_is_a_list_of_what_was_put_in(
        steps in proptest::collection::vec((0..4, any::<proptest::sample::Index>()), 0..60)
    ) {
        let mut slab = slab(5);
        // The one used last comes first.
        let mut model: Vec<(Key, usize)> = Vec::new();
        let mut gone: Vec<Key> = Vec::new();
        for (number, (kind, index)) in steps.into_iter().enumerate() {
            let position = (!model.is_empty()).then(|| index.index(model.len().max(1)));
            match (kind, position) {
                (0 | 1, _) => match slab.insert(number) {
                    Ok(key) => model.insert(0, (key, number)),
                    Err(_) => prop_assert_eq!(model.len(), 5),
                },
                (2, Some(position)) => {
                    let (key, value) = model.remove(position);
                    prop_assert_eq!(slab.remove(key), Some(value));
                    gone.push(key);
                }
                (_, Some(position)) => {
                    let entry = model.remove(position);
                    prop_assert!(slab.touch(entry.0));
                    model.insert(0, entry);
                }
                (_, None) => {}
            }
            prop_assert_eq!(slab.len(), model.len());
            let held: Vec<_> = slab.iter().map(|(key, value)| (key, *value)).collect();
            prop_assert_eq!(&held, &model);
            prop_assert_eq!(slab.newest(), model.first().map(|(key, _)| *key));
            prop_assert_eq!(slab.oldest(), model.last().map(|(key, _)| *key));
            prop_assert!(gone.iter().all(|key| slab.get(*key).is_none()));
        }
    }
}
