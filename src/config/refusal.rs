// SPDX-License-Identifier: GPL-2.0

//! Why a written text was not taken, as a value that prints as one clear sentence.

use core::fmt::{
    self,
    Display,
    Formatter,
    Write, //
};

use super::amount::Limits;

/// What sort of refusal it is: decides the error number that the writer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The text does not follow the grammar (`EINVAL`).
    Invalid,
    /// A well-formed value that is too small, too large or too long (`ERANGE`).
    Range,
    /// Correct, but this version cannot do it (`EOPNOTSUPP`).
    Unsupported,
}

/// Why a written text was not taken.
///
/// Prints as one line of printable ASCII of at most [`Refusal::MAX_LEN`] octets, such as
/// `line 2: unknown setting "foo"`, whatever the text held. It has no heap and no borrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    kind: Kind,
    /// Counted from 1; 0 when the text is a single command.
    line: u32,
    /// What was being set, or empty.
    subject: &'static str,
    /// The sentence; `{}` in it stands for `word`.
    reason: &'static str,
    word: Excerpt,
    limits: Option<&'static Limits>,
}

impl Refusal {
    /// The longest printed form: what a store for it has to hold.
    pub(crate) const MAX_LEN: usize = 256;

    /// The text is malformed. A `{}` in `reason` stands for the offending `word`.
    pub(crate) fn invalid(reason: &'static str, word: &[u8]) -> Self {
        Self::new(Kind::Invalid, reason, word)
    }

    /// The text is correct and asks for what this version cannot do.
    pub(super) fn unsupported(reason: &'static str, word: &[u8]) -> Self {
        Self::new(Kind::Unsupported, reason, word)
    }

    /// The value `word` is not within `limits`.
    pub(super) fn range(word: &[u8], limits: &'static Limits) -> Self {
        Self {
            limits: Some(limits),
            ..Self::new(Kind::Range, "{} is out of range", word)
        }
    }

    /// The text is well-formed and longer, or more, than what holds it. A `{}` in `reason` stands for `word`.
    pub(crate) fn too_large(reason: &'static str, word: &[u8]) -> Self {
        Self::new(Kind::Range, reason, word)
    }

    /// The same refusal, saying what was being set, unless it says so already.
    pub(crate) fn about(self, subject: &'static str) -> Self {
        if self.subject.is_empty() {
            Self { subject, ..self }
        } else {
            self
        }
    }

    /// The same refusal, on this line of a text of several lines, counted from 1.
    pub(crate) fn on_line(self, line: u32) -> Self {
        Self { line, ..self }
    }

    #[inline(never)]
    fn new(kind: Kind, reason: &'static str, word: &[u8]) -> Self {
        Self {
            kind,
            line: 0,
            subject: "",
            reason,
            word: Excerpt::of(word),
            limits: None,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The line of the text that was refused, counted from 1; 0 for a text that is one command.
    #[allow(dead_code)] // For tests: the printed form carries it.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.line != 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.subject.is_empty() {
            write!(f, "{}: ", self.subject)?;
        }
        match self.reason.split_once("{}") {
            Some((before, after)) => write!(f, "{before}{}{after}", self.word)?,
            None => f.write_str(self.reason)?,
        }
        match self.limits {
            Some(limits) => write!(f, ": write {limits}"),
            None => Ok(()),
        }
    }
}

/// The front of a word that a user wrote, kept for the sentence about it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Excerpt {
    octets: [u8; Self::LEN],
    /// How much of `octets` is used.
    len: u8,
    /// The word went on.
    cut: bool,
}

impl Excerpt {
    /// Holds the longest IPv6 address and most misspelt names whole.
    const LEN: usize = 40;

    /// A longer word is cut to this, so that even escaped octets stay within the message's limit.
    const PRINTED: usize = 80;

    fn of(word: &[u8]) -> Self {
        let mut octets = [0; Self::LEN];
        for (to, from) in octets.iter_mut().zip(word) {
            *to = *from;
        }
        Self {
            octets,
            // `LEN` fits in an octet, so that this never saturates.
            len: u8::try_from(word.len().min(Self::LEN)).unwrap_or(0),
            cut: word.len() > Self::LEN,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl Display for Excerpt {
    /// In quotes, with everything that is not plain printable ASCII escaped: it goes to logs.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut room = Self::PRINTED;
        let mut cut = self.cut;
        f.write_char('"')?;
        for &octet in self.as_bytes() {
            let plain = matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\');
            let Some(left) = room.checked_sub(if plain { 1 } else { 4 }) else {
                cut = true;
                break;
            };
            room = left;
            if plain {
                f.write_char(char::from(octet))?;
            } else {
                write!(f, "\\x{octet:02x}")?;
            }
        }
        f.write_str(if cut { "...\"" } else { "\"" })
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
