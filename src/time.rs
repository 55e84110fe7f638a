// SPDX-License-Identifier: GPL-2.0

//! Points in time and spans of it, as numbers. Nothing here reads a clock.

use core::fmt;
use core::ops::{Add, Sub};

const NANOS_PER_MICRO: u64 = 1_000;
const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A point in time on the monotonic clock, in nanoseconds since an arbitrary start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Instant(u64);

impl Instant {
    /// The farthest future: a deadline that never comes.
    pub(crate) const MAX: Instant = Instant(u64::MAX);

    /// So many nanoseconds after the start.
    pub(crate) const fn from_nanos(nanos: u64) -> Instant {
        Instant(nanos)
    }

    /// Nanoseconds since the start.
    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long `earlier` is ago; zero if it is not.
    pub(crate) const fn since(self, earlier: Instant) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

/// Saturating: what lies beyond the end of time is [`Instant::MAX`].
impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, span: Duration) -> Instant {
        Instant(self.0.saturating_add(span.0))
    }
}

/// Saturating: the same as [`Instant::since`].
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

/// A span of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Duration(u64);

/// The units of [`Duration::parse`], the coarsest first.
const UNITS: [(&str, u64); 7] = [
    ("d", 24 * 3600 * NANOS_PER_SEC),
    ("h", 3600 * NANOS_PER_SEC),
    ("m", 60 * NANOS_PER_SEC),
    ("s", NANOS_PER_SEC),
    ("ms", NANOS_PER_MILLI),
    ("us", NANOS_PER_MICRO),
    ("ns", 1),
];

impl Duration {
    /// No time at all.
    pub(crate) const ZERO: Duration = Duration(0);

    /// The longest span, some 584 years.
    pub(crate) const MAX: Duration = Duration(u64::MAX);

    /// So many nanoseconds.
    pub(crate) const fn from_nanos(nanos: u64) -> Duration {
        Duration(nanos)
    }

    /// So many microseconds, at most [`Duration::MAX`].
    pub(crate) const fn from_micros(micros: u64) -> Duration {
        Duration(micros.saturating_mul(NANOS_PER_MICRO))
    }

    /// So many milliseconds, at most [`Duration::MAX`].
    pub(crate) const fn from_millis(millis: u64) -> Duration {
        Duration(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// So many seconds, at most [`Duration::MAX`].
    pub(crate) const fn from_secs(secs: u64) -> Duration {
        Duration(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// Nanoseconds.
    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    pub(crate) const fn as_millis(self) -> u64 {
        self.0 / NANOS_PER_MILLI
    }

    /// Whole seconds, rounded down.
    pub(crate) const fn as_secs(self) -> u64 {
        self.0 / NANOS_PER_SEC
    }

    /// Whether it is no time at all.
    pub(crate) const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, at most [`Duration::MAX`].
    pub(crate) const fn saturating_add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    pub(crate) const fn saturating_sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }

    /// The multiple, at most [`Duration::MAX`].
    pub(crate) const fn saturating_mul(self, factor: u64) -> Duration {
        Duration(self.0.saturating_mul(factor))
    }

    /// Reads a setting: a whole number and a unit, `500ms`, `60s`, `5m`, `1h`, `1d` (also `us`,
    /// `ns`), or a plain number of seconds. None for anything else, and for what does not fit.
    pub(crate) fn parse(text: &[u8]) -> Option<Duration> {
        let digits = text
            .iter()
            .take_while(|octet| octet.is_ascii_digit())
            .count();
        let (number, unit) = text.split_at_checked(digits)?;
        let number = crate::bytes::parse_decimal(number)?;
        let nanos = match unit {
            b"" => NANOS_PER_SEC,
            _ => UNITS.iter().find(|(name, _)| name.as_bytes() == unit)?.1,
        };
        number.checked_mul(nanos).map(Duration)
    }
}

/// The shortest exact form that [`Duration::parse`] reads: the coarsest unit that leaves no rest.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0s");
        }
        let mut units = UNITS.iter();
        let exact = units.find(|(_, nanos)| self.0.checked_rem(*nanos) == Some(0));
        let (name, nanos) = exact.unwrap_or(&("ns", 1));
        write!(f, "{}{}", self.0.checked_div(*nanos).unwrap_or(0), name)
    }
}

/// A point in time on the wall clock, in seconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct UnixTime(i64);

impl UnixTime {
    /// So many seconds after (or before) 1970.
    pub(crate) const fn from_secs(secs: i64) -> UnixTime {
        UnixTime(secs)
    }

    /// Seconds after 1970.
    pub(crate) const fn as_secs(self) -> i64 {
        self.0
    }
}
