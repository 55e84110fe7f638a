// SPDX-License-Identifier: GPL-2.0

//! What RFC 9111 leaves to whoever runs the cache.

use super::delta::DeltaSeconds;

/// What happens to a response that sets a cookie.
///
/// "The presence of a Set-Cookie response header field does not inhibit caching" (RFC 9111 section
/// 7.3), but a session that is shared by mistake is worse than a miss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum SetCookie {
    /// It is stored, with its cookies, if its sender said how long it is fresh, or that it is
    /// public.
    #[default]
    Explicit,
    /// It is stored like any other, but without its cookies.
    Strip,
    /// It is not stored.
    Refuse,
}

/// What `Vary: Cookie` means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Cookies {
    /// Resin's rule: those who have no cookie and no session share what is stored, nothing is
    /// stored for the others, and they get nothing that is stored.
    #[default]
    Anonymous,
    /// RFC 9111: as any other field. Those who have the same cookies share.
    Compared,
}

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
