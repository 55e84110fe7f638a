// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is.

use proptest::prelude::*;

use super::{tally, tried, Bench, ANY, MEMBER};
use crate::lb::{Ask, Balance, Choice, Member, Tried, Verdict};
use crate::time::Duration;

fn weighted(weights: &[u16]) -> Vec<Member> {
    let member = |weight: &u16| Member {
        weight: *weight,
        ..MEMBER
    };
    weights.iter().map(member).collect()
}

#[test]
fn round_robin_is_one_after_the_other() {
    let mut bench = Bench::plain(Balance::RoundRobin, 3);
    assert_eq!(bench.turns(7), [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn weights_are_shares_and_evenly_spread() {
    let mut bench = Bench::new(Balance::RoundRobin, &weighted(&[5, 1, 1]));
    let turns = bench.turns(700);
    assert_eq!(tally(&turns, 3), [500, 100, 100]);
    // In every round of seven each has its share: no bursts.
    for round in turns.chunks(7) {
        assert_eq!(tally(round, 3), [5, 1, 1], "{turns:?}");
    }
}

/// However long it goes on: a share that is no whole number of steps is not rounded again and again.
#[test]
fn weights_are_shares_in_the_long_run() {
    let weights = [252, 65, 28, 252, 159, 47, 241, 1];
    let total: u32 = weights.iter().copied().map(u32::from).sum();
    let mut bench = Bench::new(Balance::RoundRobin, &weighted(&weights));
    for round in 1..=200 {
        let mut seen = vec![0; weights.len()];
        for _ in 0..total {
            seen[bench.turn(&ANY)] += 1;
        }
        for (seen, weight) in seen.iter().zip(weights) {
            assert!(
                u16::abs_diff(*seen, weight) < 2,
                "{seen} of {weight} in round {round}"
            );
        }
    }
}

proptest! {
    #![proptest_config(crate::tests::cases(64))]

    /// No stretch of choices gives one more than its share and two.
    #[test]
    fn round_robin_is_smooth(weights in prop::collection::vec(1u16..=256, 1..=64)) {
        let mut bench = Bench::new(Balance::RoundRobin, &weighted(&weights));
        let total: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
        let mut seen = vec![0; weights.len()];
        for number in 1..=2 * total {
            seen[bench.turn(&ANY)] += 1;
            for (slot, weight) in weights.iter().enumerate() {
                let share = (number * usize::from(*weight)) as f64 / total as f64;
                prop_assert!((seen[slot] as f64 - share).abs() < 2.0,
                    "after {} choices {} of {}", number, seen[slot], share);
            }
        }
    }

    /// The fewest exchanges for its weight; of several the one unused for the longest time.
    #[test]
    fn least_connections_are_the_least(
        weights in prop::collection::vec(1u16..=8, 1..=64),
        ends in prop::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        let mut bench = Bench::new(Balance::LeastConnections, &weighted(&weights));
        let mut open = Vec::new();
        let mut active = vec![0u64; weights.len()];
        let mut used = vec![0; weights.len()];
        for (number, end) in ends.iter().enumerate() {
            let ticket = bench.go(&ANY);
            let slot = usize::from(ticket.slot);
            let load = |slot: usize| (active[slot] << 8) / u64::from(weights[slot]);
            let best = (0..weights.len()).map(load).min();
            prop_assert_eq!(Some(load(slot)), best);
            let equal = (0..weights.len()).filter(|slot| Some(load(*slot)) == best);
            prop_assert_eq!(equal.map(|slot| used[slot]).min(), Some(used[slot]));
            active[slot] += 1;
            used[slot] = number + 1;
            open.push(ticket);
            if number % 3 != 0 {
                let ticket = open.swap_remove(end.index(open.len()));
                active[usize::from(ticket.slot)] -= 1;
                bench.finish(ticket, Verdict::Good);
            }
        }
    }
}

#[test]
fn one_that_comes_late_gets_its_share_and_no_more() {
    let mut bench = Bench::plain(Balance::RoundRobin, 3);
    bench.cluster.configure(bench.now, 2, None, true);
    bench.turns(1000);
    bench.cluster.configure(bench.now, 2, Some(MEMBER), true);
    let turns = bench.turns(300);
    assert_eq!(tally(&turns, 3), [100, 100, 100]);
    assert!(tally(&turns[..6], 3)[2] <= 3, "{turns:?}");
}

#[test]
fn the_quicker_one_of_two_has_more_to_do() {
    let mut bench = Bench::plain(Balance::Latency, 2);
    let mut random = 1u64;
    let mut turns = Vec::new();
    for _ in 0..1000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut ticket = bench.go(&Ask { random, ..ANY });
        let slot = usize::from(ticket.slot);
        let took = Duration::from_millis(if slot == 0 { 50 } else { 5 });
        bench
            .cluster
            .answered(bench.now, &mut ticket, took, Verdict::Good);
        bench.finish(ticket, Verdict::None);
        turns.push(slot);
    }
    assert!(tally(&turns, 2)[1] > 950, "{:?}", tally(&turns, 2));
}

fn homes(bench: &mut Bench, keys: u64) -> Vec<usize> {
    let spread = |key: u64| key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..keys)
        .map(|key| {
            bench.turn(&Ask {
                key: spread(key),
                ..ANY
            })
        })
        .collect()
}

/// Only the keys of the one that goes move.
#[test]
fn keys_stay_where_they_are() {
    let mut bench = Bench::plain(Balance::Hash, 5);
    let before = homes(&mut bench, 10_000);
    let counts = tally(&before, 5);
    assert!(
        counts.iter().all(|count| (1400..2600).contains(count)),
        "{counts:?}"
    );
    bench.cluster.configure(bench.now, 3, None, true);
    let after = homes(&mut bench, 10_000);
    for (before, after) in before.iter().zip(&after) {
        assert_ne!(*after, 3);
        assert!(*before == 3 || before == after);
    }
    assert!(tally(&after, 5).iter().all(|count| *count < 3600));
}

#[test]
fn a_key_that_everybody_wants_is_shared() {
    let mut bench = Bench::plain(Balance::Hash, 4);
    let tickets: Vec<_> = (0..400).map(|_| bench.go(&ANY)).collect();
    let turns: Vec<_> = tickets.iter().map(|ticket| ticket.slot.into()).collect();
    let most = tally(&turns, 4).into_iter().max();
    assert!(most <= Some(126), "{:?}", tally(&turns, 4));
}

#[test]
fn weights_are_shares_of_the_ring_too() {
    let mut bench = Bench::new(Balance::Hash, &weighted(&[1, 3]));
    let counts = tally(&homes(&mut bench, 10_000), 2);
    assert!((1800..3200).contains(&counts[0]), "{counts:?}");
}

#[test]
fn backups_are_used_when_no_other_is_left() {
    let backup = Member {
        backup: true,
        ..MEMBER
    };
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::Latency,
        Balance::Hash,
    ] {
        let mut bench = Bench::new(balance, &[MEMBER, backup, backup]);
        assert_eq!(tally(&bench.turns(10), 3), [10, 0, 0]);
        // For one request.
        let tried = bench.turn(&Ask {
            tried: tried(0),
            ..ANY
        });
        assert_ne!(tried, 0);
        // For all of them.
        bench.refuse(0);
        assert_eq!(tally(&bench.turns(10), 3)[0], 0);
    }
}

