// SPDX-License-Identifier: GPL-2.0

//! What a client gets of a stored response: all of it, parts of it, or word that it has it.
//!
//! What [`write()`] writes is the head of an HTTP/1.1 response but for its end, which is for whoever knows
//! the client: Via, Content-Length and Connection.

mod fields;
mod passing;
mod several;

pub(crate) use passing::Passing;
pub(crate) use several::Several;
pub(crate) use several::MAX_RANGES;

use super::cache_status::{put_age, CacheStatus, Handling};
use super::conditional::{Conditions, Outcome, Validators};
use super::delta::DeltaSeconds;
use super::field::{first, Field};
use super::mapping::Lifetimes;
use super::range::{self, ByteRange, Parts};
use super::request::Request;
use super::store::Response;
use crate::bytes::{Full, Writer};
use crate::http::encode::put_status_line;
use crate::http::{Method, Status};
use crate::time::Instant;
use fields::Fields;

/// A stored response, as far as an answer needs it.
///
/// Of one of which only a [part](super::range::Part) is stored, this is the whole, and the request is
/// one that this part [serves](super::range::Part::serves).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a> {
    /// Its field lines, as [`Received`](super::Received) has written them: without Age and framing,
    /// and with a Date.
    pub(crate) lines: &'a [u8],
    /// What is known of it.
    pub(crate) response: &'a Response,
    /// Octets of its whole body, less than 2^63. Some of them may be still coming.
    pub(crate) length: u64,
}

/// How an answer is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'a> {
    /// The time, by boottime.
    pub(crate) now: Instant,
    /// Random numbers, new ones for each answer: for the [boundary](range::Boundary) of parts.
    pub(crate) boundary: [u64; 2],
    /// Answer with parts to who asks for them: the setting `enable-range`.
    pub(crate) ranges: bool,
    /// Say `Cache-Control: private` in the place of Vary: the setting `rewrite-vary-as-private`.
    pub(crate) private: bool,
    /// What a mapping says of the target.
    pub(crate) mapped: Option<Lifetimes>,
    /// The [`age`](super::age) of the message with which the origin has just brought it, or has
    /// validated it, for this very request; none if it was not asked, or has not answered so.
    pub(crate) brought: Option<DeltaSeconds>,
    /// What Cache-Status says, by our name, a token; if clients are told.
    pub(crate) told: Option<(&'a [u8], Handling)>,
}

/// What follows the head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// Nothing.
    None,
    /// The whole body, as many octets as Content-Length says.
    Whole,
    /// These octets of it.
    Part(ByteRange),
    /// The parts that [`Several`] has now, with a head before each, and the end.
    Parts,
}

/// Octets that [`write()`] writes at most.
pub(crate) fn room(stored: &Stored<'_>, manner: &Manner<'_>) -> usize {
    // A field line of four octets or more may get a space, an element of a list of two too.
    let spaces = stored.lines.len() / 2;
    let name = manner.told.map_or(0, |(name, _)| name.len());
    let known = stored.lines.len().saturating_add(spaces);
    known.saturating_add(name).saturating_add(EXTRA)
}

/// The status line, the longest of which has 46 octets, and the lines beyond those that are stored:
/// Accept-Ranges, Age, two of Cache-Control, Cache-Status, one of Content-Range and Content-Type.
const EXTRA: usize = 328;

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Written {
    pub(crate) status: Status,
    /// What Content-Length is to say, if there is to be one.
    pub(crate) length: Option<u64>,
    pub(crate) content: Content,
}

/// Writes the head of the answer to a request that is answered with this stored response, but for its
/// end, and tells what follows it.
///
/// Without `several` it is one that asks for no parts. The request is a GET or a HEAD. The conditions
/// that are [for the origin](Conditions::are_for_origin) it has evaluated, if there are any.
#[inline(never)] // Keeps its frame out of its caller's.
pub(crate) fn write(
    stored: &Stored<'_>,
    request: &Request<'_>,
    manner: &Manner<'_>,
    mut several: Option<&mut Several>,
    out: &mut Writer<'_>,
) -> Result<Written, Full> {
    let shape = shape(stored, request, manner, several.as_deref_mut());
    let status = shape.status(stored.response.status);
    put_status_line(status, status.reason().as_bytes(), out)?;
    let fields = Fields::of(stored.lines, shape, request.method, manner);
    fields.put(out)?;
    put_shape(shape, several.as_deref(), out)?;
    put_tale(stored.response, manner, fields.is_private(), out)?;
    let length = shape.length(stored);
    let content = match request.method {
        // RFC 9110 section 9.3.2: "the server MUST NOT send content in the response".
        Method::Head => Content::None,
        _ => shape.content(length),
    };
    Ok(Written {
        status,
        length,
        content,
    })
}

/// What becomes of the stored response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// It is the answer as it is. One that is a 200 could be asked for by parts.
    Whole { status: Status },
    /// 304. Whether it has an entity-tag.
    NotModified { has_tag: bool },
    /// 206 with one part, of a representation of so many octets.
    Part { range: ByteRange, complete: u64 },
    /// 206 with several, the content of which has so many octets.
    Parts { octets: u64 },
    /// 416, of a representation of so many octets.
    Unsatisfied { complete: u64 },
}

impl Shape {
    const fn status(self, stored: Status) -> Status {
        match self {
            Shape::Whole { .. } => stored,
            Shape::NotModified { .. } => Status::NOT_MODIFIED,
            Shape::Part { .. } | Shape::Parts { .. } => Status::PARTIAL_CONTENT,
            Shape::Unsatisfied { .. } => Status::RANGE_NOT_SATISFIABLE,
        }
    }

