// SPDX-License-Identifier: GPL-2.0

//! `cache-entries`: what is stored, an entry a line, in no order.

use core::fmt::Display;
use kernel::prelude::*;

use super::Context;
use crate::{
    cache::index::Cursor,
    rt::{
        clock,
        proc::{
            File,
            SeqFile, //
        },
    },
    server::cache::Entry,
    time::Instant, //
};

/// The most entries that are shown: somebody has to read them, and there is a buffer for all of it.
const MOST: usize = 16384;

pub(super) struct CacheEntries(pub(super) Context);

impl File for CacheEntries {
    fn show(&self, out: &SeqFile) -> Result {
        let Some(cache) = self.0.instance.cache() else {
            return Ok(());
        };
        writeln!(out, "#   octets        age        ttl       hits  target");
        let now = clock::boot_now();
        let mut cursor = Cursor::default();
        for _ in 0..MOST {
            match cache.next(&mut cursor) {
                Some((entry, hits)) => show_entry(out, &entry, hits, now),
                None => return Ok(()),
            }
        }
        let more = cache.counts().entries.saturating_sub(MOST);
        writeln!(out, "# and about {more} more");
        Ok(())
    }
}

/// Octets of the body, seconds of age, seconds for which it is fresh (fewer than none: since when it is
/// not), and how often it was the answer.
#[inline(never)] // Keeps its frame out of its caller's.
fn show_entry(out: &SeqFile, entry: &Entry, hits: u32, now: Instant) {
    match entry.head() {
        Some(head) => {
            let freshness = &head.response.freshness;
            let age = freshness.current_age(now).as_secs();
            show_numbers(out, [&entry.body().len(), &age, &freshness.ttl(now), &hits]);
        }
        // Nobody has answered yet.
        None => show_numbers(out, [&entry.body().len(), &"-", &"-", &hits]),
    }
    out.write(entry.key());
    out.write(b"\n");
}

#[inline(never)] // Keeps its frame out of its caller's.
fn show_numbers(out: &SeqFile, numbers: [&dyn Display; 4]) {
    for number in numbers {
        write!(out, "{number:>10} ");
    }
    out.write(b" ");
}
