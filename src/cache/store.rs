// SPDX-License-Identifier: GPL-2.0

//! Whether a response may be stored (RFC 9111 section 3).

use super::control::ResponseControl;
use super::field::Field;
use super::freshness::{is_heuristically_cacheable, Freshness};
use super::request::Request;
use super::reuse::longest_stale;
use super::rules::{Rules, SetCookie};
use crate::bytes;
use crate::http::{field, Method, Status};
use crate::time::UnixTime;

/// How a response may be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Storable {
    /// As it is.
    Whole,
    /// As a part (206): only by a cache that combines parts and answers ranges (RFC 9111 section
    /// 3.3 and 3.4).
    Partial,
}

/// Declares why a response is not stored.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)*) => {
        /// Why a response is not stored.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Uncacheable {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Uncacheable {
            /// All of them.
            pub(crate) const ALL: &'static [Uncacheable] = &[$(Uncacheable::$name,)*];

            /// The same in a few words, for `cache-uncacheable`.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Uncacheable::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// The method is not GET: nothing else has an answer that this cache would reuse.
    Method = "method",
    /// It is an interim response, or a 304, which only updates.
    Status = "status",
    /// It asks to be understood, and its status is not known (RFC 9111 section 5.2.2.3).
    NotUnderstood = "must-understand",
    /// The request says no-store (section 5.2.1.5).
    RequestNoStore = "no-store in the request",
    /// The response says no-store (section 5.2.2.5).
    NoStore = "no-store",
    /// The response is private (section 5.2.2.7).
    Private = "private",
    /// The request has Authorization, and the response does not allow that (section 3.5).
    Authorization = "authorization",
    /// Nothing says that it may be stored: neither an age, nor public, nor its status.
    NoFreshness = "no freshness",
    /// It would be stale at once, and the origin could not be asked whether it is still good.
    NoValidator = "stale without a validator",
    /// It sets a cookie: see [`SetCookie`].
    SetCookie = "set-cookie",
    /// `Vary: *`, or something that is no list of field names: no request ever matches (section
    /// 4.1).
    VaryAny = "vary: *",
    /// `Vary: Cookie`, and somebody who has one: see [`Cookies::Anonymous`](super::Cookies).
    VaryCookie = "vary: cookie, and a cookie in the request",
    /// It varies by a field that the gateway itself writes, of each client another one.
    VaryClient = "vary: the client's address",
    /// It varies by a field that the request has, but for this hop only: the origin has not seen it
    /// (RFC 9110 section 7.6.1).
    VaryUnseen = "vary: a field that connection names",
    /// Its selector is longer than there is room for.
    VaryTooLong = "vary: too much",
}

/// A response, as the cache sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Response {
    /// The status.
    pub(crate) status: Status,
    /// Cache-Control or what is in its place.
    pub(crate) control: ResponseControl,
    /// How old and how long fresh.
    pub(crate) freshness: Freshness,
    /// `Vary: *`
    varies_on_all: bool,
    sets_cookie: bool,
    /// ETag or Last-Modified.
    has_validator: bool,
}

impl Response {
    /// Of a response with these field lines, the control and freshness of which were found.
    pub(crate) fn of(
        status: Status,
        lines: &[u8],
        control: ResponseControl,
        freshness: Freshness,
    ) -> Response {
        let mut response = Response {
            status,
            control,
            freshness,
            varies_on_all: false,
            sets_cookie: false,
            has_validator: false,
        };
        for (name, value) in field::fields(lines) {
            match Field::of(name) {
                Field::Vary => {
                    response.varies_on_all |= bytes::tokens(value).any(|one| one == b"*");
                }
                Field::SetCookie | Field::SetCookie2 => response.sets_cookie = true,
                Field::Etag | Field::LastModified => response.has_validator = true,
                _ => {}
            }
        }
        response
    }

    /// Whether a shared cache may store it as the answer to `request` (RFC 9111 section 3), `now`
    /// being when it came. That its body came whole is for the caller to see (section 3.3).
    pub(crate) fn may_be_stored(
        &self,
        request: &Request<'_>,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Storable, Uncacheable> {
        if request.method != Method::Get {
            return Err(Uncacheable::Method);
        }
        if self.status.is_informational() || self.status == Status::NOT_MODIFIED {
            return Err(Uncacheable::Status);
        }
        self.is_allowed(request)?;
        self.is_cacheable()?;
        self.is_of_use(rules, now)?;
        match self.status {
            Status::PARTIAL_CONTENT => Ok(Storable::Partial),
            _ => Ok(Storable::Whole),
        }
    }

    /// Nobody forbids it.
    fn is_allowed(&self, request: &Request<'_>) -> Result<(), Uncacheable> {
        let control = &self.control;
        if control.must_understand && !is_understood(self.status) {
            return Err(Uncacheable::NotUnderstood);
        }
        if request.control.no_store {
            return Err(Uncacheable::RequestNoStore);
        }
        // RFC 9111 section 5.2.2.3: with must-understand, "caches that understand the status code
        // and conform to its requirements SHOULD ignore no-store".
        if control.no_store && !control.must_understand {
            return Err(Uncacheable::NoStore);
        }
        if control.private {
            return Err(Uncacheable::Private);
        }
        // RFC 9111 section 3.5: "must-revalidate, public, and s-maxage" allow it.
        let allows_authorized =
            control.must_revalidate || control.public || control.s_maxage.is_some();
        if request.has_authorization && !allows_authorized {
            return Err(Uncacheable::Authorization);
        }
        Ok(())
    }

    /// Something says that it may be stored: "the response contains at least one of [...] a public
    /// response directive; [...] an Expires header field; a max-age response directive; if the
    /// cache is shared: an s-maxage response directive; [...] a status code that is defined as
    /// heuristically cacheable".
    fn is_cacheable(&self) -> Result<(), Uncacheable> {
        let is_explicit = self.freshness.basis.is_explicit();
        match self.control.public || is_explicit || is_heuristically_cacheable(self.status) {
            true => Ok(()),
            false => Err(Uncacheable::NoFreshness),
        }
    }

    /// It would ever be reused. The RFC does not ask that, nor that cookies be kept apart.
    fn is_of_use(&self, rules: &Rules, now: UnixTime) -> Result<(), Uncacheable> {
        if self.varies_on_all {
            return Err(Uncacheable::VaryAny);
        }
        if self.sets_cookie && !self.may_set_cookie(rules.set_cookie) {
            return Err(Uncacheable::SetCookie);
        }
        let freshness = &self.freshness;
        let usable = freshness
            .lifetime
            .saturating_add(longest_stale(&self.control, rules));
        let is_reusable = usable > freshness.current_age(now) && !self.control.no_cache;
        if !is_reusable && !self.has_validator {
            return Err(
                match freshness.basis.is_explicit() || self.control.no_cache {
                    true => Uncacheable::NoValidator,
                    false => Uncacheable::NoFreshness,
                },
            );
        }
        Ok(())
    }

    fn may_set_cookie(&self, rule: SetCookie) -> bool {
        match rule {
            SetCookie::Explicit => self.freshness.basis.is_explicit() || self.control.public,
            SetCookie::Strip => true,
            SetCookie::Refuse => false,
        }
    }
}

/// Whether the cache knows what a status says about caching, which is nothing but for 206 and 304
/// (RFC 9110 section 15): those of that RFC. What it does not know it stores too if nobody asks it
/// to understand.
const fn is_understood(status: Status) -> bool {
    matches!(
        status.code(),
        200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}
