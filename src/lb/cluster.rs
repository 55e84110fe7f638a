// SPDX-License-Identifier: GPL-2.0

//! All backends of a gateway: whom a request goes to.

mod choose;
mod observe;

use super::health::Begun;
use super::health::Health;
use super::health::Rules;
use super::only;
use super::slots;
use super::tournament::Tournament;
use super::tournament::KEYS;
use super::Condition;
use super::Mask;
use super::Tried;
use super::Verdict;
use super::Why;
use super::MAX_BACKENDS;
use crate::time::Duration;
use crate::time::Instant;

/// A backend as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its share, 1 to 256.
    pub(crate) weight: u16,
    /// The most exchanges at a time; 0: no limit.
    pub(crate) max: u32,
    /// Used only when no other is left.
    pub(crate) backup: bool,
    /// It may get new sessions.
    pub(crate) open: bool,
    /// It may get requests of sessions that it has.
    pub(crate) serves: bool,
}

/// How a backend is chosen for a request that belongs to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Balance {
    /// One after the other, by their weights, as evenly spread as can be.
    RoundRobin,
    /// The one with the fewest exchanges for its weight; of several, the one unused for the longest
    /// time.
    LeastConnections,
    /// The better one of two that are drawn by lot: answers in less time, has less to do.
    Latency,
    /// What has the same key goes to the same one, unless that has much more to do than others.
    Hash,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// Who has the session.
    pub(crate) owner: Option<usize>,
    /// Names the session when its owner is gone, and the key of [`Balance::Hash`].
    pub(crate) key: u64,
    /// Who was tried already.
    pub(crate) tried: Tried,
    /// Drawn by lot, if [`Cluster::draws_lots`].
    pub(crate) random: u64,
    /// A body follows: [`Cluster::asked`] says when the backend has all of the request.
    pub(crate) uploads: bool,
}

/// A place at a backend: to be given back by [`Cluster::finish`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) slot: u8,
    /// The backend has the whole request, and has not answered yet.
    waiting: bool,
    /// How the backend was.
    begun: Begun,
    /// What was said of the backend when its answer came.
    judged: Option<Verdict>,
    /// Which of the backends that had this number.
    generation: u32,
}

impl Ticket {
    /// As a number, which is never 0, for places where only a number fits.
    pub(crate) fn into_number(self) -> u64 {
        (u64::from(self.generation) << 32)
            | (u64::from(self.slot) << 8)
            | (u64::from(self.begun.era) << 16)
            | (u64::from(self.waiting) << 2)
            | (u64::from(self.begun.tries) << 1)
            | 1
    }

    /// The ticket of that number, which has not been answered; none for 0.
    pub(crate) fn of_number(number: u64) -> Option<Self> {
        // CAST: The fields that they were made of.
        (number != 0).then_some(Self {
            slot: (number >> 8) as u8,
            waiting: number & 4 != 0,
            begun: Begun {
                tries: number & 2 != 0,
                era: (number >> 16) as u16,
            },
            judged: None,
            generation: (number >> 32) as u32,
        })
    }
}

/// What comes of asking.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Go there.
    Go(Ticket),
    /// All places are taken: wait for one, at this backend or at any.
    Wait(Option<u8>),
    /// There is nobody to ask.
    Nobody,
}

/// One backend.
#[derive(Clone, Copy, Debug)]
struct Slot {
    member: Member,
    health: Health,
    generation: u32,
    /// Exchanges that have a place.
    active: u32,
    /// Those of them that wait for an answer.
    waiting: u32,
    /// When it was last heard of, while somebody waited.
    quiet: Instant,
    /// How long an answer takes: an average in nanoseconds in which the last eight count for most. Of
    /// one that nobody asks it gets less with time: nobody would ever find out that it is better now.
    latency: u64,
    /// When that was last looked at.
    aged: Instant,
    /// When it is its turn: [`Balance::RoundRobin`].
    turn: u64,
    /// When it was last chosen: [`Balance::LeastConnections`].
    used: u64,
}

/// A round of a backend of weight 1: so long that what is lost when it is divided by a weight shows only
/// after a million choices.
const ROUND: u64 = 1 << 32;

/// A backend of one share of [`Balance::Hash`] may have this many quarters of the average.
const BOUND: u64 = 5;

