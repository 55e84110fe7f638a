// SPDX-License-Identifier: GPL-2.0

//! The primary key: the target URI (RFC 9111 section 2, RFC 9110 section 7.1). The method is no part of
//! it, since only answers to GET are stored.

use crate::bytes;
use crate::bytes::sip::SipKey;
use crate::bytes::sip::TableHasher;
use crate::bytes::Full;
use crate::bytes::Writer;

/// The schemes that resources of ours can have (RFC 9110 section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    /// `http`, whose default port is 80.
    Http,
    /// `https`, whose default port is 443: somebody before us has ended the TLS.
    Https,
}

impl Scheme {
    /// All of them.
    pub(crate) const ALL: [Scheme; 2] = [Scheme::Http, Scheme::Https];

    /// The scheme of this name, in any case.
    pub(super) fn named(name: &[u8]) -> Option<Scheme> {
        let mut all = Scheme::ALL.into_iter();
        all.find(|scheme| bytes::eq_ignore_case(scheme.name(), name))
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static [u8] {
        match self {
            Scheme::Http => b"http",
            Scheme::Https => b"https",
        }
    }

    /// What a URI of the scheme begins with.
    const fn start(self) -> &'static [u8] {
        match self {
            Scheme::Http => b"http://",
            Scheme::Https => b"https://",
        }
    }

    /// Its port, if a URI names none.
    pub(super) const fn port(self) -> u64 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    /// The same, as it is written behind a host.
    const fn colon_port(self) -> &'static [u8] {
        match self {
            Scheme::Http => b":80",
            Scheme::Https => b":443",
        }
    }
}

/// A target URI in parts that others own, of which only what does not matter is left out.
///
/// Two keys are equal when they are the same after the normalisation of RFC 9110 section 4.2.3 that
/// needs no opinion: scheme and host in lower case, no default port, no empty path. Of a port that
/// nobody writes so (`:`, `:0080`) an origin may think what it likes: it makes another key.
/// Path and query are as they were written: whether `%7E` is `~` is for the origin server to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    scheme: Scheme,
    /// In any case; without a port that goes without saying.
    host: &'a [u8],
    /// What follows the first slash of the path: the rest of it, and the query.
    rest: &'a [u8],
}

impl<'a> Key<'a> {
    /// The key of a request's target: `host` and `path` as [`RequestHead`] has them, valid by its
    /// rules. None for the target `*`, which names no resource.
    ///
    /// `fallback_host` is what a backend is [told] in the place of a host that is empty, so that what
    /// it answers is stored as what it thinks it is. None if that is empty too.
    ///
    /// [`RequestHead`]: crate::http::head::RequestHead
    /// [told]: crate::http::forward::Forward::fallback_host
    pub(crate) fn new(
        scheme: Scheme,
        host: &'a [u8],
        fallback_host: &'a [u8],
        path: &'a [u8],
    ) -> Option<Key<'a>> {
        let rest = match path {
            [b'/', rest @ ..] => rest,
            [] | [b'?', ..] => path,
            _ => return None,
        };
        let host = match host {
            [] => fallback_host,
            host => host,
        };
        (!host.is_empty()).then_some(Key {
            scheme,
            host: without_default_port(host, scheme),
            rest,
        })
    }

    /// Its scheme.
    pub(crate) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A keyed hash: nobody who does not know the secret can make keys whose hashes collide.
    pub(crate) fn hash(&self, secret: SipKey) -> u64 {
        let mut hasher = TableHasher::new(secret);
        // The lengths first: the words of two keys are the same only if the keys are. (No target has
        // 2^32 octets, nor any host half as many.)
        let scheme = u64::from(self.scheme == Scheme::Https);
        let host = (self.host.len() as u64) << 33;
        hasher.word(host | (scheme << 32) | self.rest.len() as u64);
        // In small letters. What else this makes alike are octets of which no host has both.
        hasher.octets(self.host, |word| word | SMALL);
        hasher.octets(self.rest, |word| word);
        hasher.finish()
    }

    /// Octets that [`write`](Self::write) writes.
    pub(crate) fn len(&self) -> usize {
        let authority = self.scheme.start().len().saturating_add(self.host.len());
        authority
            .saturating_add("/".len())
            .saturating_add(self.rest.len())
    }

    /// Writes the whole normalised URI, which is what an entry keeps: `http://example.com/path?query`.
    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        if out.room() < self.len() {
            return Err(Full);
        }
        out.put(self.scheme.start())?;
        for octet in self.host {
            out.put(&[octet.to_ascii_lowercase()])?;
        }
        out.put(b"/")?;
        out.put(self.rest)
    }

    /// Whether this is what [`write`](Self::write) has written for the key.
    pub(crate) fn is(&self, written: &[u8]) -> bool {
        if written.len() != self.len() {
            return false;
        }
        let Some(after) = written.strip_prefix(self.scheme.start()) else {
            return false;
        };
        let Some((host, path)) = after.split_at_checked(self.host.len()) else {
            return false;
        };
        // What was written is in lower case.
        bytes::eq_ignore_case(self.host, host) && path.split_first() == Some((&b'/', self.rest))
    }
}

/// The bit that makes letters of ASCII small.
const SMALL: u64 = u64::from_ne_bytes([0x20; 8]);

/// A written key in parts: the host with its port, and path and query. For those who clear what is
/// of some host and path. None if no [`Key`] was written so.
pub(crate) fn parts(written: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut schemes = Scheme::ALL.into_iter();
    let after = schemes.find_map(|scheme| written.strip_prefix(scheme.start()))?;
    after.split_at_checked(bytes::find_byte(after, b'/')?)
}

/// A host without its port, if that is the scheme's (RFC 9110 section 4.2.3).
fn without_default_port(host: &[u8], scheme: Scheme) -> &[u8] {
    // What follows the last colon of an IPv6 address ends with a bracket.
    host.strip_suffix(scheme.colon_port()).unwrap_or(host)
}
