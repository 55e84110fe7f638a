// SPDX-License-Identifier: GPL-2.0

//! The secondary key: which of the responses that are stored for a URI a request may have (RFC 9111
//! section 4.1, RFC 9110 section 12.5.5).
//!
//! A stored response keeps a *selector*: for each field that its Vary nominates a line, with the name
//! in lower case, and behind a colon the value that the request had for which it was sent; without a
//! colon if it had none. A response without Vary has an empty selector, which every request matches.
//!
//! When several match, a caller prefers those whose selector is not empty, and of these the one with
//! the latest Date (RFC 9111 section 4.1).
//!
//! Some fields select nothing, neither what is stored nor what is given: see [`bar`]. As RFC 9111
//! section 4.3.4 has an answer update only what its request could have been answered with, what is
//! barred for a request is not updated by its answer either.
//!
//! Values that say the same are written the same, as far as the RFC allows: white space and the
//! number of lines count for nothing, in lists of which it is known that they are; neither does the
//! order of content codings. What is not known of a field is left as it is.

mod tag;

use core::iter;

use super::field::{self, Field};
use super::request::Request;
use super::rules::Cookies;
use super::store::Uncacheable;
use crate::bytes::{self, Full, Writer};
use crate::http::field::{fields, Name};
use crate::http::list;

pub(crate) use tag::{Matcher, Tag};

/// Writes the selector of an answer to `request`; `lines` are the field lines of its valid head.
pub(crate) fn select(
    lines: &[u8],
    request: &Request<'_>,
    cookies: Cookies,
    out: &mut Writer<'_>,
) -> Result<(), Uncacheable> {
    let mut names = nominated(lines);
    names.try_for_each(|name| put_line(name, request, cookies, out))
}

/// Writes the line of one field that is nominated.
fn put_line(
    name: &[u8],
    request: &Request<'_>,
    cookies: Cookies,
    out: &mut Writer<'_>,
) -> Result<(), Uncacheable> {
    // `*` is a token.
    if name == b"*" || !bytes::is_token(name) {
        return Err(Uncacheable::VaryAny);
    }
    // It is in the primary key.
    if Name::of(name) == Name::Host {
        return Ok(());
    }
    if let Some(reason) = bar(name, request, cookies) {
        return Err(reason);
    }
    let written = put_lower_case(name, out)
        .and_then(|()| put_value(name, request.lines, out))
        .and_then(|()| out.put(b"\n"));
    written.map_err(|Full| Uncacheable::VaryTooLong)
}

/// Whether a stored response with this selector may be sent to `request`, and be updated by the
/// answer to it, as far as Vary is concerned.
pub(crate) fn matches(selector: &[u8], request: &Request<'_>, cookies: Cookies) -> bool {
    let mut lines = selector.split(|octet| *octet == b'\n');
    lines.all(|line| line.is_empty() || line_matches(line, request, cookies))
}

fn line_matches(line: &[u8], request: &Request<'_>, cookies: Cookies) -> bool {
    let name = name_of(line);
    let value = line.get(name.len()..).unwrap_or_default();
    if bar(name, request, cookies).is_some() {
        return false;
    }
    if cookies == Cookies::Anonymous && bytes::eq_ignore_case(name, COOKIE) {
        return value.is_empty();
    }
    let mut rest = Expected(value);
    put_value(name, request.lines, &mut rest).is_ok() && rest.0.is_empty()
}

/// The name in a selector's line.
fn name_of(line: &[u8]) -> &[u8] {
    let end = bytes::find_byte(line, b':').unwrap_or(line.len());
    line.get(..end).unwrap_or(line)
}

/// Whether two responses, the field lines of which these are, vary by the same. A stored one that
/// no longer does after an update has a selector that means nothing any more: nobody knows what the
/// request for which it was sent had in the fields that are nominated now. It goes.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut others = nominated(other);
    let mut names = nominated(one);
    let is_next = |name| {
        let next = others.next();
        next.is_some_and(|other| bytes::eq_ignore_case(name, other))
    };
    names.all(is_next) && others.next().is_none()
}

