// SPDX-License-Identifier: GPL-2.0

//! The octets of one client connection that are on their way, and the memory that holds them.

use core::ops::DerefMut;

use crate::bytes::Buffer;
use crate::bytes::Full;
use crate::bytes::Writer;

/// Memory of a buffer, owned by the glue; it may be empty and can be made larger.
pub(crate) trait Store: DerefMut<Target = [u8]> {
    /// Makes the store at least `capacity` octets long and keeps its contents.
    ///
    /// Returns false, and changes nothing, when there is no memory.
    fn reserve(&mut self, capacity: usize) -> bool;

    /// Gives the memory back; the store is empty afterwards.
    fn release(&mut self);
}

/// The octets of one client connection that are on their way.
#[derive(Default)]
pub(crate) struct Buffers<S> {
    /// From the client, not yet used up: a request and what follows it.
    pub(crate) request: Buffer<S>,
    /// To the backend: a request head, chunk framing, trailers.
    pub(crate) to_upstream: Buffer<S>,
    /// From the backend, not yet used up.
    pub(crate) response: Buffer<S>,
    /// To the client: heads, chunk framing, trailers, pages of our own.
    pub(crate) to_client: Buffer<S>,
    /// What the log remembers of the request. The glue gives the memory back when it has logged.
    pub(crate) captured: Buffer<S>,
}

impl<S: Store> Buffers<S> {
    /// Gives all memory back. What was in the buffers is lost.
    pub(crate) fn release(&mut self) {
        for buffer in [
            &mut self.request,
            &mut self.to_upstream,
            &mut self.response,
            &mut self.to_client,
        ] {
            buffer.clear();
            buffer.store_mut().release();
        }
    }
}

/// Octets that the first allocation for a head takes: what browsers send fits.
pub(super) const FIRST_ROOM: usize = 4096;

/// Octets that our own additions to a head can take.
const HEAD_EXTRA: usize = 512;

/// The spare part of a buffer, after a first allocation if it has none.
pub(super) fn room<S: Store>(buffer: &mut Buffer<S>, first: usize) -> Option<&mut [u8]> {
    if buffer.capacity() == 0 && !buffer.store_mut().reserve(first) {
        return None;
    }
    Some(buffer.spare())
}

/// Makes a full buffer larger, up to what a head of `limit` octets needs; false if it can't.
pub(super) fn grow<S: Store>(buffer: &mut Buffer<S>, limit: usize) -> bool {
    let most = limit.saturating_add(HEAD_EXTRA);
    let wanted = buffer.capacity().saturating_mul(2).min(most);
    wanted > buffer.capacity() && buffer.store_mut().reserve(wanted)
}

/// Appends what `write` writes, of at most `most` octets, to a buffer that is made large enough.
pub(crate) fn stage<S: Store>(
    buffer: &mut Buffer<S>,
    most: usize,
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>,
) -> Result<(), Full> {
    let wanted = buffer.len().saturating_add(most).max(HEAD_EXTRA);
    if buffer.capacity() < wanted && !buffer.store_mut().reserve(wanted) {
        return Err(Full);
    }
    buffer.append(write)
}
