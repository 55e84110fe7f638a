// SPDX-License-Identifier: GPL-2.0

//! What happened in a run, for people to read.

use std::fmt::Arguments;

use crate::time::Instant;

/// Lines of text, or nothing as long as nobody asks for them.
#[derive(Default)]
pub(super) struct Trace(Option<Vec<String>>);

impl Trace {
    /// A trace that is written.
    pub(super) fn written() -> Self {
        Self(Some(Vec::new()))
    }

    pub(super) fn note(&mut self, now: Instant, what: Arguments<'_>) {
        if let Some(lines) = self.0.as_mut().filter(|lines| lines.len() < 2000) {
            let millis = now.as_nanos() / 1_000_000;
            lines.push(format!("{millis:>8} ms {what}"));
        }
    }

    pub(super) fn text(&self) -> String {
        self.0
            .as_ref()
            .map_or(String::new(), |lines| lines.join("\n"))
    }
}
