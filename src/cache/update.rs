// SPDX-License-Identifier: GPL-2.0

//! Which fields of a response are stored, and how a newer one updates them (RFC 9111 sections 3.1
//! and 3.2).
//!
//! The field lines that are stored have no Age, which is told anew each time, no Content-Length,
//! which the stored body says, and always a Date.

use super::control::ResponseControl;
use super::field::{values, Field};
use super::freshness::Times;
use super::rules::{Rules, SetCookie};
use crate::bytes::{self, Full, Writer};
use crate::http::field::Name;
use crate::http::{date, field};
use crate::time::UnixTime;

/// The fields of a response that came, on their way into the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    lines: &'a [u8],
    control: &'a ResponseControl,
    strips_cookies: bool,
    has_connection: bool,
    /// When it came.
    received: UnixTime,
}

impl<'a> Received<'a> {
    /// Of the field lines of a response, and what [`ResponseControl::of`] said of them.
    pub(crate) fn of(
        lines: &'a [u8],
        control: &'a ResponseControl,
        rules: &Rules,
        times: Times,
    ) -> Received<'a> {
        Received {
            lines,
            control,
            strips_cookies: rules.set_cookie == SetCookie::Strip,
            has_connection: values(lines, Field::Connection).next().is_some(),
            received: times.response,
        }
    }

    /// Writes the lines that are stored. What is written has at most [`DATE_ROOM`] octets more than
    /// what came, and a space more for each line that came without one.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn store(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        for (name, value) in field::fields(self.lines) {
            if self.is_stored(name) {
                put(name, value, out)?;
            }
        }
        self.put_date(out)
    }

    /// Writes the lines `stored` as this response updates them: "the cache MUST add each header
    /// field in the provided response to the stored response, replacing field values that are
    /// already present" (RFC 9111 section 3.2).
    ///
    /// What is written has its own control and freshness, which are found anew with the Age and the
    /// times of this response.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn update(&self, stored: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        for (name, value) in field::fields(stored) {
            // A Date that is older than what was just validated would make it old at once.
            if Field::of(name) != Field::Date && !self.replaces(name) {
                put(name, value, out)?;
            }
        }
        for (name, value) in field::fields(self.lines) {
            if self.may_update(name) {
                put(name, value, out)?;
            }
        }
        self.put_date(out)
    }

    /// RFC 9110 section 6.6.1: a recipient with a clock adds the time it came when it stores a
    /// response without a Date, and may replace one that is none.
    fn put_date(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        if self.has_date() {
            return Ok(());
        }
        put(b"Date", &date::format(self.received), out)
    }

    fn has_date(&self) -> bool {
        let mut dates = values(self.lines, Field::Date);
        dates.any(|text| date::parse(text, self.received).is_some())
    }

    /// Whether a field is stored (RFC 9111 section 3.1): all are but those that are for this hop,
    /// for a proxy, or not for a shared cache.
    fn is_stored(&self, name: &[u8]) -> bool {
        let is_kept = match Field::of(name) {
            Field::Age
            | Field::ContentLength
            | Field::ProxyAuthenticate
            | Field::ProxyAuthenticationInfo
            | Field::ProxyAuthorization
            | Field::Trailer => false,
            Field::SetCookie | Field::SetCookie2 => !self.strips_cookies,
            Field::Date => self.has_date(),
            _ => !Name::of(name).is_hop_by_hop(),
        };
        is_kept && !self.control.withholds(self.lines, name) && !self.is_of_this_hop(name)
    }

    /// Connection names it (RFC 9110 section 7.6.1).
    fn is_of_this_hop(&self, name: &[u8]) -> bool {
        self.has_connection
            && values(self.lines, Field::Connection)
                .flat_map(bytes::tokens)
                .any(|option| bytes::eq_ignore_case(option, name))
    }

    /// Whether a field updates a stored response (RFC 9111 section 3.2). All that is stored does,
    /// but what says how the stored octets are to be read: "necessary to ensure integrity of the
    /// stored response". They are not encoded anew by an answer without any, nor are they another
    /// part.
    fn may_update(&self, name: &[u8]) -> bool {
        let is_of_octets = matches!(
            Field::of(name),
            Field::ContentEncoding | Field::ContentRange
        );
        !is_of_octets && self.is_stored(name)
    }

    /// Whether a stored field gives way: this response has it anew, or keeps it from the store.
    fn replaces(&self, name: &[u8]) -> bool {
        let mut fields = field::fields(self.lines);
        let is_anew = fields.any(|(other, _)| bytes::eq_ignore_case(name, other));
        (is_anew && self.may_update(name)) || self.control.withholds(self.lines, name)
    }
}

/// Octets of a Date line.
pub(crate) const DATE_ROOM: usize = "Date: \r\n".len() + date::LEN;

fn put(name: &[u8], value: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(name)?;
    out.put(b": ")?;
    out.put(value)?;
    out.put(b"\r\n")
}
