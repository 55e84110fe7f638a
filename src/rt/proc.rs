// SPDX-License-Identifier: GPL-2.0

//! Folders and files in a network namespace's `/proc/net`.
//!
//! What reads and writes a file is a [`File`]; what keeps it there is its [`Entry`]. A file that
//! has no end, whose readers wait for more, is a [`Stream`] and has a [`StreamEntry`]. Everybody may
//! read (unless the [`Mode`] says otherwise); to write takes `CAP_NET_ADMIN` in the user namespace
//! that owns the network namespace, and had by whoever *opened* the file, so that a privileged
//! program cannot be tricked into writing to it by its standard output.
//!
//! An open file holds its namespace, as the kernel's own files in `/proc/net` do: so when a
//! namespace goes nobody can be inside a `read()` or `write()` of its files, which last as long as
//! the caller's memory makes them last (a page fault may wait for a FUSE server or a userfaultfd).
//! The end of a namespace would wait for that, and the ends of all others behind it. When the module
//! goes its files do, and have to wait for that, whatever namespace they are in: see
//! [`Namespace::leave`](super::net::Namespace::leave).
//!
//! C headers: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h),
//! [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

mod stream;

pub(crate) use stream::{
    Stream,
    StreamEntry, //
};

use super::net::{
    HeldNet,
    Net, //
};
use crate::sys::bindings;
use core::{
    fmt,
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    sync::Arc,
    types::{
        NotThreadSafe,
        Opaque, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// The most octets in one `write()`.
const MAX_WRITE: usize = 16 << 10;

/// What a file in /proc does. Calls come from system calls (process context, may sleep), any
/// number of them at once.
pub(crate) trait File: Send + Sync + 'static {
    /// Prints the whole content. Called again, from the start, when the buffer proves too small.
    fn show(&self, out: &SeqFile) -> Result {
        let _ = out;
        Err(EACCES)
    }

    /// Takes what one `write()` wrote: 1 to [`MAX_WRITE`] octets, by a caller who may.
    ///
    /// Each `write()` is a command of its own, whatever the file's offset.
    fn store(&self, text: &[u8]) -> Result {
        let _ = text;
        Err(EACCES)
    }

    /// Told why a `write()` was refused before it reached [`File::store`].
    fn refuse(&self, why: &str) {
        let _ = why;
    }
}

/// Who may do what with a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `r--r--r--`
    ReadOnly,
    /// `rw-r--r--`
    ReadWrite,
    /// `-w-------`
    WriteOnly,
}

impl Mode {
    /// The permission bits.
    const fn bits(self) -> bindings::umode_t {
        match self {
            Mode::ReadOnly => 0o444,
            Mode::ReadWrite => 0o644,
            Mode::WriteOnly => 0o200,
        }
    }
}

/// Where [`File::show`] prints to.
///
/// # Invariants
///
/// It is a valid `struct seq_file` that only this thread uses.
#[repr(transparent)]
pub(crate) struct SeqFile(Opaque<bindings::seq_file>, NotThreadSafe);

impl SeqFile {
    /// Prints octets as they are.
    pub(crate) fn write(&self, octets: &[u8]) {
        // SAFETY: By the type invariants, and `octets` is valid for its length. What does not fit
        // is noted in the `seq_file`, which then calls `show` again with a larger buffer.
        unsafe { bindings::seq_write(self.0.get(), octets.as_ptr().cast(), octets.len()) };
    }

    /// Prints formatted text: `write!(out, "{} {}", a, b)`, with anything that
    /// [`core::fmt`] can print.
    pub(crate) fn write_fmt(&self, args: fmt::Arguments<'_>) {
        // `Writer` never fails, and what a `Display` says of itself does not matter here.
        let _ = fmt::write(&mut Writer(self), args);
    }
}

/// Prints the pieces of formatted text to a [`SeqFile`].
struct Writer<'a>(&'a SeqFile);

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// A folder below a namespace's `/proc/net`. Made and dropped in process context.
///
/// It goes away when it and the last [`Entry`] in it have been dropped. It must be gone when the
/// namespace's [`Namespace::stop`](super::net::Namespace::stop) returns.
pub(crate) struct Dir(Arc<DirInner>);

/// The folder that a [`Dir`] and its entries share.
///
/// # Invariants
///
/// `entry` is a folder in /proc that this value owns; `net` is valid as long as it is there.
struct DirInner {
    entry: NonNull<bindings::proc_dir_entry>,
    net: Net,
}

