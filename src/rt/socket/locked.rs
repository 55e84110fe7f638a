// SPDX-License-Identifier: GPL-2.0

//! What is done under a socket's spinlock: reading, writing, finishing. None of it sleeps.
//!
//! Octets in pages are sent by reference. What is small is copied, into a page of this CPU's: to be sent
//! by reference, too, since a copy by the kernel's hands would give each new socket a large piece of
//! memory of its own, which has to be zeroed. Only larger things are left to the kernel to copy.

use super::{
    Io,
    Socket,
    State, //
};
use crate::{
    rt::{
        errno::ENOBUFS,
        pages::{
            Runs,
            PAGE,
            RUNS, //
        },
    },
    sys::bindings, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_uint, //
    },
    prelude::*,
    sync::atomic::Relaxed,
    types::NotThreadSafe, //
};

/// A socket whose spinlock is held, bottom halves off. Dropped, it is unlocked.
///
/// # Invariants
///
/// `sk` is a [`Socket`]'s; its slock is held by this value and no process owns it.
pub(super) struct Locked<'a> {
    sk: *mut bindings::sock,
    _socket: PhantomData<&'a Socket>,
    _not_send: NotThreadSafe,
}

impl<'a> Locked<'a> {
    /// Takes the spinlock of `socket`, unless a process owns the socket.
    pub(super) fn try_new(socket: &'a Socket) -> Option<Self> {
        // SAFETY: The socket is valid by its invariants.
        if !unsafe { bindings::sk_try_lock(socket.sk()) } {
            return None;
        }
        // INVARIANT: Just locked, and not owned.
        let mut locked = Self {
            sk: socket.sk(),
            _socket: PhantomData,
            _not_send: NotThreadSafe,
        };
        match socket.owed.load(Relaxed) {
            0 => {}
            octets => {
                socket.owed.store(0, Relaxed);
                locked.consume(octets);
            }
        }
        Some(locked)
    }

