// SPDX-License-Identifier: GPL-2.0

//! A request on either wire: from the text that an HTTP backend would get to frames.
//!
//! So the rules of what passes a gateway are in one place ([`encode`](crate::http::encode)).

use core::fmt;
use core::fmt::Write;
use core::net::IpAddr;

use super::Wire;
use super::PREFIX_MAX;
use crate::bytes;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::http::field;
use crate::http::field::Name;
use crate::http::head::BodyLength;
use crate::http::list;

/// What a request says besides its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    /// The client's address.
    pub(crate) client: IpAddr,
    /// The client's port.
    pub(crate) client_port: u16,
    /// Whether the text is believed if it says that the request came over TLS.
    pub(crate) may_be_secure: bool,
    /// The content that follows.
    pub(crate) body: BodyLength,
}

/// Octets that [`head`] writes at most for this text; none if it cannot be told.
///
/// The HMUX of Resin 3.0 has room for 64 fields, and what has more than 65,535 octets may be longer
/// than a frame of HMUX.
pub(crate) fn room(wire: Wire, text: &[u8]) -> Option<usize> {
    let (_, lines) = start_line(text);
    let fields = field::fields(lines)
        .filter(|(name, _)| is_told(name))
        .count();
    let is_much = text.len() > usize::from(u16::MAX) || fields > HMUX_FIELDS;
    if wire == Wire::Hmux && is_much {
        return None;
    }
    let host = field::values(lines, Name::Host).map(<[u8]>::len).sum();
    let prefixes = fields.saturating_mul(FIELD_EXTRA).saturating_add(EXTRA);
    Some(text.len().saturating_add(host).saturating_add(prefixes))
}

const HMUX_FIELDS: usize = 64;

/// Octets that a field in frames has more than in text: two prefixes, in place of a colon, a space
/// and the end of the line.
const FIELD_EXTRA: usize = 2 * PREFIX_MAX - 4;

/// Prefixes of the start line, addresses, ports, a length.
const EXTRA: usize = 256;

/// Writes the head of a request, the `text` of which [`request_head`] has written. Its content
/// must follow in data frames, and its [`end`].
///
/// [`request_head`]: crate::http::encode::request_head
pub(crate) fn head(
    wire: Wire,
    text: &[u8],
    request: &Request,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let (line, lines) = start_line(text);
    let mut words = line.split(|octet| *octet == b' ');
    let method = words.next().unwrap_or(&[]);
    let target = words.next().unwrap_or(&[]);
    let (path, query) = cut(target, b'?');
    match wire {
        Wire::Hmux => {
            // Channel 1: Resin 3.0 wants to hear of it, 4.x does not mind.
            out.put(b"C\x00\x01")?;
            wire.put(b'U', path, out)?;
            wire.put(b'm', method, out)?;
            wire.put(b'c', b"HTTP/1.1", out)?;
        }
        Wire::Srun => {
            wire.put(b'c', b"HTTP/1.1", out)?;
            wire.put(b'd', method, out)?;
            wire.put(b'o', path, out)?;
        }
    }
    // After the path, to which it is appended.
    if !query.is_empty() {
        wire.put(b'e', query, out)?;
    }
    let secure = request.may_be_secure && is_secure(lines);
    put_ends(wire, lines, request, secure, out)?;
    if let BodyLength::Length(octets) = request.body {
        put_shown(wire, b'p', &octets, out)?;
    }
    if secure {
        wire.put(b'r', b"", out)?;
    }
    put_fields(wire, lines, out)
}

/// The text of the start line, and the lines that follow it.
fn start_line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, lines) = cut(text, b'\n');
    (line.strip_suffix(b"\r").unwrap_or(line), lines)
}

/// What is before the first such octet, and what is behind it.
fn cut(text: &[u8], octet: u8) -> (&[u8], &[u8]) {
    let at = bytes::find_byte(text, octet).unwrap_or(text.len());
    let (front, back) = text.split_at_checked(at).unwrap_or((text, &[]));
    (front, back.get(1..).unwrap_or(&[]))
}

