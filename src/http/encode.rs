// SPDX-License-Identifier: GPL-2.0

//! Heads and framing, written anew from what was parsed.

use super::date;
use super::field::{self, Name};
use super::head::{BodyLength, Options, RequestHead, ResponseHead, MAX_OPTIONS};
use super::{Method, Status, Version};
use crate::bytes::{self, Full, Span, Writer};
use crate::time::UnixTime;

/// How the body of a response is framed on its way to the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// There is none. A declared Content-Length is kept (HEAD, 304) where the status allows it.
    None,
    /// Content-Length.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
    /// It ends with the connection.
    Close,
}

/// Whether the connection lasts after this message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Persist {
    /// It does.
    KeepAlive,
    /// It does not.
    Close,
}

/// How a response goes to the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delivery {
    /// The framing of the body.
    pub(crate) framing: Framing,
    /// Whether the connection lasts.
    pub(crate) persist: Persist,
    /// The version of the request: an HTTP/1.0 client must be told that the connection lasts.
    pub(crate) client: Version,
    /// The time for a Date field, if the response has none and is to get one.
    pub(crate) date: Option<UnixTime>,
}

/// An answer of our own that says what went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ErrorPage<'a> {
    /// The status.
    pub(crate) status: Status,
    /// What went wrong, in a few words of plain text; it is escaped.
    pub(crate) reason: &'a str,
    /// Leave the body out, for a HEAD request.
    pub(crate) head_only: bool,
    /// Whether the connection lasts.
    pub(crate) persist: Persist,
    /// The version of the request.
    pub(crate) client: Version,
    /// The time for the Date field.
    pub(crate) now: UnixTime,
}

/// Writes the head of a request to a backend, in HTTP/1.1 and origin-form.
///
/// `bytes` is the buffer that was parsed. `fallback_host` is written as the Host when the request
/// (of HTTP/1.0) has none.
pub(crate) fn request_head(
    head: &RequestHead,
    bytes: &[u8],
    fallback_host: &[u8],
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    out.put(head.method_span.of(bytes))?;
    out.put(b" ")?;
    request_target(head, bytes, out)?;
    out.put(b" HTTP/1.1\r\n")?;
    // RFC 9112 section 3.2: Host "ought to be the first field".
    let host = head.host.of(bytes);
    put_field(
        b"Host",
        if host.is_empty() { fallback_host } else { host },
        out,
    )?;
    end_to_end_fields(head.fields.of(bytes), &head.options, out)?;
    match head.body {
        BodyLength::None => {}
        BodyLength::Length(length) => put_length(length, out)?,
        BodyLength::Chunked => out.put(CHUNKED)?,
    }
    out.put(b"\r\n")
}

/// The target in origin-form (RFC 9112 section 3.2.1) or, for OPTIONS, in asterisk-form.
fn request_target(head: &RequestHead, bytes: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    let path = head.path.of(bytes);
    match path.first() {
        // RFC 9112 section 3.2.4: an absolute-form without path and query becomes the asterisk.
        None if head.method == Method::Options => out.put(b"*"),
        Some(b'/' | b'*') => out.put(path),
        _ => {
            out.put(b"/")?;
            out.put(path)
        }
    }
}

/// Writes the head of a response to the client, in HTTP/1.1 whatever the client's version is
/// (RFC 9110 section 2.5).
///
/// The caller offers chunked framing to HTTP/1.1 clients only.
pub(crate) fn response_head(
    head: &ResponseHead,
    bytes: &[u8],
    delivery: &Delivery,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    put_status_line(head.status, head.reason.of(bytes), out)?;
    end_to_end_fields(head.fields.of(bytes), &head.options, out)?;
    if let (Some(now), false) = (delivery.date, head.has_date) {
        put_field(b"Date", &date::format(now), out)?;
    }
    // RFC 9110 section 8.6: no Content-Length in 1xx and 204; RFC 9112 section 6.1: no
    // Transfer-Encoding there either.
    if !head.status.is_informational() && head.status != Status::NO_CONTENT {
        match (delivery.framing, head.body) {
            (Framing::Length(length), _) | (Framing::None, BodyLength::Length(length)) => {
                put_length(length, out)?;
            }
            (Framing::Chunked, _) => out.put(CHUNKED)?,
            (Framing::None | Framing::Close, _) => {}
        }
    }
    put_persistence(delivery.persist, delivery.client, out)?;
    out.put(b"\r\n")
}

const CHUNKED: &[u8] = b"Transfer-Encoding: chunked\r\n";

fn put_status_line(status: Status, reason: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"HTTP/1.1 ")?;
    out.put_decimal(u64::from(status.code()))?;
    out.put(b" ")?;
    out.put(reason)?;
    out.put(b"\r\n")
}

fn put_field(name: &[u8], value: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(name)?;
    out.put(b": ")?;
    out.put(value)?;
    out.put(b"\r\n")
}

fn put_length(length: u64, out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"Content-Length: ")?;
    out.put_decimal(length)?;
    out.put(b"\r\n")
}

/// RFC 9112 section 9.3: connections last by default, save for HTTP/1.0 clients.
fn put_persistence(persist: Persist, client: Version, out: &mut Writer<'_>) -> Result<(), Full> {
    match (persist, client) {
        (Persist::Close, _) => out.put(b"Connection: close\r\n"),
        (Persist::KeepAlive, Version::Http10) => out.put(b"Connection: keep-alive\r\n"),
        (Persist::KeepAlive, Version::Http11) => Ok(()),
    }
}