// SAFETY: Entries in /proc may be used and removed by any thread.
unsafe impl Send for DirInner {}
// SAFETY: The kernel's functions on entries do their own locking.
unsafe impl Sync for DirInner {}

impl Dir {
    /// Makes the folder `name`, which must not be there yet. It belongs to the root user of the
    /// user namespace that owns `net`, as all that is made below `/proc/net`.
    pub(crate) fn new(net: &Net, name: &CStr) -> Result<Dir> {
        // SAFETY: `net` is a valid namespace, as `Net` says; `name` is copied.
        let entry = unsafe { bindings::proc_net_folder(net.as_ptr(), name.as_char_ptr()) };
        let entry = NonNull::new(entry).ok_or(ENOMEM)?;
        // INVARIANT: The entry was just made for us; by this type's contract it is gone before
        // the namespace.
        let inner = DirInner { entry, net: *net };
        // On failure `inner` is dropped, which removes the folder.
        Ok(Dir(Arc::new(inner, GFP_KERNEL)?))
    }

    /// Makes the file `name` in this folder, which must not be there yet (a name is free again as
    /// soon as its [`Entry`] has been dropped). It can be opened before this returns.
    pub(crate) fn file<T: File>(&self, name: &CStr, mode: Mode, file: T) -> Result<Entry<T>> {
        let node = KBox::new(
            Node {
                file,
                mode,
                net: self.0.net,
            },
            GFP_KERNEL,
        )?;
        let node = KBox::into_raw(node);
        // SAFETY: The node lives until after the entry is removed.
        let entry = unsafe { self.create(name, mode, Table::<T>::get(), node.cast()) };
        let Some(entry) = entry else {
            // SAFETY: The entry was not made, so nobody but us has the node.
            drop(unsafe { KBox::from_raw(node) });
            return Err(ENOMEM);
        };
        // INVARIANT: The entry was just made for us with this node.
        Ok(Entry {
            entry,
            // SAFETY: `KBox::into_raw()` does not return null.
            node: unsafe { NonNull::new_unchecked(node) },
            _dir: Dir(self.0.clone()),
        })
    }

    /// Makes an entry in this folder; none if that cannot be done.
    ///
    /// # Safety
    ///
    /// `data` is what the functions of `table` take it for, until the entry is removed.
    unsafe fn create(
        &self,
        name: &CStr,
        mode: Mode,
        table: &'static bindings::proc_ops,
        data: *mut c_void,
    ) -> Option<NonNull<bindings::proc_dir_entry>> {
        let folder = self.0.entry.as_ptr();
        // SAFETY: The folder is valid by its type invariants, `name` is copied, the table is
        // static, and the data are good by the function's requirements.
        NonNull::new(unsafe {
            bindings::proc_create_data(name.as_char_ptr(), mode.bits(), folder, table, data)
        })
    }
}

impl Drop for DirInner {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the folder is ours. It is empty: each `Entry` holds a
        // reference to it.
        unsafe { bindings::proc_remove(self.entry.as_ptr()) }
    }
}

/// A file in /proc; dropped, it goes away.
///
/// Dropping waits for calls of the [`File`] that are running, and closes what is open: later reads
/// and writes give `EIO`. So it is done in process context, not in the file's own `show` or
/// `store`, and with no lock held that they take. Unless the namespace is going it may wait for
/// long: until whoever is inside a call leaves it or is killed.
///
/// # Invariants
///
/// `entry` is an entry in /proc that this value owns, its data is `node`, which came from a
/// [`KBox`] and is only read until the entry is removed.
pub(crate) struct Entry<T: File> {
    entry: NonNull<bindings::proc_dir_entry>,
    node: NonNull<Node<T>>,
    _dir: Dir,
}

// SAFETY: Entries in /proc may be used and removed by any thread, and `T` is `Send` and `Sync`.
unsafe impl<T: File> Send for Entry<T> {}
// SAFETY: A shared `Entry` only gives out a shared `T`, which is `Sync`.
unsafe impl<T: File> Sync for Entry<T> {}

impl<T: File> Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariants.
        unsafe { &self.node.as_ref().file }
    }
}

impl<T: File> Drop for Entry<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the entry is ours. This waits until no call uses `node`.
        unsafe { bindings::proc_remove(self.entry.as_ptr()) };
        // SAFETY: By the type invariants the node came from a `KBox`, and no call uses it now.
        drop(unsafe { KBox::from_raw(self.node.as_ptr()) });
    }
}

/// The data of an entry.
struct Node<T> {
    file: T,
    mode: Mode,
    /// Valid as long as the entry is there, as [`DirInner`] says.
    net: Net,
}