/// The backends of a gateway.
pub(crate) struct Cluster {
    slots: [Slot; MAX_BACKENDS],
    /// Which numbers are in use.
    members: Mask,
    /// Of these: who may get new sessions if it is fit.
    opened: Mask,
    /// Who is no backup, who may get new sessions, who requests of its own, who has no place.
    primary: Mask,
    ready: Mask,
    home: Mask,
    full: Mask,
    /// Who is not warm enough for more, as long as there are others.
    cold: Mask,
    /// Who may get a request that belongs to nobody: the keys in `tree` are those of these.
    field: Mask,
    /// The weights in `field`, and the exchanges of all.
    weight: u32,
    active: u32,
    tree: Tournament,
    balance: Balance,
    rules: Rules,
    /// How often a number has become another backend's, or nobody's.
    era: u32,
    /// The turn of who was chosen last.
    turn: u64,
    /// Choices so far.
    choices: u64,
}

impl Slot {
    const EMPTY: Self = Self {
        member: Member {
            weight: 1,
            max: 0,
            backup: false,
            open: false,
            serves: false,
        },
        health: Health::new(Instant::from_nanos(0)),
        generation: 0,
        active: 0,
        waiting: 0,
        quiet: Instant::from_nanos(0),
        latency: 0,
        aged: Instant::from_nanos(0),
        turn: 0,
        used: 0,
    };

    /// One more exchange waits for an answer.
    fn wait(&mut self, now: Instant) {
        if self.waiting == 0 {
            self.quiet = now;
        }
        self.waiting = self.waiting.saturating_add(1);
    }

    /// Its share of a thing that is worth `whole` for a backend of weight 1.
    fn share(&self, whole: u64) -> u64 {
        whole
            .checked_div(u64::from(self.member.weight))
            .unwrap_or(whole)
    }
}

/// What people see of a backend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) condition: Condition,
    /// Since when it is in this condition.
    pub(crate) since: Instant,
    /// Why it has failed the last time.
    pub(crate) why: Option<Why>,
    /// How often it has failed.
    pub(crate) failures: u64,
    /// Exchanges under way.
    pub(crate) active: u32,
    /// How long an answer takes now.
    pub(crate) latency: Duration,
}

impl Cluster {
    /// No backends. A constant: to make one takes no stack.
    pub(crate) const NEW: Self = Self {
        slots: [Slot::EMPTY; MAX_BACKENDS],
        members: 0,
        opened: 0,
        primary: 0,
        ready: 0,
        home: 0,
        full: 0,
        cold: 0,
        field: 0,
        weight: 0,
        active: 0,
        tree: Tournament::EMPTY,
        balance: Balance::RoundRobin,
        rules: Rules::NONE,
        era: 0,
        turn: 0,
        choices: 0,
    };

    /// Judges and chooses by other rules from now on.
    pub(crate) fn set_rules(&mut self, now: Instant, rules: Rules, balance: Balance) {
        self.rules = rules;
        self.balance = balance;
        for slot in slots(self.members) {
            if let Some(entry) = self.slots.get_mut(slot).filter(|_| !rules.probes) {
                entry.health.forget_probes();
            }
            self.review(now, slot);
        }
        self.rekey();
    }

