// SPDX-License-Identifier: GPL-2.0

//! What is known of one backend: whether it is fit for new sessions, for those it has, or for nothing.
//!
//! A backend that refuses a connection has failed, and so has one that gave nothing but errors so many
//! times on end. It is left alone for a time that doubles with each failure (Resin's rule); then one
//! request tries it, or a probe does; then it gets more and more connections until it is warm. One whose
//! exchanges all stand still at once, while it accepts connections, is a JVM collecting its garbage: it
//! keeps its sessions, and gets no new ones meanwhile.

use crate::time::Duration;
use crate::time::Instant;

/// How backends are judged, from the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The longest time for which a failed backend is left alone.
    pub(crate) recover: Duration,
    /// How long a backend that has recovered takes to get warm; zero: it is at once.
    pub(crate) warmup: Duration,
    /// So many errors on end are a failure; 0: none are.
    pub(crate) errors: u32,
    /// Exchanges that stand still for so long are a pause; zero: nothing is.
    pub(crate) pause: Duration,
    /// Probes are sent that ask for something: no request has to try a failed backend.
    pub(crate) probes: bool,
}

impl Rules {
    /// Nothing but a refused connection says anything.
    pub(super) const NONE: Self = Self {
        recover: Duration::from_secs(15),
        warmup: Duration::ZERO,
        errors: 0,
        pause: Duration::ZERO,
        probes: false,
    };
}

/// For how long a backend is left alone after its first failure (Resin's value).
const FIRST_RECOVERY: Duration = Duration::from_secs(1);

/// The most connections in each sixteenth of the warm-up (Resin's values).
const WARMUP: [u32; 16] = [1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 8, 8, 16, 32, 64, 128];

/// So many failed probes on end are a failure.
const PROBES: u32 = 2;

/// Times the setting: an error in a pause that has lasted for so long is a failure after all.
const LONG_PAUSE: u64 = 10;

/// So many exchanges have to stand still to be a pause: a single one is just slow.
const STALLED: u32 = 2;

/// What state a backend is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Fit for everything.
    Up,
    /// Fit for everything, in moderation.
    Warming,
    /// Keeps its sessions.
    Paused,
    /// Left alone.
    Failed,
    /// Failed, and it is time for one request to try it.
    Due,
    /// One request is trying it.
    Tried,
}

/// Why a backend has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// No connection could be made.
    Refused,
    /// It gave only errors.
    Errors,
    /// Its probes failed.
    Probes,
}

/// What a probe says of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    /// It answered as it should.
    Good,
    /// It accepted a connection, and was asked nothing: a JVM that stands still does that too.
    Accepts,
    /// It answered otherwise, or no connection could be made.
    Bad,
    /// It accepted the connection, and did not answer in time.
    Silent,
}

/// What an exchange says of its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered, with no 5xx.
    Good,
    /// A 5xx, no answer in time, or the connection broke before the answer.
    Error,
    /// No connection could be made.
    Refused,
    /// Nothing can be said: the client went away, say.
    None,
}

/// What is kept of a backend's state from when an exchange began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    /// The backend had failed: the exchange tries it.
    pub(super) tries: bool,
    /// How often it had failed.
    pub(super) era: u16,
}

/// The state of one backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    condition: Condition,
    /// Since when it is in this condition.
    since: Instant,
    /// Since when it has failed, however often it was tried since.
    down: Instant,
    /// How long it was, or is, left alone; zero after it has answered.
    recovery: Duration,
    /// Errors on end.
    errors: u32,
    /// Failed probes on end, in its present condition if that is a pause.
    probes: u32,
    /// Since when its probes are not answered, whatever else it says meanwhile.
    silent: Option<Instant>,
    /// The last failure.
    why: Option<Why>,
    /// How often it has failed.
    failures: u64,
}

