// SPDX-License-Identifier: GPL-2.0

//! Whom a request goes to.

use super::Ask;
use super::Balance;
use super::Choice;
use super::Cluster;
use super::Slot;
use super::Ticket;
use super::BOUND;
use super::ROUND;
use crate::lb::health::Begun;
use crate::lb::nth;
use crate::lb::only;
use crate::lb::slots;
use crate::lb::tournament::KEYS;
use crate::lb::two;
use crate::lb::Mask;
use crate::lb::Ring;
use crate::lb::Waiter;
use crate::time::Instant;

impl Cluster {
    /// Chooses a backend for a request.
    ///
    /// A session goes to its owner, or waits for it; if that is not fit, to another one that is the
    /// same for all of its requests.
    pub(crate) fn choose(&mut self, now: Instant, ask: &Ask, ring: Ring<'_>) -> Choice {
        let tried = ask.tried.among(self.era);
        let owner = ask.owner.filter(|slot| self.keeps(*slot, tried));
        let group = match owner {
            Some(slot) => only(slot),
            None => self.group(tried),
        };
        if group == 0 {
            return Choice::Nobody;
        }
        let chosen = match owner {
            Some(slot) => (group & !self.full != 0).then_some(slot),
            None => self.pick(self.free(group), ask, ring),
        };
        match chosen {
            Some(slot) => {
                // What belongs to a session is nobody's turn.
                if owner.is_none() && self.balance == Balance::RoundRobin {
                    self.advance(slot);
                }
                Choice::Go(self.grant(now, slot, ask.uploads))
            }
            // CAST: Less than 64.
            None => Choice::Wait(owner.map(|slot| slot as u8)),
        }
    }

    /// A place for somebody who waits for one, at his session's backend or, if that is not fit any
    /// more, at any that he has not tried.
    pub(crate) fn place_for(&mut self, now: Instant, waiter: &Waiter) -> Option<Ticket> {
        let owner = waiter.owner.map(usize::from);
        let tried = waiter.tried.among(self.era);
        let slot = match owner.filter(|slot| self.keeps(*slot, tried)) {
            Some(slot) => Some(slot).filter(|slot| !self.is_full(*slot))?,
            None => {
                let slot = match tried {
                    0 => self.tree.least()?,
                    tried => nth(self.free(self.group(tried)), self.choices)?,
                };
                self.advance(slot);
                slot
            }
        };
        Some(self.grant(now, slot, waiter.uploads))
    }

    /// Whether [`Self::place_for`] may have a place for anybody who waits for one of `owners`, or,
    /// with `others`, for any. It may say yes in vain, but never no.
    pub(crate) fn may_place(&self, owners: Mask, others: bool) -> bool {
        let own = owners & self.members & !self.full;
        let lost = owners & !self.home != 0;
        own != 0 || ((others || lost) && self.field != 0)
    }

    fn is_full(&self, slot: usize) -> bool {
        self.full & only(slot) != 0
    }

    /// Whether a backend serves its sessions: if it is fit for that, or if nobody is fit for anything
    /// and it may still be the one that answers.
    fn keeps(&self, slot: usize, tried: Mask) -> bool {
        let lost = self.ready & !tried == 0;
        let own = self.home | if lost { self.group(tried) } else { 0 };
        own & !tried & only(slot) != 0
    }

    /// Whether whom it chooses depends on [`Ask::random`].
    pub(crate) fn draws_lots(&self) -> bool {
        self.balance == Balance::Latency
    }

    /// One of `free`.
    fn pick(&mut self, free: Mask, ask: &Ask, ring: Ring<'_>) -> Option<usize> {
        if ask.owner.is_some() {
            return nth(free, ask.key);
        }
        match self.balance {
            Balance::RoundRobin | Balance::LeastConnections if free == self.field => {
                self.tree.least()
            }
            // Some of them were tried already.
            Balance::RoundRobin | Balance::LeastConnections => {
                let key = |slot: &usize| self.slot(*slot).map(|entry| self.key(entry));
                slots(free).min_by_key(key)
            }
            Balance::Latency => self.better(free, ask.random),
            Balance::Hash => {
                let found = ring.find(ask.key, free, |slot| self.is_within_bound(slot));
                found.or_else(|| nth(free, ask.key))
            }
        }
    }

