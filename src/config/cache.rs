// SPDX-License-Identifier: GPL-2.0

//! The settings of the `cache` file: the attributes of Resin's `<cache>`, under their names, and what
//! RFC 9111 leaves to whoever runs a cache.

use super::{
    choice::{
        Cookies,
        SetCookie, //
    },
    networks::Networks,
    refusal::Refusal,
    table::{
        self,
        count,
        days,
        settings,
        size,
        time,
        Value, //
    },
    text::{
        Alphabet,
        Text, //
    }, //
};
use crate::time::Duration;

settings! {
    /// How a cache is set up.
    struct CacheSettings;
    /// What is in force until somebody sets something else: the defaults of Resin's.
    static CACHE_DEFAULTS;

    /// Whether responses are stored, and those that are stored reused.
    enable: bool = "enable", true, ();
    /// The most octets of everything that the cache holds: bodies, heads, and its own tables.
    memory_size: u64 = "memory-size", 8 << 20, size(1 << 20, 1 << 40);
    /// The most responses that are stored.
    entries: usize = "entries", 8192, count(16, 1 << 22);
    /// The most octets of a body that is stored.
    max_entry_size: u64 = "max-entry-size", 1 << 20, size(1 << 10, 1 << 30);
    /// Whether requests for a part of a stored response are answered with that part.
    enable_range: bool = "enable-range", true, ();
    /// Whether clients are told `Cache-Control: private` in the place of Vary, for browsers that do not
    /// cache what varies.
    rewrite_vary_as_private: bool = "rewrite-vary-as-private", false, ();
    /// Where the disk tier is; kept for it.
    path: Text<96> = "path", Text::of("cache/"), Alphabet::File;
    /// The most octets of the disk tier; kept for it.
    disk_size: u64 = "disk-size", 1 << 30, size(0, 1 << 50);

    /// What `Vary: Cookie` means.
    vary_cookie: Cookies = "vary-cookie", Cookies::Anonymous, ();
    /// What happens to a response that sets a cookie.
    set_cookie: SetCookie = "set-cookie", SetCookie::Explicit, ();
    /// How long a response that does not say it is fresh at most, by a tenth of its age (RFC 9111
    /// section 4.2.2); 0: it is not.
    heuristic_age: Duration = "heuristic-age", days(1), time(Duration::ZERO, days(365));
    /// How long after it became stale a response is reused while it is validated, if its sender says
    /// nothing about that.
    grace: Duration = "grace", Duration::ZERO, time(Duration::ZERO, days(365));
    /// How long after it became stale a response is reused when no backend can answer, if its sender
    /// says nothing about that.
    stale_if_error: Duration = "stale-if-error", Duration::ZERO, time(Duration::ZERO, days(365));
    /// Who may have responses removed, with the method PURGE.
    purge_allow: Networks = "purge-allow", Networks::NONE, ();
    /// Whether clients are told what the cache did (RFC 9211).
    cache_status: bool = "cache-status", false, ();
}

impl CacheSettings {
    /// See [`table::apply`].
    pub(crate) fn apply(&mut self, text: &[u8]) -> Result<(), Refusal> {
        table::apply(self, text)
    }
}
