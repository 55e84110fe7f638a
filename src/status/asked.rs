// SPDX-License-Identifier: GPL-2.0

//! What a request for the status wants to have: `/caucho-status`, `?format=…`, Accept.

use crate::bytes;
use crate::http::{field, Violation};

/// A form of the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A page for a browser.
    Html,
    /// One JSON object.
    Json,
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4.
    Prometheus,
    /// The table of `/proc/net/resin/status`.
    Text,
}

/// Where the status is found.
const PATH: &[u8] = b"/caucho-status";

/// The form of the status that a request asks for, by its query or else by its Accept fields; none
/// if it does not ask for the status.
///
/// `path` is path and query, `lines` the validated field lines
/// ([`RequestHead`](crate::http::head::RequestHead)).
///
/// # Errors
///
/// 400 if the query names a form that there is not.
pub(crate) fn asked(path: &[u8], lines: &[u8]) -> Option<Result<Format, Violation>> {
    let query = match path.strip_prefix(PATH)? {
        [] => &[],
        [b'?', query @ ..] => query,
        _ => return None,
    };
    let named = query
        .split(|octet| *octet == b'&')
        .find_map(|pair| pair.strip_prefix(b"format="));
    Some(match named {
        Some(name) => Format::named(name).ok_or(UNKNOWN),
        None => Ok(Format::accepted(lines)),
    })
}

const UNKNOWN: Violation =
    Violation::bad("format is one of html, json, openmetrics, prometheus, text");

impl Format {
    /// All of them: the first one that pleases best is given.
    pub(crate) const ALL: [Format; 5] = [
        Format::Html,
        Format::Json,
        Format::OpenMetrics,
        Format::Prometheus,
        Format::Text,
    ];

    /// Its name in a query.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Json => "json",
            Format::OpenMetrics => "openmetrics",
            Format::Prometheus => "prometheus",
            Format::Text => "text",
        }
    }

    /// Its Content-Type.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Format::Html => "text/html; charset=utf-8",
            Format::Json => "application/json",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::Text => "text/plain; charset=utf-8",
        }
    }

    fn named(name: &[u8]) -> Option<Format> {
        let mut all = Format::ALL.into_iter();
        all.find(|format| format.name().as_bytes() == name)
    }

    /// The one that Accept prefers (RFC 9110 section 12.5.1), of equals the one that it names
    /// more exactly; the page if it says nothing, or wants none of ours.
    fn accepted(lines: &[u8]) -> Format {
        let mut best = (Format::Html, (0, 0));
        for format in Format::ALL {
            let wanted = format.wanted(lines);
            if wanted.0 > 0 && wanted > best.1 {
                best = (format, wanted);
            }
        }
        best.0
    }

    /// How much it is wanted, in thousandths, and how exactly it is named: the most specific range
    /// that it is in decides.
    fn wanted(self, lines: &[u8]) -> (u16, u8) {
        let mut best = (0, 0);
        for (name, value) in field::fields(lines) {
            if !bytes::eq_ignore_case(name, b"accept") {
                continue;
            }
            for range in bytes::tokens(value) {
                let fit = self.fits(range);
                if fit > best.1 {
                    best = (weight(range), fit);
                }
            }
        }
        best
    }

    /// How specifically a media range names it: 0 for not at all.
    fn fits(self, range: &[u8]) -> u8 {
        let (media, versions): (&[u8], &[&[u8]]) = match self {
            Format::Html => (b"text/html", &[]),
            Format::Json => (b"application/json", &[]),
            Format::OpenMetrics => (b"application/openmetrics-text", &[b"1.0.0", b"0.0.1"]),
            Format::Prometheus => (b"text/plain", &[b"0.0.4"]),
            Format::Text => (b"text/plain", &[]),
        };
        let wanted = parts(range).next().unwrap_or(b"");
        let whole = media.iter().position(|octet| *octet == b'/');
        let prefix = whole.and_then(|slash| media.get(..=slash)).unwrap_or(b"");
        if bytes::eq_ignore_case(wanted, media) {
            // A `text/plain` without a version is not what a scraper asks for.
            let version = parameter(range, b"version");
            match version {
                Some(version) if versions.contains(&version) => 4,
                Some(_) => 0,
                None if self == Format::Prometheus => 0,
                None => 3,
            }
        } else if wanted
            .strip_suffix(b"*")
            .is_some_and(|type_| bytes::eq_ignore_case(type_, prefix))
        {
            2
        } else {
            u8::from(wanted == b"*/*")
        }
    }
}

/// A media range and its parameters.
fn parts(range: &[u8]) -> impl Iterator<Item = &[u8]> {
    range.split(|octet| *octet == b';').map(bytes::trim_ows)
}

/// The value of a parameter.
fn parameter<'a>(range: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    parts(range).skip(1).find_map(|part| {
        let equals = part.iter().position(|octet| *octet == b'=')?;
        let (key, value) = part.split_at_checked(equals)?;
        let value = value.get(1..).unwrap_or(b"");
        let bare = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        bytes::eq_ignore_case(key, name).then_some(bare.unwrap_or(value))
    })
}

/// The weight of a range, in thousandths (RFC 9110 section 12.4.2); 0 if it is no weight.
fn weight(range: &[u8]) -> u16 {
    let Some(text) = parameter(range, b"q") else {
        return 1000;
    };
    let (whole, fraction) = match text {
        [whole, b'.', fraction @ ..] => (*whole, fraction),
        [whole] => (*whole, &b""[..]),
        _ => return 0,
    };
    let mut digits = fraction.iter();
    let thousandths =
        [100u16, 10, 1]
            .iter()
            .try_fold(0u16, |sum, place| match digits.next().unwrap_or(&b'0') {
                digit @ b'0'..=b'9' => {
                    let digit = u16::from(digit.wrapping_sub(b'0'));
                    Some(sum.saturating_add(place.saturating_mul(digit)))
                }
                _ => None,
            });
    match (whole, thousandths, digits.next()) {
        (b'1', Some(0), None) => 1000,
        (b'0', Some(thousandths), None) => thousandths,
        _ => 0,
    }
}