/// Writes the fields that are for the recipient at the other end (RFC 9110 section 7.6.1), in
/// their order and without those that are written anew: Host and the framing.
fn end_to_end_fields(lines: &[u8], options: &Options, out: &mut Writer<'_>) -> Result<(), Full> {
    // Gathered once: each field is compared with a few names, not with all the lines.
    let mut room = [Span::EMPTY; MAX_OPTIONS];
    let named: &[Span] = if options.named == 0 {
        &[]
    } else {
        gather_named(lines, &mut room);
        &room
    };
    put_fields(lines, named, out)
}

/// Gathers the names of fields that Connection makes hop-by-hop fields, as spans of `lines`.
#[inline(never)] // Keeps its iterators out of the frame of the one who holds the names.
fn gather_named(lines: &[u8], named: &mut [Span; MAX_OPTIONS]) {
    let mut slots = named.iter_mut();
    for (name, options) in field::fields(lines) {
        if Name::of(name) != Name::Connection {
            continue;
        }
        for option in bytes::tokens(options).filter(|option| !is_protected(option)) {
            if let Some(slot) = slots.next() {
                *slot = Span::within(lines, option);
            }
        }
    }
}

#[inline(never)]
fn put_fields(lines: &[u8], named: &[Span], out: &mut Writer<'_>) -> Result<(), Full> {
    for (name, value) in field::fields(lines) {
        let is_named = |option: &Span| bytes::eq_ignore_case(option.of(lines), name);
        let is_kept = match Name::of(name) {
            Name::Host | Name::ContentLength => false,
            known if known.is_hop_by_hop() => false,
            _ => !named.iter().any(is_named),
        };
        if is_kept {
            put_field(name, value, out)?;
        }
    }
    Ok(())
}

/// Whether Connection cannot take this field away from its recipient, who would decide otherwise
/// without it (RFC 9110 section 7.6.1: not "a field that is intended for all recipients").
fn is_protected(name: &[u8]) -> bool {
    PROTECTED
        .iter()
        .any(|protected| bytes::eq_ignore_case(protected, name))
}

const PROTECTED: [&[u8]; 19] = [
    b"age",
    b"authorization",
    b"cache-control",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"cookie",
    b"date",
    b"expect",
    b"forwarded",
    b"origin",
    b"range",
    b"set-cookie",
    b"vary",
    b"via",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
];

/// Writes a whole response with a small HTML page.
pub(crate) fn error_page(page: &ErrorPage<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    let mut length = 0u64;
    let counted = page_body(page, &mut |text| {
        length = length.saturating_add(text.len() as u64);
        Ok(())
    });
    counted?;
    put_status_line(page.status, page.status.reason().as_bytes(), out)?;
    put_field(b"Date", &date::format(page.now), out)?;
    put_field(b"Content-Type", b"text/html; charset=utf-8", out)?;
    put_field(b"Cache-Control", b"no-store", out)?;
    put_length(length, out)?;
    put_persistence(page.persist, page.client, out)?;
    out.put(b"\r\n")?;
    if page.head_only {
        return Ok(());
    }
    page_body(page, &mut |text| out.put(text))
}

type Put<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Full>;

/// Puts out the octets of an error page, piece by piece.
fn page_body(page: &ErrorPage<'_>, put: Put<'_>) -> Result<(), Full> {
    let mut digits = [0; 3];
    Writer::new(&mut digits).put_decimal(u64::from(page.status.code()))?;
    put(b"<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n")?;
    put(b"<meta name=\"viewport\" content=\"width=device-width\">\n<title>")?;
    put(&digits)?;
    put(b" ")?;
    put(page.status.reason().as_bytes())?;
    put(b"</title>\n<style>body{font:16px/1.5 sans-serif;max-width:36em;margin:10vh auto;")?;
    put(b"padding:0 1em;color:#333}h1{font-size:1.5em}p{color:#666}</style>\n<h1>")?;
    put(&digits)?;
    put(b" ")?;
    put(page.status.reason().as_bytes())?;
    put(b"</h1>\n<p>")?;
    put_escaped(page.reason, put)?;
    put(b"</p>\n</html>\n")
}

/// Puts out plain text as the content of an HTML element.
fn put_escaped(text: &str, put: Put<'_>) -> Result<(), Full> {
    for piece in text.split_inclusive(['&', '<', '>']) {
        let special = piece.chars().next_back();
        let escaped: &[u8] = match special {
            Some('&') => b"&amp;",
            Some('<') => b"&lt;",
            Some('>') => b"&gt;",
            _ => {
                put(piece.as_bytes())?;
                continue;
            }
        };
        put(piece.trim_end_matches(['&', '<', '>']).as_bytes())?;
        put(escaped)?;
    }
    Ok(())
}

/// Octets that [`chunk_prefix`] writes at most.
pub(crate) const CHUNK_PREFIX_MAX: usize = 2 + 16 + 2;

/// Octets that [`last_chunk`] writes at most.
pub(crate) const LAST_CHUNK_MAX: usize = 2 + 5;

/// Writes what goes before `len` octets of chunk data (RFC 9112 section 7.1): the end of the chunk
/// before it, unless it is the `first`, and its size. `len` must not be 0, which would end the
/// body.
pub(crate) fn chunk_prefix(first: bool, len: u64, out: &mut Writer<'_>) -> Result<(), Full> {
    if !first {
        out.put(b"\r\n")?;
    }
    out.put_hex(len)?;
    out.put(b"\r\n")
}

/// Writes the end of a chunked body: the end of the chunk before, unless there was none (`first`),
/// and the last chunk without trailers.
pub(crate) fn last_chunk(first: bool, out: &mut Writer<'_>) -> Result<(), Full> {
    if !first {
        out.put(b"\r\n")?;
    }
    out.put(b"0\r\n\r\n")
}
