// SPDX-License-Identifier: GPL-2.0

//! What clients are told of answers that the origin has brought.

use kernel::alloc::KVec;
use kernel::sync::Arc;

use super::copy;
use super::written;
use crate::cache::answer::Passing;
use crate::cache::mapping::Lifetimes;
use crate::cache::Forward;
use crate::cache::Handling;
use crate::http::encode::Amended;
use crate::server::engine::Config;

/// No mapping is about a longer target: expressions are compared octet by octet.
const MAPPED: usize = 4096;

/// What a mapping says of this target, if there is one.
pub(super) fn lifetimes(config: &Config, target: &[u8]) -> Option<Lifetimes> {
    match target.len() {
        0..=MAPPED => config.mappings.find(target),
        _ => None,
    }
}

/// What the client is told of one answer.
pub(super) struct Telling {
    config: Arc<Config>,
    /// Why the origin was asked.
    why: Forward,
    lines: KVec<u8>,
    hides: fn(&[u8]) -> bool,
}

impl Telling {
    /// Of an answer to come, if there may be something to tell.
    pub(super) fn of(config: &Arc<Config>, why: Forward) -> Option<Self> {
        let cache = &config.cache;
        let tells =
            cache.cache_status || cache.rewrite_vary_as_private || !config.mappings.is_empty();
        tells.then(|| Self {
            config: config.clone(),
            why,
            lines: KVec::new(),
            hides: |_| false,
        })
    }

    /// It has these field lines, and is stored, or not; if it is fresh by a mapping, this is what that
    /// says. Without memory nothing is told.
    pub(super) fn note(&mut self, lines: &[u8], mapped: Option<Lifetimes>, is_stored: bool) {
        let cache = &self.config.cache;
        let handling = Handling::Forwarded {
            why: self.why,
            status: None,
            is_stored,
            is_collapsed: false,
        };
        let passing = Passing {
            lines,
            private: cache.rewrite_vary_as_private,
            mapped,
            told: cache.cache_status.then(|| (self.config.name(), handling)),
        };
        let told = written(passing.room(), |out| passing.put(out));
        // It may last as long as the answer, so no longer than it has to be.
        if let Ok(lines) = told.and_then(|told| copy(&told)) {
            self.lines = lines;
            self.hides = passing.hides();
        }
    }

    /// What a mapping says of this target.
    pub(super) fn lifetimes(&self, target: &[u8]) -> Option<Lifetimes> {
        lifetimes(&self.config, target)
    }

    /// How the answer is changed.
    pub(super) fn amended(&self) -> Amended<'_> {
        Amended {
            lines: &self.lines,
            hides: self.hides,
        }
    }
}
