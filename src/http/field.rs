// SPDX-License-Identifier: GPL-2.0

//! Field lines (RFC 9110 section 5, RFC 9112 section 5).

use super::Violation;
use crate::bytes::{self, Span};

/// The fields whose names mean something to a gateway's framing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    /// RFC 9110 section 7.6.1.
    Connection,
    /// RFC 9110 section 8.6.
    ContentLength,
    /// RFC 9110 section 6.6.1.
    Date,
    /// RFC 9110 section 10.1.1.
    Expect,
    /// RFC 9110 section 7.2.
    Host,
    /// RFC 2068 section 19.7.1.
    KeepAlive,
    /// Never standard: what some clients send for Connection to a proxy.
    ProxyConnection,
    /// RFC 9110 section 10.1.4.
    Te,
    /// RFC 9110 section 6.6.2.
    Trailer,
    /// RFC 9112 section 6.1.
    TransferEncoding,
    /// RFC 9110 section 7.8.
    Upgrade,
    /// Any other.
    Other,
}

impl Name {
    /// The meaning of a field name, in any case.
    pub(crate) fn of(name: &[u8]) -> Name {
        let candidates: &[(&[u8], Name)] = match name.len() {
            2 => &[(b"te", Name::Te)],
            4 => &[(b"host", Name::Host), (b"date", Name::Date)],
            6 => &[(b"expect", Name::Expect)],
            7 => &[(b"trailer", Name::Trailer), (b"upgrade", Name::Upgrade)],
            10 => &[
                (b"connection", Name::Connection),
                (b"keep-alive", Name::KeepAlive),
            ],
            14 => &[(b"content-length", Name::ContentLength)],
            16 => &[(b"proxy-connection", Name::ProxyConnection)],
            17 => &[(b"transfer-encoding", Name::TransferEncoding)],
            _ => &[],
        };
        let found = candidates
            .iter()
            .find(|(known, _)| bytes::eq_ignore_case(known, name));
        found.map_or(Name::Other, |(_, name)| *name)
    }

    /// Whether the field is for the next hop only, even when Connection does not name it
    /// (RFC 9110 section 7.6.1). Transfer-Encoding is: every hop frames the body anew.
    pub(crate) const fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Name::Connection
                | Name::KeepAlive
                | Name::ProxyConnection
                | Name::Te
                | Name::Trailer
                | Name::TransferEncoding
                | Name::Upgrade
        )
    }
}

/// One line of the field section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// A field, its value without the white space around it; the next line begins at `end`.
    Field { name: Span, value: Span, end: usize },
    /// The empty line that ends the section; what follows it begins at `end`.
    End { end: usize },
    /// The octets end within the line.
    Partial,
}

/// Reads the field line that begins at `at` (RFC 9112 section 5):
///
/// ```text
/// field-line = 1*tchar ":" OWS *( VCHAR / obs-text / SP / HTAB ) OWS CRLF
/// ```
///
/// Nothing else passes: no white space before the name (obs-fold) or before the colon, no bare CR
/// or LF, no other control.
pub(crate) fn line(buf: &[u8], at: usize) -> Result<Line, Violation> {
    let rest = buf.get(at..).unwrap_or(&[]);
    let Some(len) = rest.iter().position(|octet| !bytes::is_tchar(*octet)) else {
        return Ok(Line::Partial);
    };
    let colon = at.saturating_add(len);
    match buf.get(colon) {
        Some(b':') if len > 0 => {}
        Some(b'\r') if len == 0 => {
            return Ok(match line_end(buf, colon)? {
                Some(end) => Line::End { end },
                None => Line::Partial,
            });
        }
        octet => return Err(Violation::bad(bad_name(octet.copied(), len))),
    }
    let start = colon.saturating_add(1);
    let Some(stop) = value_end(buf, start) else {
        return Ok(Line::Partial);
    };
    let Some(end) = line_end(buf, stop)? else {
        return Ok(Line::Partial);
    };
    let value = trim(buf, start, stop);
    Ok(Line::Field {
        name: Span::between(at, colon),
        value,
        end,
    })
}

/// What is wrong with a field name of `len` good octets that ends with this one.
fn bad_name(octet: Option<u8>, len: usize) -> &'static str {
    match (octet, len) {
        (Some(b':'), _) => "empty field name",
        (Some(b'\n'), _) => "bare LF",
        (Some(b' ' | b'\t'), 0) => "folded field line",
        (Some(b' ' | b'\t'), _) => "white space before the colon of a field",
        (Some(b'\r'), _) => "field line without a colon",
        _ => "bad octet in a field name",
    }
}

/// Index of the first octet from `at` on that cannot be part of a field value.
pub(crate) fn value_end(buf: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let control = at.saturating_add(bytes::find_control(buf.get(at..)?)?);
        if buf.get(control) != Some(&b'\t') {
            return Some(control);
        }
        at = control.saturating_add(1);
    }
}

/// Checks the end of a line: the octet at `at` ends its content and must begin a CRLF. Returns
/// where the next line begins, or none if the LF is not there yet (RFC 9112 section 2.2).
pub(crate) fn line_end(buf: &[u8], at: usize) -> Result<Option<usize>, Violation> {
    match (buf.get(at), buf.get(at.saturating_add(1))) {
        (Some(b'\r'), Some(b'\n')) => Ok(Some(at.saturating_add(2))),
        (Some(b'\r'), Some(_)) => Err(Violation::bad("bare CR")),
        (Some(b'\r'), None) => Ok(None),
        (Some(b'\n'), _) => Err(Violation::bad("bare LF")),
        _ => Err(Violation::bad("control character")),
    }
}

/// The span `start..end` without the white space around its octets.
fn trim(buf: &[u8], mut start: usize, mut end: usize) -> Span {
    while start < end && matches!(buf.get(start), Some(b' ' | b'\t')) {
        start = start.saturating_add(1);
    }
    while start < end && matches!(buf.get(end.saturating_sub(1)), Some(b' ' | b'\t')) {
        end = end.saturating_sub(1);
    }
    Span::between(start, end)
}

/// The fields of a validated head: names as they were sent, values without the white space
/// around them.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    lines: &'a [u8],
}

/// Iterates over the lines of a head that [`head`](super::head) has validated
/// (`head.fields.of(buf)`).
pub(crate) fn fields(lines: &[u8]) -> Fields<'_> {
    Fields { lines }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let colon = bytes::find_byte(self.lines, b':')?;
        let (name, rest) = self.lines.split_at_checked(colon)?;
        let rest = rest.get(1..)?;
        let end = bytes::find_byte(rest, b'\r')?;
        let (value, rest) = rest.split_at_checked(end)?;
        self.lines = rest.get(2..)?;
        Some((name, bytes::trim_ows(value)))
    }
}
