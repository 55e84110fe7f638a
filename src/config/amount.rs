// SPDX-License-Identifier: GPL-2.0

//! Numbers with a unit as they are written in settings: `60s`, `16K`, `100`.

use core::fmt::{
    self,
    Display,
    Formatter, //
};

use super::refusal::Refusal;
use crate::{
    bytes,
    time::Duration, //
};

/// What a number counts, which decides how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Nanoseconds, written as `60s`, `500ms`, `5m`, `1h`.
    Time,
    /// Octets, written as `16K`, `64M`, `1G` (powers of 1024) or plain.
    Size,
    /// Written as a plain decimal number.
    Count,
}

impl Unit {
    /// The number that `word` stands for, if it is one. A count or size that does not fit in
    /// 64 bits is `u64::MAX`, so that it is refused for its size and not for its form.
    fn parse(self, word: &[u8]) -> Option<u64> {
        match self {
            Unit::Time => Duration::parse(word).map(Duration::as_nanos),
            Unit::Size => parse_size(word),
            Unit::Count => parse_count(word),
        }
    }

    fn malformed(self) -> &'static str {
        match self {
            Unit::Time => "{} is not a time: write one such as 60s, 500ms, 5m or 1h",
            Unit::Size => "{} is not a size: write one such as 16K, 64M or a plain number",
            Unit::Count => "{} is not a number",
        }
    }
}

/// A number and its unit; prints the shortest exact form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    pub(super) unit: Unit,
    pub(super) value: u64,
}

impl Display for Amount {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Time => Display::fmt(&Duration::from_nanos(self.value), f),
            Unit::Size => write_size(self.value, f),
            Unit::Count => Display::fmt(&self.value, f),
        }
    }
}

/// The smallest and the largest value that something takes, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    unit: Unit,
    min: u64,
    max: u64,
}

impl Limits {
    pub(super) const fn new(unit: Unit, min: u64, max: u64) -> Self {
        Self { unit, min, max }
    }

    /// The value of `word`, in the unit's base: nanoseconds, octets or a count.
    #[inline(never)]
    pub(super) fn parse(&'static self, word: &[u8]) -> Result<u64, Refusal> {
        let value = self
            .unit
            .parse(word)
            .ok_or_else(|| Refusal::invalid(self.unit.malformed(), word))?;
        if self.contains(value) {
            Ok(value)
        } else {
            Err(Refusal::range(word, self))
        }
    }

    pub(super) fn contains(&self, value: u64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    /// `value`, ready to print.
    pub(super) fn amount(&self, value: u64) -> Amount {
        Amount {
            unit: self.unit,
            value,
        }
    }
}

impl Display for Limits {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.amount(self.min), self.amount(self.max))
    }
}

/// The letters of sizes and the power of two that each stands for, largest first.
const SCALES: [(u8, u32); 3] = [(b'G', 30), (b'M', 20), (b'K', 10)];

fn parse_size(word: &[u8]) -> Option<u64> {
    let (digits, shift) = match word.split_last() {
        Some((last, front)) => SCALES
            .iter()
            .find(|(letter, _)| last.eq_ignore_ascii_case(letter))
            .map_or((word, 0), |&(_, shift)| (front, shift)),
        None => return None,
    };
    Some(parse_count(digits)?.saturating_mul(1 << shift))
}

// Not inlined: with the other units' it would make one large stack frame.
#[inline(never)]
fn write_size(value: u64, f: &mut Formatter<'_>) -> fmt::Result {
    let exact = |&&(_, shift): &&(u8, u32)| value.trailing_zeros() >= shift && value != 0;
    match SCALES.iter().find(exact) {
        Some(&(letter, shift)) => write!(f, "{}{}", value >> shift, char::from(letter)),
        None => Display::fmt(&value, f),
    }
}

fn parse_count(word: &[u8]) -> Option<u64> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(bytes::parse_decimal(word).unwrap_or(u64::MAX))
}
