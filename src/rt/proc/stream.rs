// SPDX-License-Identifier: GPL-2.0

//! Files in /proc that have no end: whoever has read all there is waits for more.
//!
//! Each open file has a reader of its own, with its own place in the stream. It gets what there is
//! in pieces of whole lines, at most [`ROOM`] octets at a time, and can go back within the last of
//! them, which `head` does.
//!
//! # The end
//!
//! `tail` prints nothing before it has seen an end. So a reader that asks for it (`SEEK_END`) is
//! told once: the first read that finds nothing returns 0. Afterwards it waits like the others, and
//! finds the file's size to be more than it has read, which `tail -f` takes for a reason to read.
//!
//! # When the file goes
//!
//! Removing an entry of /proc waits for the calls that are running, so those that sleep are woken
//! first and told to return: `read()` gives 0, as at the end of a pipe whose writer is gone. After
//! the removal every call fails with `EIO` before it comes here. Pollers: see
//! [`Waiters`](crate::rt::wait::Waiters).
//!
//! Unlike other files here one that is followed does not hold its namespace: followers stay for
//! good, the namespace need not. It is held while octets are copied out, which lasts as long as the
//! reader's memory makes it last; so whoever is inside a call when a namespace goes leaves it soon.

use super::{
    Dir,
    Mode, //
};
use crate::{
    rt::{
        net::Net,
        wait::Waiters, //
    },
    sys::bindings, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::from_result,
    iov::IovIterDest,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Mutex, //
    },
};

/// A stream of octets that any number of readers follow, each for itself. Calls come from system
/// calls (process context, may sleep), any number of them at once.
pub(crate) trait Stream: Send + Sync + 'static {
    /// One reader's place in the stream.
    type Reader: Send + Unpin;

    /// A new reader.
    fn open(&self) -> Result<Self::Reader>;

    /// Writes what is next for `reader` to the front of `out`, whole lines, and says how many
    /// octets. 0 if there is nothing now.
    fn fill(&self, reader: &mut Self::Reader, out: &mut [u8]) -> Result<usize>;

    /// Whether there is something for `reader`.
    fn is_ready(&self, reader: &Self::Reader) -> bool;

    /// A number that changes whenever there is something new for anybody. Must not sleep.
    fn version(&self) -> u64;

    /// Those who wait for this stream. Whoever adds to it asks them whether they want to hear.
    fn waiters(&self) -> &Waiters;
}

/// Octets that a reader gets at a time; no line may be longer. As many as `head` reads, so that it
/// can go back.
const ROOM: usize = 8192;

/// One open file.
#[pin_data]
struct Open<R> {
    #[pin]
    place: Mutex<Place<R>>,
    end: Atomic<u32>,
}

/// Nobody has asked for the end.
const NOT_ASKED: u32 = 0;
/// The reader is to be told when it gets there.
const ASKED: u32 = 1;
/// It was told.
const TOLD: u32 = 2;

/// Where a reader is.
///
/// # Invariants
///
/// `next <= filled <= buffer.len()`; `position >= next`.
struct Place<R> {
    reader: R,
    /// Of no length before the first read, then of [`ROOM`].
    buffer: KVec<u8>,
    /// How much of the buffer was filled last.
    filled: usize,
    /// How much of that was handed out.
    next: usize,
    /// Octets that were handed out in all.
    position: usize,
}

