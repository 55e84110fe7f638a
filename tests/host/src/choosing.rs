// SPDX-License-Identifier: GPL-2.0

//! Choosing a backend again and again, for those who measure what it costs.

use crate::lb::{Ask, Balance, Choice, Cluster, Member, Ring, Rules, Ticket, Tried, Verdict};
use crate::time::{Duration, Instant};

/// The ways to choose, by the names of the setting.
pub const WAYS: [&str; 5] = [
    "round-robin",
    "least-connections",
    "latency",
    "path",
    "session",
];

/// Some backends, and exchanges that are under way with them.
pub struct Choosing {
    cluster: Box<Cluster>,
    ring: Vec<u32>,
    tickets: Vec<Ticket>,
    sessions: bool,
    count: usize,
    random: u64,
}

impl Choosing {
    /// So many backends, and eight exchanges with each.
    pub fn new(way: &str, count: usize) -> Self {
        let mut cluster = Box::new(Cluster::NEW);
        let now = Instant::from_nanos(1 << 40);
        let rules = Rules {
            recover: Duration::from_secs(15),
            warmup: Duration::from_secs(60),
            errors: 20,
            pause: Duration::from_secs(2),
            probes: false,
        };
        let balance = match way {
            "least-connections" => Balance::LeastConnections,
            "latency" => Balance::Latency,
            "path" => Balance::Hash,
            _ => Balance::RoundRobin,
        };
        cluster.set_rules(now, rules, balance);
        let mut ring = Vec::new();
        for slot in 0..count {
            let member = Member {
                weight: 1 + slot as u16 % 3,
                max: 0,
                backup: false,
                open: true,
                serves: true,
            };
            cluster.configure(now, slot, Some(member), true);
            let points = Ring::points(member.weight, 2 * count as u32);
            ring.extend((0..points).map(|number| Ring::point(slot, &[slot as u8], number)));
        }
        ring.sort_unstable();
        let mut choosing = Self {
            cluster,
            ring,
            tickets: Vec::new(),
            sessions: way == "session",
            count,
            random: 1,
        };
        for _ in 0..8 * count {
            choosing.begin();
        }
        choosing
    }

    /// An exchange begins.
    #[inline(never)]
    pub fn begin(&mut self) {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let ask = Ask {
            owner: self.sessions.then_some(self.random as usize % self.count),
            key: self.random,
            tried: Tried::NONE,
            random: self.random,
            uploads: false,
        };
        let now = Instant::from_nanos(1 << 40);
        if let Choice::Go(ticket) = self.cluster.choose(now, &ask, Ring(&self.ring)) {
            self.tickets.push(ticket);
        }
    }

    /// One of them ends.
    #[inline(never)]
    pub fn end(&mut self) {
        let at = (self.random >> 33) as usize % self.tickets.len();
        let ticket = self.tickets.swap_remove(at);
        let now = Instant::from_nanos(1 << 40);
        self.cluster.finish(now, ticket, Verdict::Good);
    }
}
