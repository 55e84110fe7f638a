// SPDX-License-Identifier: GPL-2.0

//! Octets in pages of the page allocator: one appends, and any number read what is there already,
//! without a lock.
//!
//! C header: [`include/linux/gfp.h`](srctree/include/linux/gfp.h)

use crate::sys::bindings;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
};

/// Octets of a page.
pub(crate) const PAGE: usize = PAGE_SIZE;

/// Pages that the first table can name. Each of the others can name twice as many as the one before,
/// so that none has to be copied, which those who read would notice.
const FIRST: usize = 8;
/// Tables: half a million pages, 2 GiB.
const TABLES: usize = 16;

/// How many pages [`Runs`] are of at most: they are kept on the stack.
pub(crate) const RUNS: usize = 16;

/// Octets of [`Pages`], one run for each page, which can be sent without a copy.
///
/// # Invariants
///
/// Each run is a part of one page of the page allocator, and does not change as long as anybody has a
/// reference to that page. Those behind the first empty one are empty.
pub(crate) struct Runs<'a> {
    runs: [&'a [u8]; RUNS],
    len: usize,
}

impl<'a> Runs<'a> {
    /// No octets: [`Pages::refer`] puts some here.
    pub(crate) const fn none() -> Self {
        // INVARIANT: There are no runs.
        Self {
            runs: [&[]; RUNS],
            len: 0,
        }
    }

    /// How many octets there are in all.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// One after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        let all = self.runs.iter().copied();
        all.take_while(|run| !run.is_empty())
    }
}

/// A page of memory, filled or not.
type Page = NonNull<u8>;

/// Octets that grow at their end. Made and used in any context, dropped in any; nothing sleeps.
///
/// # Invariants
///
/// - `tables[n]` is null, or belongs to this value and has room for `FIRST << n` pages; then it stays.
/// - The first `count` pages are in the tables, and belong to this value. Neither they nor their
///   entries change until it is dropped.
/// - The first `len` octets of them are initialised, and do not change either.
/// - Only whoever has set `appending` writes to tables and pages, and to `tables`, `count` and `len`.
pub(crate) struct Pages {
    tables: [Atomic<*mut Page>; TABLES],
    count: Atomic<usize>,
    len: Atomic<u64>,
    appending: Atomic<bool>,
}

// SAFETY: Pages and tables are not bound to a thread.
unsafe impl Send for Pages {}
// SAFETY: By the type invariants what can be read does not change, and one at a time writes the rest.
unsafe impl Sync for Pages {}

impl Pages {
    /// No octets, and no memory.
    pub(crate) fn new() -> Self {
        // INVARIANT: There are no tables and no octets.
        Self {
            tables: [const { Atomic::new(ptr::null_mut()) }; TABLES],
            count: Atomic::new(0),
            len: Atomic::new(0),
            appending: Atomic::new(false),
        }
    }

