// SPDX-License-Identifier: GPL-2.0

//! The table of what is told of the cache, and the ratios that Resin has shown of its own.

use super::family::{counter, gauge, Family, Group, Values};
use super::{Count, Snapshot};

/// How many of all it was that missed something.
pub(crate) struct Ratio {
    /// Its name for machines.
    pub(crate) name: &'static str,
    /// Its name for people, in small letters as Resin's manual has it.
    pub(crate) title: &'static str,
    /// One sentence on what it is.
    pub(crate) help: &'static str,
    /// How many missed it.
    pub(crate) miss: fn(&Snapshot<'_>) -> u64,
    /// And how many there were.
    pub(crate) total: fn(&Snapshot<'_>) -> u64,
}

/// What is told of the cache.
pub(super) const GROUP: Group = Group {
    title: "Cache",
    families: FAMILIES,
    ratios: RATIOS,
};

const FAMILIES: &[Family] = &[
    counter(
        "cache_requests",
        "Requests",
        "Requests that the cache looked at, by what it did: a miss went to the backend.",
        Values::By(
            "result",
            &[
                ("hit", Count::CacheHits),
                ("stale", Count::CacheStale),
                ("revalidated", Count::CacheRevalidated),
                ("collapsed", Count::CacheCollapsed),
                ("miss", Count::CacheMisses),
            ],
        ),
    ),
    counter(
        "cache_lookups",
        "Looked up",
        "Requests that the cache looked up, by whether there was something for their target.",
        Values::By(
            "target",
            &[
                ("known", Count::CacheKnown),
                ("unknown", Count::CacheUnknown),
            ],
        ),
    ),
    counter(
        "cache_stored",
        "Answers stored",
        "Answers that were stored whole.",
        Values::One(Count::CacheStored),
    ),
    counter(
        "cache_refused",
        "Answers not stored",
        "Answers to requests that the cache looked at which could not be stored.",
        Values::One(Count::CacheRefused),
    ),
    counter(
        "cache_evictions",
        "Evicted",
        "Stored answers that gave way to others.",
        Values::Of(|snapshot| snapshot.cache.evictions),
    ),
    counter(
        "cache_purged",
        "Purged",
        "Stored answers that were removed on request, or since their target was changed.",
        Values::One(Count::CachePurged),
    ),
    gauge(
        "cache_entries",
        "Entries",
        "Answers that are stored.",
        Values::Of(|snapshot| snapshot.cache.entries),
    ),
    gauge(
        "cache_bytes",
        "Memory",
        "Memory of the cache: of what is stored, and of what is still being sent.",
        Values::Of(|snapshot| snapshot.cache.octets),
    ),
    gauge(
        "cache_limit_bytes",
        "Memory at most",
        "How much memory the cache may take; 0 if there is none.",
        Values::Of(|snapshot| snapshot.cache.limit),
    ),
];

const RATIOS: &[Ratio] = &[
    Ratio {
        name: "proxy_cache_miss_ratio",
        title: "proxy cache miss ratio",
        help: "How often a page that can be stored came from a backend all the same.",
        miss: |snapshot| snapshot.count(Count::CacheStored),
        total: |snapshot| reads(snapshot).saturating_add(snapshot.count(Count::CacheStored)),
    },
    Ratio {
        name: "block_cache_miss_ratio",
        title: "block cache miss ratio",
        help: "How often something stored was read from a disk: never, all of it is in memory.",
        miss: |_| 0,
        total: reads,
    },
    Ratio {
        name: "invocation_miss_ratio",
        title: "invocation miss ratio",
        help: "How often nothing was there for the target of a request, be it stored or not.",
        miss: |snapshot| snapshot.count(Count::CacheUnknown),
        total: |snapshot| {
            let unknown = snapshot.count(Count::CacheUnknown);
            unknown.saturating_add(snapshot.count(Count::CacheKnown))
        },
    },
];

/// Requests that were answered with something stored.
fn reads(snapshot: &Snapshot<'_>) -> u64 {
    let counts = [
        Count::CacheHits,
        Count::CacheStale,
        Count::CacheRevalidated,
        Count::CacheCollapsed,
    ];
    let numbers = counts.iter().map(|count| snapshot.count(*count));
    numbers.fold(0, u64::saturating_add)
}
