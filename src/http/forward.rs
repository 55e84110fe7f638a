// SPDX-License-Identifier: GPL-2.0

//! What a gateway decides about a message that it passes on (RFC 9110 section 7.6).

use core::net::IpAddr;

use super::field::{self, Name};
use super::head::RequestHead;
use super::{list, Method, Violation};
use crate::bytes;

/// What becomes of a field in which gateways tell what they saw: X-Forwarded-For and its like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Treatment {
    /// It passes as it is, and we add nothing.
    Keep,
    /// What a trusted peer said stays. We append to X-Forwarded-For and Forwarded, which are
    /// lists of hops; X-Forwarded-Proto and -Host are of the first hop: we say them only if nobody
    /// has.
    Append,
    /// What anybody said goes, and we say what we know.
    Replace,
    /// What anybody said goes, and we say nothing.
    Remove,
}

impl Treatment {
    /// Whether we say something in the field.
    pub(super) fn speaks(self) -> bool {
        matches!(self, Self::Append | Self::Replace)
    }
}

/// How a request goes to a backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Forward<'a> {
    /// The peer's address.
    pub(crate) client: IpAddr,
    /// The peer's port, told in Forwarded only; 0 if it is not to be told.
    pub(crate) client_port: u16,
    /// X-Forwarded-For.
    pub(crate) x_for: Treatment,
    /// X-Forwarded-Proto.
    pub(crate) x_proto: Treatment,
    /// X-Forwarded-Host.
    pub(crate) x_host: Treatment,
    /// Forwarded (RFC 7239).
    pub(crate) forwarded: Treatment,
    /// Our name in Via and CDN-Loop, a token. Neither is written if it is empty.
    pub(crate) name: &'a [u8],
    /// Name ourselves in CDN-Loop.
    pub(crate) cdn_loop: bool,
    /// The Host of an HTTP/1.0 request that has none.
    pub(crate) fallback_host: &'a [u8],
    /// Pass Upgrade on, if the head has [one](RequestHead::upgrade).
    pub(crate) upgrade: bool,
    /// Pass `Expect: 100-continue` on.
    pub(crate) expect: bool,
    /// Pass `TE: trailers` on.
    pub(crate) trailers: bool,
    /// What [`max_forwards`] said, and not 0: one less is written.
    pub(crate) max_forwards: Option<u64>,
    /// Field lines in the place of the conditions of the head, and of its Range; nothing: those pass.
    pub(crate) conditions: &'a [u8],
}

/// Whether a field does not pass where other conditions take its place: those that are evaluated with
/// the answer to the others, and those on parts, since it is the whole that is asked about.
pub(crate) fn is_replaced(name: &[u8]) -> bool {
    let names: [&[u8]; 4] = [
        b"if-none-match",
        b"if-modified-since",
        b"if-range",
        b"range",
    ];
    names.iter().any(|other| bytes::eq_ignore_case(other, name))
}

/// How many more hops a TRACE or OPTIONS may take (RFC 9110 section 7.6.2); none if it does not
/// say. With 0 the answer is ours: see [`trace_answer`](super::encode::trace_answer) and
/// [`options_answer`](super::encode::options_answer).
///
/// "A recipient MAY ignore a Max-Forwards header field received with any other request methods":
/// it does, and then the field passes. A number beyond what we can count becomes the largest that
/// we can, which the RFC allows.
pub(crate) fn max_forwards(head: &RequestHead, bytes: &[u8]) -> Result<Option<u64>, Violation> {
    if !matches!(head.method, Method::Trace | Method::Options) {
        return Ok(None);
    }
    let mut found = None;
    for text in field::values(head.fields.of(bytes), Name::MaxForwards) {
        if found.is_some() {
            return Err(Violation::bad("more than one Max-Forwards"));
        }
        let number = bytes::parse_saturating(text);
        found = Some(number.ok_or(Violation::bad("bad Max-Forwards"))?);
    }
    Ok(found)
}

/// Whether the request was here already: `name`, in any case, is in its Via as a received-by (RFC
/// 9110 section 7.6.3) or in its CDN-Loop as a cdn-id (RFC 8586 section 2).
pub(crate) fn loops(head: &RequestHead, bytes: &[u8], name: &[u8]) -> bool {
    if !head.has_hops || name.is_empty() {
        return false;
    }
    let is_us = |hop: &[u8]| bytes::eq_ignore_case(hop, name);
    field::fields(head.fields.of(bytes)).any(|(field, value)| match Name::of(field) {
        Name::Via => list::commented_elements(value).any(|one| is_us(received_by(one))),
        Name::CdnLoop => list::elements(value).any(|one| {
            let id = list::parameters(one).next();
            id.is_some_and(is_us)
        }),
        _ => false,
    })
}