    /// How many octets there are. Those that [`Pages::at`] is asked for afterwards are seen.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Acquire)
    }

    /// Octets of memory that so many octets take, the first table apart.
    pub(crate) fn cost(octets: u64) -> u64 {
        let pages = octets.div_ceil(PAGE as u64);
        let mut cost = pages.saturating_mul(PAGE as u64);
        let mut covered = FIRST as u64;
        for table in 1..TABLES {
            if covered >= pages {
                break;
            }
            let room = room_of(table) as u64;
            covered = covered.saturating_add(room);
            cost = cost.saturating_add(room.saturating_mul(size_of::<Page>() as u64));
        }
        cost
    }

    /// The octets from `position` on, up to the end of a page or of what is there; none behind that.
    pub(crate) fn at(&self, position: u64) -> &[u8] {
        let len = self.len();
        let (Ok(at), true) = (usize::try_from(position), position < len) else {
            return &[];
        };
        let (index, offset) = (at / PAGE, at % PAGE);
        let Some(page) = self.page(index) else {
            return &[];
        };
        // CAST: At most a page.
        let count = len
            .saturating_sub(position)
            .min((PAGE.wrapping_sub(offset)) as u64) as usize;
        // SAFETY: By the type invariants the `count` octets from `offset` on in this page are
        // initialised and do not change as long as `self` is borrowed: they are before `len`, which was
        // loaded with `Acquire`.
        unsafe { core::slice::from_raw_parts(page.as_ptr().add(offset), count) }
    }

    /// Puts the octets from `position` on, `most` of them or as many as there are and fit, into `runs`,
    /// which is empty.
    pub(crate) fn refer<'a>(&'a self, position: u64, most: usize, runs: &mut Runs<'a>) {
        for place in &mut runs.runs {
            // INVARIANT: It is in one page; by the type invariants it is not written again.
            let run = self.at(position.saturating_add(runs.len as u64));
            let rest = most.saturating_sub(runs.len);
            *place = run.get(..rest).unwrap_or(run);
            runs.len = runs.len.saturating_add(place.len());
            if place.is_empty() {
                break;
            }
        }
    }

    /// Adds octets at the end, and pages for them.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, when some of them may have been added; `EBUSY` if somebody else is adding some.
    pub(crate) fn append(&self, octets: &[u8]) -> Result {
        if self.appending.xchg(true, Acquire) {
            return Err(EBUSY);
        }
        let mut rest = octets;
        let outcome = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match self.append_some(rest) {
                Ok(taken) => rest = rest.get(taken..).unwrap_or(&[]),
                Err(error) => break Err(error),
            }
        };
        self.appending.store(false, Release);
        outcome
    }

    /// Adds as many as go into one page. Only for [`Pages::append`].
    fn append_some(&self, octets: &[u8]) -> Result<usize> {
        let len = usize::try_from(self.len.load(Relaxed)).map_err(|_| ENOMEM)?;
        let (index, offset) = (len / PAGE, len % PAGE);
        let page = match self.page(index) {
            Some(page) => page,
            None => self.add_page(index)?,
        };
        let count = octets.len().min(PAGE.wrapping_sub(offset));
        // SAFETY: The page has `PAGE` octets, of which `count` are behind `offset`. Nobody else writes
        // to them, and nobody reads them, since they are behind `len`. `octets` has that many.
        unsafe { ptr::copy_nonoverlapping(octets.as_ptr(), page.as_ptr().add(offset), count) };
        // INVARIANT: They are initialised, and not written again. Who loads this sees them.
        self.len.store(len.saturating_add(count) as u64, Release);
        Ok(count)
    }

    /// Adds the page of this index, which is the next one. Only for [`Pages::append`].
    fn add_page(&self, index: usize) -> Result<Page> {
        let (table, at) = place(index).ok_or(ENOMEM)?;
        let link = self.tables.get(table).ok_or(ENOMEM)?;
        if link.load(Relaxed).is_null() {
            let pages = KVec::<Page>::with_capacity(room_of(table), GFP_NOWAIT)?;
            // INVARIANT: It has that much room, and is ours now.
            link.store(pages.into_raw_parts().0, Relaxed);
        }
        // SAFETY: No requirements.
        let page = unsafe { bindings::page_alloc() };
        let page = NonNull::new(page.cast()).ok_or(ENOMEM)?;
        // SAFETY: By the type invariants, and `place()`, the table has room for this entry; nobody
        // reads it, since it is behind `count`.
        unsafe { link.load(Relaxed).add(at).write(page) };
        // INVARIANT: It was just written. Who loads this sees the entry, and the table.
        self.count.store(index.saturating_add(1), Release);
        Ok(page)
    }

    /// The page of this index, if it is there.
    fn page(&self, index: usize) -> Option<Page> {
        if index >= self.count.load(Acquire) {
            return None;
        }
        let (table, at) = place(index)?;
        let pages = self.tables.get(table)?.load(Relaxed);
        // SAFETY: By the type invariants this is an entry of a table, and initialised.
        Some(unsafe { pages.add(at).read() })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        for index in 0..self.count.load(Relaxed) {
            if let Some(page) = self.page(index) {
                // SAFETY: By the type invariants it is ours, and nobody uses it any more.
                unsafe { bindings::page_free(page.as_ptr().cast()) };
            }
        }
        for (table, link) in self.tables.iter().enumerate() {
            let pages = link.load(Relaxed);
            if !pages.is_null() {
                // SAFETY: By the type invariants; it was made by a vector of that capacity, and its
                // entries need no drop.
                drop(unsafe { KVec::<Page>::from_raw_parts(pages, 0, room_of(table)) });
            }
        }
    }
}

/// How many pages a table can name.
fn room_of(table: usize) -> usize {
    // CAST: There are few tables.
    FIRST.checked_shl(table as u32).unwrap_or(usize::MAX)
}

/// Which table names the page of this index, and where in it; none if there are not so many.
fn place(index: usize) -> Option<(usize, usize)> {
    let round = (index / FIRST).checked_add(1)?;
    // CAST: Less than the bits of a number.
    let table = round.checked_ilog2()? as usize;
    let before = room_of(table).checked_sub(FIRST)?;
    (table < TABLES).then_some((table, index.checked_sub(before)?))
}
