// SPDX-License-Identifier: GPL-2.0

//! Who is fit for what.

use super::{tally, Bench, ANY, MEMBER, RULES};
use crate::lb::{Ask, Balance, Condition, Member, Probed, Rules, Ticket, Verdict, Why};
use crate::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn condition(bench: &Bench, slot: usize) -> Condition {
    bench.cluster.view(slot).unwrap().condition
}

fn home(slot: usize) -> Ask {
    Ask {
        owner: Some(slot),
        ..ANY
    }
}

/// Resin's rule: a second, then twice as long after each failure.
#[test]
fn one_that_refuses_is_left_alone_for_longer_and_longer() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    bench.refuse(0);
    let down = bench.now;
    for wait in [1, 2, 4, 8, 15, 15, 15] {
        assert_eq!(condition(&bench, 0), Condition::Failed);
        assert_eq!(bench.turns(4), [1, 1, 1, 1]);
        assert_eq!(bench.turn(&home(0)), 1);
        bench.pass(Duration::from_secs(wait).saturating_sub(Duration::from_millis(1)));
        assert_eq!(condition(&bench, 0), Condition::Failed, "after {wait} s");
        bench.pass(Duration::from_millis(1));
        assert_eq!(condition(&bench, 0), Condition::Due, "after {wait} s");
        bench.refuse(0);
    }
    let view = bench.cluster.view(0).unwrap();
    assert_eq!((view.failures, view.since), (8, down));
    assert_eq!(bench.cluster.view(0).unwrap().why, Some(Why::Refused));
}

#[test]
fn one_request_tries_it_and_then_it_gets_warm() {
    let mut bench = Bench::plain(Balance::LeastConnections, 2);
    bench.refuse(0);
    bench.pass(SECOND);
    let probe = bench.go(&home(0));
    assert_eq!(condition(&bench, 0), Condition::Tried);
    assert_eq!(bench.turn(&home(0)), 1);
    assert_eq!(tally(&bench.turns(10), 2), [0, 10]);
    bench.finish(probe, Verdict::Good);
    assert_eq!(condition(&bench, 0), Condition::Warming);
    // A sixteenth is a second here: 1, 1, 1, 1, 2, … connections.
    for most in [1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 8, 8, 16, 32, 64, 128] {
        let tickets: Vec<_> = (0..600).map(|_| bench.go(&ANY)).collect();
        let slots: Vec<_> = tickets.iter().map(|ticket| ticket.slot.into()).collect();
        assert_eq!(tally(&slots, 2)[0], most);
        for ticket in tickets {
            bench.finish(ticket, Verdict::Good);
        }
        bench.pass(SECOND);
    }
    assert_eq!(condition(&bench, 0), Condition::Up);
    // A failure now is a first one.
    bench.refuse(0);
    bench.pass(SECOND);
    assert_eq!(condition(&bench, 0), Condition::Due);
}

#[test]
fn a_try_that_says_nothing_is_made_again() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    bench.refuse(0);
    bench.pass(SECOND);
    let probe = bench.go(&home(0));
    bench.finish(probe, Verdict::None);
    assert_eq!(condition(&bench, 0), Condition::Due);
    let probe = bench.go(&home(0));
    bench.finish(probe, Verdict::Error);
    assert_eq!(condition(&bench, 0), Condition::Failed);
}

#[test]
fn errors_on_end_are_a_failure() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    for _ in 0..3 {
        for _ in 0..4 {
            let ticket = bench.go(&home(0));
            bench.finish(ticket, Verdict::Error);
        }
        assert_eq!(bench.turn(&home(0)), 0, "a good answer between");
    }
    for _ in 0..5 {
        let ticket = bench.go(&home(0));
        bench.finish(ticket, Verdict::Error);
    }
    assert_eq!(condition(&bench, 0), Condition::Failed);
    assert_eq!(bench.cluster.view(0).unwrap().why, Some(Why::Errors));
}

/// What had begun before it failed is no other failure.
#[test]
fn many_failures_at_once_are_one() {
    let mut bench = Bench::plain(Balance::RoundRobin, 1);
    let tickets: Vec<_> = (0..20).map(|_| bench.go(&ANY)).collect();
    for ticket in tickets {
        bench.finish(ticket, Verdict::Refused);
    }
    assert_eq!(bench.cluster.view(0).unwrap().failures, 1);
    bench.pass(SECOND);
    assert_eq!(condition(&bench, 0), Condition::Due);
}

/// With nobody else the failed ones are asked all the same: there is nothing to lose.
#[test]
fn if_all_have_failed_all_are_tried() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    bench.refuse(0);
    bench.refuse(1);
    let mut turns = Vec::new();
    for _ in 0..10 {
        let ticket = bench.go(&ANY);
        turns.push(ticket.slot.into());
        bench.finish(ticket, Verdict::None);
    }
    assert_eq!(tally(&turns, 2), [5, 5]);
    // And whoever answers is there again.
    let slot = bench.turn(&ANY);
    assert_eq!(condition(&bench, slot), Condition::Warming);
}

