// SPDX-License-Identifier: GPL-2.0

//! Heads and framing, written anew from what was parsed.

mod answer;
mod forwarded;

#[allow(unused_imports)] // Not all of it is called yet.
pub(crate) use answer::{
    content, error_page, options_answer, report_head, trace_answer, trace_room, Answer, ErrorPage,
    PAGE_MAX, REPORT_ROOM,
};

use super::date;
use super::exceptions::{Exceptions, Part};
use super::field::{put_field, Name};
use super::forward::{self, Forward};
use super::head::{BodyLength, RequestHead, ResponseHead};
use super::named::{with_named, Named};
use super::{list, Method, Status, Version};
use crate::bytes::{Full, Writer};
use crate::srun::Wire;
use crate::time::UnixTime;
use forwarded::Told;

/// How the body of a message is framed on its way out.
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
    /// Frames of HMUX or srun (requests only).
    Frames(Wire),
}

/// Whether the connection lasts after this message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Persist {
    /// It does.
    KeepAlive,
    /// It does not.
    Close,
}

/// What is changed of a response's end-to-end fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amended<'a> {
    /// Field lines that it gets behind its own.
    pub(crate) lines: &'a [u8],
    /// Whether a field of this name is left out.
    pub(crate) hides: fn(&[u8]) -> bool,
}

/// How a response goes to the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery<'a> {
    /// The framing of the body.
    pub(crate) framing: Framing,
    /// Whether the connection lasts. A 1xx says nothing of it.
    pub(crate) persist: Persist,
    /// The version of the request: an HTTP/1.0 client must be told that the connection lasts.
    pub(crate) client: Version,
    /// The time for a Date field, if a final response has none and is to get one.
    pub(crate) date: Option<UnixTime>,
    /// Our name in the Via of final responses, a token; it is not written if it is empty.
    pub(crate) name: &'a [u8],
    /// Pass Upgrade on, if the head has [one](ResponseHead::upgrade): for the 101 that begins a
    /// tunnel, and for a 426.
    pub(crate) upgrade: bool,
    /// A cookie of ours, by name, with the backend's stamp.
    pub(crate) stamp: Option<(&'a [u8], [u8; 16])>,
    /// What somebody who has looked at it wants to have changed.
    pub(crate) amended: Option<Amended<'a>>,
}

/// Octets that [`request_head`] writes at most.
pub(crate) fn request_room(head: &RequestHead, forward: &Forward<'_>) -> usize {
    // A field line of four octets or more may get a space, an element of a list that has two too.
    let spaces = head.fields.len() / 2;
    // X-Forwarded-Host and Forwarded tell the host once more.
    let hosts = head.host.len().saturating_mul(2);
    head.len
        .saturating_add(spaces)
        .saturating_add(hosts)
        .saturating_add(forward.fallback_host.len())
        .saturating_add(forward.name.len().saturating_mul(2))
        .saturating_add(forward.conditions.len())
        .saturating_add(REQUEST_EXTRA)
}

/// The names of all fields that we may add to a request, and all the rest in them.
const REQUEST_EXTRA: usize = 384;