impl Health {
    /// One of which nothing bad is known.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            condition: Condition::Up,
            since: now,
            down: now,
            recovery: Duration::ZERO,
            errors: 0,
            probes: 0,
            silent: None,
            why: None,
            failures: 0,
        }
    }

    pub(super) fn condition(&self) -> Condition {
        self.condition
    }

    /// Since when it is as it is; a try in between makes no difference.
    pub(super) fn since(&self) -> Instant {
        if self.has_failed() {
            self.down
        } else {
            self.since
        }
    }

    pub(super) fn why(&self) -> Option<Why> {
        self.why
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures
    }

    /// Whether it may get new sessions.
    pub(super) fn takes_new(&self) -> bool {
        matches!(
            self.condition,
            Condition::Up | Condition::Warming | Condition::Due
        )
    }

    /// Whether it may get requests of its own sessions.
    pub(super) fn takes_own(&self) -> bool {
        self.takes_new() || self.condition == Condition::Paused
    }

    /// The most connections that it may have now, if that is limited.
    pub(super) fn most(&self, now: Instant, rules: &Rules) -> Option<u32> {
        match self.condition {
            Condition::Warming => {
                let sixteenths = now.since(self.since).as_nanos().saturating_mul(16);
                let step = sixteenths.checked_div(rules.warmup.as_nanos())?;
                WARMUP.get(usize::try_from(step).ok()?).copied()
            }
            _ => None,
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant, rules: &Rules) {
        let spent = now.since(self.since);
        match self.condition {
            Condition::Failed if spent >= self.recovery.min(rules.recover) && !rules.probes => {
                self.enter(Condition::Due, now);
            }
            // Who tries it may take its time, a long upload above all: another one may try too.
            Condition::Tried if spent >= self.recovery.min(rules.recover) => {
                self.enter(Condition::Due, now);
            }
            Condition::Warming if spent >= rules.warmup => self.enter(Condition::Up, now),
            _ => {}
        }
    }

    /// So many exchanges wait for it, which has said nothing since `quiet`.
    pub(super) fn stalled(&mut self, now: Instant, waiting: u32, quiet: Instant, rules: &Rules) {
        let still = waiting >= STALLED && now.since(quiet) >= rules.pause;
        match self.condition {
            Condition::Up | Condition::Warming if still && !rules.pause.is_zero() => {
                self.enter(Condition::Paused, now);
            }
            // Those who waited have given up, and no probe says that it stands still.
            Condition::Paused if waiting == 0 && self.probes < PROBES => self.resume(now),
            _ => {}
        }
    }

    /// It has said something.
    pub(super) fn heard(&mut self, now: Instant) {
        if self.condition == Condition::Paused {
            self.resume(now);
        }
    }

    /// Its pause is over.
    fn resume(&mut self, now: Instant) {
        self.probes = 0;
        self.enter(Condition::Up, now);
    }

    /// A request is on its way to it.
    pub(super) fn chosen(&mut self, now: Instant) -> Begun {
        let tries = self.has_failed();
        if self.condition == Condition::Due {
            self.enter(Condition::Tried, now);
        }
        Begun {
            tries,
            era: self.era(),
        }
    }

    /// Failures so far, as many bits of their number as a [`Begun`] has.
    fn era(&self) -> u16 {
        // CAST: The lower bits.
        self.failures as u16
    }

    fn has_failed(&self) -> bool {
        matches!(
            self.condition,
            Condition::Failed | Condition::Due | Condition::Tried
        )
    }

    /// What an exchange has seen of it.
    pub(super) fn judged(&mut self, now: Instant, verdict: Verdict, begun: Begun, rules: &Rules) {
        let tries = begun.tries && self.has_failed();
        match verdict {
            // What had begun before it failed says nothing of what is now.
            Verdict::Good if !tries && self.has_failed() => {}
            Verdict::Good => self.good(now, rules),
            Verdict::Error | Verdict::Refused if begun.era != self.era() => {}
            Verdict::Refused => self.fail(now, Why::Refused),
            Verdict::Error if self.condition == Condition::Paused => self.late(now, rules),
            Verdict::Error => {
                self.errors = self.errors.saturating_add(1);
                let too_many = rules.errors != 0 && self.errors >= rules.errors;
                if too_many || tries {
                    self.fail(now, Why::Errors);
                }
            }
            Verdict::None if tries && self.condition == Condition::Tried => {
                self.enter(Condition::Due, now);
            }
            Verdict::None => {}
        }
    }

    /// Somebody has waited for too long in a pause: that is no error, unless the pause has no end.
    fn late(&mut self, now: Instant, rules: &Rules) {
        if now.since(self.since) >= longest(rules) {
            self.fail(now, Why::Errors);
        }
    }

    /// A probe has come back.
    pub(super) fn probed(&mut self, now: Instant, probed: Probed, rules: &Rules) {
        match probed {
            Probed::Good => self.well(now, rules),
            Probed::Accepts => {
                self.forget_probes();
                let unreachable = matches!(self.why, Some(Why::Refused | Why::Probes));
                if self.has_failed() && unreachable {
                    self.recover(now, rules);
                }
            }
            // It stands still, and keeps its sessions, as long as that may last.
            Probed::Silent if self.may_pause(rules) => {
                self.probes = self.probes.saturating_add(1);
                if self.probes >= PROBES {
                    self.silent(now, rules);
                }
            }
            Probed::Bad | Probed::Silent => {
                self.probes = self.probes.saturating_add(1);
                if self.probes >= PROBES || self.has_failed() {
                    self.fail(now, Why::Probes);
                }
            }
        }
    }

    /// Its probes are not answered.
    fn silent(&mut self, now: Instant, rules: &Rules) {
        let since = *self.silent.get_or_insert(now);
        if now.since(since) >= longest(rules) {
            self.fail(now, Why::Probes);
        } else if self.condition != Condition::Paused {
            self.enter(Condition::Paused, now);
        }
    }

    /// Nobody asks it any more how it is: what its probes have said is over.
    pub(super) fn forget_probes(&mut self) {
        self.probes = 0;
        self.silent = None;
    }

    fn may_pause(&self, rules: &Rules) -> bool {
        !self.has_failed() && !rules.pause.is_zero()
    }

    /// It has answered a probe. That makes no errors good that its requests get: it is left alone for
    /// them as long as without probes, and for longer each time.
    fn well(&mut self, now: Instant, rules: &Rules) {
        self.forget_probes();
        let errors = self.why == Some(Why::Errors);
        let rests = now.since(self.since) < self.recovery.min(rules.recover);
        match self.condition {
            Condition::Paused => self.resume(now),
            Condition::Failed if errors && rests => {}
            _ if self.has_failed() => self.recover(now, rules),
            _ => {}
        }
    }

    /// It has answered a request.
    fn good(&mut self, now: Instant, rules: &Rules) {
        self.errors = 0;
        self.recovery = Duration::ZERO;
        if self.has_failed() {
            self.recover(now, rules);
        } else if self.condition == Condition::Paused {
            self.resume(now);
        }
    }

    fn recover(&mut self, now: Instant, rules: &Rules) {
        self.errors = 0;
        let next = if rules.warmup.is_zero() {
            Condition::Up
        } else {
            Condition::Warming
        };
        self.enter(next, now);
    }

    fn fail(&mut self, now: Instant, why: Why) {
        let again = self.recovery.saturating_mul(2);
        // Exchanges that had begun before are no new failure.
        if !self.has_failed() {
            self.down = now;
        }
        if self.condition != Condition::Failed {
            self.recovery = if again.is_zero() {
                FIRST_RECOVERY
            } else {
                again
            };
            self.failures = self.failures.saturating_add(1);
            self.why = Some(why);
            self.silent = None;
            self.enter(Condition::Failed, now);
        }
        self.errors = 0;
    }

    fn enter(&mut self, condition: Condition, now: Instant) {
        self.condition = condition;
        self.since = now;
    }
}

/// A pause that lasts for longer is none.
fn longest(rules: &Rules) -> Duration {
    rules.pause.saturating_mul(LONG_PAUSE)
}