#[test]
fn there_may_be_nobody() {
    let mut bench = Bench::plain(Balance::RoundRobin, 0);
    assert_eq!(bench.choose(&ANY), Choice::Nobody);
    let closed = Member {
        open: false,
        ..MEMBER
    };
    let mut bench = Bench::new(Balance::RoundRobin, &[closed, MEMBER]);
    assert_eq!(
        bench.choose(&Ask {
            tried: tried(1),
            ..ANY
        }),
        Choice::Nobody
    );
    // Draining: its own sessions only.
    assert_eq!(
        bench.turn(&Ask {
            owner: Some(0),
            ..ANY
        }),
        0
    );
    assert_eq!(bench.turns(3), [1, 1, 1]);
    let down = Member {
        serves: false,
        ..closed
    };
    bench.cluster.configure(bench.now, 0, Some(down), false);
    assert_eq!(
        bench.turn(&Ask {
            owner: Some(0),
            ..ANY
        }),
        1
    );
}

/// The ones that were tried are not tried again.
#[test]
fn each_is_tried_once() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::Latency,
        Balance::Hash,
    ] {
        let mut bench = Bench::plain(balance, 5);
        let mut tried = Tried::NONE;
        let mut seen = [false; 5];
        for _ in 0..5 {
            let slot = bench.turn(&Ask { tried, ..ANY });
            assert!(!std::mem::replace(&mut seen[slot], true));
            tried.add(slot, bench.cluster.era());
        }
        assert_eq!(bench.choose(&Ask { tried, ..ANY }), Choice::Nobody);
    }
}

/// A ticket for a backend whose number is another one's now changes nothing.
#[test]
fn another_backend_of_the_same_number_starts_anew() {
    let mut bench = Bench::plain(Balance::LeastConnections, 2);
    let tickets: Vec<_> = (0..10).map(|_| bench.go(&ANY)).collect();
    bench.cluster.configure(bench.now, 0, Some(MEMBER), true);
    assert_eq!(bench.cluster.view(0).unwrap().active, 0);
    for ticket in tickets {
        bench.finish(ticket, Verdict::Refused);
    }
    let view = bench.cluster.view(0).unwrap();
    assert_eq!((view.active, view.failures), (0, 0));
    assert_eq!(bench.cluster.view(1).unwrap().active, 0);
    assert!(bench.cluster.view(2).is_none());
}

/// Each pair of a set is drawn as often as any other, whatever gaps it has.
#[test]
fn pairs_are_drawn_alike() {
    let mut random = 7u64;
    for mask in [
        0b1,
        0b11,
        0b111,
        0b1011,
        0b1_0000_0001,
        1 << 63,
        1 | (1 << 63),
        !0,
        !0 ^ 0xff00,
    ] {
        let members: Vec<_> = crate::lb::slots(mask).collect();
        let pairs = members.len() * (members.len() - 1);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..(pairs.max(1) * 200) {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let lot = random ^ (random >> 29);
            *seen.entry(crate::lb::two(mask, lot)).or_insert(0u32) += 1;
        }
        if members.len() == 1 {
            assert_eq!(
                seen.into_keys().collect::<Vec<_>>(),
                [(Some(members[0]), None)]
            );
            continue;
        }
        assert_eq!(seen.len(), pairs, "{mask:b}");
        for (pair, count) in seen {
            assert_ne!(pair.0, pair.1);
            assert!(members.contains(&pair.0.unwrap()) && members.contains(&pair.1.unwrap()));
            assert!((110..=300).contains(&count), "{mask:b}: {pair:?} {count}");
        }
    }
    assert_eq!(crate::lb::two(0, 1 << 40), (None, None));
}
