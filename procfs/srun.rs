// SPDX-License-Identifier: GPL-2.0

//! `srun-count` and `srun-N`: how many backends there are, and where each of them is.
//!
//! The locks are described in [the parent module](super).

use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
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
    config::{
        self,
        Backend, //
    },
    rt::proc::{
        Dir,
        Entry,
        File,
        Mode,
        SeqFile, //
    },
};

/// Makes `srun-count`, and with it a file for each backend that there is. They go with it.
#[inline(never)]
pub(super) fn files(dir: Dir, context: Context) -> Result<Entry<Count>> {
    let count = context.instance.backend_count();
    let sruns = Arc::pin_init(
        try_pin_init!(Sruns {
            context,
            dir,
            entries <- new_mutex!(KVec::new(), "Sruns::entries"),
        }),
        GFP_KERNEL,
    )?;
    let mut entries = sruns.entries.lock();
    sruns.grow(&mut entries, count)?;
    drop(entries);
    sruns
        .dir
        .file(c"srun-count", Mode::ReadWrite, Count(sruns.clone()))
}

/// The files of the backends.
#[pin_data]
struct Sruns {
    context: Context,
    dir: Dir,
    /// The file of backend N at index N.
    #[pin]
    entries: Mutex<KVec<Entry<Srun>>>,
}

impl Sruns {
    /// Sets the number of backends and of their files: both, or neither.
    fn resize(&self, count: usize) -> Result {
        let mut entries = self.entries.lock();
        let before = entries.len();
        if count < before {
            self.context.instance.set_backend_count(count)?;
        } else {
            self.grow(&mut entries, count)?;
            // Taking the new files away again cannot fail, giving up the backends might: so the
            // files come first, and give ENOENT for the moment until their backend is there.
            self.context
                .instance
                .set_backend_count(count)
                .inspect_err(|_| entries.truncate(before))?;
        }
        // Waits for the running calls of these files. None of them takes the lock held here.
        entries.truncate(count);
        Ok(())
    }

    /// Makes the files that are missing to `count`: all, or none.
    fn grow(&self, entries: &mut KVec<Entry<Srun>>, count: usize) -> Result {
        let before = entries.len();
        (before..count)
            .try_for_each(|index| Ok(entries.push(self.file(index)?, GFP_KERNEL)?))
            .inspect_err(|_: &Error| entries.truncate(before))
    }

    fn file(&self, index: usize) -> Result<Entry<Srun>> {
        let name = CString::try_from_fmt(fmt!("srun-{index}"))?;
        let srun = Srun {
            context: self.context.clone(),
            index,
        };
        self.dir.file(&name, Mode::ReadWrite, srun)
    }
}

/// `srun-count`
pub(super) struct Count(Arc<Sruns>);

impl Count {
    #[inline(never)]
    fn set(&self, text: &[u8]) -> Result<(), Failure> {
        let count = config::parse_count(text)?;
        Ok(self.0.resize(count)?)
    }
}

impl File for Count {
    fn show(&self, out: &SeqFile) -> Result {
        writeln!(out, "{}", self.0.context.instance.backend_count());
        Ok(())
    }

    fn store(&self, text: &[u8]) -> Result {
        self.0
            .context
            .finish(format_args!("srun-count"), self.set(text))
    }

    fn refuse(&self, why: &str) {
        let errors = &self.0.context.errors;
        errors.record(format_args!("srun-count: {why}"));
    }
}

/// `srun-N`
struct Srun {
    context: Context,
    /// N, counted from 0.
    index: usize,
}

impl Srun {
    #[inline(never)]
    fn set(&self, text: &[u8]) -> Result<(), Failure> {
        let mut backend = Backend::default();
        backend.read(text)?;
        Ok(self.put(&backend)?)
    }

    #[inline(never)]
    fn put(&self, backend: &Backend) -> Result {
        self.context.instance.set_backend(self.index, *backend)
    }
}

impl File for Srun {
    fn show(&self, out: &SeqFile) -> Result {
        let backend = self.context.instance.backend(self.index).ok_or(ENOENT)?;
        writeln!(out, "{backend}");
        Ok(())
    }

    fn store(&self, text: &[u8]) -> Result {
        self.context
            .finish(format_args!("srun-{}", self.index), self.set(text))
    }

    fn refuse(&self, why: &str) {
        let errors = &self.context.errors;
        errors.record(format_args!("srun-{}: {why}", self.index));
    }
}
