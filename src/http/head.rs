// SPDX-License-Identifier: GPL-2.0

//! Message heads: one strict validating pass that extracts what a gateway needs to know.
//!
//! No field is stored: whoever writes the head anew goes over its lines again with
//! [`field::fields`], or over those only that do not pass as they stand ([`Exceptions`]). All spans
//! count from the first octet of the buffer that was given to the parser, and keep their meaning as long
//! as that octet is its first one.

use super::exceptions::Exceptions;
use super::facts::Facts;
use super::field::{self, Line};
use super::start::{self, RequestLine, StatusLine};
use super::{Limits, Method, Status, Version, Violation};
use crate::bytes::{self, Span};

/// What a parser says of the octets so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parse<T> {
    /// The head is complete and valid.
    Complete(T),
    /// Nothing is wrong yet, but the end is not there: call again with more octets.
    Partial,
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

/// How many options Connection may have: the fields of a message are compared with each of them.
pub(crate) const MAX_OPTIONS: usize = 16;

/// What the Connection field says (RFC 9110 section 7.6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Options {
    /// `close`
    pub(crate) close: bool,
    /// `keep-alive`
    pub(crate) keep_alive: bool,
    /// `upgrade`
    pub(crate) upgrade: bool,
    /// How many options there are that name fields which are no hop-by-hop fields otherwise.
    pub(crate) named: u8,
}

impl Options {
    /// Whether trailers of this message may be relayed. What Connection names must go from the
    /// trailer section too (RFC 9110 section 7.6.1); nobody remembers the names until then, so
    /// all trailers go.
    pub(crate) const fn let_trailers_pass(self) -> bool {
        self.named == 0
    }
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
    /// Whether the client offers a protocol that we would tunnel: Upgrade, with its option in
    /// Connection, in HTTP/1.1, and not of HTTP alone (RFC 9110 section 7.8).
    pub(crate) upgrade: bool,
    /// `Expect: 100-continue` in HTTP/1.1 (RFC 9110 section 10.1.1).
    pub(crate) expect_continue: bool,
    /// `TE: trailers` (RFC 9110 section 10.1.4).
    pub(crate) te_trailers: bool,
    /// Whether there is a Via or CDN-Loop, which may name us.
    pub(crate) has_hops: bool,
    /// The value of the first Referer, for the log; empty if there is none.
    pub(crate) referer: Span,
    /// The same of User-Agent.
    pub(crate) user_agent: Span,
    /// The field lines, each with its CRLF.
    pub(crate) fields: Span,
    /// Those of them that do not pass as they stand.
    pub(crate) exceptions: Exceptions,
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
    /// Whether it names a protocol that we would tunnel, as that of a request does.
    pub(crate) upgrade: bool,
    /// Whether there is a Date field.
    pub(crate) has_date: bool,
    /// The field lines, each with its CRLF.
    pub(crate) fields: Span,
    /// Those of them that do not pass as they stand.
    pub(crate) exceptions: Exceptions,
}

/// Where the parser was when it ran out of octets, so that a head that comes octet by octet is
/// still read once only.
///
/// One `Scan` serves one stream: it starts over by itself after a complete head or a violation. As
/// long as the answer is [`Parse::Partial`], the next call must be given the same octets with more
/// appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    /// Where the first line begins that was not read yet.
    line: usize,
    /// Up to where there is no LF in that line.
    seen: usize,
    /// The start line, once it was read.
    start: Start,
    /// Where the field lines begin.
    fields: usize,
    facts: Facts,
}

#[derive(Clone, Copy, Debug)]
enum Start {
    Unread,
    Request(RequestLine),
    Response(StatusLine),
}

impl Scan {
    /// A scan that stands at the beginning of a message.
    pub(crate) const fn new() -> Scan {
        Scan {
            line: 0,
            seen: 0,
            start: Start::Unread,
            fields: 0,
            facts: Facts::NONE,
        }
    }

    /// Reads on. Returns the length of the head once all of it was read.
    ///
    /// `start_line` reads the start line and says where the next line begins, or none as long as
    /// the end of the start line is missing.
    fn read<F>(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        start_line: F,
    ) -> Result<Option<usize>, Violation>
    where
        F: FnOnce(&[u8]) -> Result<Option<(Start, usize)>, Violation>,
    {
        let limit = limits.head.min(MAX_HEAD);
        let window = buf.get(..limit).unwrap_or(buf);
        let full = window.len() == limit;
        let news = window.get(self.seen..).unwrap_or(&[]);
        if self.seen > self.line && !full && bytes::find_byte(news, b'\n').is_none() {
            self.seen = window.len();
            return Ok(None);
        }
        if let Start::Unread = self.start {
            let Some((start, end)) = start_line(window)? else {
                return self.wait(window, full, REQUEST_LINE_TOO_LONG);
            };
            self.start = start;
            self.line = end;
            self.fields = end;
        }
        if self.read_fields(window, limits)? {
            Ok(Some(self.line.wrapping_add(2)))
        } else {
            self.wait(window, full, HEAD_TOO_LARGE)
        }
    }