#[test]
fn a_pause_keeps_its_sessions_and_gets_no_others() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let tickets: Vec<_> = (0..5).map(|_| bench.go(&home(0))).collect();
    let other = bench.go(&home(1));
    bench.pass(Duration::from_millis(1999));
    assert_eq!(condition(&bench, 0), Condition::Up);
    bench.pass(Duration::from_millis(1));
    assert_eq!(condition(&bench, 0), Condition::Paused);
    // A single exchange is just slow.
    assert_eq!(condition(&bench, 1), Condition::Up);
    assert_eq!(tally(&bench.turns(10), 2), [0, 10]);
    let more = bench.go(&home(0));
    assert_eq!(more.slot, 0);
    // Time-outs are no errors now.
    for _ in 0..10 {
        let ticket = bench.go(&home(0));
        bench.finish(ticket, Verdict::Error);
    }
    assert_eq!(condition(&bench, 0), Condition::Paused);
    // It goes on as if nothing had been.
    for ticket in tickets.into_iter().chain([more, other]) {
        bench.finish(ticket, Verdict::Good);
    }
    assert_eq!(condition(&bench, 0), Condition::Up);
    assert_eq!(tally(&bench.turns(10), 2)[0], 5);
    assert_eq!(bench.cluster.view(0).unwrap().failures, 0);
}

#[test]
fn what_comes_on_any_connection_ends_a_pause() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let tickets: Vec<_> = (0..5).map(|_| bench.go(&home(0))).collect();
    bench.pass(Duration::from_secs(3));
    assert_eq!(condition(&bench, 0), Condition::Paused);
    let now = bench.now;
    bench.now = now + SECOND;
    bench.cluster.tick(bench.now, |slot| {
        if slot == 0 {
            now
        } else {
            Instant::from_nanos(0)
        }
    });
    assert_eq!(condition(&bench, 0), Condition::Up);
    // One that refuses is dead, whatever else it does.
    bench.pass(Duration::from_secs(3));
    assert_eq!(condition(&bench, 0), Condition::Paused);
    bench.refuse(0);
    assert_eq!(condition(&bench, 0), Condition::Failed);
    // Nobody waits any more.
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let tickets_too: Vec<_> = (0..2).map(|_| bench.go(&home(0))).collect();
    bench.pass(Duration::from_secs(3));
    for ticket in tickets_too {
        bench.finish(ticket, Verdict::None);
    }
    bench.pass(SECOND);
    assert_eq!(condition(&bench, 0), Condition::Up);
    drop(tickets);
}

#[test]
fn probes_spare_the_requests() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let rules = Rules {
        probes: true,
        warmup: Duration::ZERO,
        ..RULES
    };
    bench
        .cluster
        .set_rules(bench.now, rules, Balance::RoundRobin);
    bench.cluster.probed(bench.now, 0, Probed::Bad);
    assert_eq!(condition(&bench, 0), Condition::Up, "one may be lost");
    bench.cluster.probed(bench.now, 0, Probed::Bad);
    assert_eq!(condition(&bench, 0), Condition::Failed);
    bench.pass(Duration::from_secs(100));
    assert_eq!(condition(&bench, 0), Condition::Failed);
    assert_eq!(tally(&bench.turns(4), 2), [0, 4]);
    bench.cluster.probed(bench.now, 0, Probed::Good);
    assert_eq!(condition(&bench, 0), Condition::Up);
    assert_eq!(tally(&bench.turns(4), 2), [2, 2]);
}

/// Two backends that are asked how they are.
fn probing() -> Bench {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let rules = Rules {
        probes: true,
        ..RULES
    };
    bench
        .cluster
        .set_rules(bench.now, rules, Balance::RoundRobin);
    bench
}

