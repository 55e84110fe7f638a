// SPDX-License-Identifier: GPL-2.0

//! `status`: what the gateway is doing, as a table for people.

use core::fmt::{
    self,
    Display,
    Formatter, //
};
use kernel::prelude::*;

use super::Context;
use crate::{
    rt::proc::{
        File,
        SeqFile, //
    },
    server::Instance, //
};

pub(super) struct Status(pub(super) Context);

impl File for Status {
    fn show(&self, out: &SeqFile) -> Result {
        write!(out, "{}", Table(&self.0.instance));
        Ok(())
    }
}

/// The table, as something that can be printed.
struct Table<'a>(&'a Instance);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.write_status(f)
    }
}
