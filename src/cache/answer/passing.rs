// SPDX-License-Identifier: GPL-2.0

//! What the client is told of an answer that the origin has just brought, and that goes on to it.

use super::fields::is_of_private;
use super::fields::put_private;
use crate::bytes;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::cache::field::first;
use crate::cache::mapping::Lifetimes;
use crate::cache::CacheStatus;
use crate::cache::Field;
use crate::cache::Handling;
use crate::http::field::fields;

/// An answer of the origin's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing<'a> {
    /// Its field lines, as they came.
    pub(crate) lines: &'a [u8],
    /// Say `Cache-Control: private` in the place of Vary: the setting `rewrite-vary-as-private`.
    pub(crate) private: bool,
    /// What a mapping says, if it is fresh by that.
    pub(crate) mapped: Option<Lifetimes>,
    /// What Cache-Status says, by our name, a token; if clients are told.
    pub(crate) told: Option<(&'a [u8], Handling)>,
}

impl Passing<'_> {
    /// Octets that [`put`](Self::put) writes at most.
    pub(crate) fn room(&self) -> usize {
        let name = self.told.map_or(0, |(name, _)| name.len());
        let control = match self.is_private() {
            // An element of a list of two octets may get a space.
            true => self.lines.len().saturating_mul(2),
            false => 0,
        };
        name.saturating_add(control).saturating_add(EXTRA)
    }

    /// Writes the field lines that it gets besides its own, of which some are
    /// [hidden](Self::hides) then.
    pub(crate) fn put(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        if self.is_private() {
            put_private(self.lines, out)?;
        }
        // Others may store this as it is, with somebody's cookie, if they are told for how long.
        if let Some(lifetimes) = self.mapped.as_ref().filter(|_| !sets_cookie(self.lines)) {
            put_mapped(lifetimes, self.is_private(), out)?;
        }
        match self.told {
            Some((name, handling)) => {
                let status = CacheStatus {
                    handling,
                    ttl: None,
                };
                status.put(name, out)
            }
            None => Ok(()),
        }
    }

    /// Whether a field of its own is left out.
    pub(crate) fn hides(&self) -> fn(&[u8]) -> bool {
        match self.is_private() {
            true => |name| is_of_private(Field::of(name), name),
            false => |_| false,
        }
    }

    fn is_private(&self) -> bool {
        self.private && first(self.lines, Field::Vary).is_some()
    }
}

fn sets_cookie(lines: &[u8]) -> bool {
    fields(lines).any(|(name, _)| {
        bytes::eq_ignore_case(name, b"set-cookie") || bytes::eq_ignore_case(name, b"set-cookie2")
    })
}

/// Tells other caches what a mapping says, as the document promises: they get a Cache-Control. What is
/// private is so for all that are shared.
pub(super) fn put_mapped(
    lifetimes: &Lifetimes,
    is_private: bool,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let said: [(&[u8], _); 2] = [
        (b"max-age=", lifetimes.max_age),
        (b"s-maxage=", lifetimes.s_max_age.filter(|_| !is_private)),
    ];
    let mut before: &[u8] = b"Cache-Control: ";
    let mut end: &[u8] = b"";
    for (name, lifetime) in said {
        if let Some(lifetime) = lifetime {
            out.put(before)?;
            out.put(name)?;
            out.put_decimal(u64::from(lifetime.as_secs()))?;
            (before, end) = (b", ", b"\r\n");
        }
    }
    out.put(end)
}

/// A max-age and the parameters of Cache-Status.
const EXTRA: usize = 160;
