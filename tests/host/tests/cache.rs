// SPDX-License-Identifier: GPL-2.0

//! The policy of a shared cache (RFC 9111).

mod answer;
mod cache_status;
mod conditional;
mod control;
mod freshness;
mod invalidate;
mod reuse;
mod stale;
mod store;
mod structured;
mod told;
mod update;

use crate::cache::{age, Directives, Field, Request, Response, ResponseControl, Rules, Times};
use crate::http::head::BodyLength;
use crate::http::{Method, Status};
use crate::time::{Duration, Instant, UnixTime};

/// Field lines, as a head has them, from lines without their ends.
fn lines(text: &[&str]) -> Vec<u8> {
    text.iter()
        .flat_map(|line| [line.as_bytes(), b"\r\n"].concat())
        .collect()
}

/// Sun, 06 Nov 1994 08:49:37 GMT, the RFCs' example, and so many seconds after it.
fn at(secs: i64) -> UnixTime {
    UnixTime::from_secs(784_111_777 + secs)
}

/// That time by boottime, which was a year in the past when it began.
fn instant(secs: i64) -> Instant {
    let since = u64::try_from(365 * 86_400 + secs).unwrap_or(0);
    Instant::from_nanos(0) + Duration::from_secs(since)
}

/// The same as a date.
fn date(secs: i64) -> String {
    String::from_utf8(crate::http::date::format(at(secs)).to_vec()).unwrap()
}

/// What these field lines of a response say.
fn said(lines: &[u8]) -> ResponseControl {
    Directives::of(lines).control()
}

/// A response with this Cache-Control.
fn control(value: &str) -> ResponseControl {
    said(&lines(&[&format!("Cache-Control: {value}")]))
}

fn status(code: u16) -> Status {
    Status::new(code).unwrap()
}

/// When a response was asked for and when it came.
fn times(request: i64, response: i64) -> Times {
    Times {
        request_boottime: instant(request),
        response_boottime: instant(response),
        response_wall: at(response),
    }
}

/// An answer to `request` that was asked for and came at the time 0.
fn answer(request: &Request<'_>, code: u16, lines: &[u8], rules: &Rules<'_>) -> Response {
    let age = age(lines);
    Response::of(request, status(code), lines, age, &times(0, 0), rules)
}

/// An answer to a plain GET.
fn response(code: u16, lines: &[u8], rules: &Rules<'_>) -> Response {
    answer(&get(b""), code, lines, rules)
}

/// A request without content.
fn asked(method: Method, lines: &[u8]) -> Request<'_> {
    Request::of(method, lines, BodyLength::None, false)
}

fn get(lines: &[u8]) -> Request<'_> {
    asked(Method::Get, lines)
}

#[test]
fn the_fields_of_a_cache_are_known_in_any_case() {
    for (name, meaning) in [
        ("Age", Field::Age),
        ("Authorization", Field::Authorization),
        ("Cache-Control", Field::CacheControl),
        ("CDN-Cache-Control", Field::CdnCacheControl),
        ("Connection", Field::Connection),
        ("Content-Encoding", Field::ContentEncoding),
        ("Content-Length", Field::ContentLength),
        ("Content-Location", Field::ContentLocation),
        ("Content-Range", Field::ContentRange),
        ("Cookie", Field::Cookie),
        ("Date", Field::Date),
        ("ETag", Field::Etag),
        ("Expires", Field::Expires),
        ("If-Match", Field::IfMatch),
        ("If-Modified-Since", Field::IfModifiedSince),
        ("If-None-Match", Field::IfNoneMatch),
        ("If-Range", Field::IfRange),
        ("If-Unmodified-Since", Field::IfUnmodifiedSince),
        ("Last-Modified", Field::LastModified),
        ("Location", Field::Location),
        ("Pragma", Field::Pragma),
        ("Proxy-Authenticate", Field::ProxyAuthenticate),
        ("Proxy-Authentication-Info", Field::ProxyAuthenticationInfo),
        ("Proxy-Authorization", Field::ProxyAuthorization),
        ("Range", Field::Range),
        ("Set-Cookie", Field::SetCookie),
        ("Set-Cookie2", Field::SetCookie2),
        ("Trailer", Field::Trailer),
        ("Vary", Field::Vary),
        ("", Field::Other),
        ("Server", Field::Other),
        ("X-Cache", Field::Other),
        ("Accept-Encoding", Field::Other),
    ] {
        for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            assert_eq!(Field::of(name.as_bytes()), meaning, "for {name}");
        }
        // Another last letter, another name.
        let mut other = name.to_owned();
        if other.pop().is_some() {
            other.push('!');
            assert_eq!(Field::of(other.as_bytes()), Field::Other, "for {other}");
        }
    }
}
