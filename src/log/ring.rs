// SPDX-License-Identifier: GPL-2.0

//! A ring of records: one writes, who never waits; any number read at the same time.
//!
//! The writer overwrites the oldest records, read or not. A reader copies a record and looks
//! afterwards whether it was overwritten meanwhile; then it has lost it, and goes on with the
//! oldest one that is left. Numbers in the records say how many it has lost.
//!
//! ```text
//!               oldest                             head
//!  ---- free ----| record | record | record | record |---- free ----
//!
//!  record:  length of all 16 bits, of its text 16 bits, number 32 bits | time | fields... | text...
//! ```
//!
//! Positions are numbers of words since the ring was made; they never wrap in practice. Where a
//! word is in memory is its position modulo the ring's size, which is a power of two.

/// The memory of a ring, shared by a writer and its readers.
///
/// What one CPU stores another one sees some time later and, but for what is said here, in any
/// order.
pub(crate) trait Words {
    /// How many words there are: always the same power of two.
    fn len(&self) -> u64;
    /// The word at a position, modulo [`Self::len`].
    fn load(&self, at: u64) -> u64;
    /// Stores the word at a position, modulo [`Self::len`].
    fn store(&self, at: u64, word: u64);
    /// Where the next record will begin. Who sees it sees all that was stored before it.
    fn head(&self) -> u64;
    /// Sets what [`Self::head`] says.
    fn set_head(&self, head: u64);
    /// Where the oldest record begins.
    fn oldest(&self) -> u64;
    /// Sets what [`Self::oldest`] says. Who sees a word that was stored after this sees this too,
    /// if there is a [`Self::read_barrier`] between.
    fn set_oldest(&self, oldest: u64);
    /// What is loaded before this is loaded before what is loaded after this.
    fn read_barrier(&self);
}

/// Words of a record before its fields.
const HEADER: u64 = 2;

/// The writer's side of a ring.
#[derive(Default)]
pub(crate) struct Appender {
    head: u64,
    oldest: u64,
    /// The number of the next record.
    number: u32,
}

impl Appender {
    /// Appends a record. One that takes more than half of the ring is left out.
    #[inline]
    pub(crate) fn append<W: Words>(&mut self, words: &W, time: u64, fields: &[u64], text: &[u8]) {
        let text_words = text.len().div_ceil(8) as u64;
        let len = HEADER
            .saturating_add(fields.len() as u64)
            .saturating_add(text_words);
        if len > words.len() / 2 || len > MAX_LEN {
            return;
        }
        self.make_room(words, len);
        let header = len | ((text.len() as u64) << 16) | (u64::from(self.number) << 32);
        let mut at = self.head;
        let mut put = |word| {
            words.store(at, word);
            at = at.wrapping_add(1);
        };
        put(header);
        put(time);
        fields.iter().for_each(|field| put(*field));
        let chunks = text.chunks_exact(8);
        let rest = chunks.remainder();
        chunks.for_each(|chunk| put(little_endian(chunk)));
        if !rest.is_empty() {
            put(little_endian(rest));
        }
        self.number = self.number.wrapping_add(1);
        self.head = self.head.wrapping_add(len);
        words.set_head(self.head);
    }

    /// Gives up the oldest records, until `len` words are free.
    fn make_room<W: Words>(&mut self, words: &W, len: u64) {
        let end = self.head.wrapping_add(len);
        if end.wrapping_sub(self.oldest) <= words.len() {
            return;
        }
        while end.wrapping_sub(self.oldest) > words.len() {
            let header = words.load(self.oldest);
            self.oldest = self.oldest.wrapping_add(Header(header).len());
        }
        words.set_oldest(self.oldest);
    }
}

/// What 16 bits hold.
const MAX_LEN: u64 = 0xffff;

