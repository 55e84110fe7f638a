// SPDX-License-Identifier: GPL-2.0

//! The file of that name in `src/rt`, with all its unsafe code, over pages of the host's.

use crate::prelude::Result;

#[path = "../../../../../src/rt/pages.rs"]
mod real;

/// Octets that grow at their end.
pub struct Pages(real::Pages);

impl Pages {
    /// As the real one, like all that follow.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(real::Pages::new())
    }

    #[allow(missing_docs, clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    #[allow(missing_docs)]
    pub fn cost(octets: u64) -> u64 {
        real::Pages::cost(octets)
    }

    #[allow(missing_docs)]
    pub fn at(&self, position: u64) -> &[u8] {
        self.0.at(position)
    }

    #[allow(missing_docs)]
    pub fn refer<'a>(&'a self, position: u64, most: usize, runs: &mut Runs<'a>) {
        self.0.refer(position, most, &mut runs.0);
    }

    #[allow(missing_docs)]
    pub fn append(&self, octets: &[u8]) -> Result {
        self.0.append(octets)
    }
}

/// Octets for a socket.
pub struct Runs<'a>(real::Runs<'a>);

impl<'a> Runs<'a> {
    #[allow(missing_docs)]
    pub const fn none() -> Self {
        Self(real::Runs::none())
    }

    #[allow(missing_docs, clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[allow(missing_docs)]
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.0.iter()
    }
}
