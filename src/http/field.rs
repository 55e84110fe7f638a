// SPDX-License-Identifier: GPL-2.0

//! Field lines (RFC 9110 section 5, RFC 9112 section 5).

use super::Violation;
use crate::bytes::{self, Full, Writer};

/// The fields whose names mean something to a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    /// RFC 8586 section 2.
    CdnLoop,
    /// RFC 9110 section 7.6.1.
    Connection,
    /// RFC 9110 section 8.6.
    ContentLength,
    /// RFC 9110 section 6.6.1.
    Date,
    /// RFC 9110 section 10.1.1.
    Expect,
    /// RFC 7239 section 4.
    Forwarded,
    /// RFC 9110 section 7.2.
    Host,
    /// RFC 7540 section 3.2.1: goes with an upgrade to HTTP/2.
    Http2Settings,
    /// RFC 2068 section 19.7.1.
    KeepAlive,
    /// RFC 9110 section 7.6.2.
    MaxForwards,
    /// Never standard: what some clients send for Connection to a proxy.
    ProxyConnection,
    /// RFC 9110 section 10.1.3. The log has it.
    Referer,
    /// RFC 9110 section 10.1.4.
    Te,
    /// RFC 9110 section 6.6.2.
    Trailer,
    /// RFC 9112 section 6.1.
    TransferEncoding,
    /// RFC 9110 section 7.8.
    Upgrade,
    /// RFC 9110 section 10.1.5. The log has it.
    UserAgent,
    /// RFC 9110 section 7.6.3.
    Via,
    /// What proxies agreed on before there was Forwarded: the addresses of the clients.
    XForwardedFor,
    /// The same for the Host that was asked.
    XForwardedHost,
    /// The same for the scheme.
    XForwardedProto,
    /// Any other.
    Other,
}

impl Name {
    /// The meaning of a field name, in any case.
    pub(crate) fn of(name: &[u8]) -> Name {
        Name::recognized(name)
    }

    /// The same for whoever asks for each field of each head: few have a meaning, and those that
    /// have none are done with where he is.
    #[inline(always)]
    pub(super) fn recognized(name: &[u8]) -> Name {
        // Most fields differ from all of these in their length or in their first letter, which this
        // makes a small one.
        let first = name.first().map_or(0, |first| first | 0x20);
        let (known, meaning): (&[u8], Name) = match (name.len(), first) {
            (2, b't') => (b"te", Name::Te),
            (3, b'v') => (b"via", Name::Via),
            (4, b'h') => (b"host", Name::Host),
            (4, b'd') => (b"date", Name::Date),
            (6, b'e') => (b"expect", Name::Expect),
            (7, b'r') => (b"referer", Name::Referer),
            (7, b't') => (b"trailer", Name::Trailer),
            (7, b'u') => (b"upgrade", Name::Upgrade),
            (8, b'c') => (b"cdn-loop", Name::CdnLoop),
            (9, b'f') => (b"forwarded", Name::Forwarded),
            (10, b'c') => (b"connection", Name::Connection),
            (10, b'k') => (b"keep-alive", Name::KeepAlive),
            (10, b'u') => (b"user-agent", Name::UserAgent),
            (12, b'm') => (b"max-forwards", Name::MaxForwards),
            (14, b'c') => (b"content-length", Name::ContentLength),
            (14, b'h') => (b"http2-settings", Name::Http2Settings),
            (15, b'x') => (b"x-forwarded-for", Name::XForwardedFor),
            (16, b'p') => (b"proxy-connection", Name::ProxyConnection),
            (16, b'x') => (b"x-forwarded-host", Name::XForwardedHost),
            (17, b't') => (b"transfer-encoding", Name::TransferEncoding),
            (17, b'x') => (b"x-forwarded-proto", Name::XForwardedProto),
            _ => return Name::Other,
        };
        if bytes::eq_ignore_case(known, name) {
            meaning
        } else {
            Name::Other
        }
    }

    /// Whether a gateway always passes the field on as it is, unless Connection names it.
    #[inline(always)]
    pub(super) const fn passes(self) -> bool {
        matches!(
            self,
            Name::CdnLoop | Name::Date | Name::Other | Name::Referer | Name::UserAgent | Name::Via
        )
    }

    /// Whether the field is for the next hop only, even when Connection does not name it
    /// (RFC 9110 section 7.6.1). Transfer-Encoding is: every hop frames the body anew. Trailer
    /// goes where the trailers go.
    pub(crate) const fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Name::Connection
                | Name::Http2Settings
                | Name::KeepAlive
                | Name::ProxyConnection
                | Name::Te
                | Name::TransferEncoding
                | Name::Upgrade
        )
    }
}