/// Up to eight octets as a word; what is missing is zero.
fn little_endian(octets: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(octets) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// The first word of a record.
#[derive(Clone, Copy)]
struct Header(u64);

impl Header {
    /// Words of the record, its header among them.
    fn len(self) -> u64 {
        (self.0 & MAX_LEN).max(HEADER)
    }

    /// Octets of the record's text.
    fn text_len(self) -> usize {
        (self.0 >> 16) as u16 as usize
    }

    fn number(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A reader's place in a ring.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    /// Where the next record begins.
    next: u64,
    /// Its number, if none was lost; none if that was overwritten before anybody looked.
    number: Option<u32>,
}

/// A record that was copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    /// Octets that were copied: eight for each field, then the text.
    pub(crate) len: usize,
    /// Records between the one that was read before and this one.
    pub(crate) lost: u32,
    /// Where the next one begins.
    end: u64,
    number: u32,
}

impl Cursor {
    /// A place before the oldest record that is left.
    pub(crate) fn new<W: Words>(words: &W) -> Cursor {
        let mut cursor = Cursor {
            next: words.oldest(),
            number: None,
        };
        cursor.number = match cursor.is_ready(words) {
            false => (words.head() == 0).then_some(0),
            true => {
                let header = Header(words.load(cursor.next));
                cursor.holds(words).then_some(header.number())
            }
        };
        cursor
    }

    /// Whether there is a record to be read.
    pub(crate) fn is_ready<W: Words>(&self, words: &W) -> bool {
        self.next < words.head()
    }

    /// The time of the next record, if there is one. A reader that is overtaken again and again
    /// hears that there is none, though the ring's head has moved.
    pub(crate) fn time<W: Words>(&mut self, words: &W) -> Option<u64> {
        for _ in 0..ATTEMPTS {
            if !self.is_ready(words) {
                return None;
            }
            let time = words.load(self.next.wrapping_add(1));
            if self.holds(words) {
                return Some(time);
            }
            self.catch_up(words);
        }
        None
    }

    /// Copies the next record to the front of `out`; it stays the next one until
    /// [`Self::advance`]. None if there is none, if it was overwritten meanwhile (then
    /// [`Self::time`] finds the next one), or if `out` is too short.
    pub(crate) fn read<W: Words>(&self, words: &W, out: &mut [u8]) -> Option<Record> {
        if !self.is_ready(words) {
            return None;
        }
        let header = Header(words.load(self.next));
        let body = header.len().saturating_sub(HEADER);
        let from = self.next.wrapping_add(HEADER);
        let room = (out.len() / 8) as u64;
        if !self.holds(words) || body > room {
            return None;
        }
        for (offset, octets) in (0..body).zip(out.chunks_exact_mut(8)) {
            let word = words.load(from.wrapping_add(offset));
            octets.copy_from_slice(&word.to_le_bytes());
        }
        if !self.holds(words) {
            return None;
        }
        let padding = header.text_len().wrapping_neg() & 7;
        let number = header.number();
        Some(Record {
            len: (body as usize).saturating_mul(8).saturating_sub(padding),
            lost: number.wrapping_sub(self.number.unwrap_or(number)),
            end: self.next.wrapping_add(header.len()),
            number,
        })
    }

    /// Goes on behind a record that [`Self::read`] has copied.
    pub(crate) fn advance(&mut self, record: &Record) {
        self.next = record.end;
        self.number = Some(record.number.wrapping_add(1));
    }

    /// Goes on behind the next record, whatever it is.
    pub(crate) fn skip<W: Words>(&mut self, words: &W) {
        let header = Header(words.load(self.next));
        if self.holds(words) {
            self.next = self.next.wrapping_add(header.len());
        }
    }

    /// Whether what was loaded from the next record before this call was not overwritten.
    fn holds<W: Words>(&self, words: &W) -> bool {
        words.read_barrier();
        words.oldest() <= self.next
    }

    /// The writer was faster: goes on with the oldest record, and some further, so that it is not
    /// overtaken again at once.
    fn catch_up<W: Words>(&mut self, words: &W) {
        self.next = words.oldest();
        let goal = self.next.wrapping_add(words.len() / 8);
        while self.next < goal && self.is_ready(words) {
            let before = self.next;
            self.skip(words);
            if self.next == before {
                // Overtaken again.
                return;
            }
        }
    }
}

/// How often a reader that is overtaken tries again.
const ATTEMPTS: u32 = 8;
