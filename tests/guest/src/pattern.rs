//! The octets of every test body: computed from their position, so that a lost, repeated, moved or
//! foreign octet is seen where it stands.

use std::sync::OnceLock;

/// A prime: no page, chunk, window or segment size divides it, so a shift by any of those shows.
const PERIOD: usize = 65_521;

/// The longest run that [`octets`] hands out at once.
pub const RUN: usize = 65_536;

fn table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut one = Vec::with_capacity(PERIOD + RUN);
        while one.len() < PERIOD {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            one.push((state >> 32) as u8);
        }
        while one.len() < PERIOD + RUN {
            one.push(one[one.len() - PERIOD]);
        }
        one
    })
}

/// The octets from position `at` of the body that `seed` names: at most `len` of them, at most
/// [`RUN`], at least one if `len` is not 0.
pub fn octets(seed: u64, at: u64, len: u64) -> &'static [u8] {
    let start = ((seed % PERIOD as u64 + at % PERIOD as u64) % PERIOD as u64) as usize;
    let len = len.min(RUN as u64) as usize;
    &table()[start..start + len]
}

/// A whole body, for small ones.
pub fn body(seed: u64, len: usize) -> Vec<u8> {
    let mut all = Vec::with_capacity(len);
    while all.len() < len {
        all.extend_from_slice(octets(seed, all.len() as u64, (len - all.len()) as u64));
    }
    all
}

/// Compares a body with the pattern while it comes in: stronger than a checksum, and as cheap.
#[derive(Debug, Clone)]
pub struct Checker {
    seed: u64,
    at: u64,
    wrong: Option<u64>,
}

impl Checker {
    /// For the body that `seed` names.
    pub fn new(seed: u64) -> Self {
        Checker {
            seed,
            at: 0,
            wrong: None,
        }
    }

    /// The next octets of the body.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let want = octets(self.seed, self.at, bytes.len() as u64);
            let (have, rest) = bytes.split_at(want.len());
            if self.wrong.is_none() && have != want {
                let first = have.iter().zip(want).position(|(a, b)| a != b).unwrap_or(0);
                self.wrong = Some(self.at + first as u64);
            }
            self.at += want.len() as u64;
            bytes = rest;
        }
    }

    /// How many octets came.
    pub fn len(&self) -> u64 {
        self.at
    }

    /// Whether nothing came.
    pub fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// The position of the first wrong octet.
    pub fn wrong(&self) -> Option<u64> {
        self.wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_checks_out_however_it_is_cut() {
        let whole = body(7, 200_000);
        for cut in [1, 13, 4096, 65_536, 100_001] {
            let mut checker = Checker::new(7);
            whole.chunks(cut).for_each(|part| checker.feed(part));
            assert_eq!((checker.len(), checker.wrong()), (200_000, None));
        }
    }

    #[test]
    fn a_wrong_lost_or_foreign_octet_is_seen() {
        let mut wrong = body(0, 100_000);
        wrong[70_000] ^= 1;
        let mut lost = body(0, 100_000);
        lost.remove(4096);
        for (bytes, seed) in [(wrong, 0), (lost, 0), (body(1, 100_000), 0)] {
            let mut checker = Checker::new(seed);
            checker.feed(&bytes);
            assert!(checker.wrong().is_some());
        }
    }
}
