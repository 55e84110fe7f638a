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
//! Values that say the same are written the same, as far as the RFC allows: white space and the
//! number of lines count for nothing, in lists of which it is known that they are; neither does the
//! order of content codings. What is not known of a field is left as it is.

mod tag;

use core::iter;

use crate::bytes;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::http::field;
use crate::http::field::Name;
use crate::http::list;

pub(crate) use tag::Matcher;
pub(crate) use tag::Tag;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    /// The field lines of the request's head, which is valid.
    pub(crate) fields: &'a [u8],
    /// Whether the path names a session (`;jsessionid=`), which is as good as a cookie.
    pub(crate) session_in_path: bool,
}

/// What `Vary: Cookie` means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cookies {
    /// Resin's rule: those who have no cookie and no session share what is stored, nothing is
    /// stored for the others, and they get nothing that is stored.
    Anonymous,
    /// RFC 9111: as any other field. Those who have the same cookies share.
    Compared,
}

/// Why a response has no selector: it cannot be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unselectable {
    /// `Vary: *`, or something that is no list of field names: no request would match.
    Everything,
    /// `Vary: Cookie`, and somebody who has one: see [`Cookies::Anonymous`].
    Cookie,
    /// It varies by a field that the gateway itself writes, of each client another one.
    Client,
    /// The selector is longer than there is room for.
    TooLong,
}

impl Unselectable {
    /// The reason, for people.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Everything => "Vary: *",
            Self::Cookie => "Vary: Cookie, and a request with a cookie",
            Self::Client => "Vary names the client's address",
            Self::TooLong => "Vary names too much",
        }
    }
}

/// Writes the selector of a response to `asker`; `fields` are the field lines of its valid head.
pub(crate) fn select(
    fields: &[u8],
    asker: Asker<'_>,
    cookies: Cookies,
    out: &mut Writer<'_>,
) -> Result<(), Unselectable> {
    for name in values(fields, b"vary").flat_map(bytes::tokens) {
        // `*` is a token.
        if name == b"*" || !bytes::is_token(name) {
            return Err(Unselectable::Everything);
        }
        match Name::of(name) {
            // It is in the primary key.
            Name::Host => continue,
            Name::XForwardedFor | Name::Forwarded => return Err(Unselectable::Client),
            _ => {}
        }
        if is_barred(name, asker, cookies) {
            return Err(Unselectable::Cookie);
        }
        let written = put_lower_case(name, out)
            .and_then(|()| put_value(name, asker.fields, out))
            .and_then(|()| out.put(b"\n"));
        written.map_err(|Full| Unselectable::TooLong)?;
    }
    Ok(())
}

/// Whether a stored response with this selector may be sent to `asker`, as far as Vary is concerned.
pub(crate) fn matches(selector: &[u8], asker: Asker<'_>, cookies: Cookies) -> bool {
    let mut lines = selector.split(|octet| *octet == b'\n');
    lines.all(|line| line.is_empty() || line_matches(line, asker, cookies))
}

fn line_matches(line: &[u8], asker: Asker<'_>, cookies: Cookies) -> bool {
    let name = name_of(line);
    let value = line.get(name.len()..).unwrap_or_default();
    if cookies == Cookies::Anonymous && bytes::eq_ignore_case(name, COOKIE) {
        return value.is_empty() && !is_barred(name, asker, cookies);
    }
    let mut rest = Expected(value);
    put_value(name, asker.fields, &mut rest).is_ok() && rest.0.is_empty()
}

/// The name in a selector's line.
fn name_of(line: &[u8]) -> &[u8] {
    let end = bytes::find_byte(line, b':').unwrap_or(line.len());
    line.get(..end).unwrap_or(line)
}

/// Whether nothing that varies by this field is for this request.
fn is_barred(name: &[u8], asker: Asker<'_>, cookies: Cookies) -> bool {
    let is_known = || asker.session_in_path || values(asker.fields, COOKIE).next().is_some();
    cookies == Cookies::Anonymous && bytes::eq_ignore_case(name, COOKIE) && is_known()
}

const COOKIE: &[u8] = b"cookie";

/// The values of all lines of a field of any name, in their order.
fn values<'a>(lines: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + Clone {
    field::fields(lines)
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
#[inline(never)] // Keeps its frame out of its caller's.
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
            [_, parameter @ ..] => weight(bytes::trim_ows(parameter))?,
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

/// `q=0.5`, in thousandths (RFC 9110 section 12.4.2).
fn weight(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', whole, rest @ ..] = parameter else {
        return None;
    };
    let digits: &[u8] = match rest {
        [] | [b'.'] => &[],
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut thousandths = 0u16;
    for place in 0..3 {
        let digit = digits.get(place).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths = thousandths
            .saturating_mul(10)
            .saturating_add(u16::from(digit.wrapping_sub(b'0')));
    }
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}
