// SPDX-License-Identifier: GPL-2.0

//! What could not be stored, and why: for who asks, so that nobody waits for such answers of others, and
//! so that not each request prepares for an answer that will not be stored either.
//!
//! # Locking
//!
//! `lines` is a leaf lock.

use kernel::alloc::KVVec;
use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

use super::cells::filled;
use crate::cache::Uncacheable;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;
use crate::time::Duration;
use crate::time::Instant;

/// How many targets are remembered.
const TARGETS: usize = 1024;
/// How many of them can be shown.
const LINES: usize = 128;
/// Octets of a target that are shown.
const SHOWN: usize = 256;
/// How long after that an answer is waited for again.
const MEMORY: Duration = Duration::from_secs(60);
/// The same if it was the answer for one, who has got a cookie: others may have one already, and then
/// theirs is stored.
const BRIEFLY: Duration = Duration::from_secs(5);
/// After so many answers in a row that were not stored, the next one will not be either, likely.
const MANY: u32 = 16;
/// How often it is tried all the same.
const PAUSE: Duration = Duration::from_millis(100);

/// Those of one cache.
pub(crate) struct Refused {
    targets: KVVec<Target>,
    lines: Pin<KBox<SpinLockBh<Lines>>>,
}

/// One is where its hash says, until another comes there. That the two numbers are of two targets for
/// a moment does no harm.
struct Target {
    hash: Atomic<u64>,
    /// In nanoseconds.
    until: Atomic<u64>,
    /// Answers in a row that were not stored.
    refusals: Atomic<u32>,
    /// When it was last tried though there were many, in nanoseconds.
    tried: Atomic<u64>,
}

struct Lines {
    lines: KVec<Line>,
    next: usize,
}

/// Why something was not stored.
#[derive(Clone, Copy)]
pub(super) struct Reason {
    pub(super) text: &'static str,
    /// Neither will other answers for the target.
    pub(super) lasts: bool,
    /// How long nobody waits for another one's answer.
    memory: Duration,
}

impl Reason {
    /// One of the target.
    pub(super) const fn of_target(text: &'static str) -> Self {
        Self {
            text,
            lasts: true,
            memory: MEMORY,
        }
    }

    /// One of the moment.
    pub(super) const fn of_moment(text: &'static str) -> Self {
        Self {
            text,
            lasts: false,
            memory: Duration::ZERO,
        }
    }
}

impl From<Uncacheable> for Reason {
    fn from(why: Uncacheable) -> Self {
        let text = why.as_str();
        match why {
            Uncacheable::SetCookie | Uncacheable::Session => Self {
                memory: BRIEFLY,
                ..Self::of_moment(text)
            },
            why if why.is_of_request() => Self::of_moment(text),
            _ => Self::of_target(text),
        }
    }
}

/// A target that was not stored.
struct Line {
    target: KVec<u8>,
    reason: &'static str,
}

impl Refused {
    /// Nothing is remembered. Process context.
    pub(super) fn new() -> Result<Self> {
        let lines = Lines {
            lines: KVec::with_capacity(LINES, GFP_KERNEL_ACCOUNT)?,
            next: 0,
        };
        Ok(Self {
            targets: filled(TARGETS, || Target {
                hash: Atomic::new(0),
                until: Atomic::new(0),
                refusals: Atomic::new(0),
                tried: Atomic::new(0),
            })?,
            lines: KBox::pin_init(new_spinlock_bh!(lines), GFP_KERNEL_ACCOUNT)?,
        })
    }

    /// Whether the answer for the target with this hash was not stored lately, nor would others be.
    pub(super) fn has(&self, hash: u64, now: Instant) -> bool {
        let target = self.target(hash);
        target.is_some_and(|target| {
            target.hash.load(Relaxed) == hash && now.as_nanos() < target.until.load(Relaxed)
        })
    }

    /// Whether to be prepared for an answer that is stored would be in vain: many were not. One is let
    /// try all the same now and then.
    pub(super) fn is_hopeless(&self, hash: u64, now: Instant) -> bool {
        let Some(target) = self.target(hash).filter(|_| self.has(hash, now)) else {
            return false;
        };
        let tried = target.tried.load(Relaxed);
        let is_time = now.since(Instant::from_nanos(tried)) >= PAUSE;
        target.refusals.load(Relaxed) >= MANY
            && !(is_time && target.tried.xchg(now.as_nanos(), Relaxed) == tried)
    }

    /// An answer for a target was not stored.
    pub(super) fn add(&self, hash: u64, key: &[u8], why: Reason, now: Instant) {
        let Some(target) = self.target(hash) else {
            return;
        };
        let is_new = target.hash.load(Relaxed) != hash;
        if is_new {
            target.until.store(0, Relaxed);
            target.refusals.store(0, Relaxed);
            target.hash.store(hash, Relaxed);
        }
        let until = (now + why.memory).as_nanos();
        if !why.memory.is_zero() && target.until.load(Relaxed) < until {
            target.until.store(until, Relaxed);
        }
        if why.lasts {
            // That it may be one less for a moment does no harm.
            let refusals = target.refusals.load(Relaxed).saturating_add(1);
            target.refusals.store(refusals.min(MANY), Relaxed);
        }
        if is_new {
            self.note(key, why.text);
        }
    }

    /// An answer for it was stored.
    pub(super) fn forget(&self, hash: u64) {
        if let Some(target) = self.target(hash) {
            if target.hash.load(Relaxed) == hash {
                target.until.store(0, Relaxed);
                target.refusals.store(0, Relaxed);
            }
        }
    }

    fn target(&self, hash: u64) -> Option<&Target> {
        // CAST: What is cut off makes no difference.
        self.targets.get(hash as usize % TARGETS)
    }

    /// Keeps a line of it, in the place of the oldest one; without memory none.
    fn note(&self, key: &[u8], reason: &'static str) {
        let shown = key.get(..SHOWN).unwrap_or(key);
        let mut target = KVec::new();
        if target.extend_from_slice(shown, GFP_NOWAIT).is_err() {
            return;
        }
        let line = Line { target, reason };
        let mut lines = self.lines.lock();
        let old = lines.put(line);
        drop(lines);
        drop(old);
    }

    /// The line of this number, from 0 on, if there is one: its target and why.
    pub(crate) fn line(&self, index: usize) -> Result<Option<(KVec<u8>, &'static str)>> {
        // Made before: nothing sleeps under the lock.
        let mut target = KVec::with_capacity(SHOWN, GFP_KERNEL)?;
        let lines = self.lines.lock();
        let Some(line) = lines.lines.get(index) else {
            return Ok(None);
        };
        target.extend_from_slice(&line.target, GFP_NOWAIT)?;
        let reason = line.reason;
        Ok(Some((target, reason)))
    }
}

impl Lines {
    fn put(&mut self, line: Line) -> Option<Line> {
        if self.lines.len() < LINES {
            // There is room: it was made with that.
            let _ = self.lines.push(line, GFP_NOWAIT);
            return None;
        }
        let index = self.next % LINES;
        self.next = index.wrapping_add(1);
        let place = self.lines.get_mut(index)?;
        Some(core::mem::replace(place, line))
    }
}