/// Writes the head of a request to a backend, in HTTP/1.1 and origin-form.
///
/// `bytes` is the buffer that was parsed.
pub(crate) fn request_head(
    head: &RequestHead,
    bytes: &[u8],
    forward: &Forward<'_>,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    out.put(head.method_span.of(bytes))?;
    out.put(b" ")?;
    request_target(head, bytes, out)?;
    out.put(b" HTTP/1.1\r\n")?;
    // RFC 9112 section 3.2: Host "ought to be the first field".
    let host = match head.host.of(bytes) {
        [] => forward.fallback_host,
        host => host,
    };
    put_field(b"Host", host, out)?;
    let lines = head.fields.of(bytes);
    with_named(lines, head.options.named > 0, |named| {
        request_fields(head, bytes, named, forward, out)
    })?;
    put_hop(head.version, forward.name, out)?;
    if forward.cdn_loop && !forward.name.is_empty() {
        put_field(b"CDN-Loop", forward.name, out)?;
    }
    if let Some(left) = forward.max_forwards {
        put_number(b"Max-Forwards", left.saturating_sub(1), out)?;
    }
    let trailers = forward.trailers && head.te_trailers;
    put_connection(&[], forward.upgrade && head.upgrade, trailers, out)?;
    match head.body {
        BodyLength::None => {}
        BodyLength::Length(length) => put_number(CONTENT_LENGTH, length, out)?,
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

/// Writes the fields that are for the recipient at the other end (RFC 9110 section 7.6.1), in
/// their order and without those that are written anew: Host, the framing, and behind the others
/// where the request comes from.
#[inline(never)] // Keeps its frame out of its caller's.
fn request_fields(
    head: &RequestHead,
    bytes: &[u8],
    named: Named<'_>,
    forward: &Forward<'_>,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let lines = head.fields.of(bytes);
    let mut told = Told::default();
    let has_conditions = !forward.conditions.is_empty();
    let exceptions = match head.options.named > 0 || has_conditions {
        true => &Exceptions::ALL,
        false => &head.exceptions,
    };
    for part in exceptions.parts(lines, head.fields.start()) {
        let (name, value) = match part {
            Part::Field(name, value) => (name, value),
            Part::Lines(lines) => {
                out.put(lines)?;
                continue;
            }
        };
        let known = Name::of(name);
        let passes = match known {
            Name::Host | Name::ContentLength => false,
            Name::XForwardedFor
            | Name::XForwardedProto
            | Name::XForwardedHost
            | Name::Forwarded => told.passes(known, value, forward),
            Name::MaxForwards => forward.max_forwards.is_none(),
            Name::Trailer => head.body == BodyLength::Chunked && head.options.let_trailers_pass(),
            Name::Expect => {
                expectations(head, value, forward, out)?;
                false
            }
            Name::Upgrade => {
                put_protocols(forward.upgrade && head.upgrade, value, out)?;
                false
            }
            _ => !known.is_hop_by_hop() && !named.has(name),
        };
        if passes && !(has_conditions && forward::is_replaced(name)) {
            put_field(name, value, out)?;
        }
    }
    out.put(forward.conditions)?;
    told.put(head, bytes, forward, out)
}

/// Passes the expectations on that are for the origin server (RFC 9110 section 10.1.1). HTTP/1.0
/// has none.
fn expectations(
    head: &RequestHead,
    value: &[u8],
    forward: &Forward<'_>,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    if head.version == Version::Http10 {
        return Ok(());
    }
    let expectations = list::elements(value);
    let passing = expectations.filter(|one| forward.expect || !forward::is_continue(one));
    put_list(b"Expect", passing, out)
}

fn put_protocols(passes: bool, value: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    if passes {
        put_list(b"Upgrade", forward::protocols(value), out)
    } else {
        Ok(())
    }
}

/// Octets that [`response_head`] writes at most.
pub(crate) fn response_room(head: &ResponseHead, delivery: &Delivery<'_>) -> usize {
    head.len
        .saturating_add(head.fields.len() / 2)
        .saturating_add(delivery.name.len())
        .saturating_add(delivery.stamp.map_or(0, |(name, _)| name.len()))
        .saturating_add(delivery.amended.map_or(0, |amended| amended.lines.len()))
        .saturating_add(RESPONSE_EXTRA)
}

/// Date, Via, Set-Cookie and the Cache-Control with it, Connection and the framing.
const RESPONSE_EXTRA: usize = 264;

/// Writes the head of a response to the client, in HTTP/1.1 whatever the client's version is
/// (RFC 9110 section 2.5).
///
/// The caller offers chunked framing to HTTP/1.1 clients only.
#[inline(never)] // Keeps its frame out of its caller's.
pub(crate) fn response_head(
    head: &ResponseHead,
    bytes: &[u8],
    delivery: &Delivery<'_>,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    put_status_line(head.status, head.reason.of(bytes), out)?;
    let lines = head.fields.of(bytes);
    with_named(lines, head.options.named > 0, |named| {
        response_fields(head, bytes, named, delivery, out)
    })?;
    let upgrade = delivery.upgrade && head.upgrade;
    if head.status.is_informational() {
        // Of the connection only a 101 has something to say. RFC 9110 section 6.6.1 wants no Date
        // in a 1xx, section 7.6.3 lets a gateway leave Via out.
        put_connection(&[], upgrade, false, out)?;
        return out.put(b"\r\n");
    }
    if let Some(amended) = &delivery.amended {
        out.put(amended.lines)?;
    }
    // RFC 9110 section 6.6.1: "A recipient with a clock that receives a response message without
    // a Date header field MUST [...] append a corresponding Date".
    if let (Some(now), false) = (delivery.date, head.has_date) {
        put_field(b"Date", &date::format(now), out)?;
    }
    put_hop(head.version, delivery.name, out)?;
    if let Some((name, stamp)) = delivery.stamp {
        put_stamp(name, &stamp, out)?;
    }
    // RFC 9110 section 8.6: no Content-Length in 204; RFC 9112 section 6.1: no Transfer-Encoding
    // there either.
    if head.status != Status::NO_CONTENT {
        match (delivery.framing, head.body) {
            (Framing::Length(length), _) | (Framing::None, BodyLength::Length(length)) => {
                put_number(CONTENT_LENGTH, length, out)?;
            }
            (Framing::Chunked, _) => out.put(CHUNKED)?,
            (Framing::None | Framing::Close | Framing::Frames(_), _) => {}
        }
    }
    let persistence = persistence(delivery.persist, delivery.client);
    put_connection(persistence, upgrade, false, out)?;
    out.put(b"\r\n")
}

/// How the head of a stored response ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredEnd<'a> {
    /// What this gateway calls itself in Via.
    pub(crate) name: &'a [u8],
    /// What Content-Length says, if there is one.
    pub(crate) length: Option<u64>,
    /// Whether the connection lasts.
    pub(crate) persist: Persist,
    /// The version of the request.
    pub(crate) client: Version,
}

