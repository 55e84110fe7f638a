// SPDX-License-Identifier: GPL-2.0

//! `cache-uncacheable`: what was not stored, and why, a target a line.

use kernel::prelude::*;

use super::Context;
use crate::rt::proc::{
    File,
    SeqFile, //
};

pub(super) struct CacheUncacheable(pub(super) Context);

impl File for CacheUncacheable {
    fn show(&self, out: &SeqFile) -> Result {
        let Some(cache) = self.0.instance.cache() else {
            return Ok(());
        };
        let mut index = 0;
        while let Some((target, reason)) = cache.refused().line(index)? {
            out.write(&target);
            writeln!(out, "  {reason}");
            index = index.saturating_add(1);
        }
        Ok(())
    }
}