impl<R> Place<R> {
    /// Hands out what is next. None if there is nothing.
    fn read<T>(&mut self, stream: &T, out: &mut IovIterDest<'_>) -> Result<Option<usize>>
    where
        T: Stream<Reader = R>,
    {
        if self.next == self.filled {
            if self.buffer.is_empty() {
                self.buffer.resize(ROOM, 0, GFP_KERNEL_ACCOUNT)?;
            }
            // INVARIANT: Nothing is left of what was there before.
            (self.next, self.filled) = (0, 0);
            let filled = stream.fill(&mut self.reader, &mut self.buffer)?;
            self.filled = filled.min(self.buffer.len());
        }
        let octets = self.buffer.get(self.next..self.filled).unwrap_or(&[]);
        if octets.is_empty() {
            return Ok(None);
        }
        let taken = out.copy_to_iter(octets);
        if taken == 0 {
            return Err(EFAULT);
        }
        // INVARIANT: No more than there was.
        self.next = self.next.saturating_add(taken);
        self.position = self.position.saturating_add(taken);
        Ok(Some(taken))
    }

    /// Goes back, or forth again, within what was read last.
    fn seek(&mut self, position: i64) -> Result {
        let first = self.position.saturating_sub(self.next);
        let position = usize::try_from(position)?;
        let next = position.checked_sub(first).ok_or(EINVAL)?;
        if next > self.filled {
            return Err(EINVAL);
        }
        // INVARIANT: Just checked.
        (self.next, self.position) = (next, position);
        Ok(())
    }
}

impl<R> Open<R> {
    /// What the file's size must be above of, for readers who look there for news.
    ///
    /// # Safety
    ///
    /// `file` is open, and this is called in a call on it.
    unsafe fn show_growth(&self, file: *const bindings::file, position: usize) {
        if self.end.load(Relaxed) != NOT_ASKED {
            let size = i64::try_from(position).unwrap_or(0).saturating_add(1);
            // SAFETY: By the requirement of this function.
            unsafe { bindings::stream_grown(file, size) };
        }
    }

    /// Whether the reader has to be told now that it is at the end.
    fn tells_end(&self) -> bool {
        self.end.cmpxchg(ASKED, TOLD, Relaxed).is_ok()
    }
}

impl Dir {
    /// Makes the file `name` in this folder, to be read by all. As [`Dir::file`] otherwise.
    pub(crate) fn stream<T: Stream>(&self, name: &CStr, stream: T) -> Result<StreamEntry<T>> {
        let net = self.0.net;
        let node = KBox::into_raw(KBox::new(Node { stream, net }, GFP_KERNEL)?);
        // SAFETY: The node lives until after the entry is removed.
        let entry = unsafe { self.create(name, Mode::ReadOnly, &Table::<T>::OPS, node.cast()) };
        let Some(entry) = entry else {
            // SAFETY: The entry was not made, so nobody but us has the node.
            drop(unsafe { KBox::from_raw(node) });
            return Err(ENOMEM);
        };
        // INVARIANT: The entry was just made for us with this node.
        Ok(StreamEntry {
            entry,
            // SAFETY: `KBox::into_raw()` does not return null.
            node: unsafe { NonNull::new_unchecked(node) },
            _dir: Dir(self.0.clone()),
        })
    }
}

/// A [`Stream`] as a file in /proc; dropped, it goes away.
///
/// Dropping has everybody who sleeps in a call return, waits for that, and closes what is open. So
/// it is done in process context, and with no lock held that the stream takes.
///
/// # Invariants
///
/// `entry` is an entry in /proc that this value owns, its data is `node`, which came from a
/// [`KBox`] and is only read until the entry is removed.
pub(crate) struct StreamEntry<T: Stream> {
    entry: NonNull<bindings::proc_dir_entry>,
    node: NonNull<Node<T>>,
    _dir: Dir,
}

/// The data of an entry.
struct Node<T> {
    stream: T,
    /// Used while the entry is there.
    net: Net,
}

// SAFETY: Entries in /proc may be used and removed by any thread, and `T` is `Send` and `Sync`.
unsafe impl<T: Stream> Send for StreamEntry<T> {}
// SAFETY: A shared `StreamEntry` gives out nothing.
unsafe impl<T: Stream> Sync for StreamEntry<T> {}

impl<T: Stream> Drop for StreamEntry<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the node came from a `KBox` and is there until its end
        // below.
        let waiters = unsafe { self.node.as_ref() }.stream.waiters();
        // Those who sleep are inside of calls, which the removal waits for.
        waiters.close();
        // Those who poll have to ask us once more: procfs alone would not say to all of them that it
        // is over.
        waiters.expel();
        // SAFETY: By the type invariants the entry is ours. This waits until no call uses `node`.
        unsafe { bindings::proc_remove(self.entry.as_ptr()) };
        // SAFETY: By the type invariants the node came from a `KBox`, and no call uses it now.
        drop(unsafe { KBox::from_raw(self.node.as_ptr()) });
    }
}