/// `received-protocol RWS received-by [ RWS comment ]`; empty if there is none.
fn received_by(element: &[u8]) -> &[u8] {
    let comment = bytes::find_byte(element, b'(').unwrap_or(element.len());
    let mut words = element
        .get(..comment)
        .unwrap_or(element)
        .split(|octet| matches!(octet, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    words.nth(1).unwrap_or(&[])
}

/// The protocols of an Upgrade that may be offered or taken through us (RFC 9110 section 7.8).
///
/// HTTP is not among them, in whatever version, nor HTTP/2 by its other names (`h2c`, its drafts as
/// `h2c-14`, `h2`): in a tunnel its requests would pass us unread.
pub(crate) fn protocols(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes::tokens(value).filter(|protocol| {
        // protocol-name ["/" protocol-version], both tokens.
        let parts = || protocol.splitn(2, |octet| *octet == b'/');
        let name = parts().next().unwrap_or(b"");
        let starts = |with: &[u8]| {
            let start = name.get(..with.len());
            start.is_some_and(|start| bytes::eq_ignore_case(start, with))
        };
        let is_http = starts(b"h2") || (starts(b"http") && name.len() == 4);
        !is_http && parts().all(bytes::is_token)
    })
}

/// Whether an element of Expect is the expectation that is between us and the next hop too (RFC
/// 9110 section 10.1.1).
pub(crate) fn is_continue(expectation: &[u8]) -> bool {
    bytes::eq_ignore_case(expectation, b"100-continue")
}

/// Whether a page for people should be text/plain rather than text/html (RFC 9110 section 12.5.1):
/// it is liked better, or HTML is not acceptable at all. None if nothing is said of that in these
/// valid field lines.
pub(crate) fn prefers_plain(lines: &[u8]) -> Option<bool> {
    let mut is_stated = false;
    let (mut html, mut plain) = (UNLIKED, UNLIKED);
    for (name, value) in field::fields(lines) {
        if !bytes::eq_ignore_case(name, b"accept") {
            continue;
        }
        for element in list::elements(value) {
            is_stated = true;
            let mut parts = list::parameters(element);
            let range = parts.next().unwrap_or(&[]);
            let Some(weight) = weight(parts) else {
                continue;
            };
            html = html.max(liking(range, b"text/html", weight));
            plain = plain.max(liking(range, b"text/plain", weight));
        }
    }
    is_stated.then_some(plain.weight > html.weight || html.weight == 0)
}

/// How much a media type is liked. The range that says most about it decides, and of equals the
/// one that likes it most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Liking {
    /// 3 for the type itself, 2 for `text/*`, 1 for `*/*`, 0 for any other range.
    precision: u8,
    /// In thousandths.
    weight: u16,
}

const UNLIKED: Liking = Liking {
    precision: 0,
    weight: 0,
};

fn liking(range: &[u8], media_type: &[u8], weight: u16) -> Liking {
    let precision = if bytes::eq_ignore_case(range, media_type) {
        3
    } else if bytes::eq_ignore_case(range, b"text/*") {
        2
    } else if range == b"*/*" {
        1
    } else {
        return UNLIKED;
    };
    Liking { precision, weight }
}

/// The weight among the parameters of a range, in thousandths (RFC 9110 section 12.4.2); none if
/// it is no weight. Other parameters are not looked at: our pages come in one variant of each type.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a [u8]>) -> Option<u16> {
    let weight = parameters.find_map(|parameter| match parameter {
        [b'q' | b'Q', b'=', value @ ..] => Some(value),
        _ => None,
    });
    weight.map_or(Some(1000), list::qvalue)
}

/// Whether a field of the trailer section may be relayed (RFC 9110 section 6.5.1).
///
/// Not one that its recipient must know before the body, or that would do harm where it is merged
/// into the header: framing, routing, what modifies or conditions a request, authentication, what
/// controls a response, how to read the content. What is made for trailers passes: digests,
/// signatures, states, timings. What Connection has named is not known here: see
/// [`Options::let_trailers_pass`](super::head::Options::let_trailers_pass).
pub(crate) fn may_trail(name: &[u8]) -> bool {
    let begins_with = |prefix: &&[u8]| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| bytes::eq_ignore_case(start, prefix))
    };
    let is = |other: &&[u8]| bytes::eq_ignore_case(name, other);
    Name::of(name) == Name::Other
        && !NOT_IN_TRAILERS.iter().any(is)
        && (!FAMILIES_NOT_IN_TRAILERS.iter().any(begins_with) || is(&&b"content-digest"[..]))
}

const NOT_IN_TRAILERS: [&[u8]; 16] = [
    b"age",
    b"authorization",
    b"cache-control",
    b"cookie",
    b"expires",
    b"location",
    b"origin",
    b"pragma",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"range",
    b"retry-after",
    b"set-cookie",
    b"vary",
    b"www-authenticate",
    b"x-real-ip",
];

const FAMILIES_NOT_IN_TRAILERS: [&[u8]; 5] = [
    b"access-control-",
    b"content-",
    b"if-",
    b"sec-",
    b"x-forwarded-",
];
