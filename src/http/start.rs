// SPDX-License-Identifier: GPL-2.0

//! Start lines (RFC 9112 sections 3 and 4): one space between the parts, nothing around them.

use super::field;
use super::head::Form;
use super::target;
use super::{Method, Status, Version, Violation};
use crate::bytes::{self, Span};

/// `method SP request-target SP HTTP-version`
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine {
    pub(super) method: Method,
    pub(super) method_span: Span,
    pub(super) target: Span,
    pub(super) form: Form,
    pub(super) authority: Span,
    pub(super) path: Span,
    pub(super) version: Version,
}

/// `HTTP-version SP status-code SP [ reason-phrase ]`
#[derive(Clone, Copy, Debug)]
pub(super) struct StatusLine {
    pub(super) version: Version,
    pub(super) status: Status,
    pub(super) reason: Span,
}

/// The longest method name that is read (RFC 9112 section 3: 501 for one that is longer).
const MAX_METHOD: usize = 32;

/// How many empty lines are skipped before a request line, where RFC 9112 section 2.2 asks for
/// "at least one".
const MAX_EMPTY_LINES: usize = 4;

/// Reads a request line and says where the next line begins; none while it is incomplete.
pub(super) fn request_line(
    buf: &[u8],
    max_target: usize,
) -> Result<Option<(RequestLine, usize)>, Violation> {
    let Some(at) = skip_empty_lines(buf) else {
        return Ok(None);
    };
    let Some((method_span, at)) = word(buf, at, bytes::skip_tchars, METHOD)? else {
        return Ok(None);
    };
    let shape = Word {
        max: max_target,
        ..TARGET
    };
    let Some((target, at)) = word(buf, at, bytes::skip_target, shape)? else {
        return Ok(None);
    };
    let Some((version, end)) = last_word(buf, at)? else {
        return Ok(None);
    };
    let method = Method::of(method_span.of(buf));
    let parts = target::parse(target.of(buf), method)?;
    let line = RequestLine {
        method,
        method_span,
        target,
        form: parts.form,
        authority: parts.authority.shifted(target.start()),
        path: parts.path.shifted(target.start()),
        version,
    };
    Ok(Some((line, end)))
}

/// Where the request line begins; none while that cannot be said.
fn skip_empty_lines(buf: &[u8]) -> Option<usize> {
    let mut pairs = buf.chunks(2).take(MAX_EMPTY_LINES);
    let mut at = 0usize;
    loop {
        match pairs.next() {
            Some(b"\r\n") => at = at.saturating_add(2),
            Some(b"\r") => return None,
            _ => return Some(at),
        }
    }
}

/// A word of the request line.
struct Word {
    /// How long it may be.
    max: usize,
    /// It is longer.
    too_long: Violation,
    /// It has an octet that it may not have.
    bad: Violation,
    /// It is the last one of its line.
    last: Violation,
}

const METHOD: Word = Word {
    max: MAX_METHOD,
    too_long: Violation::new(Status::NOT_IMPLEMENTED, "method name too long"),
    bad: Violation::bad("bad octet in the method"),
    last: Violation::bad("no request target"),
};

const TARGET: Word = Word {
    max: 0,
    too_long: Violation::new(Status::URI_TOO_LONG, "request target too long"),
    bad: Violation::bad("bad octet in the request target"),
    // HTTP/0.9 has request lines of two words.
    last: Violation::new(Status::VERSION_NOT_SUPPORTED, "no HTTP version"),
};

/// Reads a word that one space ends, and says where the next one begins; none while the space is
/// missing.
#[inline(always)]
fn word(
    buf: &[u8],
    at: usize,
    skip: impl Fn(&[u8]) -> &[u8],
    shape: Word,
) -> Result<Option<(Span, usize)>, Violation> {
    let text = buf.get(at..).unwrap_or(&[]);
    let rest = skip(text);
    let len = bytes::before(text, rest).len();
    if len > shape.max {
        return Err(shape.too_long);
    }
    let end = at.saturating_add(len);
    match rest.first() {
        None => Ok(None),
        Some(b' ') if len > 0 => Ok(Some((Span::between(at, end), end.saturating_add(1)))),
        Some(b'\r') if len > 0 => Err(shape.last),
        Some(b'\n') => Err(Violation::bad("bare LF")),
        Some(_) => Err(shape.bad),
    }
}

/// Reads the version that ends a request line, and says where the next line begins.
fn last_word(buf: &[u8], at: usize) -> Result<Option<(Version, usize)>, Violation> {
    let rest = buf.get(at..).unwrap_or(&[]);
    if rest.starts_with(b"HTTP/1.1\r\n") {
        return Ok(Some((Version::Http11, at.saturating_add(10))));
    }
    let Some(len) = rest.iter().position(u8::is_ascii_control) else {
        return match rest.len() {
            0..=8 => Ok(None),
            _ => Err(BAD_VERSION),
        };
    };
    let (text, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    let version = version(text)?;
    let end = at.saturating_add(len).saturating_add(2);
    Ok(field::is_line_end(after)?.then_some((version, end)))
}

const BAD_VERSION: Violation = Violation::bad("bad HTTP version");

/// `"HTTP/" DIGIT "." DIGIT`, in upper case (RFC 9112 section 2.3).
///
/// Later versions of HTTP/1 do not exist; whoever names one is not to be trusted with the rest.
fn version(text: &[u8]) -> Result<Version, Violation> {
    match text {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Violation::new(
                Status::VERSION_NOT_SUPPORTED,
                "only HTTP/1.0 and HTTP/1.1",
            ))
        }
        _ => Err(BAD_VERSION),
    }
}

/// Reads a status line and says where the next line begins; none while it is incomplete.
///
/// The space after the code may be missing when there is no reason phrase: many servers leave it
/// out, and nothing depends on it.
pub(super) fn status_line(buf: &[u8]) -> Result<Option<(StatusLine, usize)>, Violation> {
    let after = bytes::skip_field_content(buf);
    if after.is_empty() {
        return Ok(None);
    }
    let text = bytes::before(buf, after);
    let (start, rest) = text.split_at_checked(8).ok_or(BAD_VERSION)?;
    let version = version(start)?;
    let status = match rest {
        [b' ', a, b, c] | [b' ', a, b, c, b' ', ..] => status([*a, *b, *c]),
        _ => None,
    };
    let status = status.ok_or(Violation::bad("bad status code"))?;
    if !field::is_line_end(after)? {
        return Ok(None);
    }
    let line = StatusLine {
        version,
        status,
        reason: Span::between(REASON, text.len()),
    };
    Ok(Some((line, text.len().saturating_add(2))))
}

/// Index of the reason phrase, after `HTTP/1.1 200 `.
const REASON: usize = 13;

fn status(digits: [u8; 3]) -> Option<Status> {
    Status::new(u16::try_from(bytes::parse_decimal(&digits)?).ok()?)
}
