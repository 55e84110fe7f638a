// SPDX-License-Identifier: GPL-2.0

//! What a request makes of responses that are stored (RFC 9111 section 4.4).

use super::field::Field;
use super::key::Scheme;
use crate::bytes;
use crate::http::{field, target, Method, Status};

/// Whether the answer to a request shows that what is stored for its target is no longer good: "a
/// cache MUST invalidate the target URI when it receives a non-error status code in response to an
/// unsafe request method (including methods whose safety is unknown)", and that is 2xx or 3xx.
pub(crate) const fn invalidates(method: Method, status: Status) -> bool {
    !method.is_safe() && matches!(status.code(), 200..=399)
}

/// The target of a request, against which others are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Base<'a> {
    /// Its scheme.
    pub(crate) scheme: Scheme,
    /// Host, with a port if it has one: that of the [key](super::key::Key::new).
    pub(crate) host: &'a [u8],
    /// Path and query.
    pub(crate) path: &'a [u8],
}

/// The values in the answer's field lines that name other URIs to invalidate: Location and
/// Content-Location.
pub(crate) fn references(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    field::fields(lines).filter_map(|(name, value)| {
        let is_reference = matches!(Field::of(name), Field::Location | Field::ContentLocation);
        is_reference.then_some(value)
    })
}

impl Base<'_> {
    /// The path and query of a reference (RFC 3986 section 5.2), if it is of the same origin and
    /// fits into `room`.
    ///
    /// RFC 9111 section 4.4: "a cache MUST NOT trigger an invalidation under these conditions if
    /// the origin of the URI to be invalidated differs from that of the target URI. This helps
    /// prevent denial-of-service attacks."
    pub(crate) fn resolve<'o>(&self, reference: &[u8], room: &'o mut [u8]) -> Option<&'o [u8]> {
        let (reference, _) = split_before(reference, b'#');
        let relative = self.without_origin(reference)?;
        if !relative.iter().copied().all(bytes::is_target_char) {
            return None;
        }
        let has_authority = relative.len() < reference.len();
        let (path, query) = split_before(relative, b'?');
        let (own_path, own_query) = split_before(self.path, b'?');
        let mut out = Resolved { room, len: 0 };
        // RFC 3986 section 5.2.2.
        match path {
            [] if has_authority => out.put(b"/")?,
            [] => out.put(own_path)?,
            [b'/', path @ ..] => out.put_segments(path)?,
            _ => {
                out.put_folder(own_path)?;
                out.put_segments(path)?;
            }
        }
        let is_own = relative.is_empty() && !has_authority;
        out.put(if is_own { own_query } else { query })?;
        let Resolved { room, len } = out;
        room.get(..len)
    }

    /// What follows scheme and authority; none if they are others than ours.
    fn without_origin<'r>(&self, reference: &'r [u8]) -> Option<&'r [u8]> {
        let rest = match (reference, scheme(reference)) {
            ([b'/', b'/', rest @ ..], _) => rest,
            (_, None) => return Some(reference),
            (_, Some(scheme)) if bytes::eq_ignore_case(scheme, self.scheme.name()) => {
                let rest = reference.get(scheme.len()..)?;
                rest.strip_prefix(b"://")?
            }
            _ => return None,
        };
        let end = rest.iter().position(|octet| matches!(octet, b'/' | b'?'));
        let (host, relative) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        // RFC 9110 section 4.2.3: hosts in any case, and the scheme's port may be left out.
        let without_port = |host| without_port(host, self.scheme);
        let is_same = target::is_host(host)
            && bytes::eq_ignore_case(without_port(host), without_port(self.host));
        is_same.then_some(relative)
    }
}

/// A host without its port, if that is the scheme's, in whatever way it is written, or empty.
fn without_port(host: &[u8], scheme: Scheme) -> &[u8] {
    // What follows the last colon of an IPv6 address ends with a bracket, and is no number.
    let colon = host.iter().rposition(|octet| *octet == b':');
    match colon.and_then(|colon| host.split_at_checked(colon)) {
        Some((name, b":")) => name,
        Some((name, [_, port @ ..])) if bytes::parse_decimal(port) == Some(scheme.port()) => name,
        _ => host,
    }
}

/// The scheme of a URI, without its colon; none of a relative reference (RFC 3986 section 4.1).
fn scheme(reference: &[u8]) -> Option<&[u8]> {
    let end = reference
        .iter()
        .position(|octet| matches!(octet, b':' | b'/' | b'?'))?;
    let (scheme, rest) = reference.split_at_checked(end)?;
    rest.starts_with(b":").then_some(scheme)
}

/// What comes before the first delimiter, and all from there on.
fn split_before(text: &[u8], delimiter: u8) -> (&[u8], &[u8]) {
    let end = bytes::find_byte(text, delimiter).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, &[]))
}

/// A path that grows by segments, and shrinks by two dots (RFC 3986 section 5.2.4).
struct Resolved<'o> {
    room: &'o mut [u8],
    len: usize,
}

impl Resolved<'_> {
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.len.checked_add(octets.len())?;
        self.room.get_mut(self.len..end)?.copy_from_slice(octets);
        self.len = end;
        Some(())
    }

    /// The segments of a path up to its last slash (RFC 3986 section 5.2.3).
    fn put_folder(&mut self, path: &[u8]) -> Option<()> {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let Some(end) = path.iter().rposition(|octet| *octet == b'/') else {
            return Some(());
        };
        let mut segments = path.get(..end)?.split(|octet| *octet == b'/');
        segments.try_for_each(|segment| self.put_segment(segment))
    }

    /// The segments of a path, without the slash before the first one.
    fn put_segments(&mut self, path: &[u8]) -> Option<()> {
        let mut segments = path.split(|octet| *octet == b'/');
        segments.try_for_each(|segment| self.put_segment(segment))?;
        let is_folder = matches!(
            path,
            b"." | b".." | [.., b'/', b'.'] | [.., b'/', b'.', b'.']
        );
        if is_folder {
            self.put(b"/")?;
        }
        Some(())
    }

    fn put_segment(&mut self, segment: &[u8]) -> Option<()> {
        match segment {
            b"." => Some(()),
            b".." => {
                let written = self.room.get(..self.len)?;
                self.len = written
                    .iter()
                    .rposition(|octet| *octet == b'/')
                    .unwrap_or(0);
                Some(())
            }
            _ => {
                self.put(b"/")?;
                self.put(segment)
            }
        }
    }
}
