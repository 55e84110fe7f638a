// SPDX-License-Identifier: GPL-2.0

//! The access log: what is remembered of a request, and the line that an exchange gets.
//!
//! The work is split so that the one who relays does little: when a request is accepted,
//! [`capture()`] copies its words; at the end of the exchange an [`Entry`] and that text go into a
//! [`ring`] as they are. Only who reads the log makes a [`line()`] of them, and them harmless.
//!
//! ```text
//! 127.0.0.1 - - [22/Nov/2026:06:03:33 +0000] "GET /x HTTP/1.1" 200 123 "-" "curl/8.14.1" srun-0 - 1.250 0.988 -- 00000000000000c1
//! ```
//!
//! Up to the user agent that is the combined format of Apache and nginx. Then come our own: the
//! backend, what the cache did, the milliseconds that all of it took and those to the first octet
//! of the answer, two letters for how it ended, and the request's id. What is not known is `-`.
//!
//! A client chooses the octets of three columns, and must not be able to forge a line with them or
//! to talk to the terminal of whoever looks: only visible ASCII and spaces get through.

mod capture;
mod entry;
mod escape;
mod remark;
pub(crate) mod ring;

pub(crate) use capture::capture;
pub(crate) use capture::capture_refused;
pub(crate) use capture::MAX_CAPTURE;
pub(crate) use entry::Entry;
pub(crate) use entry::FIELDS;
pub(crate) use remark::remark;

use core::fmt::Write as _;

use capture::Text;
use capture::Texts;

use crate::bytes::Full;
use crate::bytes::Writer;
use crate::config::Log;
use crate::http::date;
use crate::time::Duration;

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Apache's and nginx's combined format, with columns of our own behind it.
    Combined,
    /// A JSON object a line.
    Json,
}

impl Format {
    /// What the settings say; none if nothing is to be logged.
    pub(crate) fn of(setting: Log) -> Option<Format> {
        match setting {
            Log::Off => None,
            Log::Combined => Some(Format::Combined),
            Log::Json => Some(Format::Json),
        }
    }
}

/// Octets of the longest line, its LF among them.
pub(crate) const MAX_LINE: usize = MAX_CAPTURE + 512;

/// What the log says when the client was told nothing: as nginx, "client closed request".
const NO_STATUS: u16 = 499;

/// Writes the line of an exchange, with its LF: what `entry` says of it, and what was captured of
/// its request. Or a line that is a remark.
pub(crate) fn line(
    format: Format,
    entry: &Entry<'_>,
    captured: &[u8],
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    if entry.is_remark {
        return remark::line(format, entry.received, captured, out);
    }
    let texts = Texts::of(format, captured);
    match format {
        Format::Combined => combined(entry, &texts, out),
        Format::Json => json(entry, &texts, out),
    }
}

/// Writes that `lines` lines are missing here: a comment, or an object of its own.
pub(crate) fn lost(format: Format, lines: u64, out: &mut Writer<'_>) -> Result<(), Full> {
    let (before, after): (&[u8], &[u8]) = match format {
        Format::Combined => (b"# ", b" lines lost\n"),
        Format::Json => (b"{\"lost\":", b"}\n"),
    };
    out.put(before)?;
    out.put_decimal(lines)?;
    out.put(after)
}

fn combined(entry: &Entry<'_>, texts: &Texts<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    address(entry, out)?;
    out.put(b" - - [")?;
    out.put(&date::format_log(entry.received))?;
    out.put(b"] \"")?;
    or_dash(&texts.request, out)?;
    out.put(b"\" ")?;
    out.put_decimal(status(entry).into())?;
    out.put(b" ")?;
    out.put_decimal(entry.octets)?;
    out.put(b" \"")?;
    or_dash(&texts.referer, out)?;
    out.put(b"\" \"")?;
    or_dash(&texts.user_agent, out)?;
    out.put(b"\" ")?;
    match entry.backend {
        Some(number) => srun(number, out)?,
        None => out.put(b"-")?,
    }
    out.put(b" ")?;
    cache(entry, out)?;
    out.put(b" ")?;
    millis(entry.total, out)?;
    out.put(b" ")?;
    match entry.first_byte {
        Some(time) => millis(time, out)?,
        None => out.put(b"-")?,
    }
    out.put(b" ")?;
    out.put(&ending(entry))?;
    out.put(b" ")?;
    id(entry, out)?;
    out.put(b"\n")
}

