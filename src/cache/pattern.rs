// SPDX-License-Identifier: GPL-2.0

//! The url-patterns of `cache-mapping`, which are those of servlets (Jakarta Servlet 6.0 section 12.2).

use crate::bytes;

/// A pattern that paths are compared with. The case of letters counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pattern<'a> {
    /// `/a/b`: this path alone. The empty pattern is the one of `/`.
    Exact(&'a [u8]),
    /// `/a/*`: `/a` and all that is below it; here is `/a`. `/*` is all there is.
    Prefix(&'a [u8]),
    /// `*.gif`: every path whose last segment ends so; here is `.gif`.
    Suffix(&'a [u8]),
    /// `/`: what no other pattern matches.
    Default,
}

/// How well a pattern matches: the largest is the one to obey. The order is the specification's: an
/// exact match, the longest prefix, an extension, the default.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Match {
    /// By [`Pattern::Default`].
    Default,
    /// By an extension. There, too, a longer one is closer (`*.tar.gz`).
    Suffix(usize),
    /// By a prefix of so many octets.
    Prefix(usize),
    /// By the whole path.
    Exact,
}

impl<'a> Pattern<'a> {
    /// Reads a pattern; none if it is none. An asterisk has a meaning only at the end of a prefix
    /// and in front of an extension; elsewhere it would deceive whoever wrote it, so it is refused.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Pattern<'a>> {
        Pattern::parsed(text).filter(|pattern| pattern.is_plain())
    }

    /// The pattern of a text that has been [parsed](Self::parse) before.
    pub(crate) fn parsed(text: &'a [u8]) -> Option<Pattern<'a>> {
        Some(match text {
            b"/" => Pattern::Default,
            b"" => Pattern::Exact(b"/"),
            [b'*', suffix @ ..] => Pattern::Suffix(suffix),
            [b'/', .., b'*'] => Pattern::Prefix(text.strip_suffix(b"/*")?),
            [b'/', ..] => Pattern::Exact(text),
            _ => return None,
        })
    }

    fn is_plain(self) -> bool {
        let (Pattern::Exact(octets) | Pattern::Prefix(octets) | Pattern::Suffix(octets)) = self
        else {
            return true;
        };
        // An extension is one of the last segment's, and not empty.
        let is_extension = match self {
            Pattern::Suffix(suffix) => {
                matches!(suffix, [b'.', _, ..]) && bytes::find_byte(suffix, b'/').is_none()
            }
            _ => true,
        };
        let is_path = octets.iter().all(|octet| bytes::is_target_char(*octet));
        is_extension && is_path && !octets.iter().any(|octet| matches!(octet, b'*' | b'?'))
    }

    /// How well it matches a [`path()`], if it does.
    pub(crate) fn matches(self, path: &[u8]) -> Option<Match> {
        match self {
            Pattern::Default => Some(Match::Default),
            Pattern::Exact(exact) => (path == exact).then_some(Match::Exact),
            Pattern::Prefix(prefix) => {
                let below = path.strip_prefix(prefix)?;
                matches!(below, [] | [b'/', ..]).then_some(Match::Prefix(prefix.len()))
            }
            Pattern::Suffix(suffix) => path
                .ends_with(suffix)
                .then_some(Match::Suffix(suffix.len())),
        }
    }
}

/// What of a target in origin-form is compared with patterns: its path, without the query and without
/// the parameters of the last segment (`;jsessionid=`).
pub(crate) fn path(target: &[u8]) -> &[u8] {
    let end = bytes::find_byte(target, b'?').unwrap_or(target.len());
    let path = target.get(..end).unwrap_or(target);
    let segment = path.iter().rposition(|octet| *octet == b'/').unwrap_or(0);
    let last = path.get(segment..).unwrap_or(&[]);
    let end = bytes::find_byte(last, b';').map_or(path.len(), |at| segment.saturating_add(at));
    match path.get(..end) {
        // Only absolute-form has it: RFC 9110 section 4.2.3.
        Some([]) => b"/",
        path => path.unwrap_or(target),
    }
}
