// SPDX-License-Identifier: GPL-2.0

//! Sticky sessions: who has the session that a request belongs to.
//!
//! A JVM says it in the session's name, so that balancers need no memory and all of them agree: behind
//! the first dot, as Tomcat and Jetty do (`.worker`), or in the first letter, as Resin does. The name is
//! in a cookie, or in the path (`;jsessionid=`). For backends whose sessions have no such names there is
//! a cookie of our own: a stamp, made of the backend's address with a secret key, which tells nobody
//! anything and which nobody can make.

use super::MAX_BACKENDS;
use crate::bytes;
use crate::bytes::sip::SipKey;

/// Where session names are found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    /// The name of the JVM's cookie.
    pub(crate) cookie: &'a [u8],
    /// What comes before the name in a path.
    pub(crate) prefix: &'a [u8],
    /// The name of our own cookie; empty: there is none.
    pub(crate) stamp: &'a [u8],
}

/// What a request says of its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session<'a> {
    /// Its name.
    pub(crate) name: Option<&'a [u8]>,
    /// Our own cookie.
    pub(crate) stamp: Option<u64>,
}

/// Who has a session, as far as that says it itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    stamp: Option<u64>,
    /// The [`route`] behind its name's first dot.
    route: Option<u64>,
    /// Its name's first letter as a number.
    digit: Option<u8>,
}

impl Session<'_> {
    /// Works out what [`Homes::owner`] wants. It takes as long as the client likes to make the name:
    /// no lock may be held.
    pub(crate) fn claim(&self) -> Claim {
        let name = self.name.unwrap_or(&[]);
        let mut parts = name.splitn(2, |octet| *octet == b'.');
        Claim {
            stamp: self.stamp,
            route: parts.nth(1).map(route),
            digit: name.first().and_then(|letter| digit(*letter)),
        }
    }
}

/// Which backend has which sessions. The lists are in order, see [`sort`](slice::sort_unstable).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Homes<'a> {
    /// Backends by [`route`] of their routes.
    pub(crate) routes: &'a [(u64, u8)],
    /// Backends by their stamps.
    pub(crate) stamps: &'a [(u64, u8)],
    /// How many backends are configured.
    pub(crate) count: usize,
}

impl Names<'_> {
    /// Looks for the session of a request with this path and these `Cookie` values. A cookie is
    /// believed before a path.
    pub(crate) fn find<'a>(
        &self,
        path: &'a [u8],
        cookies: impl Iterator<Item = &'a [u8]>,
    ) -> Session<'a> {
        let mut found = Session::default();
        for (name, value) in cookies.flat_map(pairs) {
            if name == self.cookie && found.name.is_none() && !value.is_empty() {
                found.name = Some(value);
            } else if !self.stamp.is_empty() && name == self.stamp && found.stamp.is_none() {
                found.stamp = read_stamp(value);
            }
        }
        found.name = found.name.or_else(|| self.in_path(path));
        found
    }

    /// What follows the prefix, up to the end of this parameter or segment of the path.
    fn in_path<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        if self.prefix.is_empty() {
            return None;
        }
        let is_end = |octet: &u8| matches!(octet, b'?' | b'#');
        let path = path.split(is_end).next()?;
        let mut places = path.windows(self.prefix.len());
        let at = places.position(|place| place == self.prefix)?;
        let rest = path.get(at.checked_add(self.prefix.len())?..)?;
        let name = rest.split(|octet| matches!(octet, b';' | b'/')).next()?;
        (!name.is_empty()).then_some(name)
    }
}

/// The cookies of a `Cookie` value (RFC 6265 section 4.2.1), quotes taken off.
fn pairs(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|octet| *octet == b';').filter_map(|pair| {
        let at = pair.iter().position(|octet| *octet == b'=')?;
        let (name, value) = pair.split_at_checked(at)?;
        let value = value.get(1..)?.trim_ascii();
        let bare = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        Some((name.trim_ascii(), bare.unwrap_or(value)))
    })
}

impl Homes<'_> {
    /// Who has the session.
    pub(crate) fn owner(&self, claim: &Claim) -> Option<usize> {
        let stamped = claim.stamp.and_then(|stamp| find(self.stamps, stamp));
        let routed = || find(self.routes, claim.route?);
        let lettered = || usize::from(claim.digit?).checked_rem(self.count);
        stamped
            .or_else(routed)
            .or_else(lettered)
            .filter(|slot| *slot < MAX_BACKENDS)
    }
}

fn find(list: &[(u64, u8)], key: u64) -> Option<usize> {
    let at = list.partition_point(|(other, _)| *other < key);
    let (found, slot) = list.get(at)?;
    (*found == key).then_some(usize::from(*slot))
}

/// What a route is found by: FNV-1a. Whoever makes two routes collide gets a backend that he might have
/// named right away.
pub(crate) fn route(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Resin's digit: which backend a session's first letter means, modulo their number.
pub(crate) fn digit(letter: u8) -> Option<u8> {
    let (first, value) = match letter {
        b'a'..=b'z' => (b'a', 0),
        b'A'..=b'Z' => (b'A', 26),
        b'0'..=b'9' => (b'0', 52),
        b'_' => return Some(62),
        b'-' => return Some(63),
        _ => return None,
    };
    letter.checked_sub(first)?.checked_add(value)
}

/// Octets of a stamp as text.
pub(crate) const STAMP: usize = 16;

/// The stamp of a backend of this name.
pub(crate) fn stamp(key: SipKey, backend: &[u8]) -> u64 {
    key.hash(backend)
}

/// A stamp as text.
pub(crate) fn write_stamp(stamp: u64) -> [u8; STAMP] {
    let mut text = [b'0'; STAMP];
    let mut rest = stamp;
    for octet in text.iter_mut().rev() {
        *octet = match (rest & 15) as u8 {
            digit @ 0..=9 => b'0'.wrapping_add(digit),
            digit => (b'a' - 10).wrapping_add(digit),
        };
        rest >>= 4;
    }
    text
}

fn read_stamp(text: &[u8]) -> Option<u64> {
    bytes::parse_hex(text).filter(|_| text.len() == STAMP)
}