    /// Moves what has been received into `buf`, as much as there is and fits.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Result<Io> {
        let mut desc = bindings::read_descriptor_t {
            written: 0,
            count: buf.len(),
            ..Default::default()
        };
        desc.arg.data = buf.as_mut_ptr().cast();
        // SAFETY: By the type invariants the socket's lock is held, as both functions want; `desc`
        // is what `copy_out` wants, and `buf` outlives the call.
        let copied = unsafe {
            bindings::tcp_inline_urgent(self.sk);
            bindings::tcp_read_sock(self.sk, &mut desc, Some(copy_out))
        };
        to_result(copied.min(0))?;
        match usize::try_from(copied) {
            Ok(copied) if copied > 0 => Ok(Io::Done(copied)),
            _ => self.read_end(),
        }
    }

    /// Throws away what has been received, up to `max` octets.
    pub(super) fn discard(&mut self, max: usize) -> Result<Io> {
        let mut desc = bindings::read_descriptor_t {
            count: max,
            ..Default::default()
        };
        // SAFETY: By the type invariants the socket's lock is held, as both functions want; `pass`
        // has no wishes.
        let passed = unsafe {
            bindings::tcp_inline_urgent(self.sk);
            bindings::tcp_read_sock(self.sk, &mut desc, Some(pass))
        };
        to_result(passed.min(0))?;
        match usize::try_from(passed) {
            Ok(passed) if passed > 0 => Ok(Io::Done(passed)),
            _ => self.read_end(),
        }
    }

    /// Why there was nothing to read. A pending error is taken, so it is told once.
    fn read_end(&mut self) -> Result<Io> {
        // SAFETY: By the type invariants the socket's lock is held.
        match unsafe { bindings::tcp_read_end(self.sk) } {
            0 => Ok(Io::Wait),
            1 => Ok(Io::Eof),
            errno => Err(Error::from_errno(errno)),
        }
    }

    /// Queues `parts` for sending, as much as there is room for.
    pub(super) fn write(&mut self, parts: [&[u8]; 3], more: bool) -> Result<Io> {
        let size = parts.iter().map(|part| part.len()).sum();
        self.written(|locked| match gather(&parts, size) {
            Some(part) => locked.splice(&[part], size, more),
            None => locked.send(parts, size, more),
        })
    }

    /// Queues `head` and `runs` for sending, as much as there is room for.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn write_runs(&mut self, head: &[u8], runs: &Runs<'_>, more: bool) -> Result<Io> {
        let mut parts = [NO_PART; PARTS];
        let mut count = 0;
        if !head.is_empty() {
            let Some(part) = gather(&[head], head.len()) else {
                // The runs follow at once.
                return self.write([head, b"", b""], true);
            };
            parts[0] = part;
            count = 1;
        }
        for (place, run) in parts.iter_mut().skip(count).zip(runs.iter()) {
            *place = part(run);
            count = count.saturating_add(1);
        }
        let size = head.len().saturating_add(runs.len());
        let parts = parts.get(..count).unwrap_or(&[]);
        self.written(|locked| locked.splice(parts, size, more))
    }

    /// Refers to what has been received, up to `most` octets, as far as it can be sent by reference.
    /// `peeked` is empty.
    pub(super) fn peek(&mut self, most: usize, peeked: &mut Peeked) {
        // SAFETY: By the type invariants the socket's lock is held, as both functions want; there is room
        // for so many parts.
        // INVARIANT: `tcp_peek()` has filled so many.
        peeked.count = unsafe {
            bindings::tcp_inline_urgent(self.sk);
            bindings::tcp_peek(
                self.sk,
                peeked.parts.as_mut_ptr(),
                PARTS,
                most,
                &mut peeked.more,
            )
        };
    }

    /// Queues what another socket has received for sending, as much as there is room for.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn write_peeked(&mut self, peeked: &Peeked) -> Result<Io> {
        let parts = peeked.parts();
        let size = parts.iter().map(|part| part.bv_len as usize).sum();
        self.written(|locked| locked.splice(parts, size, peeked.more))
    }

    /// So many octets that were received are dealt with.
    fn consume(&mut self, octets: usize) {
        // SAFETY: By the type invariants the socket's lock is held.
        unsafe { bindings::tcp_read_done(self.sk, octets) }
    }

    /// What a send came to.
    fn written(&mut self, send: impl FnOnce(&mut Self) -> Result<usize>) -> Result<Io> {
        // In these states `tcp_sendmsg_locked()` gives -EAGAIN too, but what ends them is
        // `sk_state_change`, and nothing is wrong with memory.
        // SAFETY: By the type invariants the socket is valid.
        if unsafe { state(self.sk) } == State::Connecting {
            return Ok(Io::Wait);
        }
        match send(self) {
            Ok(sent) if sent > 0 => Ok(Io::Done(sent)),
            Ok(_) => Ok(Io::Retry),
            // `SOCK_NOSPACE` is set, and `tcp_check_space()` heeds it at every acknowledgement:
            // provided that there is something to be acknowledged.
            Err(EAGAIN) if !self.queues_empty() => Ok(Io::Wait),
            Err(EAGAIN | ENOMEM) => Ok(Io::Retry),
            Err(error) if error == ENOBUFS => Ok(Io::Retry),
            Err(error) => Err(error),
        }
    }

    /// `tcp_sendmsg_locked()`: octets are copied.
    fn send(&mut self, parts: [&[u8]; 3], size: usize, more: bool) -> Result<usize> {
        let parts = parts.map(kvec);
        // SAFETY: The elements of `parts` describe valid memory of `size` octets in all, which is only
        // read. By the type invariants the socket's lock is held; its `sk_socket` is there since
        // the `Socket` is; by the invariants of `Socket` no allocation sleeps, and DONTWAIT keeps
        // the rest from sleeping. `sk_flush_backlog()` would take slock again, but finds the
        // backlog empty: no process owns the socket.
        let sent =
            unsafe { bindings::tcp_send(self.sk, parts.as_ptr(), parts.len(), size, flags(more)) };
        to_result(sent.min(0))?;
        Ok(usize::try_from(sent).unwrap_or(0))
    }

    /// The same by reference: each of the parts, `size` octets in all, is what [`gather`] has made, a
    /// run of [`Runs`] or a part of [`Peeked`].
    fn splice(&mut self, parts: &[bindings::bio_vec], size: usize, more: bool) -> Result<usize> {
        // SAFETY: As above. There are no more than `PARTS`. Each is in one page, maybe a compound one, of
        // the page allocator: by `gather()` a part of one that nobody else writes to, or by the
        // invariants of `Runs` or `Peeked`.
        let sent = unsafe {
            bindings::tcp_splice(self.sk, parts.as_ptr(), parts.len(), size, flags(more))
        };
        to_result(sent.min(0))?;
        Ok(usize::try_from(sent).unwrap_or(0))
    }

    /// Acknowledges what has come, if that was put off.
    pub(super) fn acknowledge(&mut self) {
        // SAFETY: By the type invariants the socket's lock is held.
        unsafe { bindings::tcp_acknowledge(self.sk) }
    }

    /// Whether nothing is queued that the peer could acknowledge.
    fn queues_empty(&self) -> bool {
        // SAFETY: By the type invariants the socket's lock is held.
        unsafe { bindings::tcp_queues_empty(self.sk) }
    }

    /// Sends FIN after what is queued, if the connection is up and that was not done yet.
    pub(super) fn shutdown_send(&mut self) {
        // SAFETY: By the type invariants the socket's lock is held.
        unsafe { bindings::tcp_shutdown_send(self.sk) }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the lock is held.
        unsafe { bindings::sk_unlock(self.sk) }
    }
}

