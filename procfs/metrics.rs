// SPDX-License-Identifier: GPL-2.0

//! `metrics`: what is counted, as OpenMetrics 1.0.

use kernel::prelude::*;

use super::Context;
use crate::{
    rt::proc::{
        File,
        SeqFile, //
    },
    status::Format, //
};

pub(super) struct Metrics(pub(super) Context);

impl File for Metrics {
    fn show(&self, out: &SeqFile) -> Result {
        out.write(&self.0.instance.report(Format::OpenMetrics)?);
        Ok(())
    }
}
