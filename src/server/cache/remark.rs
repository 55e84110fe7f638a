// SPDX-License-Identifier: GPL-2.0

//! Says in the log what the cache does, if the settings want that: the lines of Resin.

use kernel::alloc::KVec;
use kernel::prelude::*;

use super::entry::Head;
use super::written;
use crate::cache::first;
use crate::cache::Field;
use crate::log;
use crate::log::Entry;
use crate::log::Format;
use crate::rt::clock;
use crate::server::engine::Config;
use crate::server::Engine;

/// What is done.
#[derive(Clone, Copy)]
pub(super) enum Deed<'a> {
    /// An answer of so many octets is stored.
    Caches(&'a Head, u64),
    /// What is stored is the answer.
    Uses,
    /// The origin has said that what is stored is good.
    Validates,
}

/// Says it of this target. Without memory nothing is said.
pub(super) fn remark(engine: &Engine, config: &Config, deed: Deed<'_>, target: &[u8]) {
    if config.settings.log_cache {
        if let Some(format) = Format::of(config.settings.log) {
            say(engine, format, deed, target);
        }
    }
}

fn say(engine: &Engine, format: Format, deed: Deed<'_>, target: &[u8]) {
    if let Ok(text) = text(format, deed, target) {
        let entry = Entry::remark(clock::unix_now());
        engine.log_line(format, clock::now(), &entry, &text);
    }
}

fn text(format: Format, deed: Deed<'_>, target: &[u8]) -> Result<KVec<u8>> {
    let (verb, of_it, length) = match deed {
        Deed::Caches(head, length) => ("caching", of_head(&head.lines), Some(length)),
        Deed::Uses => ("using cache", None, None),
        Deed::Validates => ("not-modified", None, None),
    };
    written(log::MAX_CAPTURE, |out| {
        log::remark(format, verb, target, of_it, length, out)
    })
}

/// By what an answer is known to be another one.
fn of_head(lines: &[u8]) -> Option<(&'static str, &[u8])> {
    let known = [
        ("etag", Field::Etag),
        ("last-modified", Field::LastModified),
        ("expires", Field::Expires),
    ];
    let mut known = known.into_iter();
    known.find_map(|(name, field)| Some((name, first(lines, field)?)))
}
