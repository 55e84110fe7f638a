// SPDX-License-Identifier: GPL-2.0

//! Waiting for a place.

use super::{Bench, ANY, MEMBER};
use crate::lb::{Ask, Balance, Choice, Line, Member, Ticket, Verdict, Waiter};
use crate::slab::Slot;

fn line(places: usize) -> Line<Vec<Slot<Waiter>>> {
    Line::new((0..places).map(|_| Slot::new()).collect())
}

fn waiter(who: u64, owner: Option<u8>) -> Waiter {
    Waiter {
        who,
        cpu: 0,
        owner,
        tried: 0,
    }
}

fn narrow() -> Bench {
    let two = Member { max: 2, ..MEMBER };
    Bench::new(Balance::RoundRobin, &[two, two])
}

#[test]
fn who_came_first_is_served_first() {
    let mut bench = narrow();
    let mut line = line(3);
    let mut tickets: Vec<_> = (0..4).map(|_| bench.go(&ANY)).collect();
    assert_eq!(bench.choose(&ANY), Choice::Wait(None));
    let home = |slot| Ask {
        owner: Some(slot),
        ..ANY
    };
    assert_eq!(bench.choose(&home(1)), Choice::Wait(Some(1)));
    line.join(waiter(1, Some(1))).unwrap();
    let second = line.join(waiter(2, None)).unwrap();
    line.join(waiter(3, None)).unwrap();
    assert!(line.join(waiter(4, None)).is_none(), "the line is full");
    assert_eq!(line.serve(bench.now, &mut bench.cluster), None);
    // The first one waits for backend 1, so this place is the second one's.
    let at = |tickets: &[Ticket], slot| tickets.iter().position(|ticket| ticket.slot == slot);
    let first = tickets.remove(at(&tickets, 0).unwrap());
    bench.finish(first, Verdict::Good);
    let grant = line.serve(bench.now, &mut bench.cluster).unwrap();
    assert_eq!((grant.waiter.who, grant.ticket.slot), (2, 0));
    assert!(!line.leave(second), "too late");
    assert_eq!(line.serve(bench.now, &mut bench.cluster), None);
    let other = tickets.remove(at(&tickets, 1).unwrap());
    bench.finish(other, Verdict::Good);
    let grant = line.serve(bench.now, &mut bench.cluster).unwrap();
    assert_eq!((grant.waiter.who, grant.ticket.slot), (1, 1));
    assert_eq!(line.len(), 1);
}

#[test]
fn who_waits_for_one_that_fails_takes_any() {
    let mut bench = narrow();
    let mut line = line(3);
    let home = Ask {
        owner: Some(0),
        ..ANY
    };
    let [first, _second] = [bench.go(&home), bench.go(&home)];
    line.join(waiter(1, Some(0))).unwrap();
    assert_eq!(line.serve(bench.now, &mut bench.cluster), None);
    bench.finish(first, Verdict::Refused);
    let grant = line.serve(bench.now, &mut bench.cluster).unwrap();
    assert_eq!(grant.ticket.slot, 1);
}

#[test]
fn more_places_are_filled_at_once() {
    let mut bench = narrow();
    let mut line = line(3);
    let _tickets: Vec<_> = (0..4).map(|_| bench.go(&ANY)).collect();
    for who in 0..3 {
        line.join(waiter(who, None)).unwrap();
    }
    let wide = Member { max: 4, ..MEMBER };
    bench.cluster.configure(bench.now, 0, Some(wide), false);
    let served = std::iter::from_fn(|| line.serve(bench.now, &mut bench.cluster));
    let served: Vec<_> = served
        .map(|grant| (grant.waiter.who, grant.ticket.slot))
        .collect();
    assert_eq!(served, [(0, 0), (1, 0)]);
}

#[test]
fn tickets_are_numbers() {
    let mut bench = narrow();
    let ticket = bench.go(&ANY);
    let copy = Ticket::of_number(bench.go(&ANY).into_number()).unwrap();
    assert_eq!(copy.slot, 1);
    let (slot, number) = (ticket.slot, ticket.into_number());
    let again = Ticket::of_number(number).unwrap();
    assert_eq!(again.slot, slot);
    bench.finish(again, Verdict::Good);
    assert_eq!(bench.cluster.view(0).unwrap().active, 0);
    assert_eq!(Ticket::of_number(0), None);
}
