// SPDX-License-Identifier: GPL-2.0

//! What is remembered of a request until its line is written: its octets as they were sent. Only who
//! writes the line makes them harmless.

use super::escape;
use super::Format;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::http::head::RequestHead;
use crate::http::Version;

/// Octets that a capture takes at most: those of [`MAX_TEXT`], some separators, and one for each part
/// that shows that it has to be cut.
pub(crate) const MAX_CAPTURE: usize = MAX_TEXT + 10;

/// Octets of all parts in a line at most, escaped as they are there.
const MAX_TEXT: usize = 1022;
/// Octets of Referer, and of User-Agent, at most. What they leave is for the request line.
const MAX_FIELD: usize = 256;

/// Between the parts of a capture, which are the Referer, the User-Agent, the version and the rest of
/// the request line. Only the last one can hold it.
const SEPARATOR: &[u8] = b"\0";

/// Writes what the log has to remember of a request: it may be needed long after the octets of the
/// request are gone.
///
/// It is at most [`MAX_CAPTURE`] octets: parts that are too long are cut. It fits if `out` has room
/// for that many.
pub(crate) fn capture(head: &RequestHead, bytes: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    let before = out.len();
    out.put(start(head.referer.of(bytes), MAX_FIELD + 1))?;
    out.put(SEPARATOR)?;
    out.put(start(head.user_agent.of(bytes), MAX_FIELD + 1))?;
    out.put(match head.version {
        Version::Http10 => b"\0 HTTP/1.0\0",
        Version::Http11 => b"\0 HTTP/1.1\0",
    })?;
    let used = out.len().saturating_sub(before);
    // One space is between them.
    let line = bytes.get(head.method_span.start()..head.target.end());
    out.put(start(line.unwrap_or(&[]), MAX_CAPTURE.saturating_sub(used)))
}

/// Writes what the log has to remember of octets that are no request: their first line, whatever
/// it is. As [`capture`] otherwise.
pub(crate) fn capture_refused(bytes: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    let start_of_line = bytes
        .iter()
        .take_while(|octet| matches!(octet, b'\r' | b'\n'))
        .count();
    let text = bytes.get(start_of_line..).unwrap_or(&[]);
    let line = text
        .split(|octet| matches!(octet, b'\r' | b'\n'))
        .next()
        .unwrap_or(&[]);
    out.put(b"\0\0\0")?;
    out.put(start(line, MAX_TEXT + 1))
}

/// The first octets of a text.
fn start(text: &[u8], len: usize) -> &[u8] {
    text.get(..len).unwrap_or(text)
}

/// What was captured, apart.
pub(super) struct Texts<'a> {
    pub(super) request: Text<'a>,
    pub(super) referer: Text<'a>,
    pub(super) user_agent: Text<'a>,
}

impl<'a> Texts<'a> {
    /// For lines in that format. Texts of nothing if nothing was captured.
    pub(super) fn of(format: Format, captured: &'a [u8]) -> Texts<'a> {
        let mut parts = captured.splitn(4, |octet| SEPARATOR.contains(octet));
        let mut part = || parts.next().unwrap_or(b"");
        let field = |octets| Text {
            octets,
            version: b"",
            room: MAX_FIELD,
        };
        let (referer, user_agent) = (field(part()), field(part()));
        let used = referer.len(format).saturating_add(user_agent.len(format));
        let version = part();
        Texts {
            request: Text {
                octets: part(),
                version,
                room: MAX_TEXT.saturating_sub(used).saturating_sub(version.len()),
            },
            referer,
            user_agent,
        }
    }
}

/// A text as the client sent it.
pub(super) struct Text<'a> {
    octets: &'a [u8],
    /// What stands behind them, even if they are cut.
    version: &'a [u8],
    /// How many octets they may become in a line.
    room: usize,
}

impl Text<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Writes it escaped, and cut if need be.
    pub(super) fn put(&self, format: Format, out: &mut Writer<'_>) -> Result<(), Full> {
        escape::put(format, self.octets, self.room, out)?;
        out.put(self.version)
    }

    fn len(&self, format: Format) -> usize {
        escape::len(format, self.octets, self.room)
    }
}
