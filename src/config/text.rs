// SPDX-License-Identifier: GPL-2.0

//! Settings that are a text, kept in place.

use core::fmt::{
    self,
    Debug,
    Formatter, //
};

use super::{
    refusal::Refusal,
    table::Value, //
};
use crate::bytes;

/// A text of at most `N` octets, where `N` is at most 255. It is UTF-8, with no control character
/// in it and no blank at its ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<const N: usize> {
    /// How many of `octets` are used. The others are zero, so that equal texts are equal values.
    len: u8,
    octets: [u8; N],
}

impl<const N: usize> Text<N> {
    pub(crate) const EMPTY: Self = Self {
        len: 0,
        octets: [0; N],
    };

    /// A text that is known to be one.
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    pub(crate) const fn of(text: &str) -> Self {
        let text = text.as_bytes();
        let mut octets = [0; N];
        let mut at = 0;
        // In a constant: what could go wrong is an error of the compiler's.
        while at < text.len() {
            octets[at] = text[at];
            at += 1;
        }
        Self {
            len: text.len() as u8,
            octets,
        }
    }

    /// The text; empty if it is not set.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only UTF-8 is ever stored.
        core::str::from_utf8(self.as_bytes()).unwrap_or("")
    }

    /// Takes `text`; false, and nothing is changed, if it is too long.
    pub(super) fn store(&mut self, text: &[u8]) -> bool {
        let Ok(len) = u8::try_from(text.len()) else {
            return false;
        };
        let Some((used, rest)) = self.octets.split_at_mut_checked(text.len()) else {
            return false;
        };
        used.copy_from_slice(text);
        rest.fill(0);
        self.len = len;
        true
    }
}

impl<const N: usize> Debug for Text<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(self.as_str(), f)
    }
}

/// What a text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// A `token` of RFC 9110 section 5.6.2.
    Token,
    /// What can be seen, in ASCII.
    Visible,
    /// The same, but what is refused is not shown: it could be most of what is kept from others.
    Secret,
    /// The path of a URI, and perhaps a query.
    Path,
    /// The name of a file, without blanks.
    File,
    /// Anything that can be read, in UTF-8.
    Readable,
}

impl Alphabet {
    fn allows(self, text: &[u8]) -> bool {
        match self {
            Self::Token => text.is_empty() || bytes::is_token(text),
            Self::Visible | Self::Secret | Self::File => text.iter().all(u8::is_ascii_graphic),
            Self::Path => {
                let rest = text.strip_prefix(b"/");
                text.is_empty() || rest.is_some_and(|rest| rest.iter().all(is_in_path))
            }
            Self::Readable => {
                core::str::from_utf8(text).is_ok_and(|text| !text.contains(char::is_control))
            }
        }
    }

    fn malformed(self) -> &'static str {
        match self {
            Self::Token => "{} is not a token: write letters, digits and marks such as - . _",
            Self::Secret => "it has a blank in it, or something else than ASCII",
            Self::Visible | Self::File => "{} has a blank in it, or something else than ASCII",
            Self::Path => "{} is not a path: it begins with / and has no blank and no # in it",
            Self::Readable => "{} has a control character, or is not UTF-8",
        }
    }

    /// What to say of a text that is too long. Lengths are part of what a user reads, so they are
    /// written out; the host tests compare them with the truth.
    fn too_long(self) -> &'static str {
        match self {
            Self::Token | Self::Visible => "{} is too long: write up to 32 octets",
            Self::Secret => "it is too long: write up to 32 octets",
            Self::Path | Self::File => "{} is too long: write up to 96 octets",
            Self::Readable => "{} is too long: write up to 160 octets",
        }
    }
}

fn is_in_path(octet: &u8) -> bool {
    octet.is_ascii_graphic() && *octet != b'#'
}

impl<const N: usize> Value for Text<N> {
    type Rule = Alphabet;

    fn set(&mut self, text: &[u8], alphabet: &'static Alphabet) -> Result<(), Refusal> {
        if !alphabet.allows(text) {
            Err(Refusal::invalid(alphabet.malformed(), text))
        } else if !self.store(text) {
            Err(Refusal::too_large(alphabet.too_long(), text))
        } else {
            Ok(())
        }
    }

    /// Nothing for an empty text: the name alone on a line is what sets it to that.
    fn print(&self, _: &'static Alphabet, f: &mut Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            "" => Ok(()),
            text => write!(f, " {text}"),
        }
    }
}
