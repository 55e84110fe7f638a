// SPDX-License-Identifier: GPL-2.0

//! What is written to `cache-clear`: which of the stored responses are dropped.
//!
//! ```text
//! all
//! expires
//! pattern ^(www\.)?example\.com$ ^/images/
//! ```
//!
//! `expires` drops those that are stale. `pattern` has two regular expressions, and drops those of which
//! both are true: one is looked for in the host with its port, the other in path and query. Written
//! keys have both in parts ([`key::parts`](super::key::parts)).

use crate::config::Refusal;

/// Which are dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command<'a> {
    /// Everything.
    All,
    /// What is stale.
    Expired,
    /// What these expressions are in. Neither is looked at yet.
    Pattern { host: &'a [u8], url: &'a [u8] },
}

impl<'a> Command<'a> {
    /// Reads a text, which is one command.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    #[inline(never)]
    pub(crate) fn parse(text: &'a [u8]) -> Result<Command<'a>, Refusal> {
        let mut words = text
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let command = match words.next() {
            Some(b"all") => Command::All,
            Some(b"expires") => Command::Expired,
            Some(b"pattern") => Command::Pattern {
                host: expression(words.next())?,
                url: expression(words.next())?,
            },
            Some(word) => return Err(Refusal::invalid(NO_COMMAND, word)),
            None => return Err(Refusal::invalid(NOTHING, b"")),
        };
        match words.next() {
            None => Ok(command),
            Some(more) => Err(Refusal::invalid("{} is one word too many", more)),
        }
    }
}

/// Hosts and targets are ASCII: nothing else is ever in them.
fn expression(word: Option<&[u8]>) -> Result<&[u8], Refusal> {
    let text = word.ok_or_else(|| Refusal::invalid(NO_EXPRESSION, b""))?;
    match text.iter().all(u8::is_ascii_graphic) {
        true => Ok(text),
        false => Err(Refusal::invalid(NO_ASCII, text)),
    }
}

const NO_COMMAND: &str = "{} is not one of all, expires and pattern";
const NOTHING: &str = "a command is missing: write all, expires or pattern";
const NO_EXPRESSION: &str = "an expression is missing: write pattern HOST-REGEXP URL-REGEXP";
const NO_ASCII: &str = "{} has something else than ASCII in it";
