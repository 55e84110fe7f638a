// SPDX-License-Identifier: GPL-2.0

//! Message heads: one strict validating pass that extracts what a gateway needs to know.
//!
//! No field is stored: whoever writes the head anew goes over its lines again with
//! [`field::fields`](super::field::fields). All spans count from the first octet of the buffer
//! that was given to the parser, and keep their meaning as long as that octet is its first one.

use super::{Limits, Method, Status, Version, Violation};
use crate::bytes::Span;

/// What a parser says of the octets so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parse<T> {
    /// The head is complete and valid.
    Complete(T),
    /// Nothing is wrong yet, but the end is not there: call again with more octets.
    Partial,
}

/// Where the parser was when it ran out of octets, so that a head that comes octet by octet is
/// still read once only.
///
/// One `Scan` serves one stream: it starts over by itself after a complete head. As long as the
/// answer is [`Parse::Partial`] every next call must be given the same octets with more appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    line: u32,
}

impl Scan {
    /// A scan that stands at the beginning of a message.
    pub(crate) const fn new() -> Scan {
        Scan { line: 0 }
    }
}

/// How the request target is written (RFC 9112 section 3.2). The authority-form is only for
/// CONNECT, which is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// `/path?query`
    Origin,
    /// `http://authority/path?query`
    Absolute,
    /// `*`, for OPTIONS only.
    Asterisk,
}

/// The framing that a head declares for the body (RFC 9112 section 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyLength {
    /// Neither Content-Length nor Transfer-Encoding. A request then has no body.
    None,
    /// Content-Length, less than 2^63.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

/// What the Connection field says (RFC 9110 section 7.6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Options {
    /// `close`
    pub(crate) close: bool,
    /// `keep-alive`
    pub(crate) keep_alive: bool,
    /// `upgrade`
    pub(crate) upgrade: bool,
    /// How many options of other names there are: fields of these names are hop-by-hop too.
    pub(crate) named: u8,
}

/// A request's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RequestHead {
    /// The method; never CONNECT.
    pub(crate) method: Method,
    /// The method's name.
    pub(crate) method_span: Span,
    /// The target as it was sent.
    pub(crate) target: Span,
    /// How the target is written.
    pub(crate) form: Form,
    /// Path and query: what follows the authority. Empty, or beginning with `?`, only in
    /// absolute-form; `*` in asterisk-form.
    pub(crate) path: Span,
    /// The version.
    pub(crate) version: Version,
    /// The host, with a port if it has one: the target's authority in absolute-form (RFC 9112
    /// section 3.2.2), else the Host field. Empty only in HTTP/1.0.
    pub(crate) host: Span,
    /// Octets of the whole head, from the first of the buffer to the last LF.
    pub(crate) len: usize,
    /// The body that follows.
    pub(crate) body: BodyLength,
    /// Whether the client wants the connection to last (RFC 9112 section 9.3).
    pub(crate) keep_alive: bool,
    /// The Connection field.
    pub(crate) options: Options,
    /// Whether there is an Upgrade field.
    pub(crate) upgrade: bool,
    /// `Expect: 100-continue` in HTTP/1.1 (RFC 9110 section 10.1.1).
    pub(crate) expect_continue: bool,
    /// The field lines, each with its CRLF.
    pub(crate) fields: Span,
}

/// A response's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ResponseHead {
    /// The version.
    pub(crate) version: Version,
    /// The status code.
    pub(crate) status: Status,
    /// The reason phrase, perhaps empty.
    pub(crate) reason: Span,
    /// Octets of the whole head, from the first of the buffer to the last LF.
    pub(crate) len: usize,
    /// The framing as declared; what it means depends on the request's method and the status:
    /// see [`Body::of_response`](super::body::Body::of_response).
    pub(crate) body: BodyLength,
    /// Whether the server lets the connection last.
    pub(crate) keep_alive: bool,
    /// The Connection field.
    pub(crate) options: Options,
    /// Whether there is an Upgrade field.
    pub(crate) upgrade: bool,
    /// Whether there is a Date field.
    pub(crate) has_date: bool,
    /// The field lines, each with its CRLF.
    pub(crate) fields: Span,
}

/// Parses the head of a request at the front of `buf`.
pub(crate) fn parse_request(
    buf: &[u8],
    scan: &mut Scan,
    limits: &Limits,
) -> Result<Parse<RequestHead>, Violation> {
    let _ = (buf, scan, limits);
    todo!()
}

/// Parses the head of a response at the front of `buf`. Every violation carries status 502.
pub(crate) fn parse_response(
    buf: &[u8],
    scan: &mut Scan,
    limits: &Limits,
) -> Result<Parse<ResponseHead>, Violation> {
    let _ = (buf, scan, limits);
    todo!()
}
