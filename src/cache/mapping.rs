// SPDX-License-Identifier: GPL-2.0

//! Resin's `cache-mapping`: how long responses are fresh that have a validator and do not say it
//! themselves.
//!
//! ```text
//! url-pattern *.gif expires 24h
//! url-regexp ^/wiki/[^?]*$ max-age 10s s-max-age 5m
//! clear
//! ```
//!
//! `expires` is another name of `max-age`, which clients are told, too. Without a unit a time is in
//! seconds; the units are `s`, `m`, `h`, `D`, `W`, `M` and `Y` (a month has 30 days and a year 365), as
//! in Resin.
//!
//! Of several patterns the one counts that matches best ([`pattern`](super::pattern)), and before all
//! expressions; of several expressions that which was written first.

pub(crate) mod list;

use core::fmt::{self, Display, Formatter};

use super::delta::DeltaSeconds;
use super::pattern::Pattern;
use crate::bytes;
use crate::config::Refusal;

/// A line of `cache-mapping`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command<'a> {
    /// There is one more, in the place of that with the same selector if there is one.
    Add(Mapping<'a>),
    /// There is none any more.
    Clear,
}

/// How long some responses are fresh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mapping<'a> {
    pub(crate) selector: Selector<'a>,
    pub(crate) lifetimes: Lifetimes,
}

/// Which responses it is about, by their target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Selector<'a> {
    /// A [`Pattern`].
    Pattern(&'a [u8]),
    /// A regular expression, which is somewhere in the path and the query.
    Regexp(&'a [u8]),
}

/// What a mapping says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Lifetimes {
    /// For everyone.
    pub(crate) max_age: Option<DeltaSeconds>,
    /// For shared caches, as this is one.
    pub(crate) s_max_age: Option<DeltaSeconds>,
}

impl Lifetimes {
    /// How long it is fresh here.
    pub(crate) fn ours(&self) -> Option<DeltaSeconds> {
        self.s_max_age.or(self.max_age)
    }
}

impl<'a> Selector<'a> {
    /// What is written for it.
    fn text(&self) -> &'a [u8] {
        let (Selector::Pattern(text) | Selector::Regexp(text)) = self;
        text
    }
}

impl<'a> Command<'a> {
    /// Reads a line, which has no white space at its ends. An expression is not looked at.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    #[inline(never)]
    pub(crate) fn parse(line: &'a [u8]) -> Result<Command<'a>, Refusal> {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let Some(selector) = selector(words.next().unwrap_or(b""), words.next())? else {
            return Ok(Command::Clear);
        };
        let lifetimes = lifetimes(&mut words)?;
        Ok(Command::Add(Mapping {
            selector,
            lifetimes,
        }))
    }
}

/// Reads the first two words of a line; none if it is `clear`.
fn selector<'a>(kind: &[u8], text: Option<&'a [u8]>) -> Result<Option<Selector<'a>>, Refusal> {
    match (kind, text) {
        (b"clear", None) => Ok(None),
        (b"clear", Some(more)) => Err(Refusal::invalid("{} is one word too many", more)),
        (b"url-pattern", Some(text)) if Pattern::parse(text).is_some() => {
            Ok(Some(Selector::Pattern(text)))
        }
        (b"url-pattern", Some(text)) => Err(Refusal::invalid(NO_PATTERN, text)),
        (b"url-regexp", Some(text)) if text.iter().all(u8::is_ascii_graphic) => {
            Ok(Some(Selector::Regexp(text)))
        }
        (b"url-regexp", Some(text)) => Err(Refusal::invalid(NO_ASCII, text)),
        (b"url-pattern" | b"url-regexp", None) => {
            Err(Refusal::invalid("a pattern is missing", b""))
        }
        (word, _) => Err(Refusal::invalid(NO_COMMAND, word)),
    }
}

/// Reads the other words.
fn lifetimes<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Result<Lifetimes, Refusal> {
    let mut lifetimes = Lifetimes::default();
    while let Some(name) = words.next() {
        lifetime(&mut lifetimes, name, words.next())?;
    }
    match lifetimes.ours() {
        Some(_) => Ok(lifetimes),
        None => Err(Refusal::invalid(NOTHING, b"")),
    }
}

fn lifetime(lifetimes: &mut Lifetimes, name: &[u8], text: Option<&[u8]>) -> Result<(), Refusal> {
    let which = match name {
        b"max-age" | b"expires" => &mut lifetimes.max_age,
        b"s-max-age" => &mut lifetimes.s_max_age,
        _ => return Err(Refusal::invalid(NO_LIFETIME, name)),
    };
    let Some(text) = text else {
        return Err(Refusal::invalid("{} says no time", name));
    };
    let Some(time) = period(text) else {
        return Err(Refusal::invalid(NO_TIME, text));
    };
    match which.replace(time) {
        None => Ok(()),
        Some(_) => Err(Refusal::invalid("{} is said twice", name)),
    }
}

const NOTHING: &str = "write max-age or s-max-age, and a time";
const NO_PATTERN: &str = "{} is not a pattern: write one such as *.gif, /images/*, /index.jsp or /";
const NO_ASCII: &str = "{} has something else than ASCII in it";
const NO_COMMAND: &str = "{} is not one of url-pattern, url-regexp and clear";
const NO_LIFETIME: &str = "{} is not one of max-age, expires and s-max-age";
const NO_TIME: &str = "{} is not a time: write one such as 15s, 5m, 24h or 7D";

/// A time as Resin has it.
fn period(text: &[u8]) -> Option<DeltaSeconds> {
    let end = text.iter().position(|octet| !octet.is_ascii_digit());
    let (digits, unit) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let scale = match unit {
        b"" | b"s" => 1,
        b"m" => 60,
        b"h" => 3600,
        b"D" | b"d" => 86_400,
        b"W" | b"w" => 7 * 86_400,
        b"M" => 30 * 86_400,
        b"Y" | b"y" => 365 * 86_400,
        _ => return None,
    };
    let count = bytes::parse_saturating(digits)?;
    Some(DeltaSeconds::from_secs(count.saturating_mul(scale)))
}

/// As it is written.
impl Display for Mapping<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (name, text) = match self.selector {
            Selector::Pattern(text) => ("url-pattern", text),
            Selector::Regexp(text) => ("url-regexp", text),
        };
        // Only ASCII is ever read.
        write!(f, "{name} {}", core::str::from_utf8(text).unwrap_or(""))?;
        if let Some(time) = self.lifetimes.max_age {
            write!(f, " max-age {}s", time.as_secs())?;
        }
        match self.lifetimes.s_max_age {
            Some(time) => write!(f, " s-max-age {}s", time.as_secs()),
            None => Ok(()),
        }
    }
}
