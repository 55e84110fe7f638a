// SPDX-License-Identifier: GPL-2.0

//! Field values that are lists with quoted strings or comments in them (RFC 9110 section 5.6).
//!
//! Where a quoted string or comment does not end, there is none: every delimiter of that value
//! separates. So nobody can hide in one what later hops append.

use crate::bytes;

/// The elements of a comma-separated list, without the white space around them and without the
/// empty ones (RFC 9110 section 5.6.1.2). A comma in a quoted string separates nothing.
pub(crate) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(list, b',', Nest::Quotes)
}

/// The same of a list that may have comments but no quoted strings, as Via is (RFC 9110 section
/// 7.6.3).
pub(crate) fn commented_elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(list, b',', Nest::Comments)
}

/// What semicolons separate: a value and its parameters (RFC 9110 section 5.6.6).
pub(crate) fn parameters(element: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(element, b';', Nest::Quotes)
}

/// Reads a weight without its `q=`, in thousandths (RFC 9110 section 12.4.2): `0.5`.
pub(crate) fn qvalue(text: &[u8]) -> Option<u16> {
    let (whole, decimals) = match text {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] => (whole, decimals),
        _ => return None,
    };
    if decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = decimals.iter().chain([&b'0'; 3]).take(3);
    let thousandths = [whole].into_iter().chain(digits).fold(0u16, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u16::from(digit.wrapping_sub(b'0')))
    });
    (thousandths <= 1000).then_some(thousandths)
}

/// Whether every quoted string ends. If not, whoever appends to the list appends to the string.
pub(crate) fn is_closed(list: &[u8]) -> bool {
    Place::is_outside_after(list, Nest::Quotes)
}

/// What may have a delimiter in it that separates nothing.
#[derive(Clone, Copy)]
enum Nest {
    /// A quoted string (RFC 9110 section 5.6.4).
    Quotes,
    /// A comment, perhaps with comments in it (RFC 9110 section 5.6.5).
    Comments,
    /// Nothing.
    Nothing,
}

/// Where in a value its reader is.
struct Place {
    nest: Nest,
    /// How many quoted strings or comments it is in.
    depth: usize,
    /// After a backslash in one of them (quoted-pair, RFC 9110 section 5.6.4).
    is_escaped: bool,
}

impl Place {
    fn start(nest: Nest) -> Place {
        Place {
            nest,
            depth: 0,
            is_escaped: false,
        }
    }

    fn is_outside_after(text: &[u8], nest: Nest) -> bool {
        let mut place = Place::start(nest);
        text.iter().for_each(|octet| place.pass(*octet));
        place.depth == 0
    }

    fn pass(&mut self, octet: u8) {
        let is_inside = self.depth > 0;
        match (self.nest, octet) {
            _ if self.is_escaped => self.is_escaped = false,
            (_, b'\\') if is_inside => self.is_escaped = true,
            (Nest::Quotes, b'"') => self.depth = usize::from(!is_inside),
            (Nest::Comments, b'(') => self.depth = self.depth.saturating_add(1),
            (Nest::Comments, b')') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

/// The parts of a text between delimiters, trimmed, without the empty ones.
fn split(text: &[u8], delimiter: u8, nest: Nest) -> impl Iterator<Item = &[u8]> {
    let nest = if Place::is_outside_after(text, nest) {
        nest
    } else {
        Nest::Nothing
    };
    let mut place = Place::start(nest);
    text.split(move |octet| {
        place.pass(*octet);
        place.depth == 0 && *octet == delimiter
    })
    .map(bytes::trim_ows)
    .filter(|part| !part.is_empty())
}
