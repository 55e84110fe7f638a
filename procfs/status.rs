// SPDX-License-Identifier: GPL-2.0

//! `status`: what the gateway is doing, as a table for people.

use kernel::prelude::*;

use super::Context;
use crate::{
    rt::proc::{
        File,
        SeqFile, //
    },
    status::Format, //
};

pub(super) struct Status(pub(super) Context);

impl File for Status {
    fn show(&self, out: &SeqFile) -> Result {
        out.write(&self.0.instance.report(Format::Text)?);
        Ok(())
    }
}