/// A JVM that collects its garbage does not answer probes either; one that refuses them is dead.
#[test]
fn silence_in_a_pause_is_no_failure() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let silent = |bench: &mut Bench| bench.cluster.probed(bench.now, 0, Probed::Silent);
    let _waiting: Vec<_> = (0..2).map(|_| bench.go(&home(0))).collect();
    bench.pass(Duration::from_secs(3));
    assert_eq!(condition(&bench, 0), Condition::Paused);
    (0..9).for_each(|_| silent(&mut bench));
    assert_eq!(condition(&bench, 0), Condition::Paused);
    (0..2).for_each(|_| bench.cluster.probed(bench.now, 0, Probed::Bad));
    assert_eq!(condition(&bench, 0), Condition::Failed);
    assert_eq!(bench.cluster.view(0).unwrap().why, Some(Why::Probes));
    // Whether anybody waits or not: its sessions stay.
    let mut bench = probing();
    silent(&mut bench);
    assert_eq!(condition(&bench, 0), Condition::Up, "one may be lost");
    silent(&mut bench);
    bench.pass(SECOND);
    assert_eq!(condition(&bench, 0), Condition::Paused);
    assert_eq!(tally(&bench.turns(4), 2), [0, 4]);
    bench.cluster.probed(bench.now, 0, Probed::Good);
    assert_eq!(condition(&bench, 0), Condition::Up);
    (0..2).for_each(|_| silent(&mut bench));
    assert_eq!(bench.turn(&home(0)), 0);
    assert_eq!(condition(&bench, 0), Condition::Up, "it has answered");
    // But not for ever.
    (0..2).for_each(|_| silent(&mut bench));
    bench.pass(Duration::from_secs(60));
    silent(&mut bench);
    assert_eq!(condition(&bench, 0), Condition::Failed);
    // Whatever it says meanwhile to others.
    let mut bench = probing();
    for second in 0..30 {
        silent(&mut bench);
        bench.turn(&home(0));
        bench.pass(SECOND);
        let failed = condition(&bench, 0) == Condition::Failed;
        assert_eq!(failed, second >= 21, "after {second} s");
        if failed {
            break;
        }
    }
    // However far apart they are.
    let mut bench = probing();
    silent(&mut bench);
    bench.pass(Duration::from_secs(60));
    silent(&mut bench);
    assert_eq!(condition(&bench, 0), Condition::Paused);
    // What they said before the backend was set down is over.
    let down = Member {
        open: false,
        serves: false,
        ..MEMBER
    };
    let mut bench = probing();
    silent(&mut bench);
    bench.cluster.configure(bench.now, 0, Some(down), false);
    bench.cluster.configure(bench.now, 0, Some(MEMBER), false);
    silent(&mut bench);
    assert_eq!(condition(&bench, 0), Condition::Up);
    // Nor is it for ever when nobody asks any more.
    let mut bench = probing();
    (0..2).for_each(|_| silent(&mut bench));
    assert_eq!(condition(&bench, 0), Condition::Paused);
    bench
        .cluster
        .set_rules(bench.now, RULES, Balance::RoundRobin);
    bench.pass(SECOND);
    assert_eq!(condition(&bench, 0), Condition::Up);
    // And not where there are no pauses.
    let rules = Rules {
        pause: Duration::ZERO,
        ..RULES
    };
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    bench
        .cluster
        .set_rules(bench.now, rules, Balance::RoundRobin);
    (0..2).for_each(|_| silent(&mut bench));
    assert_eq!(condition(&bench, 0), Condition::Failed);
}

/// A health page that is fine says nothing of the pages that people get.
#[test]
fn probes_forgive_no_errors() {
    let mut bench = probing();
    let well = |bench: &mut Bench| bench.cluster.probed(bench.now, 0, Probed::Good);
    for rest in [1, 2, 4] {
        for _ in 0..RULES.errors {
            assert_ne!(condition(&bench, 0), Condition::Failed);
            well(&mut bench);
            let ticket = bench.go(&home(0));
            bench.finish(ticket, Verdict::Error);
        }
        // As long as without probes, and twice as long each time.
        bench.pass(Duration::from_millis(rest * 1000 - 1));
        well(&mut bench);
        assert_eq!(condition(&bench, 0), Condition::Failed, "{rest}");
        bench.pass(Duration::from_millis(1));
        well(&mut bench);
        assert_eq!(condition(&bench, 0), Condition::Warming, "{rest}");
    }
}

/// The requests of a session whose owner is gone stay together.
#[test]
fn a_session_without_its_owner_has_one_other() {
    let mut bench = Bench::new(Balance::RoundRobin, &[MEMBER; 5]);
    bench.refuse(2);
    for key in 0..100 {
        let ask = Ask { key, ..home(2) };
        let first = bench.turn(&ask);
        assert_ne!(first, 2);
        assert_eq!((bench.turn(&ask), bench.turn(&ask)), (first, first));
    }
    let drained = Member {
        open: false,
        ..MEMBER
    };
    bench.cluster.configure(bench.now, 0, Some(drained), false);
    assert_eq!(bench.turn(&home(0)), 0);
}

/// Whoever tries it may take as long as he likes, with an upload say: then another one may try.
#[test]
fn a_try_without_an_end_is_not_the_only_one() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    bench.refuse(0);
    bench.pass(SECOND);
    let slow = bench.go(&home(0));
    assert_eq!(tally(&bench.turns(4), 2), [0, 4]);
    bench.pass(SECOND);
    assert_eq!(condition(&bench, 0), Condition::Due);
    let other = bench.go(&home(0));
    bench.finish(other, Verdict::Good);
    assert_eq!(condition(&bench, 0), Condition::Warming);
    // And the slow one's failure is one still: it began after the last.
    bench.finish(slow, Verdict::Refused);
    assert_eq!(condition(&bench, 0), Condition::Failed);
}

