// SPDX-License-Identifier: GPL-2.0

//! Tables of settings, as files have them: `name value`, one a line.
//!
//! One table drives names, defaults, limits, parsing and printing, so that a new setting is one entry
//! in it and the code that obeys it.

use core::fmt::{
    self,
    Formatter, //
};

use super::{
    amount::{
        Limits,
        Unit, //
    },
    lines,
    refusal::Refusal,
    words, //
};
use crate::time::Duration;

/// Declares a structure of settings, its defaults and its table from one list of
/// `field: Type = "name", default, rule;`, where the rule is what the type's [`Value`] asks for.
macro_rules! settings {
    (
        $(#[$struct_doc:meta])*
        struct $Settings:ident;
        $(#[$defaults_doc:meta])*
        static $DEFAULTS:ident;
        $(
            $(#[$doc:meta])*
            $field:ident: $type:ty = $name:literal, $default:expr, $rule:expr;
        )*
    ) => {
        $(#[$struct_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $Settings {
            $($(#[$doc])* pub(crate) $field: $type,)*
        }

        $(#[$defaults_doc])*
        pub(crate) static $DEFAULTS: $Settings = $Settings { $($field: $default,)* };

        impl $crate::config::table::Table for $Settings {
            const TABLE: &'static [$crate::config::table::Setting<Self>] =
                &[$($crate::config::table::Setting {
                    name: $name,
                    set: |settings, text| {
                        const RULE: &<$type as Value>::Rule = &$rule;
                        settings.$field.set(text, RULE)
                    },
                    print: |settings, f| {
                        const RULE: &<$type as Value>::Rule = &$rule;
                        settings.$field.print(RULE, f)
                    },
                },)*];
        }

        impl Default for $Settings {
            /// By value: for where the stack is large.
            fn default() -> Self {
                $DEFAULTS
            }
        }

        impl core::fmt::Display for $Settings {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                $crate::config::table::print(self, f)
            }
        }
    };
}
pub(super) use settings;

/// Something that has settings.
pub(crate) trait Table: Sized + 'static {
    /// What can be set, in the order in which it is printed.
    const TABLE: &'static [Setting<Self>];
}

/// One entry of a table.
pub(crate) struct Setting<T> {
    pub(super) name: &'static str,
    pub(super) set: fn(&mut T, &[u8]) -> Result<(), Refusal>,
    pub(super) print: fn(&T, &mut Formatter<'_>) -> fmt::Result,
}

/// Applies the lines of `text`, in place. After a refusal, which is of the first line that is wrong,
/// the settings are half changed: the caller works on a copy and drops it.
///
/// A line is `name value`; see [`lines`]. What [`print()`] prints is such a text, so that what was
/// saved can be written back.
#[inline(never)]
pub(crate) fn apply<T: Table>(settings: &mut T, text: &[u8]) -> Result<(), Refusal> {
    let mut given = Given::default();
    for (number, line) in lines(text) {
        apply_line(settings, line, &mut given).map_err(|refusal| refusal.on_line(number))?;
    }
    Ok(())
}

#[inline(never)]
fn apply_line<T: Table>(settings: &mut T, line: &[u8], given: &mut Given) -> Result<(), Refusal> {
    const { assert!(T::TABLE.len() <= Given::MOST) };
    let name = words(line).next().unwrap_or(b"");
    let mut table = (0..).zip(T::TABLE);
    let found = table.find(|(_, setting)| setting.name.as_bytes() == name);
    let Some((index, setting)) = found else {
        return Err(Refusal::invalid("unknown setting {}", name));
    };
    let value = line.get(name.len()..).unwrap_or(b"").trim_ascii();
    let outcome = if given.insert(index) {
        (setting.set)(settings, value)
    } else {
        Err(Refusal::invalid("set twice in one text", b""))
    };
    outcome.map_err(|refusal| refusal.about(setting.name))
}

/// Prints every setting with its value.
pub(crate) fn print<T: Table>(settings: &T, f: &mut Formatter<'_>) -> fmt::Result {
    T::TABLE.iter().try_for_each(|setting| {
        f.write_str(setting.name)?;
        (setting.print)(settings, f)?;
        f.write_str("\n")
    })
}

/// Which entries of a table a text has named so far.
#[derive(Default)]
struct Given(u128);

impl Given {
    /// Entries of the longest table.
    const MOST: usize = u128::BITS as usize;

    /// Whether `index` was not there yet.
    fn insert(&mut self, index: u32) -> bool {
        let bit = 1_u128.wrapping_shl(index);
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }
}

/// The type of a setting's field.
pub(super) trait Value {
    /// What tells settings of one type apart, such as their limits.
    type Rule: 'static;

    /// Takes what a line has after the name, with no blank at its ends. After a refusal the value
    /// may have changed.
    fn set(&mut self, text: &[u8], rule: &'static Self::Rule) -> Result<(), Refusal>;

    /// Prints a blank and what [`Value::set`] takes; nothing if it takes nothing.
    fn print(&self, rule: &'static Self::Rule, f: &mut Formatter<'_>) -> fmt::Result;
}

/// The value of a setting that takes one word.
pub(super) fn only_value(text: &[u8]) -> Result<&[u8], Refusal> {
    let mut words = words(text);
    match (words.next(), words.next()) {
        (None, _) => Err(Refusal::invalid("a value is missing", b"")),
        (Some(_), Some(more)) => Err(Refusal::invalid("{} is one word too many", more)),
        (Some(value), None) => Ok(value),
    }
}

impl Value for Duration {
    type Rule = Limits;

    fn set(&mut self, text: &[u8], limits: &'static Limits) -> Result<(), Refusal> {
        *self = Duration::from_nanos(limits.parse(only_value(text)?)?);
        Ok(())
    }

    fn print(&self, limits: &'static Limits, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {}", limits.amount(self.as_nanos()))
    }
}

impl Value for u64 {
    type Rule = Limits;

    fn set(&mut self, text: &[u8], limits: &'static Limits) -> Result<(), Refusal> {
        *self = limits.parse(only_value(text)?)?;
        Ok(())
    }

    fn print(&self, limits: &'static Limits, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {}", limits.amount(*self))
    }
}

impl Value for u32 {
    type Rule = Limits;

    fn set(&mut self, text: &[u8], limits: &'static Limits) -> Result<(), Refusal> {
        // The limits fit the type, so that this never saturates.
        *self = u32::try_from(limits.parse(only_value(text)?)?).unwrap_or(u32::MAX);
        Ok(())
    }

    fn print(&self, limits: &'static Limits, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {}", limits.amount(u64::from(*self)))
    }
}

impl Value for usize {
    type Rule = Limits;

    fn set(&mut self, text: &[u8], limits: &'static Limits) -> Result<(), Refusal> {
        // The limits fit the type, so that this never saturates.
        *self = usize::try_from(limits.parse(only_value(text)?)?).unwrap_or(usize::MAX);
        Ok(())
    }

    fn print(&self, limits: &'static Limits, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            " {}",
            limits.amount(u64::try_from(*self).unwrap_or(u64::MAX))
        )
    }
}

pub(super) const fn time(min: Duration, max: Duration) -> Limits {
    Limits::new(Unit::Time, min.as_nanos(), max.as_nanos())
}

pub(super) const fn size(min: u64, max: u64) -> Limits {
    Limits::new(Unit::Size, min, max)
}

pub(super) const fn count(min: u64, max: u64) -> Limits {
    Limits::new(Unit::Count, min, max)
}

pub(super) const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(super) const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(super) const fn days(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(86_400))
}
