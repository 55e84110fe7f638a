// SPDX-License-Identifier: GPL-2.0

//! What a reader of the code could bring about.

use super::{tally, tried, Bench, ANY, MEMBER};
use crate::lb::{Ask, Balance, Choice, Condition, Line, Member, Verdict, Waiter};
use crate::slab::Slot;
use crate::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn home(slot: usize) -> Ask {
    Ask {
        owner: Some(slot),
        ..ANY
    }
}

fn condition(bench: &Bench, slot: usize) -> Condition {
    bench.cluster.view(slot).unwrap().condition
}

/// A backend that has failed and recovered, and is not warm.
fn warming(count: usize) -> Bench {
    let mut bench = Bench::plain(Balance::RoundRobin, count);
    bench.refuse(0);
    bench.pass(SECOND);
    let trial = bench.go(&home(0));
    bench.finish(trial, Verdict::Good);
    assert_eq!(condition(&bench, 0), Condition::Warming);
    bench
}

/// Being cold is no reason to let anybody wait.
#[test]
fn the_only_backend_takes_all_while_it_gets_warm() {
    let mut bench = warming(1);
    let tickets: Vec<_> = (0..50).map(|_| bench.go(&ANY)).collect();
    assert_eq!(tickets.len(), 50);
    let mut bench = warming(2);
    for _ in 0..50 {
        assert_eq!(bench.go(&home(0)).slot, 0, "a session's home");
    }
}

#[test]
fn a_long_exchange_does_not_hold_up_a_trial() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let _tunnel = bench.go(&home(0));
    bench.refuse(0);
    bench.pass(SECOND);
    assert_eq!(condition(&bench, 0), Condition::Due);
    let mut trial = bench.go(&home(0));
    assert_eq!(condition(&bench, 0), Condition::Tried);
    // It is over when the answer begins.
    bench
        .cluster
        .answered(bench.now, &mut trial, SECOND, Verdict::Good);
    assert_eq!(condition(&bench, 0), Condition::Warming);
    assert_eq!(bench.turn(&home(0)), 0);
    // A broken end is an error all the same.
    bench.cluster.finish(bench.now, trial, Verdict::Error);
    // And the only backend is used while it is tried.
    let mut bench = Bench::plain(Balance::RoundRobin, 1);
    bench.refuse(0);
    bench.pass(SECOND);
    let _trial = bench.go(&ANY);
    assert_eq!(bench.go(&ANY).slot, 0);
}

#[test]
fn another_server_in_the_place_of_one_gets_its_share() {
    for balance in [Balance::RoundRobin, Balance::LeastConnections] {
        let mut bench = Bench::plain(balance, 2);
        bench.turns(10_000);
        bench.cluster.configure(bench.now, 1, Some(MEMBER), true);
        let counts = tally(&bench.turns(1000), 2);
        assert!(counts[1].abs_diff(500) < 3, "{counts:?}");
    }
}

/// Twenty errors on end from everybody: their sessions are there all the same.
#[test]
fn sessions_stay_at_home_when_all_have_failed() {
    let mut bench = Bench::plain(Balance::RoundRobin, 3);
    for slot in 0..3 {
        for _ in 0..5 {
            let ticket = bench.go(&home(slot));
            bench.finish(ticket, Verdict::Error);
        }
        assert_eq!(condition(&bench, slot), Condition::Failed);
    }
    for slot in 0..3 {
        for key in 0..20 {
            let ticket = bench.go(&Ask { key, ..home(slot) });
            assert_eq!(usize::from(ticket.slot), slot);
            bench.finish(ticket, Verdict::None);
        }
    }
}

/// Who waits is not sent back to one that has refused him.
#[test]
fn the_line_knows_who_was_tried() {
    let one = Member { max: 1, ..MEMBER };
    let mut bench = Bench::new(Balance::RoundRobin, &[MEMBER, one]);
    let _busy = bench.go(&home(1));
    let ask = Ask {
        tried: tried(0),
        ..ANY
    };
    assert_eq!(bench.choose(&ask), Choice::Wait(None));
    let mut line = Line::new(vec![Slot::new()]);
    line.join(Waiter {
        who: 1,
        cpu: 0,
        owner: None,
        tried: tried(0),
        uploads: false,
    });
    assert_eq!(line.serve(bench.now, &mut bench.cluster), None);
    bench.finish(_busy, Verdict::Good);
    let grant = line.serve(bench.now, &mut bench.cluster).unwrap();
    assert_eq!(grant.ticket.slot, 1);
}

/// Another backend that has got the number of one that was tried was not.
#[test]
fn who_takes_a_place_was_not_tried_in_it() {
    let mut bench = Bench::plain(Balance::RoundRobin, 1);
    let ask = Ask {
        tried: tried(0),
        ..ANY
    };
    assert_eq!(bench.choose(&ask), Choice::Nobody);
    bench.cluster.configure(bench.now, 0, Some(MEMBER), false);
    assert_eq!(bench.choose(&ask), Choice::Nobody);
    bench.cluster.configure(bench.now, 0, Some(MEMBER), true);
    assert_eq!(bench.turn(&ask), 0);
    let mut again = ask;
    again.tried.add(0, bench.cluster.era());
    assert_eq!(bench.choose(&again), Choice::Nobody);
}