    /// Reads field lines, as many as there are. Whether all have been read.
    #[inline(never)] // It needs all the registers.
    fn read_fields(&mut self, window: &[u8], limits: &Limits) -> Result<bool, Violation> {
        let mut rest = window.get(self.line..).unwrap_or(&[]);
        let mut left = limits.fields.saturating_sub(self.facts.fields);
        let is_whole = loop {
            match field::line(rest)? {
                Line::Field {
                    name,
                    padded,
                    rest: after,
                } => {
                    left = left.checked_sub(1).ok_or(TOO_MANY_FIELDS)?;
                    self.facts.note(name, padded, window)?;
                    rest = after;
                }
                Line::End => break true,
                Line::Partial => break false,
            }
        };
        self.line = window.len().wrapping_sub(rest.len());
        self.facts.fields = limits.fields.saturating_sub(left);
        Ok(is_whole)
    }

    /// The octets end within a line: more may come, unless the head is already as large as it may
    /// be.
    fn wait(
        &mut self,
        window: &[u8],
        full: bool,
        too_large: Violation,
    ) -> Result<Option<usize>, Violation> {
        self.seen = window.len();
        if full {
            Err(too_large)
        } else {
            Ok(None)
        }
    }

    /// What was read, as a request of `len` octets.
    fn request(&self, len: usize) -> Result<RequestHead, Violation> {
        let Start::Request(line) = self.start else {
            return Err(Violation::bad("not a request"));
        };
        let facts = &self.facts;
        // RFC 9112 section 3.2: 400 for "any HTTP/1.1 request message that lacks a Host".
        if line.version == Version::Http11 && facts.host.is_none() {
            return Err(Violation::bad("no Host field"));
        }
        let body = facts.body(line.version)?;
        // RFC 9110 section 9.3.8: "A client MUST NOT send content in a TRACE request."
        if line.method == Method::Trace && !matches!(body, BodyLength::None | BodyLength::Length(0))
        {
            return Err(Violation::bad("TRACE with a body"));
        }
        Ok(RequestHead {
            method: line.method,
            method_span: line.method_span,
            target: line.target,
            form: line.form,
            path: line.path,
            version: line.version,
            host: match line.form {
                Form::Absolute => line.authority,
                _ => facts.host.unwrap_or(Span::EMPTY),
            },
            len,
            body,
            keep_alive: facts.keep_alive(line.version),
            options: facts.options,
            upgrade: facts.upgrade(line.version),
            expect_continue: facts.expect_continue && line.version == Version::Http11,
            te_trailers: facts.te_trailers,
            has_hops: facts.has_hops,
            referer: facts.referer,
            user_agent: facts.user_agent,
            fields: Span::between(self.fields, self.line),
            exceptions: facts.exceptions,
        })
    }

    /// What was read, as a response of `len` octets.
    fn response(&self, len: usize) -> Result<ResponseHead, Violation> {
        let Start::Response(line) = self.start else {
            return Err(Violation::bad("not a response"));
        };
        let facts = &self.facts;
        Ok(ResponseHead {
            version: line.version,
            status: line.status,
            reason: line.reason,
            len,
            body: facts.body(line.version)?,
            keep_alive: facts.keep_alive(line.version),
            options: facts.options,
            upgrade: facts.upgrade(line.version),
            has_date: facts.has_date,
            fields: Span::between(self.fields, self.line),
            exceptions: facts.exceptions,
        })
    }
}

/// Parses the head of a request at the front of `buf`.
pub(crate) fn parse_request(
    buf: &[u8],
    scan: &mut Scan,
    limits: &Limits,
) -> Result<Parse<RequestHead>, Violation> {
    let read = scan.read(buf, limits, |window| {
        let line = start::request_line(window, limits.target)?;
        Ok(line.map(|(line, end)| (Start::Request(line), end)))
    });
    finish(scan, read, Scan::request)
}

/// Parses the head of a response at the front of `buf`. Every violation carries status 502.
pub(crate) fn parse_response(
    buf: &[u8],
    scan: &mut Scan,
    limits: &Limits,
) -> Result<Parse<ResponseHead>, Violation> {
    let read = scan.read(buf, limits, |window| {
        let line = start::status_line(window)?;
        Ok(line.map(|(line, end)| (Start::Response(line), end)))
    });
    finish(scan, read, Scan::response).map_err(Violation::of_response)
}

/// Makes a head of what was read, and sets the scan back unless the head is still incomplete.
fn finish<H>(
    scan: &mut Scan,
    read: Result<Option<usize>, Violation>,
    head: impl FnOnce(&Scan, usize) -> Result<H, Violation>,
) -> Result<Parse<H>, Violation> {
    let head = match read {
        Ok(None) => return Ok(Parse::Partial),
        Ok(Some(len)) => head(scan, len).map(Parse::Complete),
        Err(violation) => Err(violation),
    };
    *scan = Scan::new();
    head
}

/// What no limit may exceed: spans are of 32 bits.
const MAX_HEAD: usize = 1 << 30;

/// RFC 6585 section 5.
const HEAD_TOO_LARGE: Violation = Violation::new(Status::HEAD_TOO_LARGE, "head too large");
const TOO_MANY_FIELDS: Violation = Violation::new(Status::HEAD_TOO_LARGE, "too many fields");

/// RFC 9112 section 3: "a request-target longer than any URI it wishes to parse".
const REQUEST_LINE_TOO_LONG: Violation =
    Violation::new(Status::URI_TOO_LONG, "request line too long");
