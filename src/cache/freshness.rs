// SPDX-License-Identifier: GPL-2.0

//! How old a response is and how long it is fresh (RFC 9111 section 4.2).
//!
//! Spans are measured by a clock that nobody sets and that goes on while the machine is suspended,
//! the kernel's boottime: one that stops meanwhile (`CLOCK_MONOTONIC`) would wake up with everything
//! as fresh as it went to sleep. The wall clock, which is set by people, is only compared with the
//! dates that the origin wrote by its own.

use super::conditional::Validators;
use super::control::ResponseControl;
use super::delta::DeltaSeconds;
use super::field::{first, values, Field};
use super::rules::Rules;
use crate::bytes;
use crate::http::{date, Status};
use crate::time::{Instant, UnixTime};

/// When a response was asked for and when it came (RFC 9111 section 4.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Times {
    /// request_time: when the request was sent, by boottime.
    pub(crate) request_boottime: Instant,
    /// response_time: when the response came, by boottime.
    pub(crate) response_boottime: Instant,
    /// The same by the wall clock.
    pub(crate) response_wall: UnixTime,
}

/// Where a lifetime comes from (RFC 9111 section 4.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Basis {
    /// s-maxage.
    SMaxage,
    /// max-age.
    MaxAge,
    /// Expires.
    Expires,
    /// A mapping of ours: see [`Rules::mapped`].
    Mapped,
    /// Heuristics: a part of how long it has not been modified.
    Heuristic,
    /// There is no reason to think that it is fresh.
    Nothing,
}

impl Basis {
    /// Whether the sender of the response said it.
    pub(crate) const fn is_explicit(self) -> bool {
        matches!(self, Basis::SMaxage | Basis::MaxAge | Basis::Expires)
    }
}

/// How old a response was when it came, and how long it is fresh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Freshness {
    /// freshness_lifetime (RFC 9111 section 4.2.1).
    pub(crate) lifetime: DeltaSeconds,
    /// Where that comes from.
    pub(crate) basis: Basis,
    /// corrected_initial_age (section 4.2.3).
    pub(crate) initial_age: DeltaSeconds,
    /// response_time, by boottime.
    pub(crate) response_boottime: Instant,
}

/// All times are boottime.
impl Freshness {
    /// Whether the sender of the response has said that it is fresh, for however long. `max-age=0` and
    /// `Expires: 0` say that it is not.
    pub(crate) fn is_promised(&self) -> bool {
        self.basis.is_explicit() && self.lifetime > DeltaSeconds::ZERO
    }

    /// Whether it is by a mapping of ours, which nobody else knows.
    pub(crate) fn is_mapped(&self) -> bool {
        self.basis == Basis::Mapped
    }

    /// current_age (RFC 9111 section 4.2.3).
    pub(crate) fn current_age(&self, now: Instant) -> DeltaSeconds {
        let resident_time = DeltaSeconds::from_secs(now.since(self.response_boottime).as_secs());
        self.initial_age.saturating_add(resident_time)
    }

    /// `response_is_fresh = (freshness_lifetime > current_age)` (RFC 9111 section 4.2).
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        self.lifetime > self.current_age(now)
    }

    /// How long it has been stale; nothing if it is fresh.
    pub(crate) fn staleness(&self, now: Instant) -> DeltaSeconds {
        self.current_age(now).saturating_sub(self.lifetime)
    }

    /// How many seconds it is still fresh, fewer than none when it is stale (RFC 9211 section 2.4).
    pub(crate) fn ttl(&self, now: Instant) -> i64 {
        let age = i64::from(self.current_age(now).as_secs());
        i64::from(self.lifetime.as_secs()).saturating_sub(age)
    }
}

/// What the Age field of a message says (RFC 9111 section 5.1): as old as can be, if that is in doubt.
///
/// "A cache encountering a message with a list-based Age field value SHOULD use the first member
/// of the field value, discarding subsequent ones. If the field value [...] is invalid [...] a cache
/// SHOULD ignore the field." To ignore it makes what is old new. Who writes an Age that is none, or
/// several of them, does not know how old it is, and so neither do we: what is stored is validated
/// before it is used. The suite of cache-tests.fyi wants that; only a plain list has a first member.
pub(crate) fn age(lines: &[u8]) -> DeltaSeconds {
    let mut ages = values(lines, Field::Age);
    match (ages.next(), ages.next()) {
        (None, _) => DeltaSeconds::ZERO,
        (Some(list), None) => first_age(list).unwrap_or(DeltaSeconds::MAX),
        _ => DeltaSeconds::MAX,
    }
}

