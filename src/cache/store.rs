// SPDX-License-Identifier: GPL-2.0

//! Whether a response may be stored, and may update what is stored (RFC 9111 section 3).

use super::conditional::Validators;
use super::control::{Directives, ResponseControl};
use super::delta::DeltaSeconds;
use super::field::Field;
use super::freshness::{self, is_heuristically_cacheable, Basis, Freshness, Times};
use super::range::ContentRange;
use super::request::Request;
use super::reuse::longest_stale;
use super::rules::{Rules, SetCookie};
use crate::bytes;
use crate::http::{field, Method, Status};
use crate::time::{Instant, UnixTime};

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

            /// Whether it is about one request, or one answer: another may well be stored.
            pub(crate) const fn is_of_request(self) -> bool {
                matches!(
                    self,
                    Uncacheable::Method
                        | Uncacheable::Content
                        | Uncacheable::Status
                        | Uncacheable::Part
                        | Uncacheable::RequestNoStore
                        | Uncacheable::Authorization
                        | Uncacheable::Personal
                        | Uncacheable::SetCookie
                        | Uncacheable::Session
                        | Uncacheable::VaryCookie
                        | Uncacheable::VaryUnseen
                )
            }

            /// Whether the origin says it of the resource, not of one request or one answer: then
            /// what is stored of it is not to be used either.
            pub(crate) const fn is_of_resource(self) -> bool {
                matches!(self, Uncacheable::NoStore | Uncacheable::Private)
            }
        }
    };
}

reasons! {
    /// The method is not GET: nothing else has an answer that this cache would reuse. For updates:
    /// neither GET nor HEAD.
    Method = "method",
    /// The request has content, which means who knows what (RFC 9110 section 9.3.1).
    Content = "content in the request",
    /// It is an interim response, or a 304, which only updates, or is about this one request.
    Status = "status",
    /// It is a 206, but not of one part, or nobody has asked for one.
    Part = "no part that can be stored",
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
    /// The request says who asks, and nothing that others may have the answer: neither an age, nor
    /// public, nor a mapping of ours.
    Personal = "no freshness, and a client who is known",
    /// Nothing says that it may be stored: neither an age, nor public, nor its status.
    NoFreshness = "no freshness",
    /// It would be stale at once, and the origin could not be asked whether it is still good.
    NoValidator = "stale without a validator",
    /// It sets a cookie: see [`SetCookie`].
    SetCookie = "set-cookie",
    /// It sets a cookie that names a session: see [`Rules::session_cookies`].
    Session = "set-cookie of a session",
    /// `Vary: *`, or something that is no list of field names: no request ever matches (section
    /// 4.1).
    VaryAny = "vary: *",
    /// `Vary: Cookie`, and somebody who has one: see [`Cookies::Anonymous`](super::Cookies).
    VaryCookie = "vary: cookie, and a cookie in the request",
    /// It varies by a field in which the gateway itself tells what it saw of the client: what the
    /// origin has chosen by is not what the client sent.
    VaryClient = "vary: a field that the gateway writes",
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
    /// The Date of the message that brought its body, or when that came: for [`Validators::of`].
    pub(crate) dated: UnixTime,
    has_validator: bool,
    /// It says which part of the whole it is.
    is_part: bool,
    /// It sets a cookie, not only for the client that it was sent to.
    sets_cookie: bool,
    sets_session: bool,
    /// The request that brought its body said who asks.
    may_be_personal: bool,
}

impl Response {
    /// Of an answer to `request` with these field lines. `age` is what
    /// [`age`](freshness::age) says of the message that came; it is apart because what is stored
    /// has no Age.
    pub(crate) fn of(
        request: &Request<'_>,
        status: Status,
        lines: &[u8],
        age: DeltaSeconds,
        times: &Times,
        rules: &Rules<'_>,
    ) -> Response {
        Self::made(request.may_be_personal(), status, lines, age, times, rules)
    }

