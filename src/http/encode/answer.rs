// SPDX-License-Identifier: GPL-2.0

//! Whole answers of our own: pages that say what went wrong, and those to TRACE and OPTIONS that
//! may go no further.

use super::{persistence, put_connection, put_field, put_number, put_status_line};
use super::{Persist, CONTENT_LENGTH};
use crate::bytes::{self, Full, Writer};
use crate::http::date;
use crate::http::field;
use crate::http::head::RequestHead;
use crate::http::{Status, Version};
use crate::time::UnixTime;

/// What any answer of ours must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    /// Whether the connection lasts.
    pub(crate) persist: Persist,
    /// The version of the request.
    pub(crate) client: Version,
    /// The time for the Date field.
    pub(crate) now: UnixTime,
}

/// An answer of our own that says what went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ErrorPage<'a> {
    /// The status.
    pub(crate) status: Status,
    /// What went wrong: plain text, which is escaped, and cut after 160 octets.
    pub(crate) reason: &'a str,
    /// What to say instead, if it is not empty.
    pub(crate) text: &'a [u8],
    /// The request's number in the log.
    pub(crate) id: u64,
    /// In text/plain instead of HTML: see [`prefers_plain`](crate::http::forward::prefers_plain).
    pub(crate) plain: bool,
    /// Leave the body out, for a HEAD request.
    pub(crate) head_only: bool,
    /// Whether the connection lasts.
    pub(crate) persist: Persist,
    /// The version of the request.
    pub(crate) client: Version,
    /// The time for the Date field.
    pub(crate) now: UnixTime,
}

/// Octets that [`error_page`] writes at most.
pub(crate) const PAGE_MAX: usize = 2048;

/// How much of a text goes to a page.
const MAX_TEXT: usize = 160;

/// Writes a whole response that says what went wrong.
pub(crate) fn error_page(page: &ErrorPage<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    let mut length = 0;
    page_body(page, &mut counting(&mut length))?;
    let answer = Answer {
        persist: page.persist,
        client: page.client,
        now: page.now,
    };
    put_start(page.status, &answer, out)?;
    let media_type: &[u8] = if page.plain {
        b"text/plain; charset=utf-8"
    } else {
        b"text/html; charset=utf-8"
    };
    put_field(b"Content-Type", media_type, out)?;
    put_field(b"Cache-Control", b"no-store", out)?;
    if let Some(seconds) = retry_after(page.status) {
        put_number(b"Retry-After", seconds, out)?;
    }
    put_end(length, &answer, out)?;
    if page.head_only {
        return Ok(());
    }
    page_body(page, &mut |text| out.put(text))
}

/// The content of a whole answer of ours: what follows its head.
pub(crate) fn content(answer: &[u8]) -> &[u8] {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
    let content = head.and_then(|at| answer.get(at.saturating_add(4)..));
    content.unwrap_or(answer)
}

/// When another try has a chance (RFC 9110 section 10.2.3), in seconds: what we have too little of
/// (connections of one client, memory, backends that are up) comes back soon or by hand.
const fn retry_after(status: Status) -> Option<u64> {
    match status {
        Status::TOO_MANY_REQUESTS => Some(1),
        Status::SERVICE_UNAVAILABLE => Some(5),
        _ => None,
    }
}

/// Octets that [`trace_answer`] writes at most.
pub(crate) fn trace_room(head: &RequestHead) -> usize {
    // A field line of four octets or more may get a space.
    head.len
        .saturating_add(head.fields.len() / 4)
        .saturating_add(TRACE_EXTRA)
}

const TRACE_EXTRA: usize = 224;

/// Writes the answer to a TRACE that goes no further (RFC 9110 section 9.3.8): the head of the
/// request as it came, without what is "likely to contain sensitive data".
pub(crate) fn trace_answer(
    head: &RequestHead,
    bytes: &[u8],
    answer: &Answer,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let mut length = 0;
    trace_body(head, bytes, &mut counting(&mut length))?;
    put_start(Status::OK, answer, out)?;
    put_field(b"Content-Type", b"message/http", out)?;
    put_end(length, answer, out)?;
    trace_body(head, bytes, &mut |text| out.put(text))
}

/// Writes the answer to an OPTIONS that goes no further (RFC 9110 section 9.3.7), in 256 octets at
/// most: what passes here.
pub(crate) fn options_answer(answer: &Answer, out: &mut Writer<'_>) -> Result<(), Full> {
    put_start(Status::OK, answer, out)?;
    put_field(b"Allow", RELAYED, out)?;
    put_end(0, answer, out)
}

/// The methods that we know and relay (RFC 9110 section 10.2.1); others pass as well.
const RELAYED: &[u8] = b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE";

/// Octets that [`report_head`] writes at most.
pub(crate) const REPORT_ROOM: usize = 320;

