// SPDX-License-Identifier: GPL-2.0

//! What a test has in hand: memory that runs out, clocks, and what must not be done where. All of it
//! is the present thread's.

use core::cell::{Cell, RefCell};

use crate::alloc::{AllocError, Flags};

thread_local! {
    static FAULTS: Cell<Faults> = const { Cell::new(Faults::None) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static LOCKS: Cell<u32> = const { Cell::new(0) };
    static STEPS: Cell<u32> = const { Cell::new(0) };
    static BOOT: Cell<u64> = const { Cell::new(1 << 40) };
    static WALL: Cell<i64> = const { Cell::new(0) };
    static RANDOM: Cell<u64> = const { Cell::new(1) };
    static MEANWHILE: RefCell<Option<Meanwhile>> = const { RefCell::new(None) };
}

/// After how many moments what is done.
type Meanwhile = (u64, Box<dyn FnOnce()>);

/// Which allocations fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Faults {
    /// None.
    None,
    /// Each one of this many.
    Each(u64),
    /// The one of this number, from 0 on, since this was set.
    Only(u64),
}

/// Sets which allocations fail from now on.
pub fn set_faults(faults: Faults) {
    FAULTS.set(faults);
    ALLOCATIONS.set(0);
}

/// How many allocations there were since the faults were set.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Octets that are allocated.
pub fn live() -> i64 {
    LIVE.get()
}

pub(crate) fn allocate(octets: usize, flags: Flags) -> Result<(), AllocError> {
    let may_sleep = LOCKS.get() == 0 && STEPS.get() == 0;
    assert!(
        may_sleep || !flags.sleeps(),
        "it may sleep where it must not"
    );
    let number = ALLOCATIONS.get();
    ALLOCATIONS.set(number + 1);
    let fails = match FAULTS.get() {
        Faults::None => false,
        Faults::Each(many) => number % many == many - 1,
        Faults::Only(one) => number == one,
    };
    if fails {
        return Err(AllocError);
    }
    LIVE.set(LIVE.get() + octets as i64);
    Ok(())
}

pub(crate) fn free(octets: usize) {
    if octets > 0 && !std::thread::panicking() {
        assert_eq!(LOCKS.get(), 0, "it is dropped under a lock");
    }
    LIVE.set(LIVE.get() - octets as i64);
}

/// As [`free`], for what somebody has got larger memory for.
pub(crate) fn exchange(octets: usize) {
    LIVE.set(LIVE.get() - octets as i64);
}

/// A lock was taken.
pub fn locked() {
    LOCKS.set(LOCKS.get() + 1);
}

/// A lock was let go of.
pub fn unlocked() {
    LOCKS.set(LOCKS.get() - 1);
}

/// Has this done, as by another processor, after so many [moments](moment) of what is done next.
pub fn set_meanwhile(moments: u64, deed: impl FnOnce() + 'static) {
    MEANWHILE.set(Some((moments, Box::new(deed))));
}

/// Whether there were not so many; it is forgotten.
pub fn is_not_yet() -> bool {
    MEANWHILE.take().is_some()
}

/// Something shared was looked at, or a lock was let go of: what is done by others comes before that,
/// or behind it. Nobody does anything here as long as we hold a lock that he may want.
pub fn moment() {
    if LOCKS.get() > 0 {
        return;
    }
    match MEANWHILE.take() {
        Some((0, deed)) => deed(),
        Some((moments, deed)) => MEANWHILE.set(Some((moments - 1, deed))),
        None => {}
    }
}

/// How many locks are held.
pub fn locks() -> u32 {
    LOCKS.get()
}

/// As long as it lives nothing may sleep.
pub struct Step(());

impl Step {
    /// From now on.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        STEPS.set(STEPS.get() + 1);
        Self(())
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        STEPS.set(STEPS.get() - 1);
    }
}

/// Nanoseconds since boot.
pub fn boot() -> u64 {
    BOOT.get()
}

/// Seconds of the wall clock.
pub fn wall() -> i64 {
    WALL.get() + (BOOT.get() / 1_000_000_000) as i64
}

/// So many milliseconds go by.
pub fn pass(millis: u64) {
    BOOT.set(BOOT.get() + millis * 1_000_000);
}

/// Sets the wall clock.
pub fn set_wall(secs: i64) {
    WALL.set(secs - (BOOT.get() / 1_000_000_000) as i64);
}

/// The next random number follows from this.
pub fn seed(seed: u64) {
    RANDOM.set(seed | 1);
}

/// A random number (xorshift64*).
pub fn random() -> u64 {
    let mut state = RANDOM.get();
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    RANDOM.set(state);
    state.wrapping_mul(0x2545_F491_4F6C_DD1D)
}
