// SPDX-License-Identifier: GPL-2.0

//! The fields whose names mean something to a cache.

use crate::bytes;
use crate::http::field;

/// A field that decides what a cache does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    /// RFC 9111 section 5.1.
    Age,
    /// RFC 9110 section 11.6.2.
    Authorization,
    /// RFC 9111 section 5.2.
    CacheControl,
    /// RFC 9213 section 3.1.
    CdnCacheControl,
    /// RFC 9110 section 7.6.1.
    Connection,
    /// RFC 9110 section 8.4.
    ContentEncoding,
    /// RFC 9110 section 8.6.
    ContentLength,
    /// RFC 9110 section 8.7.
    ContentLocation,
    /// RFC 9110 section 14.4.
    ContentRange,
    /// RFC 6265 section 4.2.
    Cookie,
    /// RFC 9110 section 6.6.1.
    Date,
    /// RFC 9110 section 8.8.3.
    Etag,
    /// RFC 9111 section 5.3.
    Expires,
    /// RFC 9110 section 13.1.1.
    IfMatch,
    /// RFC 9110 section 13.1.3.
    IfModifiedSince,
    /// RFC 9110 section 13.1.2.
    IfNoneMatch,
    /// RFC 9110 section 13.1.5.
    IfRange,
    /// RFC 9110 section 13.1.4.
    IfUnmodifiedSince,
    /// RFC 9110 section 8.8.2.
    LastModified,
    /// RFC 9110 section 10.2.2.
    Location,
    /// RFC 9111 section 5.4.
    Pragma,
    /// RFC 9110 section 11.7.1.
    ProxyAuthenticate,
    /// RFC 9110 section 11.7.3.
    ProxyAuthenticationInfo,
    /// RFC 9110 section 11.7.2.
    ProxyAuthorization,
    /// RFC 9110 section 14.2.
    Range,
    /// RFC 6265 section 4.1.
    SetCookie,
    /// RFC 2965 section 3.2.2, which is as private.
    SetCookie2,
    /// RFC 9110 section 6.6.2.
    Trailer,
    /// RFC 9110 section 12.5.5.
    Vary,
    /// Any other.
    Other,
}

/// Whether a field is of the very octets that follow (RFC 9530 section 2): not of a part of them, nor of
/// none.
pub(super) fn is_of_content(name: &[u8]) -> bool {
    let names: [&[u8]; 2] = [b"content-digest", b"content-md5"];
    names.iter().any(|known| bytes::eq_ignore_case(known, name))
}

impl Field {
    /// The meaning of a field name, in any case.
    pub(crate) fn of(name: &[u8]) -> Field {
        // As for `http::field::Name`: most fields differ in their length or in their first letter.
        let first = name.first().map_or(0, u8::to_ascii_lowercase);
        let (known, meaning): (&[u8], Field) = match (name.len(), first) {
            (3, b'a') => (b"age", Field::Age),
            (4, b'd') => (b"date", Field::Date),
            (4, b'e') => (b"etag", Field::Etag),
            (4, b'v') => (b"vary", Field::Vary),
            (5, b'r') => (b"range", Field::Range),
            (6, b'c') => (b"cookie", Field::Cookie),
            (6, b'p') => (b"pragma", Field::Pragma),
            (7, b'e') => (b"expires", Field::Expires),
            (7, b't') => (b"trailer", Field::Trailer),
            (8, b'i') if bytes::eq_ignore_case(name, b"if-range") => (name, Field::IfRange),
            (8, b'i') => (b"if-match", Field::IfMatch),
            (8, b'l') => (b"location", Field::Location),
            (10, b'c') => (b"connection", Field::Connection),
            (10, b's') => (b"set-cookie", Field::SetCookie),
            (11, b's') => (b"set-cookie2", Field::SetCookie2),
            _ => return Field::of_long(name, first),
        };
        same(known, name, meaning)
    }

    fn of_long(name: &[u8], first: u8) -> Field {
        let (known, meaning): (&[u8], Field) = match (name.len(), first) {
            (13, b'a') => (b"authorization", Field::Authorization),
            (13, b'c') if bytes::eq_ignore_case(name, b"content-range") => {
                (name, Field::ContentRange)
            }
            (13, b'c') => (b"cache-control", Field::CacheControl),
            (13, b'i') => (b"if-none-match", Field::IfNoneMatch),
            (13, b'l') => (b"last-modified", Field::LastModified),
            (14, b'c') => (b"content-length", Field::ContentLength),
            (16, b'c') if bytes::eq_ignore_case(name, b"content-encoding") => {
                (name, Field::ContentEncoding)
            }
            (16, b'c') => (b"content-location", Field::ContentLocation),
            (17, b'c') => (b"cdn-cache-control", Field::CdnCacheControl),
            (17, b'i') => (b"if-modified-since", Field::IfModifiedSince),
            (18, b'p') => (b"proxy-authenticate", Field::ProxyAuthenticate),
            (19, b'i') => (b"if-unmodified-since", Field::IfUnmodifiedSince),
            (19, b'p') => (b"proxy-authorization", Field::ProxyAuthorization),
            (25, b'p') => (b"proxy-authentication-info", Field::ProxyAuthenticationInfo),
            _ => return Field::Other,
        };
        same(known, name, meaning)
    }

    /// Whether what is stored means something else without it: how old it is and how long it may be
    /// kept, whom it is for, whether the origin has a newer one, how its octets are to be read.
    pub(crate) const fn is_indispensable(self) -> bool {
        matches!(
            self,
            Field::CacheControl
                | Field::CdnCacheControl
                | Field::ContentEncoding
                | Field::Date
                | Field::Etag
                | Field::Expires
                | Field::LastModified
                | Field::Vary
        )
    }
}

fn same(known: &[u8], name: &[u8], meaning: Field) -> Field {
    if bytes::eq_ignore_case(known, name) {
        meaning
    } else {
        Field::Other
    }
}

/// The values of all lines of one field, in their order.
pub(crate) fn values(lines: &[u8], wanted: Field) -> impl Iterator<Item = &[u8]> {
    field::fields(lines)
        .filter_map(move |(name, value)| (Field::of(name) == wanted).then_some(value))
}

/// The first line of one field.
pub(crate) fn first(lines: &[u8], wanted: Field) -> Option<&[u8]> {
    values(lines, wanted).next()
}