    /// Whether there is a representation that can be had by parts.
    const fn is_divisible(self) -> bool {
        match self {
            Shape::Whole { status } => matches!(status, Status::OK),
            Shape::Part { .. } | Shape::Parts { .. } => true,
            Shape::NotModified { .. } | Shape::Unsatisfied { .. } => false,
        }
    }

    /// The Content-Length in the head, which is that of the answer to a GET for a HEAD too.
    fn length(self, stored: &Stored<'_>) -> Option<u64> {
        match self {
            // RFC 9110 section 8.6: no Content-Length "with a status code of 1xx (Informational) or
            // 204 (No Content)". That of a 304 would be of what it does not bring.
            Shape::Whole { status } if is_bare(status) => None,
            Shape::NotModified { .. } => None,
            // RFC 9110 section 15.3.6: "a server MUST NOT generate content in a 205 response"; but
            // without a length it would last as long as the connection does.
            Shape::Whole { status } if status == Status::RESET_CONTENT => Some(0),
            Shape::Whole { .. } => Some(stored.length),
            Shape::Part { range, .. } => Some(range.len()),
            Shape::Parts { octets } => Some(octets),
            Shape::Unsatisfied { .. } => Some(0),
        }
    }

    /// What follows a head that says so.
    fn content(self, length: Option<u64>) -> Content {
        match (self, length) {
            (Shape::Part { range, .. }, _) => Content::Part(range),
            (Shape::Parts { .. }, _) => Content::Parts,
            (Shape::Whole { .. }, Some(1..)) => Content::Whole,
            _ => Content::None,
        }
    }
}

/// Whether the end of its head is the end of such a response (RFC 9112 section 6.3).
fn is_bare(status: Status) -> bool {
    status.is_informational() || matches!(status, Status::NO_CONTENT | Status::NOT_MODIFIED)
}

/// Conditions first, then If-Range, then Range (RFC 9110 section 13.2.2).
fn shape(
    stored: &Stored<'_>,
    request: &Request<'_>,
    manner: &Manner<'_>,
    several: Option<&mut Several>,
) -> Shape {
    let status = stored.response.status;
    let whole = Shape::Whole { status };
    let may_divide =
        manner.ranges && request.has_range && range::is_divisible(request.method, status);
    let complete = may_divide.then_some(stored.length);
    // Most requests ask for nothing of that.
    if complete.is_none() && request.conditions == Conditions::default() {
        return whole;
    }
    let validators = Validators::of(stored.lines, stored.response.dated);
    let conditions = &request.conditions;
    match conditions.evaluate(request.lines, request.method, status, &validators) {
        Outcome::NotModified => {
            let has_tag = validators.entity_tag().is_some();
            return Shape::NotModified { has_tag };
        }
        Outcome::Whole | Outcome::Origin => {}
    }
    let complete = complete.filter(|_| range::if_range(request.lines, &validators));
    complete
        .zip(several)
        .and_then(|(complete, several)| divide(stored, request, manner, complete, several))
        .unwrap_or(whole)
}

/// The parts that the request asks for; none if it gets the whole.
fn divide(
    stored: &Stored<'_>,
    request: &Request<'_>,
    manner: &Manner<'_>,
    complete: u64,
    several: &mut Several,
) -> Option<Shape> {
    let asked = range::of_request(request.lines)?;
    match several.choose(asked, complete, manner.boundary) {
        Parts::Whole => None,
        Parts::None => Some(Shape::Unsatisfied { complete }),
        Parts::Single(range) => Some(Shape::Part { range, complete }),
        // A Content-Encoding in the head of a multipart is read as that of the multipart, which has
        // none: its parts have. "A server MAY ignore the Range header field" (RFC 9110 section 14.2).
        Parts::Several(_) if first(stored.lines, Field::ContentEncoding).is_some() => None,
        Parts::Several(_) => {
            let octets = several.content_len(stored.lines)?;
            Some(Shape::Parts { octets })
        }
    }
}

/// Writes which parts follow, or that there are none.
fn put_shape(shape: Shape, several: Option<&Several>, out: &mut Writer<'_>) -> Result<(), Full> {
    match shape {
        Shape::Whole { .. } | Shape::NotModified { .. } => return Ok(()),
        // RFC 9110 section 15.3.7.1.
        Shape::Part { range, complete } => {
            out.put(b"Content-Range: ")?;
            range.put_content_range(complete, out)?;
        }
        // Section 15.3.7.2, where each part has its own Content-Range.
        Shape::Parts { .. } => {
            out.put(b"Content-Type: ")?;
            if let Some(several) = several {
                several.put_content_type(out)?;
            }
        }
        // Section 15.5.17.
        Shape::Unsatisfied { complete } => {
            out.put(b"Content-Range: ")?;
            range::put_unsatisfied(complete, out)?;
        }
    }
    out.put(b"\r\n")
}

/// Writes how old it is and where it comes from.
fn put_tale(
    response: &Response,
    manner: &Manner<'_>,
    is_private: bool,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let freshness = &response.freshness;
    if let Some(lifetimes) = manner.mapped.as_ref().filter(|_| freshness.is_mapped()) {
        passing::put_mapped(lifetimes, is_private, out)?;
    }
    // RFC 9111 section 4: "When a stored response is used to satisfy a request without validation, a
    // cache MUST generate an Age header field". With one, its presence "implies that the response was
    // not generated or validated by the origin server for this request" (section 5.1): so then there
    // is none, unless another cache has answered for the origin, whose Age must not get lost.
    if manner.brought.is_none_or(|age| age > DeltaSeconds::ZERO) {
        put_age(freshness.current_age(manner.now), out)?;
    }
    match manner.told {
        Some((name, handling)) => {
            let ttl = Some(freshness.ttl(manner.now));
            CacheStatus { handling, ttl }.put(name, out)
        }
        None => Ok(()),
    }
}
