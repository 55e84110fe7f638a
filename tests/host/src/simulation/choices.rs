// SPDX-License-Identifier: GPL-2.0

//! Where a simulation takes its decisions from: octets that a fuzzer found, or a seed.

/// A source of decisions that can be played back.
///
/// The decision 0 is always the harmless one, so that a tape that is cut short, or has zeros put in
/// it, makes a simpler run: that is how a failure is made small.
pub(crate) struct Choices {
    tape: Vec<u8>,
    at: usize,
    /// State of the generator that makes the tape longer; without one, zeros follow it.
    random: Option<u64>,
}

impl Choices {
    /// Decisions of a tape.
    pub(crate) fn of(tape: &[u8]) -> Self {
        Self {
            tape: tape.to_vec(),
            at: 0,
            random: None,
        }
    }

    /// Decisions that follow from a seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self {
            tape: Vec::new(),
            at: 0,
            random: Some(seed),
        }
    }

    /// The tape as far as it was used.
    pub(crate) fn tape(&self) -> &[u8] {
        &self.tape[..self.at.min(self.tape.len())]
    }

    pub(crate) fn octet(&mut self) -> u8 {
        if self.at >= self.tape.len() {
            let octet = self
                .random
                .as_mut()
                .map_or(0, |state| split_mix(state) as u8);
            self.tape.push(octet);
        }
        self.at += 1;
        self.tape[self.at - 1]
    }

    /// A number less than `most`, which is at least 1.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        match most {
            0 | 1 => 0,
            2..=256 => usize::from(self.octet()) % most,
            _ => ((usize::from(self.octet()) << 8) | usize::from(self.octet())) % most,
        }
    }

    /// Yes, once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The generator SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
