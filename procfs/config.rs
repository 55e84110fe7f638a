// SPDX-License-Identifier: GPL-2.0

//! `config`: every setting with its value, `name value`, one a line.
//!
//! What is applied whole or not at all is what one `write()` carries, as of `cat FILE > config`. A
//! shell's own `echo` and `printf` write each line by itself, so there each is judged by itself.

use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

use super::{
    Context,
    Failure, //
};
use crate::{
    config::{
        Refusal,
        Settings, //
    },
    rt::proc::{
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
        let mut settings = self.context.instance.settings();
        change(&mut settings, text)?;
        Ok(self.put(&settings)?)
    }

    #[inline(never)]
    fn put(&self, settings: &Settings) -> Result {
        self.context.instance.set_settings(*settings)
    }
}

impl File for Config {
    fn show(&self, out: &SeqFile) -> Result {
        write!(out, "{}", self.context.instance.settings());
        Ok(())
    }

    fn store(&self, text: &[u8]) -> Result {
        self.context.finish(format_args!("config"), self.set(text))
    }

    fn refuse(&self, why: &str) {
        self.context.errors.record(format_args!("config: {why}"));
    }
}

#[inline(never)]
fn change(settings: &mut Settings, text: &[u8]) -> Result<(), Refusal> {
    *settings = settings.apply(text)?;
    Ok(())
}
