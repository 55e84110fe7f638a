// SPDX-License-Identifier: GPL-2.0

//! Heads and framing, written anew from what was parsed.

use super::head::{RequestHead, ResponseHead};
use super::{Status, Version};
use crate::bytes::{Full, Writer};
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
    let _ = (head, bytes, fallback_host, out);
    todo!()
}

/// Writes the head of a response to the client, in HTTP/1.1 whatever the client's version is
/// (RFC 9110 section 2.5).
pub(crate) fn response_head(
    head: &ResponseHead,
    bytes: &[u8],
    delivery: &Delivery,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let _ = (head, bytes, delivery, out);
    todo!()
}

/// Writes a whole response with a small HTML page.
pub(crate) fn error_page(page: &ErrorPage<'_>, out: &mut Writer<'_>) -> Result<(), Full> {
    let _ = (page, out);
    todo!()
}

/// Octets that [`chunk_prefix`] writes at most.
pub(crate) const CHUNK_PREFIX_MAX: usize = 2 + 16 + 2;

/// Octets that [`last_chunk`] writes at most.
pub(crate) const LAST_CHUNK_MAX: usize = 2 + 5;

/// Writes what goes before `len` octets of chunk data: the end of the chunk before it, unless it
/// is the `first`, and its size. `len` must not be 0, which would end the body.
pub(crate) fn chunk_prefix(first: bool, len: u64, out: &mut Writer<'_>) -> Result<(), Full> {
    let _ = (first, len, out);
    todo!()
}

/// Writes the end of a chunked body: the end of the chunk before, unless there was none (`first`),
/// and the last chunk without trailers.
pub(crate) fn last_chunk(first: bool, out: &mut Writer<'_>) -> Result<(), Full> {
    let _ = (first, out);
    todo!()
}