impl StoredEnd<'_> {
    /// Octets that [`StoredEnd::put`] writes at most.
    pub(crate) const fn room(&self) -> usize {
        self.name.len().saturating_add(STORED_EXTRA)
    }

    /// Writes the fields that are not stored, and the empty line.
    pub(crate) fn put(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        put_hop(Version::Http11, self.name, out)?;
        if let Some(length) = self.length {
            put_number(CONTENT_LENGTH, length, out)?;
        }
        put_connection(persistence(self.persist, self.client), false, false, out)?;
        out.put(b"\r\n")
    }
}

/// Via without the name, Content-Length, Connection, and the empty line.
const STORED_EXTRA: usize = 88;

/// Tells the client which backend it belongs to. Only requests come back with it, not scripts, and it
/// lasts as long as a session (RFC 6265 section 4.1).
fn put_stamp(name: &[u8], stamp: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"Set-Cookie: ")?;
    out.put(name)?;
    out.put(b"=")?;
    out.put(stamp)?;
    out.put(b"; Path=/; HttpOnly; SameSite=Lax\r\n")?;
    // No cache may give all its users the same one.
    out.put(b"Cache-Control: private\r\n")
}

/// Writes the end-to-end fields of a response, in their order.
fn response_fields(
    head: &ResponseHead,
    bytes: &[u8],
    named: Named<'_>,
    delivery: &Delivery<'_>,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let exceptions = match head.options.named > 0 || delivery.amended.is_some() {
        true => &Exceptions::ALL,
        false => &head.exceptions,
    };
    for part in exceptions.parts(head.fields.of(bytes), head.fields.start()) {
        let (name, value) = match part {
            Part::Field(name, value) => (name, value),
            Part::Lines(lines) => {
                out.put(lines)?;
                continue;
            }
        };
        let known = Name::of(name);
        let passes = match known {
            Name::Host | Name::ContentLength => false,
            // Where there are trailers, and where they can go.
            Name::Trailer => {
                head.body == BodyLength::Chunked
                    && delivery.framing == Framing::Chunked
                    && head.options.let_trailers_pass()
            }
            Name::Upgrade => {
                put_protocols(delivery.upgrade && head.upgrade, value, out)?;
                false
            }
            _ => !known.is_hop_by_hop() && !named.has(name),
        };
        if passes && !delivery.hides(name) {
            put_field(name, value, out)?;
        }
    }
    Ok(())
}

