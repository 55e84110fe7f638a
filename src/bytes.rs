// SPDX-License-Identifier: GPL-2.0

//! Octets: spans, buffers, bounded output, numbers, character classes, fast scanning, hashes.

pub(crate) mod sip;

use core::fmt;
use core::num::NonZero;
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
            (Ok(start), Ok(end)) if start <= end => Span {
                start,
                len: end.wrapping_sub(start),
            },
            _ => Span::EMPTY,
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

/// Whether two words are the same but for the case of ASCII letters.
pub(crate) fn eq_ignore_case(one: &[u8], other: &[u8]) -> bool {
    fn eq(one: &[u8; 8], other: &[u8; 8]) -> bool {
        lower_case(u64::from_le_bytes(*one)) == lower_case(u64::from_le_bytes(*other))
    }
    if one.len() != other.len() {
        return false;
    }
    // Both have a last chunk or none has; it overlaps the one before.
    let (Some(last), Some(other_last)) = (one.last_chunk(), other.last_chunk()) else {
        return one.eq_ignore_ascii_case(other);
    };
    let (mut rest, mut other_rest) = (one, other);
    while let (Some((chunk, tail)), Some((other_chunk, other_tail))) =
        (rest.split_first_chunk(), other_rest.split_first_chunk())
    {
        if !eq(chunk, other_chunk) {
            return false;
        }
        (rest, other_rest) = (tail, other_tail);
    }
    eq(last, other_last)
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

const TCHAR: u8 = 1;
const HOST: u8 = 2;

/// The classes of each octet.
static CLASSES: [u8; 256] = classes();

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // Run by the compiler only.
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0u8;
    // Nothing above ASCII has a class.
    while octet < 128 {
        let mut class = 0;
        // RFC 9110 section 5.6.2.
        if octet.is_ascii_alphanumeric()
            || matches!(
                octet,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
            )
            || matches!(octet, b'`' | b'|' | b'~')
        {
            class |= TCHAR;
        }
        // RFC 3986 section 3.2.2: unreserved, sub-delims but the comma.
        if octet.is_ascii_alphanumeric()
            || matches!(
                octet,
                b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'('
            )
            || matches!(octet, b')' | b'*' | b'+' | b';' | b'=')
        {
            class |= HOST;
        }
        table[octet as usize] = class;
        octet += 1;
    }
    table
}

fn has(octet: u8, class: u8) -> bool {
    let classes = CLASSES.get(usize::from(octet));
    classes.is_some_and(|classes| classes & class != 0)
}

/// An octet of a token: a method, a field name (RFC 9110 section 5.6.2).
pub(crate) fn is_tchar(octet: u8) -> bool {
    has(octet, TCHAR)
}

/// Whether it is a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|octet| is_tchar(*octet))
}

/// An octet of a request target: any visible one of ASCII but `#`. RFC 3986 would have some more
/// of them percent-encoded, which browsers do not do.
pub(crate) const fn is_target_char(octet: u8) -> bool {
    matches!(octet, b'!'..=b'~') && octet != b'#'
}

/// An octet that may stand in the name of a host as it is: unreserved or one of sub-delims (RFC
/// 3986 section 3.2.2), but no comma.
pub(crate) fn is_host_char(octet: u8) -> bool {
    has(octet, HOST)
}

/// An octet of a field value: visible, space, tab or obs-text (RFC 9110 section 5.5).
pub(crate) const fn is_field_content(octet: u8) -> bool {
    octet == b'\t' || !is_control(octet)
}

/// A control of ASCII, the tab among them.
const fn is_control(octet: u8) -> bool {
    octet < 0x20 || octet == 0x7f
}

/// Index of the first `needle`.
pub(crate) fn find_byte(hay: &[u8], needle: u8) -> Option<usize> {
    let needles = repeat(needle);
    find(hay, |word| zeros(word ^ needles), |octet| octet == needle)
}

/// Index of the first control of ASCII (0x00..=0x1f, 0x7f), the tab among them.
#[inline]
pub(crate) fn find_control(hay: &[u8]) -> Option<usize> {
    let marks = |word| below(word, b' ') | zeros(word ^ repeat(0x7f));
    find(hay, marks, is_control)
}

