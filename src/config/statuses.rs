// SPDX-License-Identifier: GPL-2.0

//! Ranges of status codes.

use core::fmt::{
    self,
    Display,
    Formatter, //
};

use super::{
    amount::{Limits, Unit},
    refusal::Refusal,
    table::{only_value, Value}, //
};
use crate::bytes;

/// The statuses from one to another: `200-399`, or one alone: `204`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statuses {
    least: u16,
    most: u16,
}

impl Statuses {
    /// All that are no error.
    pub(crate) const FINE: Self = Self {
        least: 200,
        most: 399,
    };

    /// Whether `code` is one of them.
    pub(crate) fn contains(self, code: u16) -> bool {
        (self.least..=self.most).contains(&code)
    }
}

/// What a final status can be.
const CODE: Limits = Limits::new(Unit::Count, 200, 599);

fn code(text: &[u8]) -> Result<u16, Refusal> {
    // `CODE` bounds the value, so that this never saturates.
    Ok(u16::try_from(CODE.parse(text)?).unwrap_or(u16::MAX))
}

impl Value for Statuses {
    type Rule = ();

    fn set(&mut self, text: &[u8], (): &'static ()) -> Result<(), Refusal> {
        let word = only_value(text)?;
        let (least, most) = match bytes::find_byte(word, b'-') {
            Some(at) => word.split_at_checked(at).unwrap_or((word, word)),
            None => (word, word),
        };
        let (least, most) = (code(least)?, code(most.strip_prefix(b"-").unwrap_or(most))?);
        if least > most {
            return Err(Refusal::invalid("{} ends before it begins", word));
        }
        *self = Self { least, most };
        Ok(())
    }

    fn print(&self, (): &'static (), f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {self}")
    }
}

impl Display for Statuses {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            write!(f, "{}", self.least)
        } else {
            write!(f, "{}-{}", self.least, self.most)
        }
    }
}