impl Delivery<'_> {
    fn hides(&self, name: &[u8]) -> bool {
        self.amended.is_some_and(|amended| (amended.hides)(name))
    }
}

const CHUNKED: &[u8] = b"Transfer-Encoding: chunked\r\n";
const CONTENT_LENGTH: &[u8] = b"Content-Length";

/// Writes the first line of a response (RFC 9112 section 4). The space before the reason is there even
/// if that is empty.
pub(crate) fn put_status_line(
    status: Status,
    reason: &[u8],
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    out.put(b"HTTP/1.1 ")?;
    out.put_decimal(u64::from(status.code()))?;
    out.put(b" ")?;
    out.put(reason)?;
    out.put(b"\r\n")
}

/// Writes a field line with a number.
pub(crate) fn put_number(name: &[u8], number: u64, out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(name)?;
    out.put(b": ")?;
    out.put_decimal(number)?;
    out.put(b"\r\n")
}

/// Writes a field of these elements; none if there are none.
fn put_list<'a>(
    name: &[u8],
    elements: impl Iterator<Item = &'a [u8]>,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let mut is_begun = false;
    for element in elements {
        if is_begun {
            out.put(b", ")?;
        } else {
            out.put(name)?;
            out.put(b": ")?;
        }
        out.put(element)?;
        is_begun = true;
    }
    if is_begun {
        out.put(b"\r\n")
    } else {
        Ok(())
    }
}

/// Adds us to Via (RFC 9110 section 7.6.3), with the version of the message that came: in a line
/// of its own, which follows those that are there.
fn put_hop(received: Version, name: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    if name.is_empty() {
        return Ok(());
    }
    out.put(match received {
        Version::Http10 => b"Via: 1.0 ",
        Version::Http11 => b"Via: 1.1 ",
    })?;
    out.put(name)?;
    out.put(b"\r\n")
}

/// The option that says whether the connection lasts, if one is needed. RFC 9112 section 9.3:
/// connections last by default, save for HTTP/1.0 clients.
const fn persistence(persist: Persist, client: Version) -> &'static [u8] {
    match (persist, client) {
        (Persist::Close, _) => b"close",
        (Persist::KeepAlive, Version::Http10) => b"keep-alive",
        (Persist::KeepAlive, Version::Http11) => b"",
    }
}

/// Writes what is between us and the next hop: whether the connection lasts, and that Upgrade or
/// TE are for the hop too (RFC 9110 sections 7.6.1, 7.8 and 10.1.4).
fn put_connection(
    persistence: &[u8],
    upgrade: bool,
    trailers: bool,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let upgrade: &[u8] = if upgrade { b"upgrade" } else { b"" };
    let te: &[u8] = if trailers { b"TE" } else { b"" };
    let options = [persistence, upgrade, te].into_iter();
    put_list(b"Connection", options.filter(|one| !one.is_empty()), out)?;
    if trailers {
        put_field(b"TE", b"trailers", out)?;
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
    trailers_begin(first, out)?;
    trailers_end(out)
}

/// Writes the first part of what [`last_chunk`] writes: [`trailer`]s may follow, then
/// [`trailers_end`] must.
pub(crate) fn trailers_begin(first: bool, out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(if first { b"0\r\n" } else { b"\r\n0\r\n" })
}

/// Writes a field of the trailer section, if it [may be relayed](forward::may_trail): a valid
/// name, and a valid value without the white space around it.
pub(crate) fn trailer(name: &[u8], value: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    if forward::may_trail(name) {
        put_field(name, value, out)
    } else {
        Ok(())
    }
}

/// Ends the trailer section, and with it the message.
pub(crate) fn trailers_end(out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"\r\n")
}