fn json(entry: &Entry<'_>, texts: &Texts<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"{\"time\":\"")?;
    out.put(&date::format_rfc3339(entry.received))?;
    out.put(b"\",\"client\":\"")?;
    address(entry, out)?;
    out.put(b"\"")?;
    string(b"request", &texts.request, out)?;
    out.put(b",\"status\":")?;
    out.put_decimal(status(entry).into())?;
    out.put(b",\"octets\":")?;
    out.put_decimal(entry.octets)?;
    string(b"referer", &texts.referer, out)?;
    string(b"user_agent", &texts.user_agent, out)?;
    out.put(b",\"backend\":")?;
    match entry.backend {
        Some(number) => {
            out.put(b"\"")?;
            srun(number, out)?;
            out.put(b"\"")?;
        }
        None => out.put(b"null")?,
    }
    out.put(b",\"cache\":\"")?;
    cache(entry, out)?;
    out.put(b"\",\"total_ms\":")?;
    millis(entry.total, out)?;
    out.put(b",\"first_byte_ms\":")?;
    match entry.first_byte {
        Some(time) => millis(time, out)?,
        None => out.put(b"null")?,
    }
    out.put(b",\"ending\":\"")?;
    out.put(&ending(entry))?;
    out.put(b"\",\"id\":\"")?;
    id(entry, out)?;
    out.put(b"\"}\n")
}

/// A member of an object.
fn string(name: &[u8], text: &Text<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b",\"")?;
    out.put(name)?;
    if text.is_empty() {
        return out.put(b"\":null");
    }
    out.put(b"\":\"")?;
    text.put(Format::Json, out)?;
    out.put(b"\"")
}

fn or_dash(text: &Text<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    if text.is_empty() {
        out.put(b"-")
    } else {
        text.put(Format::Combined, out)
    }
}

/// The client's address; that of IPv4 in IPv6's clothes as what it is.
fn address(entry: &Entry<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    write!(out, "{}", entry.client.to_canonical()).map_err(|_| Full)
}

fn status(entry: &Entry<'_>) -> u16 {
    match entry.status {
        0 => NO_STATUS,
        status => status,
    }
}

fn srun(number: u16, out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"srun-")?;
    out.put_decimal(number.into())
}

fn cache(entry: &Entry<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    let plain = entry.cache.bytes().all(is_plain);
    match entry.cache.as_bytes() {
        state @ [_, ..] if plain => out.put(state),
        _ => out.put(b"-"),
    }
}

fn ending(entry: &Entry<'_>) -> [u8; 2] {
    let plain = |letter| if is_plain(letter) { letter } else { b'-' };
    entry.ending.map(plain)
}

/// A letter, a digit or a hyphen: needs no escape anywhere.
fn is_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-'
}

/// Milliseconds with three decimals.
fn millis(time: Duration, out: &mut Writer<'_>) -> Result<(), Full> {
    let micros = time.as_nanos().checked_div(1000).unwrap_or(0);
    out.put_decimal(micros.checked_div(1000).unwrap_or(0))?;
    out.put(b".")?;
    let digit = |unit: u64| {
        let digit = micros.checked_div(unit).unwrap_or(0).checked_rem(10);
        // CAST: a digit is less than ten.
        b'0'.wrapping_add(digit.unwrap_or(0) as u8)
    };
    out.put(&[digit(100), digit(10), digit(1)])
}

/// Sixteen hexadecimal digits.
fn id(entry: &Entry<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    write!(out, "{:016x}", entry.id).map_err(|_| Full)
}
