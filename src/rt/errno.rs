// SPDX-License-Identifier: GPL-2.0

//! Error numbers that `kernel::error::code` does not have in every kernel we build for.
//!
//! C header: [`include/uapi/asm-generic/errno.h`](srctree/include/uapi/asm-generic/errno.h)

use crate::sys::bindings;
use kernel::{
    error::Error,
    ffi::c_int, //
};

/// An error number; compare an [`Error`] with it, or turn it into one.
#[derive(Clone, Copy)]
pub(crate) struct Errno(u32);

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        // CAST: Error numbers are below 4096.
        Error::from_errno(-(errno.0 as c_int))
    }
}

impl PartialEq<Errno> for Error {
    fn eq(&self, errno: &Errno) -> bool {
        *self == Error::from(*errno)
    }
}

/// Operation not supported.
pub(crate) const EOPNOTSUPP: Errno = Errno(bindings::EOPNOTSUPP);
/// Address already in use.
pub(crate) const EADDRINUSE: Errno = Errno(bindings::EADDRINUSE);
/// There is no address or port left to speak from.
pub(crate) const EADDRNOTAVAIL: Errno = Errno(bindings::EADDRNOTAVAIL);
/// The kernel does not speak this family of addresses.
pub(crate) const EAFNOSUPPORT: Errno = Errno(bindings::EAFNOSUPPORT);
/// Connection ended before it was accepted.
pub(crate) const ECONNABORTED: Errno = Errno(bindings::ECONNABORTED);
/// The end of the namespace has begun.
pub(crate) const ESHUTDOWN: Errno = Errno(bindings::ESHUTDOWN);
/// No more files, or no memory for one: what making a socket fails with.
pub(crate) const ENFILE: Errno = Errno(bindings::ENFILE);
/// No buffer space available.
pub(crate) const ENOBUFS: Errno = Errno(bindings::ENOBUFS);