/// Parts that are sent at a time: runs, and a head in front of them.
const PARTS: usize = bindings::RESIN_HELPER_PARTS as usize;
const _: () = assert!(PARTS == 1 + RUNS);

/// Octets that a socket has received, by reference. Dropped in any context.
///
/// # Invariants
///
/// The first `count` parts are in pages, maybe compound ones, of each of which this value has a
/// reference. They are what a packet brought: what is done to them meanwhile, if anything, its sender
/// has done.
pub(super) struct Peeked {
    parts: [bindings::bio_vec; PARTS],
    count: usize,
    /// There is more behind them.
    more: bool,
}

/// No octets.
const NO_PART: bindings::bio_vec = bindings::bio_vec {
    bv_page: core::ptr::null_mut(),
    bv_len: 0,
    bv_offset: 0,
};

impl Peeked {
    /// No octets: [`Locked::peek`] puts some here.
    pub(super) const fn none() -> Self {
        // INVARIANT: There are no parts.
        Self {
            parts: [NO_PART; PARTS],
            count: 0,
            more: false,
        }
    }

    fn parts(&self) -> &[bindings::bio_vec] {
        self.parts.get(..self.count).unwrap_or(&[])
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Drop for Peeked {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::tcp_peeked(self.parts.as_ptr(), self.count) }
    }
}

fn flags(more: bool) -> c_uint {
    // Without NOSIGNAL an error would send SIGPIPE to whoever happens to be current.
    let flags = bindings::MSG_DONTWAIT | bindings::MSG_NOSIGNAL;
    match more {
        true => flags | bindings::MSG_MORE,
        false => flags,
    }
}

fn kvec(part: &[u8]) -> bindings::kvec {
    bindings::kvec {
        iov_base: part.as_ptr().cast_mut().cast(),
        iov_len: part.len(),
    }
}

/// Octets in the kernel's mapping of memory, as they are sent by reference.
fn part(octets: &[u8]) -> bindings::bio_vec {
    let mut part = NO_PART;
    // SAFETY: It is only worked out in which page they are.
    unsafe { bindings::part_set(&mut part, octets.as_ptr().cast(), octets.len()) };
    part
}

/// The most octets that are copied into a page of this CPU's.
const SMALL: usize = PAGE / 2;

