// SPDX-License-Identifier: GPL-2.0

//! Octets: spans, buffers, bounded output, numbers, character classes, fast scanning, hashes.

mod scan;
pub(crate) mod sip;

use core::fmt;
use core::num::NonZero;
use core::ops::DerefMut;

pub(crate) use scan::eq_ignore_case;
pub(crate) use scan::find_byte;
pub(crate) use scan::find_unquotable;
pub(crate) use scan::is_field_content;
pub(crate) use scan::is_host_char;
pub(crate) use scan::is_target_char;
pub(crate) use scan::is_tchar;
pub(crate) use scan::is_token;
pub(crate) use scan::skip_field_content;
pub(crate) use scan::skip_target;
pub(crate) use scan::skip_tchars;

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
    #[inline]
    pub(crate) const fn between(start: usize, end: usize) -> Span {
        if start > end || end > u32::MAX as usize {
            return Span::EMPTY;
        }
        // CAST: Neither is larger than `end`.
        Span {
            start: start as u32,
            len: end.wrapping_sub(start) as u32,
        }
    }

    /// Where in `buf` the octets `part` are, which are a part of it.
    pub(crate) fn within(buf: &[u8], part: &[u8]) -> Span {
        let start = part.as_ptr().addr().wrapping_sub(buf.as_ptr().addr());
        Span::between(start, start.saturating_add(part.len()))
    }

    /// The same span in a buffer in which its own begins at `offset`.
    pub(crate) fn shifted(self, offset: usize) -> Span {
        Span::between(
            self.start().saturating_add(offset),
            self.end().saturating_add(offset),
        )
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
#[derive(Debug, Default)]
pub(crate) struct Buffer<S> {
    store: S,
    head: usize,
    tail: usize,
}

impl<S: DerefMut<Target = [u8]>> Buffer<S> {
    /// An empty buffer over `store`.
    pub(crate) const fn new(store: S) -> Buffer<S> {
        Buffer {
            store,
            head: 0,
            tail: 0,
        }
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

    /// Drops what is behind the first `len` octets.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.tail = self.tail.min(self.head.saturating_add(len));
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

    /// Puts other octets into the place of the first `n`.
    pub(crate) fn replace(&mut self, n: usize, octets: &[u8]) -> Result<(), Full> {
        let kept = self.head.saturating_add(n).min(self.tail)..self.tail;
        let end = octets.len().saturating_add(kept.len());
        if end > self.store.len() || self.tail > self.store.len() {
            return Err(Full);
        }
        self.store.copy_within(kept, octets.len());
        if let Some(front) = self.store.get_mut(..octets.len()) {
            front.copy_from_slice(octets);
        }
        self.head = 0;
        self.tail = end;
        Ok(())
    }

    /// The store itself, to make it larger, or smaller when the buffer is empty.
    pub(crate) fn store_mut(&mut self) -> &mut S {
        &mut self.store
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
        self.out
            .get_mut(self.len..end)
            .ok_or(Full)?
            .copy_from_slice(octets);
        self.len = end;
        Ok(())
    }

    /// Writes a number in decimal.
    pub(crate) fn put_decimal(&mut self, number: u64) -> Result<(), Full> {
        self.put_number(number, DECIMAL)
    }

    /// Writes a number in lower-case hexadecimal, without leading zeros.
    pub(crate) fn put_hex(&mut self, number: u64) -> Result<(), Full> {
        self.put_number(number, HEXADECIMAL)
    }

    fn put_number(&mut self, mut number: u64, base: NonZero<u64>) -> Result<(), Full> {
        let mut digits = [0u8; 20];
        let mut start = digits.len();
        for (index, digit) in digits.iter_mut().enumerate().rev() {
            *digit = match (number % base) as u8 {
                value @ 0..=9 => b'0'.wrapping_add(value),
                value => (b'a' - 10).wrapping_add(value),
            };
            start = index;
            number /= base;
            if number == 0 {
                break;
            }
        }
        self.put(digits.get(start..).unwrap_or(&[]))
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

#[allow(clippy::unwrap_used)] // The compiler does it.
const DECIMAL: NonZero<u64> = NonZero::new(10).unwrap();
#[allow(clippy::unwrap_used)]
const HEXADECIMAL: NonZero<u64> = NonZero::new(16).unwrap();

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes()).map_err(|Full| fmt::Error)
    }
}

/// Reads a decimal number: one to twenty digits and nothing else, less than 2^64.
pub(crate) fn parse_decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.iter().try_fold(0u64, |number, octet| {
        let digit = octet.wrapping_sub(b'0');
        match digit {
            0..=9 => number.checked_mul(10)?.checked_add(u64::from(digit)),
            _ => None,
        }
    })
}

/// Reads a decimal number of any number of digits, and nothing else. One that is too large is the
/// largest there is.
pub(crate) fn parse_saturating(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0u64, |number, digit| {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        number.saturating_mul(10).saturating_add(digit)
    }))
}

/// Reads a hexadecimal number: one to sixteen digits of either case and nothing else.
pub(crate) fn parse_hex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0u64, |number, octet| {
        Some((number << 4) | u64::from(hex_digit(*octet)?))
    })
}

/// The value of a hexadecimal digit.
pub(crate) const fn hex_digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(octet.wrapping_sub(b'a' - 10)),
        b'A'..=b'F' => Some(octet.wrapping_sub(b'A' - 10)),
        _ => None,
    }
}

/// The text in front of `rest`, which is its end.
#[inline]
pub(crate) fn before<'a>(text: &'a [u8], rest: &[u8]) -> &'a [u8] {
    let len = text.len().wrapping_sub(rest.len());
    text.get(..len).unwrap_or(text)
}

/// Cuts spaces and tabs off both ends (OWS, RFC 9110 section 5.6.3).
pub(crate) fn trim_ows(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The elements of a comma-separated list, without the white space around them and without the
/// empty ones (RFC 9110 section 5.6.1.2). Quoted strings are not looked into: only for lists whose
/// elements have none.
pub(crate) fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|octet| *octet == b',')
        .map(trim_ows)
        .filter(|element| !element.is_empty())
}
