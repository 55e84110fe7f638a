// SPDX-License-Identifier: GPL-2.0

//! Choosing backends: whose turn it is, who is fit, who waits; and where a session belongs.

mod balance;
mod health;
mod line;
mod reviewed;
mod sticky;
mod tournament;

use crate::lb::{Ask, Balance, Choice, Cluster, Member, Ring, Rules, Ticket, Tried, Verdict};
use crate::time::{Duration, Instant};

const RULES: Rules = Rules {
    recover: Duration::from_secs(15),
    warmup: Duration::from_secs(16),
    errors: 5,
    pause: Duration::from_secs(2),
    probes: false,
};

const MEMBER: Member = Member {
    weight: 1,
    max: 0,
    backup: false,
    open: true,
    serves: true,
};

const ANY: Ask = Ask {
    owner: None,
    key: 0,
    tried: Tried::NONE,
    random: 0,
    uploads: false,
};

/// This backend was tried.
fn tried(slot: usize) -> Tried {
    let mut tried = Tried::NONE;
    tried.add(slot, 0);
    tried
}

/// A cluster and a clock.
struct Bench {
    cluster: Box<Cluster>,
    now: Instant,
    ring: Vec<u32>,
}

impl Bench {
    fn new(balance: Balance, members: &[Member]) -> Self {
        let mut cluster = Box::new(Cluster::NEW);
        let now = Instant::from_nanos(1_000_000_000_000);
        cluster.set_rules(now, RULES, balance);
        let total = members.iter().map(|member| u32::from(member.weight)).sum();
        let mut ring = Vec::new();
        for (slot, member) in members.iter().enumerate() {
            cluster.configure(now, slot, Some(*member), true);
            let name = format!("10.0.0.{slot}:6802");
            for number in 0..Ring::points(member.weight, total) {
                ring.push(Ring::point(slot, name.as_bytes(), number));
            }
        }
        ring.sort_unstable();
        Self { cluster, now, ring }
    }

    fn plain(balance: Balance, count: usize) -> Self {
        Self::new(balance, &vec![MEMBER; count])
    }

    fn choose(&mut self, ask: &Ask) -> Choice {
        self.cluster.choose(self.now, ask, Ring(&self.ring))
    }

    /// The place at the backend that is chosen; there has to be one.
    fn go(&mut self, ask: &Ask) -> Ticket {
        match self.choose(ask) {
            Choice::Go(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    /// Which backend is chosen for an exchange that is over at once.
    fn turn(&mut self, ask: &Ask) -> usize {
        let ticket = self.go(ask);
        let slot = ticket.slot.into();
        self.finish(ticket, Verdict::Good);
        slot
    }

    fn finish(&mut self, mut ticket: Ticket, verdict: Verdict) {
        if verdict == Verdict::Good {
            let took = Duration::from_millis(5);
            self.cluster.answered(self.now, &mut ticket, took, verdict);
        }
        self.cluster.finish(self.now, ticket, verdict);
    }

    fn refuse(&mut self, slot: usize) {
        let ticket = self.go(&Ask {
            owner: Some(slot),
            ..ANY
        });
        assert_eq!(usize::from(ticket.slot), slot);
        self.finish(ticket, Verdict::Refused);
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.cluster.tick(self.now, |_| Instant::from_nanos(0));
    }

    fn turns(&mut self, count: usize) -> Vec<usize> {
        (0..count).map(|_| self.turn(&ANY)).collect()
    }
}

/// How often each number is in the list.
fn tally(turns: &[usize], count: usize) -> Vec<usize> {
    let mut tally = vec![0; count];
    for turn in turns {
        tally[*turn] += 1;
    }
    tally
}