/// Copies parts, `size` octets in all, one behind the other to where they can be sent from by reference.
/// None if they are too large, or there is no memory. With bottom halves off.
fn gather(parts: &[&[u8]], size: usize) -> Option<bindings::bio_vec> {
    if size > SMALL {
        return None;
    }
    // SAFETY: Bottom halves are off, and it is no more than a page.
    let place = NonNull::new(unsafe { bindings::frag_take(size) })?.cast::<u8>();
    let mut at = place;
    for part in parts {
        // SAFETY: All parts together have `size` octets, by this function's contract, which are ours at
        // `place` as long as bottom halves are off; what packets refer to is before that.
        unsafe {
            at.copy_from_nonoverlapping(NonNull::from(*part).cast(), part.len());
            at = at.add(part.len());
        }
    }
    let mut gathered = NO_PART;
    // SAFETY: As in `part()`.
    unsafe { bindings::part_set(&mut gathered, place.as_ptr().cast(), size) };
    Some(gathered)
}

/// The pages that small things are copied into. Dropped in process context, when there are no sockets any
/// more, it gives them back.
pub(crate) struct Frags(());

impl Frags {
    /// Once for the module.
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl Drop for Frags {
    fn drop(&mut self) {
        // SAFETY: No requirements but that nobody sends any more.
        unsafe { bindings::frags_free() }
    }
}

/// How far the connection of `sk` is. Without the lock it is a snapshot.
///
/// # Safety
///
/// `sk` is the valid socket of a [`Socket`].
pub(super) unsafe fn state(sk: *mut bindings::sock) -> State {
    // SAFETY: By the requirement of this function the socket is valid.
    match unsafe { bindings::sk_state(sk) } as c_uint {
        bindings::TCP_SYN_SENT | bindings::TCP_SYN_RECV => State::Connecting,
        bindings::TCP_ESTABLISHED | bindings::TCP_FIN_WAIT1 | bindings::TCP_FIN_WAIT2 => {
            State::Established
        }
        bindings::TCP_CLOSE_WAIT | bindings::TCP_CLOSING | bindings::TCP_LAST_ACK => {
            State::HalfClosed
        }
        _ => State::Closed,
    }
}

/// `tcp_read_sock()`'s actor: copies `len` octets of `skb` from `offset` on, or what fits.
///
/// Returns how many; 0 ends the reading.
///
/// # Safety
///
/// `skb` has `len` octets at `offset`. `desc.arg.data` is a buffer, valid for writes, of which
/// `desc.written` octets are filled and `desc.count` are not.
unsafe extern "C" fn copy_out(
    desc: *mut bindings::read_descriptor_t,
    skb: *mut bindings::sk_buff,
    offset: c_uint,
    len: usize,
) -> c_int {
    // SAFETY: By the requirements of this function, and nobody else uses it.
    let desc = unsafe { &mut *desc };
    let len = len.min(desc.count);
    // CAST: An skb is shorter than 2^31, so `len` and `offset` are too.
    let len_c = len as c_int;
    if len_c <= 0 {
        return 0;
    }
    // SAFETY: By the requirements of this function: the skb has that much at `offset`, and the
    // buffer has room for that much behind what is filled.
    let errno = unsafe {
        let to = desc.arg.data.cast::<u8>().wrapping_add(desc.written).cast();
        bindings::skb_copy_bits(skb, offset as c_int, to, len_c)
    };
    if errno != 0 {
        return errno;
    }
    desc.written = desc.written.wrapping_add(len);
    desc.count = desc.count.wrapping_sub(len);
    len_c
}

/// `tcp_read_sock()`'s actor: counts `len` octets as read, or what `desc` still asks for.
///
/// # Safety
///
/// `desc` is valid, and nobody else uses it.
unsafe extern "C" fn pass(
    desc: *mut bindings::read_descriptor_t,
    _skb: *mut bindings::sk_buff,
    _offset: c_uint,
    len: usize,
) -> c_int {
    // SAFETY: By the requirements of this function.
    let desc = unsafe { &mut *desc };
    let len = len.min(desc.count);
    desc.count = desc.count.wrapping_sub(len);
    // CAST: An skb is shorter than 2^31.
    len as c_int
}