    fn made(
        may_be_personal: bool,
        status: Status,
        lines: &[u8],
        age: DeltaSeconds,
        times: &Times,
        rules: &Rules<'_>,
    ) -> Response {
        let directives = Directives::of(lines);
        let control = directives.control();
        let dated = freshness::dated(lines, times.response_wall);
        let (lifetime, basis, has_validator) =
            lifetime(may_be_personal, status, lines, &control, dated, rules);
        let (sets_cookie, sets_session) = cookies(lines, &directives, rules);
        Response {
            status,
            control,
            freshness: Freshness {
                lifetime,
                basis,
                initial_age: freshness::initial_age(dated, age, times),
                response_boottime: times.response_boottime,
            },
            dated,
            has_validator,
            is_part: is_part(lines),
            sets_cookie,
            sets_session,
            may_be_personal,
        }
    }

    /// What this stored response becomes when `lines` are its field lines, as
    /// [`Received::update`](super::Received::update) has merged them. `age` and `times` are those
    /// of the message that updated it.
    ///
    /// For whom its body was made does not change with that, whoever has asked now: so neither does
    /// whether it may be fresh by heuristics.
    pub(crate) fn updated(
        &self,
        lines: &[u8],
        age: DeltaSeconds,
        times: &Times,
        rules: &Rules<'_>,
    ) -> Response {
        Response {
            dated: self.dated,
            ..Self::made(self.may_be_personal, self.status, lines, age, times, rules)
        }
    }

    /// Whether whoever it was made for may have a page of his own.
    pub(crate) fn may_be_personal(&self) -> bool {
        self.may_be_personal
    }

    /// The same as the answer to who asks for all of it, of which this may be a part.
    pub(crate) fn as_whole(&self) -> Response {
        let status = match self.status {
            Status::PARTIAL_CONTENT => Status::OK,
            status => status,
        };
        Response { status, ..*self }
    }

    /// Whether a shared cache may store it as the answer to `request` (RFC 9111 section 3), `now`
    /// being when it came, by boottime. Two things are for others to see: that its body came whole
    /// (section 3.3), and that its Vary has a selector ([`vary::select`](super::vary::select)).
    pub(crate) fn may_be_stored(
        &self,
        request: &Request<'_>,
        rules: &Rules<'_>,
        now: Instant,
    ) -> Result<Storable, Uncacheable> {
        if request.method != Method::Get {
            return Err(Uncacheable::Method);
        }
        if is_of_one_request(self.status) {
            return Err(Uncacheable::Status);
        }
        let is_partial = self.status == Status::PARTIAL_CONTENT;
        if is_partial && !(request.has_range && self.is_part) {
            return Err(Uncacheable::Part);
        }
        self.may_stay(request, rules, now)?;
        match is_partial {
            true => Ok(Storable::Partial),
            false => Ok(Storable::Whole),
        }
    }

    /// Whether what is stored may stay so after an answer to `request` has
    /// [updated](Self::updated) it. `now` is boottime.
    pub(crate) fn may_stay(
        &self,
        request: &Request<'_>,
        rules: &Rules<'_>,
        now: Instant,
    ) -> Result<(), Uncacheable> {
        self.may_update(request, rules)?;
        self.is_cacheable()?;
        self.is_for_others()?;
        self.is_of_use(rules, now)
    }

