// SPDX-License-Identifier: GPL-2.0

//! What becomes of the exchanges, and what that says of the backends.

use super::Cluster;
use super::Slot;
use super::Ticket;
use crate::lb::slots;
use crate::lb::Probed;
use crate::lb::Verdict;
use crate::time::Duration;
use crate::time::Instant;

impl Cluster {
    /// The head of its answer is here, so long after the request, and says this of the backend.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        ticket: &mut Ticket,
        after: Duration,
        verdict: Verdict,
    ) {
        let rules = self.rules;
        let waited = core::mem::take(&mut ticket.waiting);
        ticket.judged = Some(verdict);
        let begun = ticket.begun;
        let Some((slot, entry)) = self.of(ticket) else {
            return;
        };
        if waited {
            entry.waiting = entry.waiting.saturating_sub(1);
        }
        let (old, new) = (entry.latency, after.as_nanos());
        entry.latency = match old {
            0 => new.max(1),
            _ => old.saturating_sub(old / 8).saturating_add(new / 8).max(1),
        };
        let before = entry.health.condition();
        entry.health.judged(now, verdict, begun, &rules);
        let changed = entry.health.condition() != before;
        if changed {
            self.review(now, slot);
        }
        self.hear(now, slot);
    }

    /// The request is all with the backend, which has to answer now. (Before, the client may be what
    /// it waits for.)
    pub(crate) fn asked(&mut self, now: Instant, ticket: &mut Ticket) {
        let Some((_, entry)) = self.of(ticket) else {
            return;
        };
        if !ticket.waiting && ticket.judged.is_none() {
            entry.wait(now);
            ticket.waiting = true;
        }
    }

    /// Whether the backend that a ticket is for is still there.
    pub(crate) fn knows(&self, ticket: &Ticket) -> bool {
        let entry = self.slots.get(usize::from(ticket.slot));
        entry.is_some_and(|entry| entry.generation == ticket.generation)
    }

    /// Gives the place back.
    pub(crate) fn finish(&mut self, now: Instant, ticket: Ticket, verdict: Verdict) {
        let rules = self.rules;
        let Some((slot, entry)) = self.of(&ticket) else {
            return;
        };
        entry.active = entry.active.saturating_sub(1);
        if ticket.waiting {
            entry.waiting = entry.waiting.saturating_sub(1);
        }
        let before = entry.health.condition();
        if ticket.judged != Some(verdict) {
            entry.health.judged(now, verdict, ticket.begun, &rules);
        }
        let changed = entry.health.condition() != before;
        self.active = self.active.saturating_sub(1);
        if changed {
            self.review(now, slot);
        }
        self.changed(now, slot);
    }

    /// A probe of backend `slot` has come back.
    pub(crate) fn probed(&mut self, now: Instant, slot: usize, probed: Probed) {
        let rules = self.rules;
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.health.probed(now, probed, &rules);
        }
        self.review(now, slot);
    }

    /// Time has passed. `heard` says when something came from a backend's connections.
    pub(crate) fn tick(&mut self, now: Instant, mut heard: impl FnMut(usize) -> Instant) {
        let rules = self.rules;
        for slot in slots(self.members) {
            let Some(entry) = self.slots.get_mut(slot) else {
                continue;
            };
            let last = heard(slot);
            if last > entry.quiet {
                entry.quiet = last;
                entry.health.heard(now);
            }
            let (waiting, quiet) = (entry.waiting, entry.quiet);
            entry.age(now);
            entry.health.tick(now, &rules);
            entry.health.stalled(now, waiting, quiet, &rules);
            self.review(now, slot);
        }
    }

    /// Something has come from a backend.
    fn hear(&mut self, now: Instant, slot: usize) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        entry.quiet = now;
        let before = entry.health.condition();
        entry.health.heard(now);
        if entry.health.condition() != before {
            self.review(now, slot);
        }
    }

    /// The backend that a ticket is for, if that is still there.
    fn of(&mut self, ticket: &Ticket) -> Option<(usize, &mut Slot)> {
        let slot = usize::from(ticket.slot);
        let entry = self.slots.get_mut(slot)?;
        (entry.generation == ticket.generation).then_some((slot, entry))
    }
}

impl Slot {
    /// Lets what is known of its latency fade while nobody waits for its answer.
    fn age(&mut self, now: Instant) {
        let spent = now.since(core::mem::replace(&mut self.aged, now));
        if self.waiting > 0 {
            return;
        }
        let part = spent.as_millis().min(FADING);
        let lost = self.latency.saturating_mul(part) / FADING;
        let left = self.latency.saturating_sub(lost);
        // Of next to nothing the next answer would keep the most.
        self.latency = if left < NOTHING { 0 } else { left };
    }
}

/// Nanoseconds: no backend answers in less.
const NOTHING: u64 = 10_000;

/// Milliseconds. In a tenth of this a tenth is forgotten.
const FADING: u64 = 10_000;