/// The `proc_ops` of the files whose [`Stream`] is `T`.
///
/// All of its functions are to be called by procfs, for an entry that [`Dir::stream`] made with
/// this table; those with an open file, for one that [`Self::open`] opened.
struct Table<T: Stream>(PhantomData<T>);

impl<T: Stream> Table<T> {
    const OPS: bindings::proc_ops = bindings::proc_ops {
        proc_open: Some(Self::open),
        proc_read_iter: Some(Self::read),
        proc_write: Some(Self::write),
        proc_lseek: Some(Self::seek),
        proc_poll: Some(Self::poll),
        proc_release: Some(Self::release),
        ..pin_init::zeroed()
    };

    /// The stream and the reader of an open file.
    ///
    /// # Safety
    ///
    /// `file` was opened by [`Self::open`], and procfs is calling us for it.
    unsafe fn of<'a>(file: *mut bindings::file) -> (&'a Node<T>, &'a Open<T::Reader>) {
        // SAFETY: The entry's data is a node until the entry is removed, which waits for this call;
        // `open` parked the other, which `release` takes back after all other calls.
        unsafe {
            (
                &*bindings::proc_file_data(file).cast::<Node<T>>(),
                &*(*file).private_data.cast::<Open<T::Reader>>(),
            )
        }
    }

    /// `open()`.
    ///
    /// # Safety
    ///
    /// See [`Table`].
    unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: procfs gives a valid file, whose entry's data is a node while procfs calls us.
        let stream = unsafe { &(*bindings::proc_file_data(file).cast::<Node<T>>()).stream };
        from_result(|| {
            let place = Place {
                reader: stream.open()?,
                buffer: KVec::new(),
                filled: 0,
                next: 0,
                position: 0,
            };
            let open = KBox::pin_init(
                pin_init!(Open {
                    place <- new_mutex!(place, "Open::place"),
                    end: Atomic::new(NOT_ASKED),
                }),
                GFP_KERNEL_ACCOUNT,
            )?;
            // SAFETY: It stays where it is until `release` takes it back.
            let open = KBox::into_raw(unsafe { Pin::into_inner_unchecked(open) });
            // SAFETY: The file is valid, and nobody else knows it yet.
            unsafe {
                (*file).private_data = open.cast();
                bindings::stream_open(file);
            }
            Ok(0)
        })
    }

    /// `read()` and its relatives.
    ///
    /// # Safety
    ///
    /// See [`Table`].
    unsafe extern "C" fn read(iocb: *mut bindings::kiocb, out: *mut bindings::iov_iter) -> isize {
        // SAFETY: procfs gives a valid request, for an open file of ours.
        let (file, nowait) = unsafe { ((*iocb).ki_filp, bindings::stream_nowait(iocb)) };
        // SAFETY: As above.
        let (node, open) = unsafe { Self::of(file) };
        // SAFETY: It is the destination of a read, and ours for this call.
        let out = unsafe { IovIterDest::from_raw(out) };
        from_result(|| {
            if out.is_empty() {
                return Ok(0);
            }
            let (taken, position) = open.read(node, nowait, out)?;
            // SAFETY: The request is valid, and ours for this call.
            unsafe { (*iocb).ki_pos = i64::try_from(position)? };
            // SAFETY: This is a call on it.
            unsafe { open.show_growth(file, position) };
            Ok(isize::try_from(taken)?)
        })
    }

    /// `write()`.
    ///
    /// # Safety
    ///
    /// See [`Table`].
    unsafe extern "C" fn write(
        _file: *mut bindings::file,
        _text: *const c_char,
        _len: usize,
        _offset: *mut bindings::loff_t,
    ) -> isize {
        EACCES.to_errno() as isize
    }

    /// `lseek()`: within what was read last, and to ask for the end.
    ///
    /// # Safety
    ///
    /// See [`Table`].
    unsafe extern "C" fn seek(
        file: *mut bindings::file,
        offset: bindings::loff_t,
        whence: c_int,
    ) -> bindings::loff_t {
        // SAFETY: procfs gives an open file of ours.
        let (_, open) = unsafe { Self::of(file) };
        from_result(|| {
            let mut place = open.place.lock();
            let here = i64::try_from(place.position)?;
            match (whence as u32, offset) {
                (bindings::SEEK_SET, _) => place.seek(offset)?,
                (bindings::SEEK_CUR, _) => place.seek(here.checked_add(offset).ok_or(EINVAL)?)?,
                (bindings::SEEK_END, 0) => {
                    // One that was told already has asked before.
                    let _ = open.end.cmpxchg(NOT_ASKED, ASKED, Relaxed);
                }
                _ => return Err(EINVAL),
            }
            let position = i64::try_from(place.position)?;
            // SAFETY: The file is valid. Calls on the same open file are not ordered, as for any
            // stream.
            unsafe { (*file).f_pos = position };
            Ok(position)
        })
    }

    /// `poll()` and its relatives.
    ///
    /// # Safety
    ///
    /// See [`Table`].
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: procfs gives an open file of ours.
        let (node, open) = unsafe { Self::of(file) };
        let stream = &node.stream;
        let waiters = stream.waiters();
        if !waiters.is_closed() {
            // SAFETY: Both are from procfs. The removal of the entry waits for this call, and the
            // waiters are there until after it.
            unsafe { waiters.register(file, table) };
            waiters.arm();
        }
        // Somebody who is reading may be stuck in his own memory.
        let readable = open
            .place
            .try_lock()
            .is_none_or(|place| place.next < place.filled || stream.is_ready(&place.reader));
        // SAFETY: It only looks at its arguments.
        unsafe { bindings::stream_events(readable, waiters.is_closed()) }
    }

    /// The last `close()`, or the removal of the entry.
    ///
    /// # Safety
    ///
    /// See [`Table`].
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `open` parked it there, and no other call on this file is running or will come.
        drop(unsafe {
            Pin::new_unchecked(KBox::from_raw(
                (*file).private_data.cast::<Open<T::Reader>>(),
            ))
        });
        0
    }
}

