// SPDX-License-Identifier: GPL-2.0

//! Octets: spans, buffers, bounded output, numbers, character classes, fast scanning.

use core::fmt;
use core::ops::DerefMut;

/// A range of a buffer that somebody else owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// The span of nothing.
    pub(crate) const EMPTY: Span = Span { start: 0, len: 0 };

    /// The octets from `start` up to `end`; empty if that is no range of 32-bit numbers.
    pub(crate) fn between(start: usize, end: usize) -> Span {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) => Span { start, len: end.saturating_sub(start) },
            _ => Span::EMPTY,
        }
    }

    /// The octets themselves; none if the buffer is too short for the span.
    pub(crate) fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start()..self.end()).unwrap_or(&[])
    }

    /// Index of the first octet.
    pub(crate) const fn start(self) -> usize {
        self.start as usize
    }

    /// Index after the last octet.
    pub(crate) const fn end(self) -> usize {
        (self.start as usize).saturating_add(self.len as usize)
    }

    /// Number of octets.
    pub(crate) const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// A queue of octets in a store of fixed size: written at the back, consumed at the front.
///
/// # Invariants
///
/// `head <= tail`; both are within the store as long as its length stays what it was.
#[derive(Debug)]
pub(crate) struct Buffer<S> {
    store: S,
    head: usize,
    tail: usize,
}

impl<S: DerefMut<Target = [u8]>> Buffer<S> {
    /// An empty buffer over `store`.
    pub(crate) const fn new(store: S) -> Buffer<S> {
        Buffer { store, head: 0, tail: 0 }
    }

    /// The octets that wait to be consumed.
    pub(crate) fn filled(&self) -> &[u8] {
        self.store.get(self.head..self.tail).unwrap_or(&[])
    }

    /// Number of octets that wait to be consumed.
    pub(crate) fn len(&self) -> usize {
        self.tail.saturating_sub(self.head)
    }

    /// Whether none wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.head == self.tail
    }

    /// Whether nothing more can be written before something is consumed.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.capacity()
    }

    /// Octets that fit in all.
    pub(crate) fn capacity(&self) -> usize {
        self.store.len()
    }

    /// Drops `n` octets (or all there are) from the front.
    pub(crate) fn consume(&mut self, n: usize) {
        self.head = self.head.saturating_add(n).min(self.tail);
        if self.head == self.tail {
            self.clear();
        }
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.head = 0;
        self.tail = 0;
    }

    /// The room to write to; empty only when the buffer is full. Call [`advance`](Self::advance)
    /// afterwards. The filled octets may move in the store.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        if self.tail >= self.store.len() {
            self.compact();
        }
        self.store.get_mut(self.tail..).unwrap_or(&mut [])
    }

    /// Says that `n` octets were written to the room that [`spare`](Self::spare) gave.
    pub(crate) fn advance(&mut self, n: usize) {
        self.tail = self.tail.saturating_add(n).min(self.store.len());
    }

    /// Appends what `write` writes, all of it or (on an error, or when it does not fit) nothing.
    pub(crate) fn append<F>(&mut self, write: F) -> Result<(), Full>
    where
        F: FnOnce(&mut Writer<'_>) -> Result<(), Full>,
    {
        self.compact();
        let mut writer = Writer::new(self.store.get_mut(self.tail..).unwrap_or(&mut []));
        write(&mut writer)?;
        let written = writer.len();
        self.advance(written);
        Ok(())
    }

    /// Gives the store back.
    pub(crate) fn into_store(self) -> S {
        self.store
    }

    /// Moves the filled octets to the front of the store.
    fn compact(&mut self) {
        let filled = self.head..self.tail;
        if self.head > 0 && self.tail <= self.store.len() {
            self.store.copy_within(filled, 0);
            self.tail = self.len();
            self.head = 0;
        }
    }
}

/// The output does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

/// Writes octets to a slice, one after the other, as long as they fit.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// A writer to the front of `out`.
    pub(crate) fn new(out: &'a mut [u8]) -> Writer<'a> {
        Writer { out, len: 0 }
    }

    /// Writes all of `octets`, or nothing of them.
    pub(crate) fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.len.checked_add(octets.len()).ok_or(Full)?;
        self.out.get_mut(self.len..end).ok_or(Full)?.copy_from_slice(octets);
        self.len = end;
        Ok(())
    }

    /// Writes a number in decimal.
    pub(crate) fn put_decimal(&mut self, number: u64) -> Result<(), Full> {
        self.put_number(number, 10)
    }

    /// Writes a number in lower-case hexadecimal, without leading zeros.
    pub(crate) fn put_hex(&mut self, number: u64) -> Result<(), Full> {
        self.put_number(number, 16)
    }

    fn put_number(&mut self, mut number: u64, base: u64) -> Result<(), Full> {
        let mut digits = [0u8; 20];
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = match (number % base) as u8 {
                value @ 0..=9 => b'0'.wrapping_add(value),
                value => (b'a' - 10).wrapping_add(value),
            };
            number /= base;
            used += 1;
            if number == 0 {
                break;
            }
        }
        self.put(digits.get(digits.len() - used..).unwrap_or(&[]))
    }

    /// What was written so far.
    pub(crate) fn written(&self) -> &[u8] {
        self.out.get(..self.len).unwrap_or(&[])
    }

    /// Number of octets written so far.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of octets that still fit.
    pub(crate) const fn room(&self) -> usize {
        self.out.len().saturating_sub(self.len)
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes()).map_err(|Full| fmt::Error)
    }
}
