// SPDX-License-Identifier: GPL-2.0

//! What the cache tells about a response: Cache-Status (RFC 9211) and Age (RFC 9111 section 5.1).

use super::delta::DeltaSeconds;
use crate::bytes::{Full, Writer};
use crate::http::Status;

/// Why a request went to the origin (RFC 9211 section 2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Forward {
    /// The cache was not to handle it.
    Bypass,
    /// Its method.
    Method,
    /// Nothing is stored for the target.
    UriMiss,
    /// Nothing that is stored for the target matches the request's fields.
    VaryMiss,
    /// Nothing stored fits, it is not known why.
    Miss,
    /// The client asked for it.
    Request,
    /// What is stored is stale.
    Stale,
    /// Only a part is stored.
    Partial,
}

impl Forward {
    /// The value of the parameter fwd.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Forward::Bypass => "bypass",
            Forward::Method => "method",
            Forward::UriMiss => "uri-miss",
            Forward::VaryMiss => "vary-miss",
            Forward::Miss => "miss",
            Forward::Request => "request",
            Forward::Stale => "stale",
            Forward::Partial => "partial",
        }
    }
}

/// How a request was handled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Handling {
    /// From the store, without the origin (RFC 9211 section 2.1).
    Hit,
    /// With the origin.
    Forwarded {
        /// Why.
        why: Forward,
        /// The origin's status, if the client got another one (section 2.3).
        status: Option<Status>,
        /// The response was stored (section 2.5).
        is_stored: bool,
        /// The request waited for another one's answer (section 2.6).
        is_collapsed: bool,
    },
}

/// What a Cache-Status says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CacheStatus {
    /// How the request was handled.
    pub(crate) handling: Handling,
    /// How many seconds the response is still fresh, fewer than none if it is stale (section 2.4).
    pub(crate) ttl: Option<i64>,
}

impl CacheStatus {
    /// Writes a line of Cache-Status with one member, which follows those that are there: each
    /// cache "appends its own" (RFC 9211 section 2). `name` is ours, a token.
    pub(crate) fn put(&self, name: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        out.put(b"Cache-Status: ")?;
        put_name(name, out)?;
        match self.handling {
            Handling::Hit => out.put(b"; hit")?,
            Handling::Forwarded {
                why,
                status,
                is_stored,
                is_collapsed,
            } => {
                out.put(b"; fwd=")?;
                out.put(why.as_str().as_bytes())?;
                if let Some(status) = status {
                    out.put(b"; fwd-status=")?;
                    out.put_decimal(u64::from(status.code()))?;
                }
                put_flag(is_stored, b"; stored", out)?;
                put_flag(is_collapsed, b"; collapsed", out)?;
            }
        }
        if let Some(ttl) = self.ttl {
            out.put(b"; ttl=")?;
            put_flag(ttl < 0, b"-", out)?;
            out.put_decimal(ttl.unsigned_abs().min(MAX_INTEGER))?;
        }
        out.put(b"\r\n")
    }
}

/// The largest Integer of Structured Fields (RFC 9651 section 3.3.1).
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// A Token if it begins like one (RFC 9651 section 3.3.4), else a String.
fn put_name(name: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    let is_token = name
        .first()
        .is_some_and(|first| first.is_ascii_alphabetic() || *first == b'*');
    let quote: &[u8] = if is_token { b"" } else { b"\"" };
    out.put(quote)?;
    out.put(name)?;
    out.put(quote)
}

fn put_flag(is_set: bool, text: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    match is_set {
        true => out.put(text),
        false => Ok(()),
    }
}

/// Writes an Age line: "a cache [...] MUST generate an Age header field, replacing any present in
/// the response with a value equal to the stored response's current_age" (RFC 9111 section 4).
pub(crate) fn put_age(age: DeltaSeconds, out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"Age: ")?;
    out.put_decimal(u64::from(age.as_secs()))?;
    out.put(b"\r\n")
}
