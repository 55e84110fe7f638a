// SPDX-License-Identifier: GPL-2.0

//! Waiting for a place.

use super::{tried, Bench, ANY, MEMBER};
use crate::lb::{Ask, Balance, Choice, Line, Member, Ticket, Tried, Verdict, Waiter};
use crate::slab::Slot;

fn line(places: usize) -> Line<Vec<Slot<Waiter>>> {
    Line::new((0..places).map(|_| Slot::new()).collect())
}

fn waiter(who: u64, owner: Option<u8>) -> Waiter {
    Waiter {
        who,
        cpu: 0,
        owner,
        tried: Tried::NONE,
        uploads: false,
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

/// Who has a session its client says: it must not keep those of others from waiting.
#[test]
fn one_owner_has_a_quarter_of_the_line() {
    let mut bench = narrow();
    let mut line = line(16);
    let _tickets: Vec<_> = (0..4).map(|_| bench.go(&ANY)).collect();
    let keys: Vec<_> = (0..9)
        .map(|who| line.join(waiter(who, Some(0))))
        .take_while(Option::is_some)
        .flatten()
        .collect();
    assert_eq!(keys.len(), 4);
    assert!(line.join(waiter(20, Some(1))).is_some());
    for who in 0..11 {
        assert!(line.join(waiter(30 + who, None)).is_some(), "{who}");
    }
    assert!(line.join(waiter(50, None)).is_none(), "the line is full");
    assert!(line.leave(keys[0]));
    assert!(!line.leave(keys[0]));
    assert!(line.join(waiter(60, Some(0))).is_some());
}

/// A backend fails that many wait for: they go to all others, not to one.
#[test]
fn the_line_of_one_that_is_lost_is_spread() {
    let one = Member { max: 100, ..MEMBER };
    let full = Member { max: 1, ..MEMBER };
    let mut bench = Bench::new(Balance::RoundRobin, &[one, one, full]);
    let mut line = line(256);
    let home = Ask {
        owner: Some(2),
        ..ANY
    };
    let busy = bench.go(&home);
    for who in 0..30 {
        line.join(waiter(who, Some(2))).unwrap();
    }
    assert_eq!(line.serve(bench.now, &mut bench.cluster), None);
    bench.finish(busy, Verdict::Refused);
    let served = std::iter::from_fn(|| line.serve(bench.now, &mut bench.cluster));
    let slots: Vec<_> = served.map(|grant| grant.ticket.slot.into()).collect();
    assert_eq!(super::tally(&slots, 3), [15, 15, 0]);
}

/// Whatever happens: nobody is looked at in vain only if there is no place for anybody.
#[test]
fn nobody_is_forgotten() {
    let mut random = 1u64;
    let mut draw = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % below
    };
    for _ in 0..300 {
        let max = Member { max: 2, ..MEMBER };
        let backup = Member {
            backup: true,
            ..max
        };
        let mut bench = Bench::new(Balance::RoundRobin, &[max, max, backup]);
        let mut line = line(64);
        let mut tickets: Vec<Ticket> = Vec::new();
        let mut waiting: Vec<Waiter> = Vec::new();
        for who in 0..60 {
            match draw(4) {
                0 if !tickets.is_empty() => {
                    let at = draw(tickets.len() as u64) as usize;
                    let verdicts = [Verdict::Good, Verdict::Good, Verdict::Refused];
                    bench.finish(tickets.swap_remove(at), verdicts[draw(3) as usize]);
                }
                1 => bench.pass(crate::time::Duration::from_millis(draw(900))),
                _ => {
                    let ask = Ask {
                        owner: [None, Some(0), Some(1), Some(2)][draw(4) as usize],
                        tried: [Tried::NONE, tried(0)][usize::from(draw(4) == 3)],
                        ..ANY
                    };
                    match bench.choose(&ask) {
                        Choice::Go(ticket) => tickets.push(ticket),
                        Choice::Wait(owner) => {
                            let waiter = Waiter {
                                tried: ask.tried,
                                ..waiter(who, owner)
                            };
                            line.join(waiter).unwrap();
                            waiting.push(waiter);
                        }
                        Choice::Nobody => {}
                    }
                }
            }
            while let Some(grant) = line.serve(bench.now, &mut bench.cluster) {
                waiting.retain(|waiter| *waiter != grant.waiter);
                tickets.push(grant.ticket);
            }
            for waiter in &waiting {
                let place = bench.cluster.place_for(bench.now, waiter);
                assert_eq!(place, None, "{waiter:?}");
            }
        }
    }
}
