// SPDX-License-Identifier: GPL-2.0

//! Dates of HTTP (RFC 9110 section 5.6.7).

use crate::bytes::{self, Full, Writer};
use crate::time::UnixTime;

/// Octets of an IMF-fixdate.
pub(crate) const LEN: usize = 29;

const DAYS: [&[u8; 3]; 7] = [b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat"];
const LONG_DAYS: [&[u8]; 7] = [
    b"Sunday",
    b"Monday",
    b"Tuesday",
    b"Wednesday",
    b"Thursday",
    b"Friday",
    b"Saturday",
];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

const SECS_PER_DAY: i64 = 86_400;

/// The last second of the year 9999: four digits hold no more.
const MAX: i64 = 253_402_300_799;

/// Writes an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`. Times before 1970 and after 9999 become
/// the nearest that can be said.
pub(crate) fn format(time: UnixTime) -> [u8; LEN] {
    let civil = Civil::of(time);
    // 1970-01-01 was a Thursday.
    let day_name = name(&DAYS, civil.days.wrapping_add(4).rem_euclid(7));
    written(|out| {
        out.put(day_name)?;
        out.put(b", ")?;
        civil.put_date(b" ", out)?;
        out.put(b" ")?;
        civil.put_time(out)?;
        out.put(b" GMT")
    })
}

/// Writes a time as access logs have it since NCSA's server, `06/Nov/1994:08:49:37 +0000`. The
/// range is that of [`format()`].
pub(crate) fn format_log(time: UnixTime) -> [u8; 26] {
    let civil = Civil::of(time);
    written(|out| {
        civil.put_date(b"/", out)?;
        out.put(b":")?;
        civil.put_time(out)?;
        out.put(b" +0000")
    })
}

/// Writes a time as in RFC 3339, `1994-11-06T08:49:37Z`. The range is that of [`format()`].
pub(crate) fn format_rfc3339(time: UnixTime) -> [u8; 20] {
    let civil = Civil::of(time);
    written(|out| {
        put_two(civil.year.div_euclid(100), out)?;
        put_two(civil.year, out)?;
        out.put(b"-")?;
        put_two(civil.month, out)?;
        out.put(b"-")?;
        put_two(civil.day, out)?;
        out.put(b"T")?;
        civil.put_time(out)?;
        out.put(b"Z")
    })
}

/// A point in time as people say it, in UTC.
struct Civil {
    /// Since 1970-01-01.
    days: i64,
    year: i64,
    /// 1 to 12.
    month: i64,
    day: i64,
    /// Seconds of the day.
    of_day: i64,
}

impl Civil {
    /// The nearest to `time` that four digits of a year can say.
    fn of(time: UnixTime) -> Civil {
        let secs = time.as_secs().clamp(0, MAX);
        let days = secs.div_euclid(SECS_PER_DAY);
        let (year, month, day) = civil(days);
        Civil {
            days,
            year,
            month,
            day,
            of_day: secs.rem_euclid(SECS_PER_DAY),
        }
    }

    /// Day, month and year with something between them.
    fn put_date(&self, between: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        put_two(self.day, out)?;
        out.put(between)?;
        out.put(name(&MONTHS, self.month.wrapping_sub(1)))?;
        out.put(between)?;
        put_two(self.year.div_euclid(100), out)?;
        put_two(self.year, out)
    }

    /// Hour, minute and second.
    fn put_time(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        let minutes = self.of_day.div_euclid(60);
        put_two(minutes.div_euclid(60), out)?;
        out.put(b":")?;
        put_two(minutes.rem_euclid(60), out)?;
        out.put(b":")?;
        put_two(self.of_day.rem_euclid(60), out)
    }
}

/// What `write` writes, which is `N` octets.
fn written<const N: usize>(write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) -> [u8; N] {
    let mut text = [b' '; N];
    // It fits: see the lengths.
    let _ = write(&mut Writer::new(&mut text));
    text
}

/// The last two digits of a number.
fn put_two(number: i64, out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(&two_digits(number))
}

fn name(names: &'static [&'static [u8; 3]], index: i64) -> &'static [u8] {
    let name = usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index));
    name.map_or(b"", |name| *name)
}

fn two_digits(number: i64) -> [u8; 2] {
    let digit = |number: i64| b'0'.wrapping_add(number.rem_euclid(10) as u8);
    [digit(number.div_euclid(10)), digit(number)]
}