/// The first member of `age *("," age)`.
fn first_age(list: &[u8]) -> Option<DeltaSeconds> {
    let mut ages = list.split(|octet| *octet == b',').map(DeltaSeconds::parse);
    let first = ages.next()??;
    ages.all(|age| age.is_some()).then_some(first)
}

/// Whether a response with this status may be fresh by heuristics although it does not say that it
/// may be stored (RFC 9110 section 15.1).
pub(crate) const fn is_heuristically_cacheable(status: Status) -> bool {
    matches!(
        status.code(),
        200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// The Date of a response, or when it came if there is no valid one (RFC 9110 section 6.6.1).
pub(super) fn dated(lines: &[u8], came: UnixTime) -> UnixTime {
    let text = first(lines, Field::Date);
    text.and_then(|text| date::parse(text, came))
        .unwrap_or(came)
}

/// corrected_initial_age (RFC 9111 section 4.2.3) of a response with this Date and [`age`].
pub(super) fn initial_age(dated: UnixTime, age: DeltaSeconds, times: &Times) -> DeltaSeconds {
    let apparent_age = DeltaSeconds::between(dated, times.response_wall);
    let response_delay = times.response_boottime.since(times.request_boottime);
    let corrected_age_value = age.saturating_add(DeltaSeconds::from_secs(response_delay.as_secs()));
    apparent_age.max(corrected_age_value)
}

/// The freshness lifetime, from the first of these that is there (RFC 9111 section 4.2.1). Of
/// several lines of one date the first one counts.
///
/// `validators` have the [date](dated) of this very response. It may be personal as
/// [`Request::may_be_personal`](super::Request::may_be_personal) says of the request that brought its
/// body.
pub(super) fn lifetime(
    may_be_personal: bool,
    status: Status,
    lines: &[u8],
    control: &ResponseControl,
    validators: &Validators<'_>,
    rules: &Rules<'_>,
) -> (DeltaSeconds, Basis) {
    if let Some(lifetime) = control.s_maxage {
        return (lifetime, Basis::SMaxage);
    }
    if let Some(lifetime) = control.max_age {
        return (lifetime, Basis::MaxAge);
    }
    // RFC 9213 section 2.2: a targeted field is in the place of Expires too.
    if let Some(text) = first(lines, Field::Expires).filter(|_| !control.is_targeted) {
        // RFC 9111 section 5.3: "A cache recipient MUST interpret invalid date formats, especially
        // the value "0", as representing a time in the past".
        let expires = date::parse(text, validators.dated).unwrap_or(validators.dated);
        let lifetime = DeltaSeconds::between(validators.dated, expires);
        return (lifetime, Basis::Expires);
    }
    // RFC 9111 section 4.2.2: heuristics "only on responses without explicit freshness whose
    // status codes are defined as heuristically cacheable" or that are public.
    if !is_heuristically_cacheable(status) && !control.public {
        return (DeltaSeconds::ZERO, Basis::Nothing);
    }
    if let Some(lifetime) = rules.mapped.filter(|_| validators.is_some()) {
        return (lifetime, Basis::Mapped);
    }
    // A rule of ours: we do not guess how long it is good for others.
    match validators.last_modified() {
        Some(modified) if !may_be_personal => {
            (a_tenth(modified, validators.dated, rules), Basis::Heuristic)
        }
        _ => (DeltaSeconds::ZERO, Basis::Nothing),
    }
}

/// RFC 9111 section 4.2.2: a tenth of the time since Last-Modified.
fn a_tenth(modified: UnixTime, dated: UnixTime, rules: &Rules<'_>) -> DeltaSeconds {
    let unmodified = DeltaSeconds::between(modified, dated).as_secs();
    DeltaSeconds::from_secs(u64::from(unmodified / 10)).min(rules.heuristic_cap)
}
