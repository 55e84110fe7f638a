// SPDX-License-Identifier: GPL-2.0

//! Numbers as people and as machines like to read them.

use core::fmt::{self, Display, Formatter};

use crate::time::Duration;

/// Microseconds as seconds with a fraction: `0.000271`, `12.0`.
pub(crate) struct Seconds(pub(crate) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (whole, mut rest, mut digits) = (self.0 / 1_000_000, self.0 % 1_000_000, 6_usize);
        while digits > 1 && rest % 10 == 0 {
            rest /= 10;
            digits = digits.saturating_sub(1);
        }
        write!(f, "{whole}.{rest:0digits$}")
    }
}

/// A number with a comma between groups of three digits.
pub(crate) struct Grouped(pub(crate) u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // From the highest group on; 2^64 has seven.
        let mut group = 1_000_000_000_000_000_000u64;
        let mut begun = false;
        while group > 0 {
            let digits = self.0.checked_div(group).unwrap_or(0) % 1000;
            if begun {
                write!(f, ",{digits:03}")?;
            } else if digits > 0 || group == 1 {
                write!(f, "{digits}")?;
                begun = true;
            }
            group /= 1000;
        }
        Ok(())
    }
}

/// How many of all these are, with two digits behind the point: `3.68%`. Of none it is `0.00%`.
pub(crate) struct Percent {
    pub(crate) part: u64,
    pub(crate) total: u64,
}

impl Display for Percent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // The product with 10,000 and the half that rounds take 15 bits more. What is cut off for them
        // of numbers beyond 2^49 is too small to be seen.
        let excess = 15u32.saturating_sub(self.total.leading_zeros());
        let (part, total) = (self.part >> excess, self.total >> excess);
        let rounded = part.saturating_mul(10_000).saturating_add(total / 2);
        let hundredths = rounded.checked_div(total).unwrap_or(0);
        write!(f, "{}.{:02}%", hundredths / 100, hundredths % 100)
    }
}

/// Octets in the largest unit that leaves at least one: `17 B`, `4.2 MiB`.
pub(crate) struct Octets(pub(crate) u64);

impl Display for Octets {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 6] = [
            ("EiB", 60),
            ("PiB", 50),
            ("TiB", 40),
            ("GiB", 30),
            ("MiB", 20),
            ("KiB", 10),
        ];
        let fit = UNITS.iter().find(|(_, bits)| self.0 >> bits > 0);
        let Some((unit, bits)) = fit else {
            return write!(f, "{} B", self.0);
        };
        let whole = self.0 >> bits;
        // The first ten bits behind the point are enough for one digit.
        let tenth = ((self.0 >> bits.saturating_sub(10)) & 1023).saturating_mul(10) >> 10;
        write!(f, "{whole}.{tenth} {unit}")
    }
}

/// A span in its two largest units: `3 d 4 h`, `12 s`.
pub(crate) struct Ago(pub(crate) Duration);

impl Display for Ago {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_span(self.0, [" d ", " h", " h ", " min", " min ", " s"], f)
    }
}

/// The same as one word: `3d4h`, `4m10s`, `12s`.
pub(crate) struct Lasted(pub(crate) Duration);

impl Display for Lasted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_span(self.0, ["d", "h", "h", "m", "m", "s"], f)
    }
}

/// `units` are those of the larger and of the smaller number, for days, for hours, for minutes.
fn write_span(span: Duration, units: [&str; 6], f: &mut Formatter<'_>) -> fmt::Result {
    let [days_and, hours, hours_and, minutes, minutes_and, seconds] = units;
    let s = span.as_secs();
    let m = s / 60;
    let h = m / 60;
    let d = h / 24;
    match (d, h, m) {
        (1.., ..) => write!(f, "{d}{days_and}{}{hours}", h % 24),
        (0, 1.., _) => write!(f, "{h}{hours_and}{}{minutes}", m % 60),
        (0, 0, 1..) => write!(f, "{m}{minutes_and}{}{seconds}", s % 60),
        _ => write!(f, "{s}{seconds}"),
    }
}

/// Microseconds in a unit that leaves few digits: `87 µs`, `4.2 ms`, `1.3 s`.
pub(crate) struct Took(pub(crate) u64);

impl Display for Took {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_took(self.0, [" \u{b5}s", " ms", " s"], f)
    }
}

/// The same as one word, for columns: `87us`, `4.2ms`, `1.3s`.
pub(crate) struct TookWord(pub(crate) u64);

impl Display for TookWord {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_took(self.0, ["us", "ms", "s"], f)
    }
}

fn write_took(micros: u64, [us, ms, s]: [&str; 3], f: &mut Formatter<'_>) -> fmt::Result {
    match micros {
        0..=999 => write!(f, "{micros}{us}"),
        1000..=999_999 => write!(f, "{}.{}{ms}", micros / 1000, micros / 100 % 10),
        _ => {
            let tenths = micros / 100_000;
            write!(f, "{}.{}{s}", tenths / 10, tenths % 10)
        }
    }
}
