//! What bodies are made of, so that an octet that is missing, doubled, or another resource's is seen.

/// Which resource a body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What every peer passes on.
    Relayed,
    /// What every peer answers from its cache.
    Cached,
    /// What a client sends.
    Upload,
}

impl Kind {
    fn seed(self) -> u64 {
        match self {
            Kind::Relayed => 0x7265_6c61,
            Kind::Cached => 0x6361_6368,
            Kind::Upload => 0x7570_6c6f,
        }
    }
}

/// The first `length` octets of that kind: letters, digits, `-` and `_`, which a configuration file can
/// hold, too.
pub fn body(kind: Kind, length: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = kind.seed();
    let mut letter = || {
        // Knuth's generator (MMIX): its high bits are good enough.
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        LETTERS[(state >> 58) as usize]
    };
    (0..length).map(|_| letter()).collect()
}
