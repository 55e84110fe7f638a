// SPDX-License-Identifier: GPL-2.0

//! Which of the stored fields an answer has.

use super::{Manner, Shape};
use crate::bytes::{self, Full, Writer};
use crate::cache::field::{first, is_of_content, values, Field};
use crate::http::field::{fields, put_field};
use crate::http::{list, Method};

/// The stored field lines, and what decides which of them are written.
pub(super) struct Fields<'a> {
    lines: &'a [u8],
    shape: Shape,
    /// All of the stored content follows.
    has_content: bool,
    /// Say that parts can be asked for.
    offers_parts: bool,
    /// Cache-Control says that it is private, in the place of Vary.
    is_private: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn of(
        lines: &'a [u8],
        shape: Shape,
        method: Method,
        manner: &Manner<'_>,
    ) -> Fields<'a> {
        let is_whole = matches!(shape, Shape::Whole { .. });
        let is_error = matches!(shape, Shape::Unsatisfied { .. });
        // RFC 9110 section 14.3: what the origin says of that stays.
        let says_none = || !has(lines, b"accept-ranges");
        Fields {
            lines,
            shape,
            has_content: is_whole && method != Method::Head,
            offers_parts: manner.ranges && shape.is_divisible() && says_none(),
            is_private: manner.private && !is_error && first(lines, Field::Vary).is_some(),
        }
    }

    pub(super) fn is_private(&self) -> bool {
        self.is_private
    }

    pub(super) fn put(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        // What most answers are: as it is stored.
        if self.has_content && !self.is_private {
            out.put(self.lines)?;
        } else {
            self.put_some(out)?;
        }
        if self.is_private {
            put_private(self.lines, out)?;
        }
        match self.offers_parts {
            true => put_field(b"Accept-Ranges", b"bytes", out),
            false => Ok(()),
        }
    }

    fn put_some(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        for (name, value) in fields(self.lines) {
            if self.has(name) {
                put_field(name, value, out)?;
            }
        }
        Ok(())
    }

    /// Whether a stored field is in the answer.
    ///
    /// Those of a 206 are all that a 200 would have, as RFC 9110 section 15.3.7 wants it. Where there
    /// is an If-Range a sender "SHOULD NOT generate other representation header fields beyond those
    /// required". We do: there are browsers that compare the Content-Encoding of a part with that of
    /// what they have, and fail if it has none.
    fn has(&self, name: &[u8]) -> bool {
        let field = Field::of(name);
        if self.is_private && is_of_private(field, name) {
            return false;
        }
        if !self.has_content && is_of_content(name) {
            return false;
        }
        match self.shape {
            Shape::Whole { .. } => true,
            // Whoever says that of all of it means nothing (RFC 9110 section 14.4).
            _ if field == Field::ContentRange => false,
            Shape::Part { .. } => true,
            Shape::Parts { .. } => !is_one_of(name, &[b"content-type"]),
            Shape::NotModified { has_tag } => is_in_304(field, name, has_tag),
            Shape::Unsatisfied { .. } => is_in_416(field, name),
        }
    }
}

/// Whether a stored field is in a 304 (RFC 9110 section 15.4.5).
///
/// There must be "Content-Location, Date, ETag, and Vary; Cache-Control and Expires". What else says
/// something of the representation there should not be, "unless said metadata exists for the purpose
/// of guiding cache updates (e.g., Last-Modified might be useful if the response does not have an
/// ETag field)".
///
/// All other fields are of the response (cookies, what scripts of other origins may do, policies),
/// and are updated by those of a 304 (RFC 9111 section 3.2). What the stored one has may be newer than
/// what the client has; so they stay.
fn is_in_304(field: Field, name: &[u8], has_tag: bool) -> bool {
    match field {
        Field::LastModified => !has_tag,
        _ => !is_one_of(name, &METADATA),
    }
}

/// Whether a stored field is in a 416: it has no representation, and says nothing of one.
///
/// Nor how long it is good for: RFC 9111 section 3 would let other caches store it then, as the answer
/// to whatever they are asked for this target.
fn is_in_416(field: Field, name: &[u8]) -> bool {
    let is_of_representation = matches!(
        field,
        Field::ContentLocation | Field::Etag | Field::Expires | Field::LastModified
    );
    let is_described = is_one_of(name, &METADATA) || is_one_of(name, &[b"content-disposition"]);
    !is_of_representation && !is_described && !is_control(field, name)
}

/// What RFC 9110 section 8, RFC 3230 and RFC 9530 say of a representation, beyond what is in a 304 in
/// any case.
const METADATA: [&[u8]; 5] = [
    b"content-encoding",
    b"content-language",
    b"content-type",
    b"digest",
    b"repr-digest",
];

/// Whether a field gives way to `Cache-Control: private`.
pub(super) fn is_of_private(field: Field, name: &[u8]) -> bool {
    field == Field::Vary || is_control(field, name)
}

/// Whether a field tells caches what to do: Cache-Control, or what some of them obey in its place (RFC
/// 9213, Surrogate-Control). Those would store for everyone what does not say any more by what it
/// varies.
fn is_control(field: Field, name: &[u8]) -> bool {
    const SUFFIX: &[u8] = b"-cache-control";
    let at = name.len().checked_sub(SUFFIX.len());
    let suffix = at.and_then(|at| name.get(at..));
    field == Field::CacheControl
        || suffix.is_some_and(|suffix| bytes::eq_ignore_case(suffix, SUFFIX))
        || is_one_of(name, &[b"surrogate-control"])
}

/// Writes `Cache-Control: private` with the directives of the stored response that go with it, in one
/// line (RFC 9110 section 5.3 lets lines be joined).
///
/// "If directives conflict [...] the most restrictive directive should be honored" (RFC 9111 section
/// 4.2.1), but not everyone may know: what would let shared caches have it is left out.
pub(super) fn put_private(lines: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"Cache-Control: private")?;
    for directive in values(lines, Field::CacheControl).flat_map(list::elements) {
        if !is_overruled(directive) {
            out.put(b", ")?;
            out.put(directive)?;
        }
    }
    out.put(b"\r\n")
}

/// Whether a directive says the opposite of private, or the same, of some fields perhaps.
fn is_overruled(directive: &[u8]) -> bool {
    let end = bytes::find_byte(directive, b'=').unwrap_or(directive.len());
    let name = bytes::trim_ows(directive.get(..end).unwrap_or(directive));
    is_one_of(name, &[b"private", b"public", b"s-maxage"])
}

fn has(lines: &[u8], wanted: &[u8]) -> bool {
    fields(lines).any(|(name, _)| bytes::eq_ignore_case(name, wanted))
}

fn is_one_of(name: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|other| bytes::eq_ignore_case(other, name))
}
