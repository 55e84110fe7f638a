// SPDX-License-Identifier: GPL-2.0

//! Lines that are no exchange's: what the cache does, as Resin's log has it.
//!
//! ```text
//! [22/Nov/2026:06:03:33 +0000] caching: /images/logo.gif etag="1f" length=571
//! [22/Nov/2026:06:03:34 +0000] using cache: /images/logo.gif
//! ```

use super::escape;
use super::Format;
use super::MAX_CAPTURE;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::http::date;
use crate::time::UnixTime;

/// Octets of a target, and of what is said of it, at most.
const MAX_TEXT: usize = MAX_CAPTURE / 2 - 40;

/// Writes a remark on a target, to be logged in that format: in [`MAX_CAPTURE`] octets at most. What is
/// said of it has a name and a value, which is quoted already if it is to be.
pub(crate) fn remark(
    format: Format,
    deed: &str,
    target: &[u8],
    of_it: Option<(&str, &[u8])>,
    length: Option<u64>,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    out.put(deed.as_bytes())?;
    out.put(b": ")?;
    escape::put(format, target, MAX_TEXT, out)?;
    if let Some((name, value)) = of_it {
        out.put(b" ")?;
        out.put(name.as_bytes())?;
        out.put(b"=")?;
        put_value(format, value, out)?;
    }
    if let Some(octets) = length {
        out.put(b" length=")?;
        out.put_decimal(octets)?;
    }
    Ok(())
}

/// Writes a value as it is: it is not within quotation marks, and may have some.
fn put_value(format: Format, value: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    if format == Format::Json {
        return escape::put(format, value, MAX_TEXT, out);
    }
    for octet in value.iter().take(MAX_TEXT) {
        let is_harmless = matches!(octet, b' '..=b'~');
        out.put(&[if is_harmless { *octet } else { b'?' }])?;
    }
    Ok(())
}

/// Writes the line of a remark, with its LF.
pub(super) fn line(
    format: Format,
    now: UnixTime,
    text: &[u8],
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    match format {
        Format::Combined => {
            out.put(b"[")?;
            out.put(&date::format_log(now))?;
            out.put(b"] ")?;
            out.put(text)?;
            out.put(b"\n")
        }
        Format::Json => {
            out.put(b"{\"time\":\"")?;
            out.put(&date::format_rfc3339(now))?;
            out.put(b"\",\"remark\":\"")?;
            out.put(text)?;
            out.put(b"\"}\n")
        }
    }
}
