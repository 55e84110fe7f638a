// SPDX-License-Identifier: GPL-2.0

//! /proc/net/resin of one network namespace: one file here for each family of files there.
//!
//! What a text means is decided by [`crate::config`], what it does by [`crate::server`]; these
//! files only carry it from one to the other. A write that is refused changes nothing, gives an
//! error number, and says why in `last-error` and in the kernel log.
//!
//! Functions that hold a failure are not inlined into each other: the kernel's stack is small.
//!
//! To add a file: a module with a type that is a [`File`](crate::rt::proc::File), and its entry in
//! [`Tree`].
//!
//! # Locking
//!
//! All calls come from system calls and may sleep; any number run at once. From the outside in:
//!
//! 1. `Sruns::files` (a mutex) is taken by the `store` of `srun-count` and by nothing else. It is
//!    held while `srun-N` files are made, and not while they are removed: that waits for their
//!    running calls, which last as long as the callers' memory makes them last.
//! 2. `Edited::writing` (a mutex), one for `config`, one for `cache`, one for `cache-mapping`: taken by
//!    the `store` of that file and by nothing else. Two writers that each change a line do not undo
//!    each other's.
//! 3. The server's own locks.
//! 4. `LastError::state` (a mutex), innermost: nothing is called under it but `printk`.
//!
//! Dropping a [`Tree`] takes none of these. It removes `srun-count` first, which waits for resizes
//! that are running; after that nobody makes or removes files but the drop itself.

mod cache;
mod cache_clear;
mod cache_entries;
mod cache_mapping;
mod cache_uncacheable;
mod config;
mod edited;
mod last_error;
mod log;
mod metrics;
mod server_port;
mod srun;
mod status;

use core::fmt::{
    self,
    Display,
    Formatter, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

use self::{
    cache::Cache,
    cache_clear::CacheClear,
    cache_entries::CacheEntries,
    cache_mapping::CacheMapping,
    cache_uncacheable::CacheUncacheable,
    config::Config,
    edited::{
        Edited,
        Part, //
    },
    last_error::LastError,
    log::Lines,
    metrics::Metrics,
    server_port::ServerPort,
    srun::Count,
    status::Status, //
};
use crate::{
    config::{
        Kind,
        Refusal, //
    },
    rt::{
        errno::{
            EADDRINUSE,
            EOPNOTSUPP, //
        },
        net::Net,
        proc::{
            Dir,
            Entry,
            File,
            Mode,
            StreamEntry, //
        },
    },
    server::Instance, //
};

/// /proc/net/resin and all its files. Made and dropped in process context, with no lock held that
/// the [`Instance`] takes in its methods.
pub(crate) struct Tree {
    // Dropped in this order: whoever makes files goes first. The folder goes with the last file.
    _count: Entry<Count>,
    _server_port: Entry<ServerPort>,
    _config: Entry<Edited<Config>>,
    _cache: Entry<Edited<Cache>>,
    _cache_mapping: Entry<Edited<CacheMapping>>,
    _cache_clear: Entry<CacheClear>,
    _cache_entries: Entry<CacheEntries>,
    _cache_uncacheable: Entry<CacheUncacheable>,
    _status: Entry<Status>,
    _metrics: Entry<Metrics>,
    _log: StreamEntry<Lines>,
    _last_error: Entry<last_error::Reader>,
}

impl Tree {
    /// Makes the folder and its files for `instance` in the namespace `net`.
    #[inline(never)]
    pub(crate) fn new(net: &Net, instance: Arc<Instance>) -> Result<KBox<Self>> {
        let dir = Dir::new(net, c"resin")?;
        let errors = LastError::new(net)?;
        let context = Context { instance, errors };
        // In its place from the start: it is too large for the stack.
        let tree = try_init!(Self {
            _last_error: dir.file(
                c"last-error",
                Mode::ReadOnly,
                last_error::Reader(context.errors.clone()),
            )?,
            _metrics: dir.file(c"metrics", Mode::ReadOnly, Metrics(context.clone()))?,
            _log: dir.stream(c"log", Lines(context.instance.log()))?,
            _status: dir.file(c"status", Mode::ReadOnly, Status(context.clone()))?,
            _cache_uncacheable: shown(
                &dir,
                c"cache-uncacheable",
                CacheUncacheable(context.clone())
            )?,
            _cache_entries: shown(&dir, c"cache-entries", CacheEntries(context.clone()))?,
            _cache_clear: dir.file(c"cache-clear", Mode::WriteOnly, CacheClear(context.clone()))?,
            _cache_mapping: edited(&dir, c"cache-mapping", &context)?,
            _cache: edited(&dir, c"cache", &context)?,
            _config: edited(&dir, c"config", &context)?,
            _server_port: dir.file(c"server_port", Mode::ReadWrite, ServerPort(context.clone()))?,
            _count: srun::files(dir, context)?,
        });
        KBox::try_init(tree, GFP_KERNEL)
    }
}

/// Makes the file of a part of the configuration.
#[inline(never)] // Keeps its frame out of its caller's.
fn edited<P: Part>(dir: &Dir, name: &CStr, context: &Context) -> Result<Entry<Edited<P>>> {
    dir.file(name, Mode::ReadWrite, Edited::new(context.clone())?)
}

/// Makes a file that only shows something.
#[inline(never)] // Keeps its frame out of its caller's.
fn shown<F: File>(dir: &Dir, name: &CStr, file: F) -> Result<Entry<F>> {
    dir.file(name, Mode::ReadOnly, file)
}

/// What every file here works on.
#[derive(Clone)]
struct Context {
    instance: Arc<Instance>,
    errors: Arc<LastError>,
}

impl Context {
    /// Ends a `store`: if it failed, keeps and logs why, and returns the error for the writer.
    #[inline(never)]
    fn finish(&self, file: fmt::Arguments<'_>, outcome: Result<(), Failure>) -> Result {
        outcome.map_err(|failure| {
            self.errors.record(format_args!("{file}: {failure}"));
            failure.error()
        })
    }
}

/// Why a write was not taken.
enum Failure {
    /// The text is wrong.
    Text(Refusal),
    /// The text is right, but the server could not do it.
    Server(Error),
}

impl Failure {
    fn error(&self) -> Error {
        match self {
            Failure::Text(refusal) => match refusal.kind() {
                Kind::Invalid => EINVAL,
                Kind::Range => ERANGE,
                Kind::Unsupported => EOPNOTSUPP.into(),
            },
            Failure::Server(error) => *error,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Text(refusal)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Server(error)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Text(refusal) => Display::fmt(refusal, f),
            Failure::Server(error) if *error == EADDRINUSE => {
                f.write_str("another socket listens on that port")
            }
            Failure::Server(error) if *error == ENOMEM => f.write_str("out of memory"),
            Failure::Server(error) if *error == EINTR => {
                f.write_str("interrupted while somebody was reading a file that has to go first")
            }
            Failure::Server(error) => write!(f, "failed with {error:?}"),
        }
    }
}