/// The names in Vary.
fn nominated(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    field::values(lines, Field::Vary).flat_map(bytes::tokens)
}

/// Why nothing that varies by this field is for this request, if so: what the origin sees of it is
/// not what the client sent, or tells users apart.
fn bar(name: &[u8], request: &Request<'_>, cookies: Cookies) -> Option<Uncacheable> {
    let is_cookie = || bytes::eq_ignore_case(name, COOKIE);
    if request.is_rewritten(name) {
        Some(Uncacheable::VaryClient)
    } else if cookies == Cookies::Anonymous && request.is_known && is_cookie() {
        Some(Uncacheable::VaryCookie)
    } else if request.hides(name) {
        Some(Uncacheable::VaryUnseen)
    } else {
        None
    }
}

const COOKIE: &[u8] = b"cookie";

/// The values of all lines of a field of any name, in their order.
fn values<'a>(lines: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + Clone {
    fields(lines)
        .filter_map(move |(name, value)| bytes::eq_ignore_case(name, wanted).then_some(value))
}

/// What takes octets one after the other.
trait Sink {
    /// Takes all of these.
    fn put(&mut self, octets: &[u8]) -> Result<(), Full>;
}

impl Sink for Writer<'_> {
    fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        Writer::put(self, octets)
    }
}

/// What is still to come; it takes nothing else.
struct Expected<'a>(&'a [u8]);

impl Sink for Expected<'_> {
    fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        self.0 = self.0.strip_prefix(octets).ok_or(Full)?;
        Ok(())
    }
}

/// How a field is normalised.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    /// A list, and the case of letters counts.
    List,
    /// A list of words in any case.
    Words,
    /// Accept-Encoding.
    Codings,
    /// Cookie, whose lines are joined as RFC 9113 section 8.2.3 has it.
    Cookies,
    /// Any other. Several lines are a list (RFC 9110 section 5.3), but nobody knows whether one is.
    Unknown,
}

impl Syntax {
    fn of(name: &[u8]) -> Syntax {
        let known: [(&[u8], Syntax); 6] = [
            (b"accept-encoding", Syntax::Codings),
            (b"accept-language", Syntax::Words),
            (b"accept-charset", Syntax::Words),
            (b"accept", Syntax::List),
            (COOKIE, Syntax::Cookies),
            (b"cache-control", Syntax::List),
        ];
        let mut known = known.into_iter();
        let found = known.find(|(known, _)| bytes::eq_ignore_case(known, name));
        found.map_or(Syntax::Unknown, |(_, syntax)| syntax)
    }
}

/// Writes a colon and the value of a request's field, or nothing if it has none.
fn put_value(name: &[u8], lines: &[u8], out: &mut impl Sink) -> Result<(), Full> {
    let mut values = values(lines, name);
    let Some(first) = values.next() else {
        return Ok(());
    };
    out.put(b":")?;
    match Syntax::of(name) {
        Syntax::Codings => match Codings::of(first, values.clone()) {
            Some(codings) => codings.put(out),
            None => put_list(first, values, true, out),
        },
        Syntax::Words => put_list(first, values, true, out),
        Syntax::List => put_list(first, values, false, out),
        Syntax::Cookies => put_lines(first, values, b"; ", out),
        Syntax::Unknown => put_lines(first, values, b", ", out),
    }
}

fn put_lines<'a, I>(
    first: &[u8],
    others: I,
    between: &[u8],
    out: &mut impl Sink,
) -> Result<(), Full>
where
    I: Iterator<Item = &'a [u8]>,
{
    out.put(first)?;
    for value in others {
        out.put(between)?;
        out.put(value)?;
    }
    Ok(())
}

/// Writes the elements of a list (RFC 9110 section 5.6.1) and their parameters without white space.
fn put_list<'a, I>(
    first: &'a [u8],
    others: I,
    any_case: bool,
    out: &mut impl Sink,
) -> Result<(), Full>
where
    I: Iterator<Item = &'a [u8]>,
{
    let mut between: &[u8] = b"";
    for value in iter::once(first).chain(others) {
        for element in list::elements(value) {
            out.put(between)?;
            between = b",";
            put_element(element, any_case, out)?;
        }
    }
    Ok(())
}

