// SPDX-License-Identifier: GPL-2.0

//! Fields that are for one hop only because Connection names them (RFC 9110 section 7.6.1).

use super::field::{self, Name};
use super::head::MAX_OPTIONS;
use crate::bytes::{self, Span};

/// The names of fields that Connection makes hop-by-hop fields.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    lines: &'a [u8],
    /// The names, in `lines`; what is left of the room is empty.
    spans: &'a [Span],
}

impl Named<'_> {
    /// Whether this one is among them.
    pub(crate) fn has(self, name: &[u8]) -> bool {
        self.spans
            .iter()
            .any(|span| bytes::eq_ignore_case(span.of(self.lines), name))
    }
}

/// Runs `then` with the names in Connection, which are gathered once: each field is compared
/// with a few names, not with all the lines. With `is_any` false it is known that there are none.
pub(crate) fn with_named<T>(lines: &[u8], is_any: bool, then: impl FnOnce(Named<'_>) -> T) -> T {
    let mut room = [Span::EMPTY; MAX_OPTIONS];
    let spans: &[Span] = if is_any {
        gather_named(lines, &mut room);
        &room
    } else {
        &[]
    };
    then(Named { lines, spans })
}

#[inline(never)] // Keeps its iterators out of the frame of the one who holds the names.
fn gather_named(lines: &[u8], named: &mut [Span; MAX_OPTIONS]) {
    let mut slots = named.iter_mut();
    for options in field::values(lines, Name::Connection) {
        for option in bytes::tokens(options).filter(|option| !is_protected(option)) {
            if let Some(slot) = slots.next() {
                *slot = Span::within(lines, option);
            }
        }
    }
}

/// Whether Connection cannot take this field away from its recipient, who would decide otherwise
/// without it (RFC 9110 section 7.6.1: not "a field that is intended for all recipients").
fn is_protected(name: &[u8]) -> bool {
    PROTECTED
        .iter()
        .any(|protected| bytes::eq_ignore_case(protected, name))
}

const PROTECTED: [&[u8]; 21] = [
    b"age",
    b"authorization",
    b"cache-control",
    b"cdn-loop",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"cookie",
    b"date",
    b"expect",
    b"forwarded",
    b"max-forwards",
    b"origin",
    b"range",
    b"set-cookie",
    b"vary",
    b"via",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
];
