// SPDX-License-Identifier: GPL-2.0

//! `config`: every setting with its value, `name value`, one a line.
//!
//! What is applied whole or not at all is what one `write()` carries, as of `cat FILE > config`. A
//! shell's own `echo` and `printf` write each line by itself, so there each is judged by itself.
//! One write takes 16384 octets, which hold the longest text that this file can print; a file with
//! long comments is written in parts, a line being the least.

use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

use super::{
    Context,
    Failure, //
};
use crate::rt::{
    memory,
    proc::{
        File,
        SeqFile, //
    },
};

pub(super) struct Config {
    context: Context,
    /// Held from reading the settings until they are replaced.
    writing: Pin<KBox<Mutex<()>>>,
}

impl Config {
    pub(super) fn new(context: Context) -> Result<Self> {
        Ok(Self {
            context,
            writing: KBox::pin_init(new_mutex!((), "Config::writing"), GFP_KERNEL)?,
        })
    }

    #[inline(never)]
    fn set(&self, text: &[u8]) -> Result<(), Failure> {
        let _writing = self.writing.lock();
        let present = self.context.instance.settings();
        // Dropped on a refusal, when it is half changed.
        let mut settings = memory::duplicate(&*present)?;
        settings.apply(text)?;
        Ok(self.context.instance.set_settings(settings.into())?)
    }
}

impl File for Config {
    fn show(&self, out: &SeqFile) -> Result {
        write!(out, "{}", &*self.context.instance.settings());
        Ok(())
    }

    fn store(&self, text: &[u8]) -> Result {
        self.context.finish(format_args!("config"), self.set(text))
    }

    fn refuse(&self, why: &str) {
        self.context.errors.record(format_args!("config: {why}"));
    }
}