    /// Whether this 304, or this answer to a HEAD, may update a stored response, which is to store
    /// its field lines (RFC 9111 section 3.2): nobody forbids to store them, by what it says
    /// itself.
    ///
    /// If somebody does, what is stored stays as it was, stale; it goes if the reason
    /// [is of the resource](Uncacheable::is_of_resource).
    pub(crate) fn may_update(
        &self,
        request: &Request<'_>,
        rules: &Rules<'_>,
    ) -> Result<(), Uncacheable> {
        let control = &self.control;
        // RFC 9111 sections 4.3.4 and 4.3.5 know updates by the answers to GET and HEAD.
        if !matches!(request.method, Method::Get | Method::Head) {
            return Err(Uncacheable::Method);
        }
        if request.has_content {
            return Err(Uncacheable::Content);
        }
        if control.must_understand && !is_understood(self.status) {
            return Err(Uncacheable::NotUnderstood);
        }
        if request.control.no_store {
            return Err(Uncacheable::RequestNoStore);
        }
        if control.forbids_storing() {
            return Err(Uncacheable::NoStore);
        }
        if control.private {
            return Err(Uncacheable::Private);
        }
        if request.has_authorization && !control.allows_authorized() {
            return Err(Uncacheable::Authorization);
        }
        if self.sets_session {
            return Err(Uncacheable::Session);
        }
        if self.sets_cookie && !self.may_set_cookie(rules.set_cookie) {
            return Err(Uncacheable::SetCookie);
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

    /// Others may have it than the client who is known, if it was asked for by one. A rule of ours:
    /// the RFC would store it, and whoever takes stale responses would get it. Who says that it is never
    /// fresh may have said so for the sake of that client.
    fn is_for_others(&self) -> Result<(), Uncacheable> {
        let (control, freshness) = (&self.control, &self.freshness);
        let is_fresh = freshness.lifetime > DeltaSeconds::ZERO;
        let is_stale_for_all =
            control.stale_while_revalidate.is_some() || control.stale_if_error.is_some();
        let is_said = control.public || is_fresh || is_stale_for_all;
        match self.may_be_personal && !is_said {
            true => Err(Uncacheable::Personal),
            false => Ok(()),
        }
    }

    /// It would ever be reused. The RFC does not ask that.
    fn is_of_use(&self, rules: &Rules<'_>, now: Instant) -> Result<(), Uncacheable> {
        let freshness = &self.freshness;
        let usable = freshness
            .lifetime
            .saturating_add(longest_stale(self, rules));
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
            SetCookie::Explicit => self.freshness.is_promised() || self.control.public,
            SetCookie::Strip => true,
            SetCookie::Refuse => false,
        }
    }
}

/// How long it is fresh, why, and whether it has a validator.
fn lifetime(
    may_be_personal: bool,
    status: Status,
    lines: &[u8],
    control: &ResponseControl,
    dated: UnixTime,
    rules: &Rules<'_>,
) -> (DeltaSeconds, Basis, bool) {
    let validators = Validators::of(lines, dated);
    let (lifetime, basis) =
        freshness::lifetime(may_be_personal, status, lines, control, &validators, rules);
    (lifetime, basis, validators.is_some())
}

fn is_part(lines: &[u8]) -> bool {
    ContentRange::of_response(lines).is_some()
}

/// Whether it sets a cookie, not only for the client that it was sent to; and one that names a session.
fn cookies(lines: &[u8], directives: &Directives<'_>, rules: &Rules<'_>) -> (bool, bool) {
    let cookies = || field::fields(lines).filter(|(name, _)| is_set_cookie(name));
    (
        cookies().any(|(name, _)| !directives.withholds(name)),
        cookies().any(|(_, value)| sets_one_of(value, &rules.session_cookies)),
    )
}

fn is_set_cookie(name: &[u8]) -> bool {
    matches!(Field::of(name), Field::SetCookie | Field::SetCookie2)
}

/// Whether a Set-Cookie sets a cookie with one of these names. Set-Cookie2 may set several, after
/// commas; where there is one in a date, what follows it has no such name.
fn sets_one_of(value: &[u8], names: &[&[u8]]) -> bool {
    let mut parts = value.split(|octet| matches!(octet, b';' | b','));
    parts.any(|part| {
        let end = bytes::find_byte(part, b'=').unwrap_or(part.len());
        let name = bytes::trim_ows(part.get(..end).unwrap_or(part));
        !name.is_empty() && names.contains(&name)
    })
}

/// Whether a response with this status is never stored, whatever it says: it is not final, or no
/// response of its own (304), or about fields that only this request has, or "MUST NOT be stored by
/// a cache" (RFC 6585: 428, 429, 431, 511).
const fn is_of_one_request(status: Status) -> bool {
    matches!(
        status.code(),
        100..=199 | 304 | 407 | 412 | 416 | 417 | 421 | 425 | 426 | 428 | 429 | 431 | 511
    )
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
