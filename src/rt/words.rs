// SPDX-License-Identifier: GPL-2.0

//! Memory that one CPU writes while others read it, word by word.

use super::sync::{
    read_barrier,
    write_barrier, //
};
use core::cell::UnsafeCell;
use kernel::{
    alloc::KVVec,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
};

/// A power of two of words, and two marks. Whoever has it may load and store at any time, in any
/// context: a load gives what somebody stored, never a mixture. What order another CPU sees stores
/// in is said with each mark.
///
/// # Invariants
///
/// There are `mask + 1` words, a power of two.
pub(crate) struct Words {
    words: KVVec<UnsafeCell<u64>>,
    mask: usize,
    head: Atomic<u64>,
    oldest: Atomic<u64>,
}

// SAFETY: The words are only loaded and stored as wholes, as `READ_ONCE()` and `WRITE_ONCE()` do,
// which may happen on any CPUs at once.
unsafe impl Sync for Words {}
// SAFETY: The words are not bound to a thread.
unsafe impl Send for Words {}

impl Words {
    /// `2^bits` words that are zero. Process context.
    pub(crate) fn new(bits: u32) -> Result<Words> {
        let count = 1usize.checked_shl(bits).ok_or(EINVAL)?;
        let mut words = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..count {
            words.push(UnsafeCell::new(0), GFP_KERNEL_ACCOUNT)?;
        }
        // INVARIANT: That many were pushed.
        Ok(Words {
            words,
            mask: count.wrapping_sub(1),
            head: Atomic::new(0),
            oldest: Atomic::new(0),
        })
    }

    /// How many words there are.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.words.len()
    }

    /// Where the word of this number is, which is taken modulo the number of words.
    #[inline]
    fn word(&self, at: u64) -> *mut u64 {
        // CAST: What is cut off makes no difference modulo a power of two.
        let index = at as usize & self.mask;
        // SAFETY: By the type invariants `index` is less than the number of words.
        unsafe { self.words.get_unchecked(index) }.get()
    }

    /// The word of this number, modulo their count.
    #[inline]
    pub(crate) fn load(&self, at: u64) -> u64 {
        // SAFETY: The pointer is to a word of ours. By LKMM a volatile access of a machine word is
        // `READ_ONCE()`: others may store at the same time, in the same way.
        unsafe { self.word(at).read_volatile() }
    }

    /// Stores the word of this number, modulo their count.
    #[inline]
    pub(crate) fn store(&self, at: u64, word: u64) {
        // SAFETY: As in `load`, with `WRITE_ONCE()`.
        unsafe { self.word(at).write_volatile(word) }
    }

    /// The first mark. What was stored before it was set is seen after this.
    #[inline]
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Acquire)
    }

    /// Sets the first mark, after all that was stored before.
    #[inline]
    pub(crate) fn set_head(&self, head: u64) {
        self.head.store(head, Release);
    }

    /// The second mark. Whatever was loaded before a [`read_barrier`] that comes before this is not
    /// newer than it.
    #[inline]
    pub(crate) fn oldest(&self) -> u64 {
        self.oldest.load(Relaxed)
    }

    /// Sets the second mark, before all that is stored afterwards.
    #[inline]
    pub(crate) fn set_oldest(&self, oldest: u64) {
        self.oldest.store(oldest, Relaxed);
        write_barrier();
    }

    /// Loads before this are done before loads after it.
    #[inline]
    pub(crate) fn read_barrier(&self) {
        read_barrier();
    }
}
