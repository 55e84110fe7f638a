// SPDX-License-Identifier: GPL-2.0

//! Text as a part of something else: of a label's value, of a JSON string, of a page.

use core::fmt::{self, Write};

/// What stands for a character there; none for one that stands for itself.
pub(crate) type Rule = fn(char) -> Option<&'static str>;

/// In double quotes in OpenMetrics.
pub(crate) fn label(character: char) -> Option<&'static str> {
    match character {
        '\\' => Some("\\\\"),
        '"' => Some("\\\""),
        '\n' => Some("\\n"),
        _ => None,
    }
}

/// In double quotes in JSON (RFC 8259 section 7). Controls have no place in our texts: they are
/// replaced.
pub(crate) fn json(character: char) -> Option<&'static str> {
    match character {
        '\\' => Some("\\\\"),
        '"' => Some("\\\""),
        '\n' => Some("\\n"),
        '\0'..='\u{1f}' => Some("\\ufffd"),
        _ => None,
    }
}

/// In elements and in double quotes in HTML and XML.
pub(crate) fn html(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        _ => None,
    }
}

/// Passes text on, each character as its rule has it.
pub(crate) struct Escaper<'a> {
    out: &'a mut dyn Write,
    rule: Rule,
}

impl<'a> Escaper<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, rule: Rule) -> Self {
        Self { out, rule }
    }
}

impl Write for Escaper<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(|character| (self.rule)(character).is_some()) {
            let last = piece.chars().next_back();
            match last.and_then(|last| Some((last, (self.rule)(last)?))) {
                Some((last, stands)) => {
                    self.out.write_str(piece.strip_suffix(last).unwrap_or(""))?;
                    self.out.write_str(stands)?;
                }
                None => self.out.write_str(piece)?,
            }
        }
        Ok(())
    }
}
