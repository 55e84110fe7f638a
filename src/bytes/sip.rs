// SPDX-License-Identifier: GPL-2.0

//! SipHash-2-4: a keyed hash that nobody can foresee or forge without the key (Aumasson and
//! Bernstein, "SipHash: a fast short-input PRF", 2012), and SipHash-1-3, which is half the work.

/// The secret: two little-endian words of the 16-octet key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SipKey(pub(crate) u64, pub(crate) u64);

impl SipKey {
    /// A key made of a text of any length: everyone who is told the text has the same.
    pub(crate) fn of_text(text: &[u8]) -> Self {
        let fixed = Self(0, 0);
        Self(fixed.hash(text), Self(1, 0).hash(text))
    }

    /// The hash of octets.
    pub(crate) fn hash(self, octets: &[u8]) -> u64 {
        let mut state = State::new(self);
        let mut words = octets.chunks_exact(8);
        for word in &mut words {
            state.absorb::<2>(little_endian(word));
        }
        // CAST: The last octet of the padding is the length modulo 256.
        let length = (octets.len() as u64) << 56;
        state.absorb::<2>(length | little_endian(words.remainder()));
        state.finish::<4>()
    }
}

/// Up to eight octets as a number.
fn little_endian(octets: &[u8]) -> u64 {
    let from_last = octets.iter().rev();
    from_last.fold(0, |word, octet| (word << 8) | u64::from(*octet))
}

/// The last octets, which `rest` are and which are less than eight, as a number.
fn last_word(octets: &[u8], rest: &[u8]) -> u64 {
    match octets.last_chunk() {
        // CAST: Less than eight; the octets before them go.
        Some(last) => {
            let before = 8u32.wrapping_sub(rest.len() as u32);
            u64::from_le_bytes(*last).wrapping_shr(before.wrapping_mul(8))
        }
        None => little_endian(rest),
    }
}

/// SipHash-1-3, for the tables whose lookups have to be fast: an attacker sees nothing of the hashes
/// but how long a lookup takes. It hashes whole words, one after the other; octets are padded to
/// words with zeros, so whoever hashes octets of any number hashes the number, too.
pub(crate) struct TableHasher {
    state: State,
    /// Octets absorbed, modulo 256.
    len: u8,
}

impl TableHasher {
    /// A hasher that nothing was given to yet.
    pub(crate) fn new(key: SipKey) -> Self {
        Self {
            state: State::new(key),
            len: 0,
        }
    }

    /// Hashes a word.
    pub(crate) fn word(&mut self, word: u64) {
        self.state.absorb::<1>(word);
        self.len = self.len.wrapping_add(8);
    }

    /// Hashes octets, eight at a time, each word as `change` makes it.
    #[inline(always)]
    pub(crate) fn octets(&mut self, octets: &[u8], change: impl Fn(u64) -> u64) {
        let mut rest = octets;
        while let Some(word) = rest.first_chunk() {
            self.state.absorb::<1>(change(u64::from_le_bytes(*word)));
            rest = rest.get(8..).unwrap_or(&[]);
        }
        if !rest.is_empty() {
            self.state.absorb::<1>(change(last_word(octets, rest)));
        }
        // CAST: Modulo 256, and of whole words.
        let words = octets.len().div_ceil(8) as u8;
        self.len = self.len.wrapping_add(words.wrapping_mul(8));
    }

    /// The hash of all that was given.
    pub(crate) fn finish(mut self) -> u64 {
        self.state.absorb::<1>(u64::from(self.len) << 56);
        self.state.finish::<3>()
    }
}

struct State(u64, u64, u64, u64);

impl State {
    fn new(key: SipKey) -> Self {
        Self(
            key.0 ^ 0x736f_6d65_7073_6575,
            key.1 ^ 0x646f_7261_6e64_6f6d,
            key.0 ^ 0x6c79_6765_6e65_7261,
            key.1 ^ 0x7465_6462_7974_6573,
        )
    }

    fn absorb<const ROUNDS: usize>(&mut self, word: u64) {
        self.3 ^= word;
        for _ in 0..ROUNDS {
            self.round();
        }
        self.0 ^= word;
    }

    fn finish<const ROUNDS: usize>(mut self) -> u64 {
        self.2 ^= 0xff;
        for _ in 0..ROUNDS {
            self.round();
        }
        self.0 ^ self.1 ^ self.2 ^ self.3
    }

    fn round(&mut self) {
        let Self(a, b, c, d) = self;
        *a = a.wrapping_add(*b);
        *b = b.rotate_left(13) ^ *a;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*d);
        *d = d.rotate_left(16) ^ *c;
        *a = a.wrapping_add(*d);
        *d = d.rotate_left(21) ^ *a;
        *c = c.wrapping_add(*b);
        *b = b.rotate_left(17) ^ *c;
        *c = c.rotate_left(32);
    }
}