/// Index of the first octet that is no [`is_target_char`].
#[inline]
pub(crate) fn find_non_target(hay: &[u8]) -> Option<usize> {
    let hashes = repeat(b'#');
    let marks = |word| {
        let above = word & HIGH_BITS | zeros(word ^ repeat(0x7f));
        below(word, b'!') | above | zeros(word ^ hashes)
    };
    find(hay, marks, |octet| !is_target_char(octet))
}

/// Index of the first octet that cannot stand between double quotes as it is: a control, one above
/// ASCII, a quote or a backslash.
#[inline]
pub(crate) fn find_unquotable(hay: &[u8]) -> Option<usize> {
    let marks = |word| {
        let above = word & HIGH_BITS | zeros(word ^ repeat(0x7f));
        let quotes = zeros(word ^ repeat(b'"')) | zeros(word ^ repeat(b'\\'));
        below(word, b' ') | above | quotes
    };
    let marked = |octet| is_control(octet) || !octet.is_ascii() || matches!(octet, b'"' | b'\\');
    find(hay, marks, marked)
}

/// Index of the first octet that is no [`is_tchar`].
#[inline]
pub(crate) fn find_non_tchar(hay: &[u8]) -> Option<usize> {
    let mut rest = hay;
    loop {
        // Most names are of letters and hyphens: those are skipped at once.
        if let Some(chunk) = rest.first_chunk() {
            let others = !letters_and_hyphens(u64::from_le_bytes(*chunk)) & HIGH_BITS;
            let plain = (others.trailing_zeros() / 8) as usize;
            rest = rest.get(plain..).unwrap_or(&[]);
        }
        match rest {
            [octet, tail @ ..] if is_tchar(*octet) => rest = tail,
            [] => return None,
            _ => return Some(hay.len().wrapping_sub(rest.len())),
        }
    }
}

const HIGH_BITS: u64 = repeat(0x80);

/// A word of eight times the same octet.
const fn repeat(octet: u8) -> u64 {
    u64::from_ne_bytes([octet; 8])
}

/// Marks the octets of a word that are zero in their highest bit. Octets above the lowest one
/// that is marked may be marked falsely (by the borrow of the subtraction).
const fn zeros(word: u64) -> u64 {
    below(word, 1)
}

/// Marks the octets of a word that are below `limit`, which is at most 0x80: see [`zeros`].
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(repeat(limit)) & !word & HIGH_BITS
}

/// Marks the octets of a word that are letters of ASCII or hyphens in their highest bit, exactly.
const fn letters_and_hyphens(word: u64) -> u64 {
    // Without their highest bits no octet carries into the next one when less than 0x80 is added.
    let low = word & !HIGH_BITS;
    let lower_case = low | repeat(0x20);
    let from_a = lower_case.wrapping_add(repeat(0x80 - b'a'));
    let after_z = lower_case.wrapping_add(repeat(0x7f - b'z'));
    let unlike_hyphen = (low ^ repeat(b'-')).wrapping_add(!HIGH_BITS);
    ((from_a & !after_z) | !unlike_hyphen) & !word & HIGH_BITS
}

/// The octets of a word with the capital letters of ASCII among them made small.
pub(crate) const fn lower_case(word: u64) -> u64 {
    // As above: nothing carries.
    let low = word & !HIGH_BITS;
    let from_a = low.wrapping_add(repeat(0x80 - b'A'));
    let after_z = low.wrapping_add(repeat(0x7f - b'Z'));
    let capitals = from_a & !after_z & !word & HIGH_BITS;
    // From the highest bit of an octet to the one that capital letters lack.
    word | (capitals >> 2)
}

/// Searches eight octets at a time: `marks` marks hits in a little-endian word, the lowest mark
/// being right; `hits` looks at one octet.
#[inline(always)]
fn find(hay: &[u8], marks: impl Fn(u64) -> u64, hits: impl Fn(u8) -> bool) -> Option<usize> {
    let mut rest = hay;
    while let Some((chunk, tail)) = rest.split_first_chunk() {
        let marked = marks(u64::from_le_bytes(*chunk));
        if marked != 0 {
            let within = (marked.trailing_zeros() / 8) as usize;
            return Some(hay.len().wrapping_sub(rest.len()).wrapping_add(within));
        }
        rest = tail;
    }
    let within = rest.iter().position(|octet| hits(*octet))?;
    Some(hay.len().wrapping_sub(rest.len()).wrapping_add(within))
}