fn put_element(element: &[u8], any_case: bool, out: &mut impl Sink) -> Result<(), Full> {
    for (index, part) in list::parameters(element).enumerate() {
        if index > 0 {
            out.put(b";")?;
        }
        if any_case {
            put_lower_case(part, out)?;
        } else {
            out.put(part)?;
        }
    }
    Ok(())
}

fn put_lower_case(text: &[u8], out: &mut impl Sink) -> Result<(), Full> {
    let mut octets = text.iter();
    octets.try_for_each(|octet| out.put(&[octet.to_ascii_lowercase()]))
}

/// The content codings that are told apart by name, in the order of their names.
const CODINGS: [&[u8]; 9] = [
    b"*",
    b"br",
    b"compress",
    b"dcb",
    b"dcz",
    b"deflate",
    b"gzip",
    b"identity",
    b"zstd",
];
const IDENTITY: usize = 7;

/// What a client says of each of [`CODINGS`]: its weight in thousandths (RFC 9110 section 12.4.2).
struct Codings([Option<u16>; CODINGS.len()]);

impl Codings {
    /// The codings of Accept-Encoding (RFC 9110 section 12.5.3). None if one is unknown, or is there
    /// twice, or is not well-formed.
    fn of<'a>(first: &'a [u8], others: impl Iterator<Item = &'a [u8]>) -> Option<Codings> {
        let mut codings = Codings([None; CODINGS.len()]);
        for value in iter::once(first).chain(others) {
            // Nothing that is well-formed here has a quoted string.
            for element in bytes::tokens(value) {
                codings.add(element)?;
            }
        }
        Some(codings)
    }

    fn add(&mut self, element: &[u8]) -> Option<()> {
        let end = bytes::find_byte(element, b';').unwrap_or(element.len());
        let (name, parameter) = element.split_at_checked(end)?;
        let name = canonical(bytes::trim_ows(name));
        let weight = match parameter {
            [_, parameter @ ..] => match bytes::trim_ows(parameter) {
                [b'q' | b'Q', b'=', weight @ ..] => list::qvalue(weight)?,
                _ => return None,
            },
            [] => 1000,
        };
        let mut known = CODINGS.iter();
        let index = known.position(|coding| bytes::eq_ignore_case(coding, name))?;
        let before = self.0.get_mut(index)?.replace(weight);
        before.is_none().then_some(())
    }

    /// Writes those that were named, each once, with its weight if that is not one.
    fn put(&self, out: &mut impl Sink) -> Result<(), Full> {
        if self.is_identity_alone() {
            return out.put(b"identity");
        }
        let named = CODINGS.iter().zip(self.0);
        let named = named.filter_map(|(coding, weight)| Some((*coding, weight?)));
        for (index, (coding, weight)) in named.enumerate() {
            if index > 0 {
                out.put(b",")?;
            }
            out.put(coding)?;
            if weight < 1000 {
                let digits = [weight / 100, weight / 10 % 10, weight % 10];
                out.put(b";q=0.")?;
                // CAST: Each is less than ten.
                out.put(&digits.map(|digit| b'0'.wrapping_add(digit as u8)))?;
            }
        }
        Ok(())
    }

    /// "identity" stands for no encoding, and an empty field says that none is wanted: the same.
    fn is_identity_alone(&self) -> bool {
        let mut weights = self.0.iter().enumerate();
        weights.all(|(index, weight)| match weight {
            None => true,
            Some(weight) => index == IDENTITY && *weight > 0,
        })
    }
}

/// "A recipient SHOULD consider x-gzip to be equivalent to gzip", and so on (RFC 9110 section 8.4.1).
fn canonical(coding: &[u8]) -> &[u8] {
    match coding {
        [b'x' | b'X', b'-', rest @ ..]
            if bytes::eq_ignore_case(rest, b"gzip") || bytes::eq_ignore_case(rest, b"compress") =>
        {
            rest
        }
        _ => coding,
    }
}
