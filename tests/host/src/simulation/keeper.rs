// SPDX-License-Identifier: GPL-2.0

//! Who keeps the bodies of answers while they go by, as a cache does.

use crate::exchange::{Fate, Tap};
use crate::http::encode::Amended;
use crate::http::head::{RequestHead, ResponseHead};
use crate::http::Status;

/// Keeps one body.
pub(super) struct Keeper {
    /// Octets that it has room for.
    room: usize,
    body: Vec<u8>,
    keeps: bool,
}

/// Octets of a page.
const PAGE: usize = 64;

impl Keeper {
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            body: Vec::new(),
            keeps: false,
        }
    }

    /// What it has from `position` on, to the end of a page.
    pub(super) fn at(&self, position: u64) -> &[u8] {
        let position = usize::try_from(position).expect("a position");
        let end = (position / PAGE + 1) * PAGE;
        assert!(position < self.body.len(), "nothing is kept there");
        &self.body[position..end.min(self.body.len())]
    }
}

impl Tap for Keeper {
    fn head(&mut self, _: (&RequestHead, Option<&[u8]>), _: (&ResponseHead, &[u8])) -> Fate {
        self.body.clear();
        self.keeps = true;
        Fate::Relay
    }

    fn amended(&self) -> Option<Amended<'_>> {
        None
    }

    fn failed(&mut self, _: (&RequestHead, &[u8]), _: Status) -> Fate {
        Fate::Relay
    }

    fn body(&mut self, octets: &[u8]) {
        self.keeps &= self.body.len() + octets.len() <= self.room;
        if self.keeps {
            self.body.extend(octets);
        }
    }

    fn keeps(&self) -> bool {
        self.keeps
    }

    fn end(&mut self) {
        self.keeps = false;
    }

    fn cut(&mut self) {
        self.keeps = false;
    }
}