    /// The better one of two of `free`.
    fn better(&self, free: Mask, random: u64) -> Option<usize> {
        let (first, second) = two(free, random);
        let (first, Some(second)) = (first?, second) else {
            return first;
        };
        // Of one that has not answered yet nothing is known: it is as quick as the other.
        let latency = |slot| self.slot(slot).map_or(0, |entry| entry.latency);
        let (one, two) = (latency(first), latency(second));
        let known = |own: u64, other: u64| if own == 0 { other.max(1) } else { own };
        let cost = |slot, latency: u64| {
            self.slot(slot).map(|entry| {
                let exchanges = u64::from(entry.active).saturating_add(1);
                entry.share(latency.saturating_mul(exchanges))
            })
        };
        Some(
            if cost(second, known(two, one)) < cost(first, known(one, two)) {
                second
            } else {
                first
            },
        )
    }

    /// Whether one more exchange leaves it within its share of all of them and a quarter more
    /// (Mirrokni et al., "Consistent Hashing with Bounded Loads", 2016).
    fn is_within_bound(&self, slot: usize) -> bool {
        let Some(entry) = self.slot(slot) else {
            return false;
        };
        let all = u64::from(self.active).saturating_add(1);
        let share = all
            .saturating_mul(u64::from(entry.member.weight))
            .saturating_mul(BOUND);
        let own = u64::from(entry.active).saturating_mul(4);
        own.saturating_mul(u64::from(self.weight)) < share
    }

    /// It was a backend's turn.
    fn advance(&mut self, slot: usize) {
        if let Some(entry) = self.slots.get_mut(slot) {
            self.turn = self.turn.max(entry.turn);
            entry.turn = entry.turn.saturating_add(entry.share(ROUND));
        }
        if self.turn >= KEYS / 2 {
            self.begin_anew();
        }
    }

    /// The key has no room for more choices.
    #[cold]
    fn forget_use(&mut self) {
        for entry in &mut self.slots {
            entry.used = 0;
        }
        self.rekey();
    }

    /// All turns are earlier by the same time, lest they become too large. Not more than once in many
    /// million choices.
    #[cold]
    fn begin_anew(&mut self) {
        let turn = core::mem::take(&mut self.turn);
        for entry in &mut self.slots {
            entry.turn = entry.turn.saturating_sub(turn);
        }
        self.rekey();
    }

    /// Takes a place at a backend.
    fn grant(&mut self, now: Instant, slot: usize, uploads: bool) -> Ticket {
        self.choices = self.choices.wrapping_add(1);
        if self.choices & 0xff_ffff == 0 {
            self.forget_use();
        }
        let mut generation = 0;
        let mut begun = Begun {
            tries: false,
            era: 0,
        };
        if let Some(entry) = self.slots.get_mut(slot) {
            generation = entry.generation;
            entry.used = self.choices;
            entry.active = entry.active.saturating_add(1);
            self.active = self.active.saturating_add(1);
            if !uploads {
                entry.wait(now);
            }
            begun = entry.health.chosen(now);
        }
        self.changed(now, slot);
        Ticket {
            // CAST: Less than 64.
            slot: slot as u8,
            waiting: !uploads,
            begun,
            judged: None,
            generation,
        }
    }

    /// A backend has got an exchange, or is rid of one.
    pub(super) fn changed(&mut self, now: Instant, slot: usize) {
        if self.slot(slot).is_some_and(Slot::is_limited) {
            self.review(now, slot);
        }
        self.place(slot);
    }
}

impl Slot {
    /// Whether the number of its exchanges can change the sets that it belongs to.
    fn is_limited(&self) -> bool {
        self.member.max != 0 || self.health.condition() != crate::lb::Condition::Up
    }
}
