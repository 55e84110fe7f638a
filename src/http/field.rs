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
    /// RFC 9110 section 10.1.4.
    Te,
    /// RFC 9110 section 6.6.2.
    Trailer,
    /// RFC 9112 section 6.1.
    TransferEncoding,
    /// RFC 9110 section 7.8.
    Upgrade,
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
        // Most fields differ from all of these in their length or in their first letter.
        let first = name.first().map_or(0, u8::to_ascii_lowercase);
        let (known, meaning): (&[u8], Name) = match (name.len(), first) {
            (2, b't') => (b"te", Name::Te),
            (3, b'v') => (b"via", Name::Via),
            (4, b'h') => (b"host", Name::Host),
            (4, b'd') => (b"date", Name::Date),
            (6, b'e') => (b"expect", Name::Expect),
            (7, b't') => (b"trailer", Name::Trailer),
            (7, b'u') => (b"upgrade", Name::Upgrade),
            (8, b'c') => (b"cdn-loop", Name::CdnLoop),
            (9, b'f') => (b"forwarded", Name::Forwarded),
            (10, b'c') => (b"connection", Name::Connection),
            (10, b'k') => (b"keep-alive", Name::KeepAlive),
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
    /// A field, its value without the white space around it.
    Field {
        name: &'a [u8],
        value: &'a [u8],
        /// Index in the line of the value's first octet.
        value_at: usize,
        /// Octets of the line.
        len: usize,
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
    let mut end = 0usize;
    while let Ok(Line::Field { len, .. }) = line(fields.get(end..).unwrap_or(&[])) {
        end = end.saturating_add(len);
    }
    fields.get(..end).unwrap_or(&[])
}

/// Reads the field line at the front of `text` (RFC 9112 section 5):
///
/// ```text
/// field-line = 1*tchar ":" OWS *( VCHAR / obs-text / SP / HTAB ) OWS CRLF
/// ```
///
/// Nothing else passes: no white space before the name (obs-fold) or before the colon, no bare CR
/// or LF, no other control.
#[inline]
pub(crate) fn line(text: &[u8]) -> Result<Line<'_>, Violation> {
    let Some(name_len) = bytes::find_non_tchar(text) else {
        return Ok(Line::Partial);
    };
    let (name, rest) = text.split_at_checked(name_len).unwrap_or((text, &[]));
    let rest = match rest {
        [b':', rest @ ..] if name_len > 0 => rest,
        [b'\r', ..] if name_len == 0 => {
            return Ok(if is_line_end(rest)? {
                Line::End
            } else {
                Line::Partial
            });
        }
        _ => return Err(Violation::bad(bad_name(rest.first().copied(), name_len))),
    };
    let Some(value_len) = value_end(rest) else {
        return Ok(Line::Partial);
    };
    let (mut value, rest) = rest.split_at_checked(value_len).unwrap_or((rest, &[]));
    if !is_line_end(rest)? {
        return Ok(Line::Partial);
    }
    while let [b' ' | b'\t', trimmed @ ..] = value {
        value = trimmed;
    }
    let colon_and_blanks = value_len.wrapping_sub(value.len()).wrapping_add(1);
    while let [trimmed @ .., b' ' | b'\t'] = value {
        value = trimmed;
    }
    Ok(Line::Field {
        name,
        value,
        value_at: name_len.wrapping_add(colon_and_blanks),
        len: name_len.wrapping_add(value_len).wrapping_add(":\r\n".len()),
    })
}

/// What is wrong with a field name of `len` good octets that ends with this one.
#[cold]
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

/// Index of the first octet that cannot be part of a field value.
#[inline]
pub(crate) fn value_end(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    loop {
        let (_, from_control) = rest.split_at_checked(bytes::find_control(rest)?)?;
        match from_control {
            [b'\t', after @ ..] => rest = after,
            _ => return Some(text.len().wrapping_sub(from_control.len())),
        }
    }
}

/// Whether the CRLF that must be at the front of `text` is there. False if the LF is missing yet
/// (RFC 9112 section 2.2).
#[inline]
pub(crate) fn is_line_end(text: &[u8]) -> Result<bool, Violation> {
    match text {
        [b'\r', b'\n', ..] => Ok(true),
        [b'\r'] => Ok(false),
        [b'\r', ..] => Err(Violation::bad("bare CR")),
        [b'\n', ..] => Err(Violation::bad("bare LF")),
        _ => Err(Violation::bad("control character")),
    }
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