/// A JVM that was cold once would otherwise be the slow one for ever.
#[test]
fn latency_is_forgotten_in_time() {
    let mut bench = Bench::plain(Balance::Latency, 2);
    let answers = |bench: &mut Bench, slot, millis| {
        let mut ticket = bench.go(&home(slot));
        let after = Duration::from_millis(millis);
        let now = bench.now;
        bench
            .cluster
            .answered(now, &mut ticket, after, Verdict::Good);
        bench.cluster.finish(now, ticket, Verdict::Good);
    };
    answers(&mut bench, 0, 2000);
    answers(&mut bench, 1, 5);
    // Two are always compared with each other, whatever the lot.
    let asked = |bench: &mut Bench| {
        let ticket = bench.go(&ANY);
        let slot = ticket.slot;
        bench.cluster.finish(bench.now, ticket, Verdict::None);
        slot
    };
    assert_eq!(asked(&mut bench), 1);
    let mut rounds = 0;
    while asked(&mut bench) == 1 {
        rounds += 1;
        assert!(rounds < 600, "never");
        bench.pass(Duration::from_millis(200));
        // The other one goes on to be asked.
        answers(&mut bench, 1, 5);
    }
    assert!(rounds > 50, "after {rounds} rounds");
    // After a night nothing is known: what comes then counts whole.
    for _ in 0..1000 {
        bench.pass(Duration::from_millis(200));
    }
    answers(&mut bench, 0, 800);
    let view = bench.cluster.view(0).unwrap();
    assert_eq!(view.latency, Duration::from_millis(800));
}

/// The sum of the weights is kept, not counted: it has to be right all the same.
#[test]
fn shares_are_right_after_every_change() {
    let member = |weight, max| Member {
        weight,
        max,
        ..MEMBER
    };
    let mut bench = Bench::new(Balance::Hash, &[member(1, 0), member(2, 1), member(4, 0)]);
    let mut seed = 7u64;
    let mut draw = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % most
    };
    for _ in 0..5000 {
        let slot = draw(3) as usize;
        match draw(4) {
            0 => {
                let new = member(draw(9) as u16 + 1, draw(3) as u32);
                let another = draw(2) == 0;
                bench.cluster.configure(bench.now, slot, Some(new), another);
            }
            1 => bench.pass(Duration::from_millis(draw(5000))),
            _ => {
                if let Choice::Go(ticket) = bench.choose(&ANY) {
                    let verdicts = [Verdict::Good, Verdict::Good, Verdict::Refused];
                    bench.finish(ticket, verdicts[draw(3) as usize]);
                }
            }
        }
        assert!(bench.cluster.is_weighed());
    }
}

#[test]
fn a_pause_ranks_above_backups_and_the_dead() {
    let backup = Member {
        backup: true,
        ..MEMBER
    };
    let mut bench = Bench::new(Balance::RoundRobin, &[MEMBER, MEMBER, MEMBER, backup]);
    bench.refuse(2);
    let _stalled: Vec<_> = [0, 0, 1, 1].map(|slot| bench.go(&home(slot))).into();
    bench.pass(Duration::from_millis(900));
    // Before the failed one is due.
    bench.cluster.set_rules(
        bench.now,
        crate::lb::Rules {
            pause: Duration::from_millis(500),
            ..super::RULES
        },
        Balance::RoundRobin,
    );
    bench.pass(Duration::from_millis(50));
    assert_eq!(condition(&bench, 0), Condition::Paused);
    let mut seen = vec![0; 4];
    for _ in 0..10 {
        let ticket = bench.go(&ANY);
        seen[usize::from(ticket.slot)] += 1;
    }
    assert_eq!(seen, [5, 5, 0, 0]);
}

#[test]
fn one_that_has_never_answered_is_no_bargain() {
    let mut bench = Bench::plain(Balance::Latency, 2);
    let known = bench.go(&home(0));
    bench.finish(known, Verdict::Good);
    let mut seen = [0; 2];
    let mut random = 1u64;
    for _ in 0..100 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut ticket = bench.go(&Ask { random, ..ANY });
        seen[usize::from(ticket.slot)] += 1;
        if ticket.slot == 0 {
            let took = Duration::from_millis(5);
            bench
                .cluster
                .answered(bench.now, &mut ticket, took, Verdict::Good);
            bench.cluster.finish(bench.now, ticket, Verdict::Good);
        }
    }
    assert!(seen[1] <= 2, "{seen:?}: one that says nothing fills up");
}

/// A server that shuts down in order finishes what it has, and takes nothing new.
#[test]
fn what_began_before_a_failure_does_not_end_it() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let old = bench.go(&home(0));
    bench.refuse(0);
    bench.finish(old, Verdict::Good);
    assert_eq!(condition(&bench, 0), Condition::Failed);
}

#[test]
fn the_order_of_use_is_forgotten_in_time() {
    let mut bench = Bench::plain(Balance::LeastConnections, 3);
    bench.turns((1 << 24) - 10);
    let counts = tally(&bench.turns(3000), 3);
    assert!(
        counts.iter().all(|count| count.abs_diff(1000) < 5),
        "{counts:?}"
    );
}
