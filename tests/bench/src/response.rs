//! Just enough of HTTP to know where an answer ends.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::Fault;

/// What a response's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Octets up to the body.
    pub length: usize,
    /// The status code.
    pub status: u16,
    /// Octets of the body.
    pub body: usize,
}

/// Reads the head at the start of `octets`, if it is there as a whole.
pub fn head(octets: &[u8]) -> Result<Option<Head>, Fault> {
    let Some(length) = end(octets) else {
        return Ok(None);
    };
    let bad = |why| format!("{why}: {}", String::from_utf8_lossy(&octets[..length]));
    let status = octets
        .get(9..12)
        .and_then(number)
        .ok_or_else(|| bad("no status"))? as u16;
    let body = match field(&octets[..length], b"content-length") {
        Some(value) => number(value).ok_or_else(|| bad("no number in Content-Length"))?,
        None if status == 304 => 0,
        None => return Err(bad("no Content-Length")),
    };
    // Whatever a 304 says of a length is about what it stands for.
    let body = if status == 304 { 0 } else { body };
    Ok(Some(Head {
        length,
        status,
        body,
    }))
}

/// The value of the first field of that name, which is in lower case.
pub fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = head;
    while let Some(at) = memchr::memchr(b'\n', rest) {
        rest = &rest[at + 1..];
        // Most lines are told apart by the length of their name alone.
        if rest.get(name.len()) == Some(&b':') && rest[..name.len()].eq_ignore_ascii_case(name) {
            let line = &rest[name.len() + 1..];
            let end = line.iter().position(|&octet| octet == b'\r')?;
            return Some(line[..end].trim_ascii());
        }
    }
    None
}

/// Where the head at the start of `octets` ends.
pub fn end(octets: &[u8]) -> Option<usize> {
    static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));
    END.find(octets).map(|at| at + 4)
}

/// A number in decimal digits.
pub fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
