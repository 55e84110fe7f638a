// SPDX-License-Identifier: GPL-2.0

//! What RFC 9111 leaves to whoever runs the cache.

use super::delta::DeltaSeconds;
use crate::config::{CacheSettings, Settings};
pub(crate) use crate::config::{Cookies, SetCookie};
use crate::time::Duration;

/// The rules of one cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rules<'a> {
    /// How long a response may at most be fresh by heuristics (RFC 9111 section 4.2.2). Zero: there
    /// are none.
    pub(crate) heuristic_cap: DeltaSeconds,
    /// How long a response is fresh that has a validator and does not say it itself: Resin's
    /// `cache-mapping`, in place of heuristics.
    pub(crate) mapped: Option<DeltaSeconds>,
    /// What happens to cookies.
    pub(crate) set_cookie: SetCookie,
    /// The names of the cookies that make a response private, whatever else it says: the JVM's
    /// session, and our own that says which backend has it. Empty: there is none.
    ///
    /// As Resin did: "A newly set session cookie" is `Cache-Control: private`.
    pub(crate) session_cookies: [&'a [u8]; 2],
    /// What `Vary: Cookie` means.
    pub(crate) vary_cookie: Cookies,
    /// How long after it became stale a response may be reused while it is validated, if its
    /// sender said nothing about that. Not what never was fresh.
    pub(crate) grace: DeltaSeconds,
    /// How long after it became stale a response may be reused when the origin fails, if its sender
    /// said nothing about that. Not what never was fresh.
    pub(crate) stale_if_error: DeltaSeconds,
}

impl<'a> Rules<'a> {
    /// As they are set. `mapped` is of the mapping of one target.
    pub(crate) fn of(
        cache: &CacheSettings,
        settings: &'a Settings,
        mapped: Option<DeltaSeconds>,
    ) -> Rules<'a> {
        let secs = |span: Duration| DeltaSeconds::from_secs(span.as_secs());
        Rules {
            heuristic_cap: secs(cache.heuristic_age),
            mapped,
            set_cookie: cache.set_cookie,
            session_cookies: [
                settings.session_cookie.as_bytes(),
                settings.sticky_cookie.as_bytes(),
            ],
            vary_cookie: cache.vary_cookie,
            grace: secs(cache.grace),
            stale_if_error: secs(cache.stale_if_error),
        }
    }
}

impl Rules<'_> {
    /// A day at most by heuristics, cookies only with what is explicitly fresh, nothing stale.
    pub(crate) const DEFAULT: Rules<'static> = Rules {
        heuristic_cap: DeltaSeconds::from_secs(86_400),
        mapped: None,
        set_cookie: SetCookie::Explicit,
        session_cookies: [b"JSESSIONID", b""],
        vary_cookie: Cookies::Anonymous,
        grace: DeltaSeconds::ZERO,
        stale_if_error: DeltaSeconds::ZERO,
    };
}