impl<R: Unpin> Open<R> {
    /// Waits until there is something, and hands it out. Returns how much, and the reader's place
    /// after it.
    fn read<T: Stream<Reader = R>>(
        &self,
        node: &Node<T>,
        nowait: bool,
        out: &mut IovIterDest<'_>,
    ) -> Result<(usize, usize)> {
        let stream = &node.stream;
        let waiters = stream.waiters();
        loop {
            let version = stream.version();
            let held = node.net.hold();
            let mut place = self.place.lock();
            let position = place.position;
            if held.is_err() {
                // The namespace is going: the file is too.
                return Ok((0, position));
            }
            let taken = place.read(stream, out)?;
            let position = position.saturating_add(taken.unwrap_or(0));
            drop(place);
            drop(held);
            // Also after a read that was not the last: an edge-triggered poller may take it for it.
            waiters.arm();
            if let Some(taken) = taken {
                return Ok((taken, position));
            }
            if waiters.is_closed() {
                return Ok((0, position));
            }
            if stream.version() != version {
                continue;
            }
            if self.tells_end() {
                return Ok((0, position));
            }
            if nowait {
                return Err(EAGAIN);
            }
            waiters.wait_until(|| {
                waiters.arm();
                waiters.is_closed() || stream.version() != version
            })?;
        }
    }
}
