// SPDX-License-Identifier: GPL-2.0

//! Files that show a part of the configuration and take texts that change it: `config`, `cache`,
//! `cache-mapping`.
//!
//! What is applied whole or not at all is what one `write()` carries, as of `cat FILE > config`. A
//! shell's own `echo` and `printf` write each line by itself, so there each is judged by itself.
//! One write takes 16384 octets, which hold the longest text that such a file can print; a file with
//! long comments is written in parts, a line being the least.

use core::{
    fmt::Display,
    marker::PhantomData, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

use super::{
    Context,
    Failure, //
};
use crate::{
    config::Refusal,
    rt::{
        memory,
        proc::{
            File,
            SeqFile, //
        },
    },
    server::Instance, //
};

/// A part of the configuration that has a file.
pub(super) trait Part: Send + Sync + 'static {
    /// The name of the file.
    const FILE: &'static str;

    /// Prints as what can be written.
    type Value: Display;

    /// What is in force.
    fn present(instance: &Instance) -> Arc<Self::Value>;

    /// What a text makes of that.
    fn changed(present: &Self::Value, text: &[u8]) -> Result<Arc<Self::Value>, Failure>;

    /// Puts another value in force.
    fn put(instance: &Instance, value: Arc<Self::Value>) -> Result;
}

/// What a text makes of a table of settings: `apply` changes a copy.
pub(super) fn changed<T: Copy>(
    present: &T,
    text: &[u8],
    apply: impl FnOnce(&mut T, &[u8]) -> Result<(), Refusal>,
) -> Result<Arc<T>, Failure> {
    // Dropped on a refusal, when it is half changed.
    let mut settings = memory::duplicate(present)?;
    apply(&mut settings, text)?;
    Ok(settings.into())
}

/// The file of a part.
pub(super) struct Edited<P> {
    context: Context,
    /// Held from reading the value until it is replaced.
    writing: Pin<KBox<Mutex<()>>>,
    part: PhantomData<P>,
}

impl<P: Part> Edited<P> {
    pub(super) fn new(context: Context) -> Result<Self> {
        Ok(Self {
            context,
            writing: KBox::pin_init(new_mutex!((), "Edited::writing"), GFP_KERNEL)?,
            part: PhantomData,
        })
    }

    #[inline(never)]
    fn set(&self, text: &[u8]) -> Result<(), Failure> {
        let _writing = self.writing.lock();
        let instance = &self.context.instance;
        let value = P::changed(&P::present(instance), text)?;
        Ok(P::put(instance, value)?)
    }
}

impl<P: Part> File for Edited<P> {
    fn show(&self, out: &SeqFile) -> Result {
        write!(out, "{}", &*P::present(&self.context.instance));
        Ok(())
    }

    fn store(&self, text: &[u8]) -> Result {
        self.context
            .finish(format_args!("{}", P::FILE), self.set(text))
    }

    fn refuse(&self, why: &str) {
        let errors = &self.context.errors;
        errors.record(format_args!("{}: {why}", P::FILE));
    }
}
