// SPDX-License-Identifier: GPL-2.0

//! Settings as values: what may be written to /proc/net/resin, how it is read and how it is printed.
//!
//! Every text is judged as a whole: a function here either returns the complete new value or a
//! [`Refusal`] that says in one sentence what was wrong and where, and changes nothing. What is
//! printed can be written back: printing and parsing are each other's inverse.
//!
//! The text is whatever a user wrote, so nothing here panics, allocates or recurses on it.
//! Functions that hold a whole value and a refusal are not inlined into each other: the kernel's
//! stack is small.

mod amount;
mod backend;
mod cache;
mod choice;
mod networks;
mod refusal;
mod settings;
mod statuses;
mod table;
mod text;

#[allow(unused_imports)] // Named for the tests and the glue, not all of them in every build.
pub(crate) use self::{
    backend::{Admin, Backend, Protocol},
    cache::{CacheSettings, CACHE_DEFAULTS},
    choice::{Balance, Cookies, Forwarding, Log, SetCookie},
    networks::Networks,
    refusal::{Kind, Refusal},
    settings::{Settings, DEFAULTS},
    statuses::Statuses,
    text::Text, //
};

use self::amount::{Limits, Unit};

/// The most backends that `srun-count` takes.
pub(crate) const MAX_BACKENDS: usize = 64;

/// Parses what is written to `server_port`: a TCP port, or 0 to stop listening.
pub(crate) fn parse_port(text: &[u8]) -> Result<u16, Refusal> {
    let word = only_word(text, "a port is missing: write a number from 0 to 65535")?;
    let value = PORT.parse(word)?;
    // `PORT` bounds the value, so that this never saturates.
    Ok(u16::try_from(value).unwrap_or(u16::MAX))
}

/// Parses what is written to `srun-count`: how many backends there are, up to [`MAX_BACKENDS`].
pub(crate) fn parse_count(text: &[u8]) -> Result<usize, Refusal> {
    let word = only_word(text, "a count is missing: write a number from 0 to 64")?;
    let value = COUNT.parse(word)?;
    // `COUNT` bounds the value, so that this never saturates.
    Ok(usize::try_from(value).unwrap_or(MAX_BACKENDS))
}

/// The lines of a text that say something, without blanks at their ends, and their numbers from 1 on.
/// An empty line, or one that begins with `#`, says nothing.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let lines = text.split(|&octet| octet == b'\n').map(<[u8]>::trim_ascii);
    (1..)
        .zip(lines)
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

/// The words of a line: whatever white space does not separate.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// The word of a text that has to be one word.
fn only_word<'a>(text: &'a [u8], missing: &'static str) -> Result<&'a [u8], Refusal> {
    let mut words = words(text);
    let word = words.next().ok_or_else(|| Refusal::invalid(missing, b""))?;
    match words.next() {
        None => Ok(word),
        Some(more) => Err(Refusal::invalid("{} is one word too many", more)),
    }
}

/// Zero is a command here: it stops listening.
const PORT: Limits = Limits::new(Unit::Count, 0, u16::MAX as u64);
const COUNT: Limits = Limits::new(Unit::Count, 0, MAX_BACKENDS as u64);