/// Writes the head of an answer that tells how the gateway is: of a type of at most 80 octets.
pub(crate) fn report_head(
    content_type: &str,
    length: u64,
    answer: &Answer,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    put_start(Status::OK, answer, out)?;
    put_field(b"Content-Type", content_type.as_bytes(), out)?;
    put_field(b"Cache-Control", b"no-store", out)?;
    put_field(b"Vary", b"Accept", out)?;
    put_field(b"X-Content-Type-Options", b"nosniff", out)?;
    put_end(length, answer, out)
}

fn put_start(status: Status, answer: &Answer, out: &mut Writer<'_>) -> Result<(), Full> {
    put_status_line(status, status.reason().as_bytes(), out)?;
    put_field(b"Date", &date::format(answer.now), out)
}

fn put_end(length: u64, answer: &Answer, out: &mut Writer<'_>) -> Result<(), Full> {
    put_number(CONTENT_LENGTH, length, out)?;
    let persistence = persistence(answer.persist, answer.client);
    put_connection(persistence, false, false, out)?;
    out.put(b"\r\n")
}

type Put<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Full>;

/// Counts octets instead of writing them.
fn counting(count: &mut u64) -> impl FnMut(&[u8]) -> Result<(), Full> + '_ {
    |octets| {
        *count = count.saturating_add(octets.len() as u64);
        Ok(())
    }
}

fn trace_body(head: &RequestHead, bytes: &[u8], put: Put<'_>) -> Result<(), Full> {
    put(head.method_span.of(bytes))?;
    put(b" ")?;
    put(head.target.of(bytes))?;
    put(match head.version {
        Version::Http10 => b" HTTP/1.0\r\n",
        Version::Http11 => b" HTTP/1.1\r\n",
    })?;
    for (name, value) in field::fields(head.fields.of(bytes)) {
        if !is_sensitive(name) {
            put(name)?;
            put(b": ")?;
            put(value)?;
            put(b"\r\n")?;
        }
    }
    put(b"\r\n")
}

/// Whether a field tells who somebody is, which its sender may have got from another hop.
fn is_sensitive(name: &[u8]) -> bool {
    let begins_with = |prefix: &&[u8]| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| bytes::eq_ignore_case(start, prefix))
    };
    SENSITIVE.iter().any(begins_with)
}

/// How the names of such fields begin.
const SENSITIVE: [&[u8]; 8] = [
    b"authorization",
    b"cookie",
    b"forwarded",
    b"proxy-auth",
    b"x-api-key",
    b"x-auth",
    b"x-forwarded-",
    b"x-real-ip",
];

/// Puts out the octets of an error page, piece by piece.
fn page_body(page: &ErrorPage<'_>, put: Put<'_>) -> Result<(), Full> {
    let mut room = [0; 3];
    let code = digits(u64::from(page.status.code()), 10, &mut room);
    let mut room = [0; 16];
    let id = digits(page.id, 16, &mut room);
    let title = page.status.reason().as_bytes();
    let text = match page.text {
        [] => page.reason.as_bytes(),
        text => text,
    };
    let text = text.get(..MAX_TEXT).unwrap_or(text);
    if page.plain {
        for piece in [code, b" ", title, b"\n", text, b"\nRequest ", id, b"\n"] {
            put(piece)?;
        }
        return Ok(());
    }
    for piece in [PAGE_START, code, b" ", title, PAGE_STYLE, code, b" ", title] {
        put(piece)?;
    }
    put(b"</h1>\n<p>")?;
    put_escaped(text, put)?;
    put(b"</p>\n<small>Request ")?;
    put(id)?;
    put(b"</small>\n</html>\n")
}

const PAGE_START: &[u8] = b"<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>";

/// The colours are the browser's own, light or dark as the reader likes them.
const PAGE_STYLE: &[u8] = b"</title>\n<style>:root{color-scheme:light dark}\
    body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:14vh auto;padding:0 1.25rem;\
    overflow-wrap:anywhere}h1{font-size:1.5rem;line-height:1.25}p::first-letter{text-transform:\
    uppercase}small{opacity:.65}</style>\n<h1>";

/// Writes a number with leading zeros, as many digits as there is room for.
fn digits(mut number: u64, base: u64, room: &mut [u8]) -> &[u8] {
    for place in room.iter_mut().rev() {
        let digit = number.checked_rem(base).unwrap_or(0);
        *place = b"0123456789abcdef"
            .get(digit as usize)
            .copied()
            .unwrap_or(b'0');
        number = number.checked_div(base).unwrap_or(0);
    }
    room
}

/// Puts out plain text as the content of an HTML element.
fn put_escaped(text: &[u8], put: Put<'_>) -> Result<(), Full> {
    for piece in text.split_inclusive(|octet| matches!(octet, b'&' | b'<' | b'>')) {
        let (plain, escaped): (&[u8], &[u8]) = match piece {
            [plain @ .., b'&'] => (plain, b"&amp;"),
            [plain @ .., b'<'] => (plain, b"&lt;"),
            [plain @ .., b'>'] => (plain, b"&gt;"),
            plain => (plain, b""),
        };
        put(plain)?;
        put(escaped)?;
    }
    Ok(())
}