/// One line of the field section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line<'a> {
    /// A field.
    Field {
        name: &'a [u8],
        /// The value, with the white space around it: few values are looked at.
        padded: &'a [u8],
        /// What follows the line.
        rest: &'a [u8],
    },
    /// The empty line that ends the section, which has two octets.
    End,
    /// The octets end within the line.
    Partial,
}

/// The field lines of a head that as a whole is none, as far as they are: up to the first that is
/// not, or is not all there. Whatever stands before the first LF passes for its start line.
pub(crate) fn readable(head: &[u8]) -> &[u8] {
    let is_end = |octet: &&u8| matches!(octet, b'\r' | b'\n');
    let empty = head.iter().take_while(is_end).count();
    let head = head.get(empty..).unwrap_or(&[]);
    let start = bytes::find_byte(head, b'\n').and_then(|at| head.get(at.saturating_add(1)..));
    let fields = start.unwrap_or(&[]);
    let mut after = fields;
    while let Ok(Line::Field { rest, .. }) = line(after) {
        after = rest;
    }
    bytes::before(fields, after)
}

/// Reads the field line at the front of `text` (RFC 9112 section 5):
///
/// ```text
/// field-line = 1*tchar ":" OWS *( VCHAR / obs-text / SP / HTAB ) OWS CRLF
/// ```
///
/// Nothing else passes: no white space before the name (obs-fold) or before the colon, no bare CR
/// or LF, no other control.
#[inline(always)] // What it returns is large, and its callers take it apart at once.
pub(crate) fn line(text: &[u8]) -> Result<Line<'_>, Violation> {
    let from_colon = bytes::skip_tchars(text);
    let name = bytes::before(text, from_colon);
    let rest = match from_colon {
        [b':', rest @ ..] if !name.is_empty() => rest,
        [b'\r', ..] if name.is_empty() => return empty_line(from_colon),
        [] => return Ok(Line::Partial),
        [octet, ..] => return Err(Violation::bad(bad_name(*octet, name.len()))),
    };
    let end = bytes::skip_field_content(rest);
    match end {
        [b'\r', b'\n', after @ ..] => Ok(Line::Field {
            name,
            padded: bytes::before(rest, end),
            rest: after,
        }),
        [] | [b'\r'] => Ok(Line::Partial),
        _ => Err(bad_line_end(end)),
    }
}

/// The line that ends the section.
#[cold]
fn empty_line(text: &[u8]) -> Result<Line<'_>, Violation> {
    Ok(if is_line_end(text)? {
        Line::End
    } else {
        Line::Partial
    })
}

/// What is wrong with a field name of `len` good octets that ends with this one.
#[cold]
fn bad_name(octet: u8, len: usize) -> &'static str {
    match (octet, len) {
        (b':', _) => "empty field name",
        (b'\n', _) => "bare LF",
        (b' ' | b'\t', 0) => "folded field line",
        (b' ' | b'\t', _) => "white space before the colon of a field",
        (b'\r', _) => "field line without a colon",
        _ => "bad octet in a field name",
    }
}

/// Whether the CRLF that must be at the front of `text` is there. False if the LF is missing yet
/// (RFC 9112 section 2.2).
#[inline]
pub(crate) fn is_line_end(text: &[u8]) -> Result<bool, Violation> {
    match text {
        [b'\r', b'\n', ..] => Ok(true),
        [b'\r'] => Ok(false),
        _ => Err(bad_line_end(text)),
    }
}

/// What is wrong where a CRLF should be.
#[cold]
fn bad_line_end(text: &[u8]) -> Violation {
    Violation::bad(match text {
        [b'\r', ..] => "bare CR",
        [b'\n', ..] => "bare LF",
        _ => "control character",
    })
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

impl<'a> Fields<'a> {
    /// The lines that are left.
    pub(super) fn lines(&self) -> &'a [u8] {
        self.lines
    }

    /// Takes the first `len` octets of them.
    pub(super) fn take_octets(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self
            .lines
            .split_at_checked(len)
            .unwrap_or((self.lines, &[]));
        self.lines = rest;
        taken
    }
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

/// Writes a field line.
pub(crate) fn put_field(name: &[u8], value: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(name)?;
    out.put(b": ")?;
    out.put(value)?;
    out.put(b"\r\n")
}

/// The values of all lines of one field, in their order.
pub(crate) fn values(lines: &[u8], wanted: Name) -> impl Iterator<Item = &[u8]> {
    fields(lines).filter_map(move |(name, value)| (Name::of(name) == wanted).then_some(value))
}
