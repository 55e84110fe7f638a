// SPDX-License-Identifier: GPL-2.0

//! Which fields of a response are stored, and how a newer one updates them (RFC 9111 sections 3.1
//! and 3.2).
//!
//! The field lines that are stored have no Age, which is told anew each time, no Content-Length, which
//! the stored body says, and always a Date.

use super::control::Directives;
use super::field::{is_of_content, values, Field};
use super::rules::{Rules, SetCookie};
use crate::bytes::{self, Full, Writer};
use crate::http::field::{put_field, Name};
use crate::http::named::{with_named, Named};
use crate::http::{date, field};
use crate::time::UnixTime;

/// The fields of a response that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    lines: &'a [u8],
    strips_cookies: bool,
    /// It is a 206.
    is_part: bool,
    /// When it came, by the wall clock.
    came: UnixTime,
}

/// For whom field lines are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recipient {
    /// For everyone, some time.
    Store,
    /// For the client that the response is an answer to, now.
    Client,
}

impl<'a> Received<'a> {
    /// Of the field lines of a response that came at this time.
    pub(crate) fn of(lines: &'a [u8], rules: &Rules<'_>, came: UnixTime) -> Received<'a> {
        Received {
            lines,
            strips_cookies: rules.set_cookie == SetCookie::Strip,
            is_part: false,
            came,
        }
    }

    /// The same of a part: what it says of its very octets is stored nowhere.
    pub(crate) fn of_part(self) -> Received<'a> {
        Received {
            is_part: true,
            ..self
        }
    }

    /// Writes the lines that are stored. What is written has at most [`DATE_ROOM`] octets more than
    /// what came, and a space more for each line that came without one.
    pub(crate) fn store(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        self.merge(&[], Recipient::Store, out)
    }

    /// Writes the lines `stored` as this response updates them: "the cache MUST add each header
    /// field in the provided response to the stored response, replacing field values that are
    /// already present" (RFC 9111 section 3.2). Ask
    /// [`Response::may_update`](super::Response::may_update) before.
    ///
    /// What is written has its own control and freshness, which are found anew with the Age and the
    /// times of this response.
    pub(crate) fn update(&self, stored: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        self.merge(stored, Recipient::Store, out)
    }

    /// Writes the lines for the client that this response is an answer to, with `stored` behind it:
    /// as [`update`](Self::update), but its own cookies are among them, and the fields that are
    /// withheld from the store. That the store must not have them is no reason to keep them from
    /// whom they are for.
    pub(crate) fn answer(&self, stored: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        self.merge(stored, Recipient::Client, out)
    }

    fn merge(&self, stored: &[u8], recipient: Recipient, out: &mut Writer<'_>) -> Result<(), Full> {
        with_named(self.lines, true, |named| {
            self.merge_named(named, stored, recipient, out)
        })?;
        // RFC 9110 section 6.6.1: a recipient with a clock adds the time it came when it stores a
        // response without a Date, and may replace one that is none.
        match self.has_date() {
            true => Ok(()),
            false => put_field(b"Date", &date::format(self.came), out),
        }
    }

    fn merge_named(
        &self,
        named: Named<'_>,
        stored: &[u8],
        recipient: Recipient,
        out: &mut Writer<'_>,
    ) -> Result<(), Full> {
        let directives = Directives::merged(stored, self.lines);
        let merged = Merged {
            received: self,
            named,
            is_qualified: is_qualified(&directives),
            directives,
            recipient,
            is_update: !stored.is_empty(),
        };
        merged.put(stored, out)
    }

    fn has_date(&self) -> bool {
        let mut dates = values(self.lines, Field::Date);
        dates.any(|text| date::parse(text, self.came).is_some())
    }
}

fn is_qualified(directives: &Directives<'_>) -> bool {
    directives.control().is_qualified
}

/// What decides which fields are in the lines that are written.
struct Merged<'a> {
    received: &'a Received<'a>,
    /// What the Connection of the response names (RFC 9110 section 7.6.1).
    named: Named<'a>,
    /// The directives of what is written.
    directives: Directives<'a>,
    /// Some of them withhold fields.
    is_qualified: bool,
    recipient: Recipient,
    /// There is something stored, the octets of which stay.
    is_update: bool,
}

impl Merged<'_> {
    fn put(&self, stored: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        for (name, value) in field::fields(stored) {
            // A Date that is older than what was just validated would make it old at once.
            if Field::of(name) != Field::Date && !self.replaces(name) {
                put_field(name, value, out)?;
            }
        }
        for (name, value) in field::fields(self.received.lines) {
            if self.takes(name) {
                put_field(name, value, out)?;
            }
        }
        Ok(())
    }

    /// Whether a field of the response is written: all are but those that are for this hop, and in
    /// the store those for a proxy or not for a shared cache (RFC 9111 section 3.1).
    fn takes(&self, name: &[u8]) -> bool {
        let is_stored = self.recipient == Recipient::Store;
        let is_kept = match Field::of(name) {
            Field::Age | Field::ContentLength | Field::Trailer => false,
            // Which part it is, is told anew. With all of it, it means nothing (RFC 9110 section 14.4).
            Field::ContentRange => !self.is_update && !self.received.is_part,
            // How the stored octets are to be read is not for an answer without any to say: RFC
            // 9111 section 3.2 excepts "those fields necessary to ensure integrity of the stored
            // response".
            Field::ContentEncoding => !self.is_update,
            Field::Date => self.received.has_date(),
            Field::ProxyAuthenticate
            | Field::ProxyAuthenticationInfo
            | Field::ProxyAuthorization => !is_stored,
            Field::SetCookie | Field::SetCookie2 => !(is_stored && self.received.strips_cookies),
            _ if (self.is_update || self.received.is_part) && is_of_content(name) => false,
            _ => !Name::of(name).is_hop_by_hop(),
        };
        is_kept && !self.named.has(name) && !(is_stored && self.withholds(name))
    }

    /// Whether a stored field gives way: the response has it anew, or keeps it from the store.
    fn replaces(&self, name: &[u8]) -> bool {
        let mut fields = field::fields(self.received.lines);
        let is_anew = fields.any(|(other, _)| bytes::eq_ignore_case(name, other));
        (is_anew && self.takes(name)) || self.withholds(name)
    }

    fn withholds(&self, name: &[u8]) -> bool {
        self.is_qualified && self.directives.withholds(name)
    }
}

/// Octets of a Date line.
pub(crate) const DATE_ROOM: usize = "Date: \r\n".len() + date::LEN;