/// The `proc_ops` of the files whose [`File`] is `T`.
struct Table<T: File>(PhantomData<T>);

impl<T: File> Table<T> {
    const OPS: bindings::proc_ops = bindings::proc_ops {
        proc_open: Some(Self::open),
        proc_read_iter: Some(bindings::seq_read_iter),
        proc_write: Some(Self::write),
        proc_lseek: Some(bindings::seq_lseek),
        proc_release: Some(Self::release),
        ..pin_init::zeroed()
    };

    const fn get() -> &'static bindings::proc_ops {
        &Self::OPS
    }

    /// `open()`. From here until [`Self::release`] the file holds its namespace; `ENXIO` if that is
    /// going.
    ///
    /// # Safety
    ///
    /// To be called by procfs for an entry that [`Dir::file`] made with this table.
    unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: procfs gives a valid file.
        let data = unsafe { bindings::proc_file_data(file) };
        // SAFETY: That is a node of `T`; by the invariants of `Entry` it is only read while procfs
        // calls us.
        let node = unsafe { &*data.cast::<Node<T>>() };
        from_result(|| {
            let held = node.net.hold().map_err(|_| ENXIO)?;
            // SAFETY: As above; `show` is made for this node, which outlives the open file.
            to_result(unsafe { bindings::single_open(file, Some(Self::show), data) })?;
            held.keep();
            Ok(0)
        })
    }

    /// The last `close()`, or the removal of the entry: procfs calls this once for each open file.
    ///
    /// # Safety
    ///
    /// To be called by procfs for a file that [`Self::open`] opened.
    unsafe extern "C" fn release(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: procfs gives a valid file, whose entry's data is a node of `T`; the entry is
        // removed, and the node freed, only after this has returned.
        let net = unsafe { (*bindings::proc_file_data(file).cast::<Node<T>>()).net };
        // SAFETY: The reference that `open` kept for this file, which is given back once.
        drop(unsafe { HeldNet::kept(net) });
        // SAFETY: `open` opened the file with `single_open()`.
        unsafe { bindings::single_release(inode, file) }
    }

    /// `read()`, at offset 0 or after the buffer proved too small.
    ///
    /// # Safety
    ///
    /// To be called by seq_file for a file that [`Self::open`] opened.
    unsafe extern "C" fn show(seq: *mut bindings::seq_file, _: *mut c_void) -> c_int {
        // SAFETY: `open` stored the entry's node there; by the invariants of `Entry` it is only
        // read while procfs calls us.
        let node = unsafe { &*(*seq).private.cast::<Node<T>>() };
        // INVARIANT: seq_file calls this with its lock held.
        // SAFETY: `SeqFile` is a transparent wrapper.
        let out = unsafe { &*seq.cast::<SeqFile>() };
        from_result(|| {
            if node.mode == Mode::WriteOnly {
                return Err(EACCES);
            }
            node.file.show(out)?;
            Ok(0)
        })
    }

    /// `write()`. The offset is neither used nor moved.
    ///
    /// # Safety
    ///
    /// To be called by procfs for an entry that [`Dir::file`] made with this table.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        text: *const c_char,
        len: usize,
        _offset: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: procfs gives a valid file, whose entry's data is a node of `T`; by the
        // invariants of `Entry` it is only read while procfs calls us.
        let node = unsafe { &*bindings::proc_file_data(file).cast::<Node<T>>() };
        // SAFETY: The file is valid, and the open file holds the namespace.
        let capable = unsafe { bindings::proc_file_capable(file, node.net.as_ptr()) };
        from_result(|| {
            node.store(
                capable,
                UserSlice::new(UserPtr::from_ptr(text.cast_mut().cast()), len),
            )?;
            // No more than the longest write that is taken, so it fits.
            Ok(len as isize)
        })
    }
}

impl<T: File> Node<T> {
    /// Checks one `write()`, fetches its text and hands it on.
    fn store(&self, capable: bool, text: UserSlice) -> Result {
        if self.mode == Mode::ReadOnly {
            return Err(EACCES);
        }
        if !capable {
            self.file
                .refuse("to write takes CAP_NET_ADMIN in the network namespace's user namespace");
            return Err(EPERM);
        }
        let text = text.reader();
        if text.is_empty() {
            return Ok(());
        }
        if text.len() > MAX_WRITE {
            self.file.refuse("more than 16384 octets in one write");
            return Err(E2BIG);
        }
        let mut buffer = KVec::new();
        text.read_all(&mut buffer, GFP_KERNEL)?;
        self.file.store(&buffer)
    }
}
