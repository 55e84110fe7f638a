// SPDX-License-Identifier: GPL-2.0

//! How old a response is and how long it is fresh (RFC 9111 section 4.2).

use super::control::ResponseControl;
use super::delta::DeltaSeconds;
use super::field::{values, Field};
use super::rules::Rules;
use crate::bytes;
use crate::http::{date, field, Status};
use crate::time::UnixTime;

/// When a response was asked for and when it came, by our clock (RFC 9111 section 4.2.3:
/// request_time and response_time).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Times {
    /// When the request was sent.
    pub(crate) request: UnixTime,
    /// When the response came.
    pub(crate) response: UnixTime,
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
    /// response_time.
    pub(crate) received: UnixTime,
}

impl Freshness {
    /// Of a response with these field lines, for a shared cache.
    ///
    /// `age` is what [`age`] says of the message that came; it is apart because what is stored has
    /// no Age.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn of(
        status: Status,
        lines: &[u8],
        control: &ResponseControl,
        age: DeltaSeconds,
        times: Times,
        rules: &Rules,
    ) -> Freshness {
        let dates = Dates::of(lines, times.response);
        let (lifetime, basis) = dates.lifetime(status, control, rules);
        Freshness {
            lifetime,
            basis,
            initial_age: dates.initial_age(age, times),
            received: times.response,
        }
    }

    /// current_age (RFC 9111 section 4.2.3). It never falls below what it was at first, even if
    /// our clock is set back.
    pub(crate) fn current_age(&self, now: UnixTime) -> DeltaSeconds {
        let resident_time = DeltaSeconds::between(self.received, now);
        self.initial_age.saturating_add(resident_time)
    }

    /// `response_is_fresh = (freshness_lifetime > current_age)` (RFC 9111 section 4.2).
    pub(crate) fn is_fresh(&self, now: UnixTime) -> bool {
        self.lifetime > self.current_age(now)
    }

    /// How long it has been stale; nothing if it is fresh.
    pub(crate) fn staleness(&self, now: UnixTime) -> DeltaSeconds {
        self.current_age(now).saturating_sub(self.lifetime)
    }

    /// How many seconds it is still fresh, fewer than none when it is stale (RFC 9211 section 2.4).
    pub(crate) fn ttl(&self, now: UnixTime) -> i64 {
        let age = i64::from(self.current_age(now).as_secs());
        i64::from(self.lifetime.as_secs()).saturating_sub(age)
    }
}

/// What the Age field of a message says (RFC 9111 section 5.1).
///
/// "A cache encountering a message with a list-based Age field value SHOULD use the first member
/// of the field value, discarding subsequent ones. If the field value (after discarding additional
/// members, as per above) is invalid (e.g., contains something other than a non-negative integer),
/// a cache SHOULD ignore the field."
pub(crate) fn age(lines: &[u8]) -> DeltaSeconds {
    let mut members = values(lines, Field::Age).flat_map(bytes::tokens);
    let first = members.next().and_then(DeltaSeconds::parse);
    first.unwrap_or(DeltaSeconds::ZERO)
}

/// Whether a response with this status may be fresh by heuristics although it does not say that it
/// may be stored (RFC 9110 section 15.1).
pub(crate) const fn is_heuristically_cacheable(status: Status) -> bool {
    matches!(
        status.code(),
        200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// The dates of a response. Of several lines of one field the first one counts (RFC 9111 section
/// 4.2.1), since none of them is a list.
struct Dates {
    /// Date, or when it came if there is no valid one (RFC 9110 section 6.6.1).
    date: UnixTime,
    expires: Option<Expires>,
    last_modified: Option<UnixTime>,
    has_validator: bool,
}

/// RFC 9111 section 5.3: "A cache recipient MUST interpret invalid date formats, especially the
/// value "0", as representing a time in the past".
#[derive(Clone, Copy)]
enum Expires {
    At(UnixTime),
    Past,
}

impl Dates {
    fn of(lines: &[u8], now: UnixTime) -> Dates {
        let (mut date, mut expires, mut last_modified) = (None, None, None);
        let mut has_etag = false;
        for (name, value) in field::fields(lines) {
            let slot = match Field::of(name) {
                Field::Date => &mut date,
                Field::Expires => &mut expires,
                Field::LastModified => &mut last_modified,
                Field::Etag => {
                    has_etag = true;
                    continue;
                }
                _ => continue,
            };
            if slot.is_none() {
                *slot = Some(date::parse(value, now));
            }
        }
        let last_modified = last_modified.flatten();
        Dates {
            date: date.flatten().unwrap_or(now),
            expires: expires.map(|time| time.map_or(Expires::Past, Expires::At)),
            last_modified,
            has_validator: has_etag || last_modified.is_some(),
        }
    }

    /// The freshness lifetime, from the first of these that is there (RFC 9111 section 4.2.1).
    fn lifetime(
        &self,
        status: Status,
        control: &ResponseControl,
        rules: &Rules,
    ) -> (DeltaSeconds, Basis) {
        if let Some(lifetime) = control.s_maxage {
            return (lifetime, Basis::SMaxage);
        }
        if let Some(lifetime) = control.max_age {
            return (lifetime, Basis::MaxAge);
        }
        // RFC 9213 section 2.2: a targeted field is in the place of Expires too.
        match self.expires.filter(|_| !control.is_targeted) {
            Some(Expires::At(time)) => (DeltaSeconds::between(self.date, time), Basis::Expires),
            Some(Expires::Past) => (DeltaSeconds::ZERO, Basis::Expires),
            // RFC 9111 section 4.2.2: heuristics "only on responses without explicit freshness
            // whose status codes are defined as heuristically cacheable" or that are public.
            None if is_heuristically_cacheable(status) || control.public => self.heuristic(rules),
            None => (DeltaSeconds::ZERO, Basis::Nothing),
        }
    }

    /// RFC 9111 section 4.2.2: a tenth of the time since Last-Modified.
    fn heuristic(&self, rules: &Rules) -> (DeltaSeconds, Basis) {
        if let Some(lifetime) = rules.mapped.filter(|_| self.has_validator) {
            return (lifetime, Basis::Mapped);
        }
        let Some(last_modified) = self.last_modified else {
            return (DeltaSeconds::ZERO, Basis::Nothing);
        };
        let unmodified = DeltaSeconds::between(last_modified, self.date).as_secs();
        let tenth = DeltaSeconds::from_secs(u64::from(unmodified / 10));
        (tenth.min(rules.heuristic_cap), Basis::Heuristic)
    }

    /// corrected_initial_age (RFC 9111 section 4.2.3).
    fn initial_age(&self, age: DeltaSeconds, times: Times) -> DeltaSeconds {
        let apparent_age = DeltaSeconds::between(self.date, times.response);
        let response_delay = DeltaSeconds::between(times.request, times.response);
        let corrected_age_value = age.saturating_add(response_delay);
        apparent_age.max(corrected_age_value)
    }
}
