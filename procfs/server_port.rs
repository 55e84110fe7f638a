// SPDX-License-Identifier: GPL-2.0

//! `server_port`: the TCP port that browsers connect to, 0 for none.

use kernel::prelude::*;

use super::{
    Context,
    Failure, //
};
use crate::{
    config,
    rt::proc::{
        File,
        SeqFile, //
    },
};

pub(super) struct ServerPort(pub(super) Context);

impl ServerPort {
    #[inline(never)]
    fn set(&self, text: &[u8]) -> Result<(), Failure> {
        let port = config::parse_port(text)?;
        Ok(self.0.instance.set_port(port)?)
    }
}

impl File for ServerPort {
    fn show(&self, out: &SeqFile) -> Result {
        writeln!(out, "{}", self.0.instance.port());
        Ok(())
    }

    fn store(&self, text: &[u8]) -> Result {
        self.0.finish(format_args!("server_port"), self.set(text))
    }

    fn refuse(&self, why: &str) {
        self.0.errors.record(format_args!("server_port: {why}"));
    }
}