/// Whether X-Forwarded-Proto says that the client has used TLS. Where several hops have said what
/// they were asked with, the first one is the client's.
fn is_secure(lines: &[u8]) -> bool {
    let schemes = field::values(lines, Name::XForwardedProto).next();
    let first = schemes.and_then(|schemes| list::elements(schemes).next());
    first.is_some_and(|scheme| bytes::eq_ignore_case(scheme, b"https"))
}

/// Writes whom the request was sent to and who has sent it.
fn put_ends(
    wire: Wire,
    lines: &[u8],
    request: &Request,
    secure: bool,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let host = field::values(lines, Name::Host).next().unwrap_or(&[]);
    let (name, port) = server(host);
    let server = match wire {
        Wire::Hmux => b'v',
        Wire::Srun => b'f',
    };
    wire.put(server, name, out)?;
    match port {
        [] if secure => wire.put(b'g', b"443", out)?,
        [] => wire.put(b'g', b"80", out)?,
        port => wire.put(b'g', port, out)?,
    }
    // A name would have to be looked up; those who want one can.
    let client = request.client.to_canonical();
    put_shown(wire, b'h', &client, out)?;
    put_shown(wire, b'i', &client, out)?;
    put_shown(wire, b'j', &request.client_port, out)
}

/// Name and port of a host; the port may be empty. An IPv6 address keeps its brackets.
fn server(host: &[u8]) -> (&[u8], &[u8]) {
    let colon = host.iter().rposition(|octet| *octet == b':');
    match colon.and_then(|at| host.split_at_checked(at)) {
        Some((name, [b':', port @ ..])) if port.iter().all(u8::is_ascii_digit) => (name, port),
        _ => (host, &[]),
    }
}

/// Writes a frame with a number or an address.
fn put_shown(
    wire: Wire,
    code: u8,
    shown: &dyn fmt::Display,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let mut room = [0; 48];
    let mut payload = Writer::new(&mut room);
    write!(payload, "{shown}").map_err(|_| Full)?;
    wire.put(code, payload.written(), out)
}

/// Whether a field is told. The length of the content was; an expectation, trailers and what is about
/// connections have no place here.
fn is_told(name: &[u8]) -> bool {
    match Name::of(name) {
        Name::ContentLength | Name::Expect | Name::Trailer => false,
        known => !known.is_hop_by_hop() && !is_of_plugin(name),
    }
}

/// Whether it is a word between web server and backend: its plugin tells in such fields what it
/// knows of the client's TLS (`SSL_CIPHER`, `SSL_CLIENT_CERT`), and Resin believes them.
fn is_of_plugin(name: &[u8]) -> bool {
    let begins = |prefix: &[u8]| {
        let front = name.get(..prefix.len());
        front.is_some_and(|front| bytes::eq_ignore_case(front, prefix))
    };
    begins(b"SSL_") || begins(b"HTTPS_")
}

/// Writes the fields, in their order.
fn put_fields(wire: Wire, lines: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    let value_code = match wire {
        Wire::Hmux => b'S',
        Wire::Srun => b'V',
    };
    for (name, value) in field::fields(lines).filter(|(name, _)| is_told(name)) {
        if bytes::eq_ignore_case(name, b"content-type") {
            wire.put(b'q', value, out)?;
        } else {
            wire.put(b'H', name, out)?;
            wire.put(value_code, value, out)?;
        }
    }
    Ok(())
}

/// Writes what goes before so many octets of content, at most as many as a
/// [`Window`](super::Window) has room for.
pub(crate) fn data_prefix(wire: Wire, octets: usize, out: &mut Writer<'_>) -> Result<(), Full> {
    wire.put_prefix(b'D', octets, out)
}

/// What ends a request.
pub(crate) const fn end(wire: Wire) -> &'static [u8] {
    match wire {
        Wire::Hmux => b"Q",
        Wire::Srun => b"Z\x00\x00\x00",
    }
}
