// SPDX-License-Identifier: GPL-2.0

//! `srun-count` and `srun-N`: how many backends there are, and where each of them is.
//!
//! The locks are described in [the parent module](super).

use kernel::{
    new_condvar, new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        CondVar,
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
            files <- new_mutex!(Files::default(), "Sruns::files"),
            gone <- new_condvar!("Sruns::gone"),
        }),
        GFP_KERNEL,
    )?;
    sruns.grow(&mut sruns.files.lock(), count)?;
    sruns
        .dir
        .file(c"srun-count", Mode::ReadWrite, Count(sruns.clone()))
}

/// All backends and their files.
#[pin_data]
struct Sruns {
    context: Context,
    dir: Dir,
    #[pin]
    files: Mutex<Files>,
    /// A file has gone.
    #[pin]
    gone: CondVar,
}

/// The files of the backends.
#[derive(Default)]
struct Files {
    /// That of backend N at index N.
    entries: KVec<Entry<Srun>>,
    /// A bit for each that is being removed: until then its name is taken.
    going: u64,
}

impl Files {
    /// Whether a name is taken that is needed for `count` of them.
    fn is_taken(&self, count: usize) -> bool {
        (self.entries.len()..count).any(|index| self.going & bit(index) != 0)
    }

    /// Takes out those from index `count` on, into a list that has room for them.
    fn take(&mut self, count: usize, taken: &mut KVec<Entry<Srun>>) {
        while self.entries.len() > count {
            let Some(entry) = self.entries.pop() else {
                return;
            };
            self.going |= bit(entry.index);
            let _ = taken.push_within_capacity(entry);
        }
    }
}

/// There are no more than 64.
fn bit(index: usize) -> u64 {
    1_u64.wrapping_shl(index as u32)
}

impl Sruns {
    /// Sets the number of backends and of their files: both, or neither. `EINTR` if a signal comes
    /// while it waits for a name.
    ///
    /// Returns when files that are too many have gone, which waits for their running calls. Only who
    /// needs their names waits for that, too.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn resize(&self, count: usize) -> Result {
        let mut files = self.files.lock();
        while files.is_taken(count) {
            if self.gone.wait_interruptible(&mut files) {
                return Err(EINTR);
            }
        }
        let before = files.entries.len();
        let mut taken = KVec::with_capacity(before.max(count), GFP_KERNEL)?;
        // Taking new files away again cannot fail, giving up the backends might: so the files come
        // first, and give ENOENT for the moment until their backend is there.
        let outcome = self
            .grow(&mut files, count)
            .and_then(|()| self.context.instance.set_backend_count(count));
        files.take(outcome.map_or(before, |()| count), &mut taken);
        drop(files);
        // The lowest number first: who needs that name alone waits for nobody else.
        while let Some(entry) = taken.pop() {
            self.remove(entry);
        }
        outcome
    }

    /// Makes the files that are missing to `count`; some, if it fails.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn grow(&self, files: &mut Files, count: usize) -> Result {
        // Before there is a file: none is to be removed while the lock is held.
        let before = files.entries.len();
        files
            .entries
            .reserve(count.saturating_sub(before), GFP_KERNEL)?;
        for index in before..count {
            let _ = files.entries.push_within_capacity(self.file(index)?);
        }
        Ok(())
    }

    /// Waits for the running calls of a file.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn remove(&self, entry: Entry<Srun>) {
        let bit = bit(entry.index);
        drop(entry);
        self.files.lock().going &= !bit;
        self.gone.notify_all();
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