/// Reads an IMF-fixdate, an RFC 850 date or an asctime date. The two-digit year of RFC 850 is
/// taken as the last one that is not more than 50 years after `now`. The name of the day must be
/// one, but nothing asks whether it is the right one.
pub(crate) fn parse(text: &[u8], now: UnixTime) -> Option<UnixTime> {
    let secs = imf_fixdate(text)
        .or_else(|| rfc850(text, now))
        .or_else(|| asctime(text))?;
    Some(UnixTime::from_secs(secs))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &[u8]) -> Option<i64> {
    let mut reader = Reader(text);
    reader.one_of(DAYS.map(|day| &day[..]))?;
    reader.literal(b", ")?;
    let day = reader.number(2)?;
    reader.literal(b" ")?;
    let month = reader.month()?;
    reader.literal(b" ")?;
    let year = reader.number(4)?;
    reader.literal(b" ")?;
    let time = reader.time()?;
    reader.literal(b" GMT")?;
    reader.end()?;
    unix(year, month, day, time)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(text: &[u8], now: UnixTime) -> Option<i64> {
    let mut reader = Reader(text);
    reader.one_of(LONG_DAYS)?;
    reader.literal(b", ")?;
    let day = reader.number(2)?;
    reader.literal(b"-")?;
    let month = reader.month()?;
    reader.literal(b"-")?;
    let year = reader.number(2)?;
    reader.literal(b" ")?;
    let time = reader.time()?;
    reader.literal(b" GMT")?;
    reader.end()?;

    const FIFTY_YEARS: i64 = 50 * 31_556_952;
    let now = now.as_secs().clamp(0, MAX);
    let century = civil(now.div_euclid(SECS_PER_DAY)).0.div_euclid(100);
    let years = [century.wrapping_add(1), century, century.wrapping_sub(1)]
        .map(|century| century.wrapping_mul(100).wrapping_add(year));
    let mut candidates = years
        .into_iter()
        .filter_map(|year| unix(year, month, day, time));
    candidates.find(|secs| *secs <= now.saturating_add(FIFTY_YEARS))
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &[u8]) -> Option<i64> {
    let mut reader = Reader(text);
    reader.one_of(DAYS.map(|day| &day[..]))?;
    reader.literal(b" ")?;
    let month = reader.month()?;
    reader.literal(b" ")?;
    let day = match reader.literal(b" ") {
        Some(()) => reader.number(1)?,
        None => reader.number(2)?,
    };
    reader.literal(b" ")?;
    let time = reader.time()?;
    reader.literal(b" ")?;
    let year = reader.number(4)?;
    reader.end()?;
    unix(year, month, day, time)
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// Index of the name that comes first in the text.
    fn one_of<const N: usize>(&mut self, names: [&[u8]; N]) -> Option<usize> {
        names.iter().position(|name| self.literal(name).is_some())
    }

    /// 1 to 12.
    fn month(&mut self) -> Option<i64> {
        let index = self.one_of(MONTHS.map(|month| &month[..]))?;
        i64::try_from(index).ok()?.checked_add(1)
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (text, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        i64::try_from(bytes::parse_decimal(text)?).ok()
    }

    /// `08:49:37`, in seconds; a leap second is the first one of the next minute.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        self.literal(b":")?;
        let minute = self.number(2)?;
        self.literal(b":")?;
        let second = self.number(2)?;
        let valid = hour <= 23 && minute <= 59 && second <= 60;
        let minutes = hour.checked_mul(60)?.checked_add(minute)?;
        minutes
            .checked_mul(60)?
            .checked_add(second)
            .filter(|_| valid)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Seconds since 1970 of `time` seconds after the midnight that begins a day. None if the month
/// has no such day.
fn unix(year: i64, month: i64, day: i64, time: i64) -> Option<i64> {
    let days = days(year, month, day);
    let exists = civil(days) == (year, month, day);
    days.checked_mul(SECS_PER_DAY)?
        .checked_add(time)
        .filter(|_| exists)
}

// The proleptic Gregorian calendar, in years that begin in March so that the leap day comes last,
// and in eras of 400 years, which all have the same 146,097 days. An era begins on 0000-03-01,
// 719,468 days before 1970-01-01.

const DAYS_PER_ERA: i64 = 146_097;
const ERA_TO_1970: i64 = 719_468;

/// Days from 1970-01-01 to a day of the years 0 to 9999.
#[allow(clippy::arithmetic_side_effects)] // Numbers of at most four digits.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - ERA_TO_1970
}

/// Year, month and day, `days` after 1970-01-01: the inverse of [`days`].
#[allow(clippy::arithmetic_side_effects)] // Days of the years -1 to 10000.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + ERA_TO_1970;
    let era = days.div_euclid(DAYS_PER_ERA);
    let of_era = days.rem_euclid(DAYS_PER_ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    let year = year + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}