/// What began before a failure says nothing of what has been since.
#[test]
fn old_failures_are_not_counted_again() {
    for verdict in [Verdict::Refused, Verdict::Error] {
        let mut bench = Bench::plain(Balance::RoundRobin, 2);
        let old: Vec<_> = (0..10).map(|_| bench.go(&home(0))).collect();
        let mut numbers: Vec<_> = old.into_iter().map(Ticket::into_number).collect();
        bench.refuse(0);
        bench.pass(SECOND);
        assert_eq!(bench.turn(&home(0)), 0);
        assert_eq!(condition(&bench, 0), Condition::Warming);
        for number in numbers.drain(..) {
            bench.finish(Ticket::of_number(number).unwrap(), verdict);
        }
        assert_eq!(condition(&bench, 0), Condition::Warming);
        assert_eq!(bench.cluster.view(0).unwrap().failures, 1);
    }
}

/// Each request of a session waits its minute, and then the next one: no JVM pauses for that long.
#[test]
fn a_pause_without_an_end_is_a_failure() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let mut waiting = std::collections::VecDeque::new();
    let mut paused = 0;
    while condition(&bench, 0) != Condition::Failed {
        waiting.push_back(bench.go(&home(0)));
        bench.pass(SECOND);
        if waiting.len() > 60 {
            let ticket = waiting.pop_front().unwrap();
            bench.finish(ticket, Verdict::Error);
        }
        if condition(&bench, 0) == Condition::Paused {
            paused += 1;
        }
        assert!(paused < 100, "for ever");
    }
    assert!(paused > 50);
    assert_eq!(bench.turn(&home(0)), 1);
    // One that goes on in time has not failed.
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let early: Vec<_> = (0..3).map(|_| bench.go(&home(0))).collect();
    bench.pass(Duration::from_secs(15));
    for ticket in early {
        bench.finish(ticket, Verdict::Error);
    }
    assert_eq!(bench.cluster.view(0).unwrap().failures, 0);
}

/// It does not stand still: its clients do.
#[test]
fn slow_uploads_are_no_pause() {
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let upload = Ask {
        uploads: true,
        ..home(0)
    };
    let mut tickets = [bench.go(&upload), bench.go(&upload)];
    bench.pass(Duration::from_secs(60));
    assert_eq!(condition(&bench, 0), Condition::Up);
    // Once it has them it stands still if it does not answer.
    for ticket in &mut tickets {
        bench.cluster.asked(bench.now, ticket);
        bench.cluster.asked(bench.now, ticket);
    }
    bench.pass(Duration::from_secs(1));
    assert_eq!(condition(&bench, 0), Condition::Up);
    bench.pass(Duration::from_secs(1));
    assert_eq!(condition(&bench, 0), Condition::Paused);
    for ticket in tickets {
        bench.finish(ticket, Verdict::Good);
    }
    assert_eq!(condition(&bench, 0), Condition::Up);
}

/// The kernel accepts connections for a JVM that hangs, and for one that gives nothing but errors.
#[test]
fn to_accept_a_connection_is_no_answer() {
    let accepts = |bench: &mut Bench| bench.cluster.probed(bench.now, 0, Probed::Accepts);
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    let mut waiting: Vec<_> = (0..2).map(|_| bench.go(&home(0))).collect();
    bench.pass(Duration::from_secs(3));
    let since = bench.cluster.view(0).unwrap().since;
    accepts(&mut bench);
    assert_eq!(condition(&bench, 0), Condition::Paused);
    assert_eq!(bench.cluster.view(0).unwrap().since, since);
    bench.pass(Duration::from_secs(60));
    bench.finish(waiting.remove(0), Verdict::Error);
    assert_eq!(
        condition(&bench, 0),
        Condition::Failed,
        "a pause without an end"
    );
    accepts(&mut bench);
    assert_eq!(condition(&bench, 0), Condition::Failed, "it gave errors");
    // Errors on end stay that.
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    for _ in 0..5 {
        accepts(&mut bench);
        let ticket = bench.go(&home(0));
        bench.finish(ticket, Verdict::Error);
    }
    assert_eq!(condition(&bench, 0), Condition::Failed);
    // What could not be reached can be.
    let mut bench = Bench::plain(Balance::RoundRobin, 2);
    bench.refuse(0);
    accepts(&mut bench);
    assert_eq!(condition(&bench, 0), Condition::Warming);
}