    /// Configures backend `slot`, or removes it. It keeps what is known of it unless it is
    /// `another` than the one that had this number.
    pub(crate) fn configure(
        &mut self,
        now: Instant,
        slot: usize,
        member: Option<Member>,
        another: bool,
    ) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        if another || member.is_none() {
            if self.members & only(slot) != 0 {
                self.era = self.era.wrapping_add(1);
            }
            self.active = self.active.saturating_sub(entry.active);
            *entry = Slot {
                generation: entry.generation.wrapping_add(1),
                health: Health::new(now),
                aged: now,
                turn: 0,
                ..Slot::EMPTY
            };
        }
        self.members &= !only(slot);
        self.review(now, slot);
        if let (Some(entry), Some(member)) = (self.slots.get_mut(slot), member) {
            entry.member = member;
            if !member.serves {
                entry.health.forget_probes();
            }
            self.members |= only(slot);
            self.review(now, slot);
        }
        self.rekey();
    }

    /// How often a number has become another backend's, or nobody's: see [`Tried`].
    pub(crate) fn era(&self) -> u32 {
        self.era
    }

    /// What people see of a backend; none if there is none of this number.
    pub(crate) fn view(&self, slot: usize) -> Option<View> {
        let entry = self.slot(slot).filter(|_| self.members & only(slot) != 0)?;
        Some(View {
            condition: entry.health.condition(),
            since: entry.health.since(),
            why: entry.health.why(),
            failures: entry.health.failures(),
            active: entry.active,
            latency: Duration::from_nanos(entry.latency),
        })
    }

    fn slot(&self, slot: usize) -> Option<&Slot> {
        self.slots.get(slot)
    }

    /// Sorts a backend into the sets that it belongs to.
    fn review(&mut self, now: Instant, slot: usize) {
        let Some(entry) = self.slots.get(slot) else {
            return;
        };
        let is_member = self.members & only(slot) != 0;
        let (member, health) = (&entry.member, &entry.health);
        let warm = health.most(now, &self.rules).unwrap_or(u32::MAX);
        let limit = if member.max == 0 {
            u32::MAX
        } else {
            member.max
        };
        let sets = [
            (&mut self.opened, is_member && member.open),
            (&mut self.primary, is_member && !member.backup),
            (
                &mut self.ready,
                is_member && member.open && health.takes_new(),
            ),
            (
                &mut self.home,
                is_member && member.serves && health.takes_own(),
            ),
            (&mut self.full, entry.active >= limit),
            (&mut self.cold, entry.active >= warm),
        ];
        for (set, belongs) in sets {
            *set = (*set & !only(slot)) | if belongs { only(slot) } else { 0 };
        }
        self.regroup();
    }

    /// Who is to get a request that belongs to nobody, if there is a place: the fit ones, of them the
    /// backups only if there are no others; if nobody is fit, whoever there is.
    fn group(&self, but: Mask) -> Mask {
        let ready = self.ready & !but;
        let primary = ready & self.primary;
        // Those that only have a pause.
        let paused = self.home & self.open() & self.primary & !but;
        if primary != 0 {
            primary
        } else if paused != 0 {
            paused
        } else if ready != 0 {
            ready
        } else {
            self.unfit(but)
        }
    }

    /// Those that are open, fit or not.
    fn unfit(&self, but: Mask) -> Mask {
        self.open() & !but
    }

    fn open(&self) -> Mask {
        self.members & self.opened
    }

    /// Those of a group that have a place, warm ones if there are any.
    fn free(&self, group: Mask) -> Mask {
        let free = group & !self.full;
        let warm = free & !self.cold;
        if warm != 0 {
            warm
        } else {
            free
        }
    }

    /// Lets the tree know who has come into the field, and who has left it.
    fn regroup(&mut self) {
        let field = self.free(self.group(0));
        for slot in slots(field & !self.field) {
            if let Some(entry) = self.slots.get_mut(slot) {
                // Who comes late has missed nothing: half a round on, so that a heavy one does not
                // begin with a burst.
                let first = self.turn.saturating_add(entry.share(ROUND) / 2);
                entry.turn = entry.turn.max(first);
            }
        }
        let before = core::mem::replace(&mut self.field, field);
        slots(before ^ field).for_each(|slot| self.place(slot));
        let come = self.weight_of(field & !before);
        let gone = self.weight_of(before & !field);
        self.weight = self.weight.saturating_add(come).saturating_sub(gone);
    }

    #[allow(dead_code)] // For tests.
    pub(crate) fn is_weighed(&self) -> bool {
        self.weight == self.weight_of(self.field)
    }

    /// The weights of some backends.
    fn weight_of(&self, some: Mask) -> u32 {
        let weights = slots(some).filter_map(|slot| Some(self.slot(slot)?.member.weight));
        weights.fold(0, |sum, weight| sum.saturating_add(weight.into()))
    }

    /// Makes all keys and the sum of the weights anew.
    fn rekey(&mut self) {
        self.weight = self.weight_of(self.field);
        for slot in 0..MAX_BACKENDS {
            self.place(slot);
        }
    }

    /// Puts a backend's key into the tree.
    fn place(&mut self, slot: usize) {
        let Some(entry) = self.slots.get(slot) else {
            return;
        };
        let plays = self.field & only(slot) != 0;
        self.tree.set(slot, plays.then(|| self.key(entry)));
    }

    fn key(&self, entry: &Slot) -> u64 {
        match self.balance {
            Balance::LeastConnections => {
                // Among equals the older one; the order of use is kept for 16 million choices.
                let load = entry.share(u64::from(entry.active) << 8);
                (load.min(KEYS >> 25) << 24) | (entry.used & 0xff_ffff)
            }
            _ => entry.turn,
        }
    }
}
