// SPDX-License-Identifier: GPL-2.0

//! The settings of the `config` file: `name value`, one a line.
//!
//! One table drives names, defaults, limits, parsing and printing, so that a new setting is one
//! entry in it and the code that obeys it.
//!
//! [`Settings`] is larger than a stack frame may be in the kernel: there it stays where it is
//! allocated, and is changed in place.

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
    choice::{
        Balance,
        Forwarding,
        Log, //
    },
    networks::Networks,
    refusal::Refusal,
    statuses::Statuses,
    text::{
        Alphabet,
        Text, //
    },
    words, //
};
use crate::time::Duration;

/// Declares [`Settings`], [`DEFAULTS`] and [`TABLE`] from one list of
/// `field: Type = "name", default, rule;`, where the rule is what the type's [`Value`] asks for.
macro_rules! settings {
    ($(
        $(#[$doc:meta])*
        $field:ident: $type:ty = $name:literal, $default:expr, $rule:expr;
    )*) => {
        /// Every setting with its present value. `Copy`, so that it may be duplicated in memory;
        /// it is too large to be passed by value in the kernel.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Settings {
            $($(#[$doc])* pub(crate) $field: $type,)*
        }

        /// What is in force until somebody sets something else.
        pub(crate) static DEFAULTS: Settings = Settings { $($field: $default,)* };

        /// What can be set, in the order in which it is printed.
        const TABLE: &[Setting] = &[$(Setting {
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
    };
}

settings! {
    /// A client has this long to send a whole request head, from its first octet or, on a new
    /// connection, from being accepted.
    header_timeout: Duration = "header-timeout", secs(10), time(millis(100), secs(3600));
    /// A client may pause for this long within a request's body.
    body_timeout: Duration = "body-timeout", secs(30), time(millis(100), days(1));
    /// A client's connection may be idle between two requests for this long.
    keepalive_timeout: Duration = "keepalive-timeout", secs(60), time(millis(100), secs(3600));
    /// A backend has this long to accept a connection.
    connect_timeout: Duration = "connect-timeout", secs(5), time(millis(100), secs(3600));
    /// A backend has this long from the end of a request to the first octet of its response.
    response_timeout: Duration = "response-timeout", secs(60), time(millis(100), days(1));
    /// A backend may pause for this long within a response.
    read_timeout: Duration = "read-timeout", secs(60), time(millis(100), days(1));
    /// A client may take no octet of a response for this long.
    send_timeout: Duration = "send-timeout", secs(60), time(millis(100), days(1));
    /// The least octets per second, on average, at which a client must send a body or take a
    /// response once `body_timeout` or `send_timeout` has passed; 0 asks for nothing.
    min_rate: u64 = "min-rate", 500, count(0, 1_000_000_000);
    /// A tunnel may be silent in both directions for this long.
    tunnel_timeout: Duration = "tunnel-timeout", secs(3600), time(millis(100), days(7));
    /// A whole exchange may take this long; 0 for ever.
    exchange_timeout: Duration = "exchange-timeout", Duration::ZERO, time(Duration::ZERO, days(7));
    /// A connection that is ended here drains what the client still sends for this long, once the
    /// client has taken all that it was sent, lest a reset destroy the response on its way.
    linger_timeout: Duration = "linger-timeout", secs(2), time(Duration::ZERO, secs(60));

    /// The most octets of a request's or a response's head.
    head_size: usize = "head-size", 16 << 10, size(1 << 10, 64 << 10);
    /// The most field lines of a request's or a response's head.
    header_fields: usize = "header-fields", 100, count(1, 1000);
    /// The most octets of a request's target; a smaller `head-size` limits it too.
    target_size: usize = "target-size", 8 << 10, size(64, 64 << 10);
    /// The most octets of a request's body; 0 for no limit.
    body_size: u64 = "body-size", 0, size(0, 1 << 62);
    /// The most octets that may have come from a client and wait to be read: with the round trip
    /// it bounds how fast an upload comes in. For connections that begin after it is set.
    receive_buffer: usize = "receive-buffer", 192 << 10, size(16 << 10, 16 << 20);

    /// The most client connections at a time.
    max_connections: usize = "max-connections", 100_000, count(1, 1_000_000);
    /// The most connections at a time from one client address, for IPv6 from one /64; 0 for no
    /// limit.
    connections_per_client: usize = "connections-per-client", 10_000, count(0, 1_000_000);
    /// The most requests on one client connection; 0 for no limit.
    requests_per_connection: usize = "requests-per-connection", 0, count(0, 1_000_000_000);
    /// Idle connections kept for each backend on each CPU; 0 keeps none.
    idle_per_cpu: usize = "idle-per-cpu", 32, count(0, 1024);
    /// An idle connection to a backend is kept for this long.
    idle_timeout: Duration = "idle-timeout", secs(55), time(millis(100), secs(3600));
    /// A connection that has been silent for this long is probed; 0 for never.
    tcp_keepalive: Duration = "tcp-keepalive", secs(60), time(Duration::ZERO, secs(32_767));
    /// A client may leave what it is sent unacknowledged for this long; 0 for what the kernel does.
    tcp_user_timeout: Duration = "tcp-user-timeout", Duration::ZERO, time(Duration::ZERO, days(1));
    /// A connection is accepted once its first octets have come, or after about this long; 0
    /// accepts it at once.
    defer_accept: Duration = "defer-accept", Duration::ZERO, time(Duration::ZERO, secs(60));

    /// Whose `X-Forwarded-*` and `Forwarded` are believed.
    trusted_proxies: Networks = "trusted-proxies", Networks::NONE, ();
    x_forwarded_for: Forwarding = "x-forwarded-for", Forwarding::Append, ();
    x_forwarded_proto: Forwarding = "x-forwarded-proto", Forwarding::Append, ();
    x_forwarded_host: Forwarding = "x-forwarded-host", Forwarding::Append, ();
    forwarded: Forwarding = "forwarded", Forwarding::Remove, ();
    /// Our name in `Via` and `CDN-Loop`; empty for one that is drawn by lot.
    via: Text<32> = "via", Text::EMPTY, Alphabet::Token;
    /// Whether our name is added to `CDN-Loop`.
    cdn_loop: bool = "cdn-loop", false, ();

    /// How a backend is chosen for a request that belongs to no session.
    balance: Balance = "balance", Balance::RoundRobin, ();
    /// Whether requests of a session go to the backend that has it.
    sticky: bool = "sticky", true, ();
    /// The cookie that a JVM names its sessions in.
    session_cookie: Text<32> = "session-cookie", Text::of("JSESSIONID"), Alphabet::Token;
    /// What comes before a session's name in a path; empty: there is none in paths.
    session_path: Text<32> = "session-path", Text::of(";jsessionid="), Alphabet::Visible;
    /// The cookie that we tell a client its backend in, for backends whose sessions do not; empty for
    /// none.
    sticky_cookie: Text<32> = "sticky-cookie", Text::EMPTY, Alphabet::Token;
    /// The secret that its values are made with, for gateways that are to understand each other's;
    /// empty for one that is drawn by lot.
    sticky_key: Text<32> = "sticky-key", Text::EMPTY, Alphabet::Visible;
    /// A request may wait for so long for a place at a backend; 0: not at all.
    queue_timeout: Duration = "queue-timeout", secs(30), time(Duration::ZERO, secs(3600));
    /// The longest time for which a backend that has failed is left alone.
    recover_time: Duration = "recover-time", secs(15), time(millis(100), secs(3600));
    /// A backend that has recovered gets more and more to do for so long; 0: all at once.
    warmup_time: Duration = "warmup-time", secs(60), time(Duration::ZERO, secs(3600));
    /// A backend has failed after so many errors on end; 0: never for errors.
    error_limit: u32 = "error-limit", 20, count(0, 1_000_000);
    /// A backend whose exchanges all stand still for so long has a pause, and gets no new sessions;
    /// 0: that is never so.
    pause_time: Duration = "pause-time", secs(2), time(Duration::ZERO, secs(3600));
    /// Each backend is asked that often how it is; 0: never.
    health_interval: Duration = "health-interval", Duration::ZERO, time(Duration::ZERO, secs(3600));
    /// A backend has this long to answer that.
    health_timeout: Duration = "health-timeout", secs(5), time(millis(100), secs(3600));
    /// What it is asked for; empty: it is enough that it accepts a connection.
    health_path: Text<96> = "health-path", Text::EMPTY, Alphabet::Path;
    /// The statuses that say that it is well.
    health_status: Statuses = "health-status", Statuses::FINE, ();

    /// Who may see `/caucho-status`.
    status_allow: Networks = "status-allow", Networks::NONE, ();
    log: Log = "log", Log::Combined, ();

    page_400: Text<160> = "page-400", Text::EMPTY, Alphabet::Readable;
    page_408: Text<160> = "page-408", Text::EMPTY, Alphabet::Readable;
    page_413: Text<160> = "page-413", Text::EMPTY, Alphabet::Readable;
    page_414: Text<160> = "page-414", Text::EMPTY, Alphabet::Readable;
    page_429: Text<160> = "page-429", Text::EMPTY, Alphabet::Readable;
    page_431: Text<160> = "page-431", Text::EMPTY, Alphabet::Readable;
    page_500: Text<160> = "page-500", Text::EMPTY, Alphabet::Readable;
    page_501: Text<160> = "page-501", Text::EMPTY, Alphabet::Readable;
    page_502: Text<160> = "page-502", Text::EMPTY, Alphabet::Readable;
    page_503: Text<160> = "page-503", Text::EMPTY, Alphabet::Readable;
    page_504: Text<160> = "page-504", Text::EMPTY, Alphabet::Readable;
    page_505: Text<160> = "page-505", Text::EMPTY, Alphabet::Readable;
}

impl Settings {
    /// Applies the lines of `text`, in place. After a refusal, which is of the first line that is
    /// wrong, the settings are half changed: the caller works on a copy and drops it.
    ///
    /// A line is `name value`; an empty one, or one that begins with `#`, says nothing. What
    /// [`Display`] prints is such a text, so a saved `config` can be written back.
    #[inline(never)]
    pub(crate) fn apply(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let mut given = Given::default();
        for (line, number) in text.split(|&octet| octet == b'\n').zip(1..) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            self.apply_line(line, &mut given)
                .map_err(|refusal| refusal.on_line(number))?;
        }
        Ok(())
    }

    #[inline(never)]
    fn apply_line(&mut self, line: &[u8], given: &mut Given) -> Result<(), Refusal> {
        let name = words(line).next().unwrap_or(b"");
        let Some((index, setting)) = find(name) else {
            return Err(Refusal::invalid("unknown setting {}", name));
        };
        let value = line.get(name.len()..).unwrap_or(b"").trim_ascii();
        let outcome = if given.insert(index) {
            (setting.set)(self, value)
        } else {
            Err(Refusal::invalid("set twice in one text", b""))
        };
        outcome.map_err(|refusal| refusal.about(setting.name))
    }

    /// The text that an error page of this status carries; empty for the status' own reason.
    pub(crate) fn page(&self, code: u16) -> &[u8] {
        let text = match code {
            400 => &self.page_400,
            408 => &self.page_408,
            413 => &self.page_413,
            414 => &self.page_414,
            429 => &self.page_429,
            431 => &self.page_431,
            500 => &self.page_500,
            501 => &self.page_501,
            502 => &self.page_502,
            503 => &self.page_503,
            504 => &self.page_504,
            505 => &self.page_505,
            _ => return b"",
        };
        text.as_bytes()
    }
}

impl Default for Settings {
    /// [`DEFAULTS`], by value: for where the stack is large.
    fn default() -> Self {
        DEFAULTS
    }
}

impl Display for Settings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        TABLE.iter().try_for_each(|setting| {
            f.write_str(setting.name)?;
            (setting.print)(self, f)?;
            f.write_str("\n")
        })
    }
}

/// One entry of [`TABLE`].
struct Setting {
    name: &'static str,
    set: fn(&mut Settings, &[u8]) -> Result<(), Refusal>,
    print: fn(&Settings, &mut Formatter<'_>) -> fmt::Result,
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

const fn time(min: Duration, max: Duration) -> Limits {
    Limits::new(Unit::Time, min.as_nanos(), max.as_nanos())
}

const fn size(min: u64, max: u64) -> Limits {
    Limits::new(Unit::Size, min, max)
}

const fn count(min: u64, max: u64) -> Limits {
    Limits::new(Unit::Count, min, max)
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn days(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(86_400))
}
