// SPDX-License-Identifier: GPL-2.0

//! The settings of the `config` file: `name value`, one a line.
//!
//! One table drives names, defaults, limits, parsing and printing, so that a new setting is one
//! entry in it and the code that obeys it.

use core::fmt::{
    self,
    Display,
    Formatter, //
};

use super::{
    amount::{
        Limits,
        Unit, //
    },
    refusal::Refusal,
    words, //
};
use crate::time::Duration;

/// Declares [`Settings`], its defaults and [`TABLE`] from one list of
/// `field: Type = "name", Unit, default, min, max;`.
macro_rules! settings {
    ($(
        $(#[$doc:meta])*
        $field:ident: $type:ty = $name:literal, $unit:ident, $default:expr, $min:expr, $max:expr;
    )*) => {
        /// Every setting with its present value; copied to whoever uses it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Settings {
            $($(#[$doc])* pub(crate) $field: $type,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: Value::from_raw($default),)* }
            }
        }

        /// What can be set, in the order in which it is printed.
        const TABLE: &[Setting] = &[$(Setting {
            name: $name,
            limits: Limits::new(Unit::$unit, $min, $max),
            get: |settings| settings.$field.raw(),
            set: |settings, raw| settings.$field = Value::from_raw(raw),
        },)*];
    };
}

settings! {
    /// A client has this long to send a whole request head, from its first octet or, on a new
    /// connection, from being accepted.
    header_timeout: Duration = "header-timeout", Time, secs(10), millis(100), secs(3600);
    /// A client's connection may be idle between two requests for this long.
    keepalive_timeout: Duration = "keepalive-timeout", Time, secs(60), millis(100), secs(3600);
    /// A backend has this long to accept a connection.
    connect_timeout: Duration = "connect-timeout", Time, secs(5), millis(100), secs(3600);
    /// A backend has this long from the end of a request to the first octet of its response.
    response_timeout: Duration = "response-timeout", Time, secs(60), millis(100), secs(86_400);
    /// A backend may pause for this long within a response.
    read_timeout: Duration = "read-timeout", Time, secs(60), millis(100), secs(86_400);
    /// A client may take no octet of a response for this long.
    send_timeout: Duration = "send-timeout", Time, secs(60), millis(100), secs(86_400);
    /// A connection that is closed after an error drains what the client still sends for this
    /// long, lest a reset destroy the response on its way.
    linger_timeout: Duration = "linger-timeout", Time, secs(2), 0, secs(60);
    /// The most octets of a request's or a response's head.
    head_size: usize = "head-size", Size, kib(16), kib(1), kib(64);
    /// The most field lines of a request's or a response's head.
    header_fields: usize = "header-fields", Count, 100, 1, 1000;
    /// The most octets of a request's target; a smaller `head-size` limits it too.
    target_size: usize = "target-size", Size, kib(8), 64, kib(64);
    /// Idle connections kept for each backend on each CPU; 0 keeps none.
    idle_per_cpu: usize = "idle-per-cpu", Count, 32, 0, 1024;
    /// An idle connection to a backend is kept for this long.
    idle_timeout: Duration = "idle-timeout", Time, secs(55), millis(100), secs(3600);
    /// The most client connections at a time.
    max_connections: usize = "max-connections", Count, 100_000, 1, 1_000_000;
}

impl Settings {
    /// These settings with the lines of `text` applied: all of them, or a refusal of the first
    /// that is wrong.
    ///
    /// A line is `name value`; an empty one, or one that begins with `#`, says nothing. What
    /// [`Display`] prints is such a text, so a saved `config` can be written back.
    #[inline(never)]
    pub(crate) fn apply(&self, text: &[u8]) -> Result<Self, Refusal> {
        let mut settings = *self;
        let mut given = Given::default();
        for (line, number) in text.split(|&octet| octet == b'\n').zip(1..) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            settings
                .apply_line(line, &mut given)
                .map_err(|refusal| refusal.on_line(number))?;
        }
        Ok(settings)
    }

    #[inline(never)]
    fn apply_line(&mut self, line: &[u8], given: &mut Given) -> Result<(), Refusal> {
        let mut words = words(line);
        let name = words.next().unwrap_or(b"");
        let Some((index, setting)) = find(name) else {
            return Err(Refusal::invalid("unknown setting {}", name));
        };
        let outcome = if given.insert(index) {
            self.set(setting, words.next(), words.next())
        } else {
            Err(Refusal::invalid("set twice in one text", b""))
        };
        outcome.map_err(|refusal| refusal.about(setting.name))
    }

    #[inline(never)]
    fn set(
        &mut self,
        setting: &'static Setting,
        value: Option<&[u8]>,
        more: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        match (value, more) {
            (None, _) => Err(Refusal::invalid("a value is missing", b"")),
            (Some(_), Some(more)) => Err(Refusal::invalid("{} is one word too many", more)),
            (Some(value), None) => {
                (setting.set)(self, setting.limits.parse(value)?);
                Ok(())
            }
        }
    }
}

impl Display for Settings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        TABLE.iter().try_for_each(|setting| {
            let value = setting.limits.amount((setting.get)(self));
            writeln!(f, "{} {}", setting.name, value)
        })
    }
}

/// One entry of [`TABLE`]. Raw values are nanoseconds, octets or counts: see [`Unit`].
struct Setting {
    name: &'static str,
    limits: Limits,
    get: fn(&Settings) -> u64,
    set: fn(&mut Settings, u64),
}

fn find(name: &[u8]) -> Option<(u32, &'static Setting)> {
    let mut table = (0..).zip(TABLE);
    table.find(|(_, setting)| setting.name.as_bytes() == name)
}

/// Which entries of [`TABLE`] a text has named so far.
#[derive(Default)]
struct Given(u64);

impl Given {
    /// Whether `index` was not there yet.
    fn insert(&mut self, index: u32) -> bool {
        const { assert!(TABLE.len() <= u64::BITS as usize) };
        let bit = 1_u64.wrapping_shl(index);
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }
}

/// The type of a setting's field, to and from its raw value.
trait Value: Copy {
    /// `raw` is within the limits of the setting, which fit the type.
    fn from_raw(raw: u64) -> Self;
    fn raw(self) -> u64;
}

impl Value for Duration {
    fn from_raw(raw: u64) -> Self {
        Duration::from_nanos(raw)
    }

    fn raw(self) -> u64 {
        self.as_nanos()
    }
}

impl Value for usize {
    fn from_raw(raw: u64) -> Self {
        usize::try_from(raw).unwrap_or(usize::MAX)
    }

    fn raw(self) -> u64 {
        u64::try_from(self).unwrap_or(u64::MAX)
    }
}

const fn millis(count: u64) -> u64 {
    count.saturating_mul(1_000_000)
}

const fn secs(count: u64) -> u64 {
    millis(count.saturating_mul(1000))
}

const fn kib(count: u64) -> u64 {
    count << 10
}
