// SPDX-License-Identifier: GPL-2.0

//! Settings that are one of a few words.

use core::fmt::{
    self,
    Formatter, //
};

use super::{
    refusal::Refusal,
    table::{
        only_value,
        Value, //
    },
};

/// What is done with a request field that tells a backend about the client, such as
/// `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// Passed through as it came, or not.
    Off,
    /// Kept if it came from a trusted peer, and our part added; replaced if it did not.
    Append,
    /// Only what we know of ourselves is sent.
    Replace,
    /// We add nothing: what a trusted peer sent is passed through, what any other sent is not.
    Remove,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// Not at all.
    Off,
    /// The "combined" format that Apache's httpd made common.
    Combined,
    /// An object in JSON.
    Json,
}

/// How a backend is chosen for a request that belongs to no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Balance {
    /// One after the other, by weight.
    RoundRobin,
    /// The one with the fewest exchanges for its weight.
    LeastConnections,
    /// The better one of two: by how long its answers take, and how much it has to do.
    Latency,
    /// The same path always to the same one.
    Path,
    /// The same client always to the same one.
    Client,
}

/// What happens to a response that sets a cookie.
///
/// "The presence of a Set-Cookie response header field does not inhibit caching" (RFC 9111 section
/// 7.3), but a session that is shared by mistake is worse than a miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SetCookie {
    /// It is stored, with its cookies, if its sender said how long it is fresh, or that it is public.
    #[default]
    Explicit,
    /// It is stored like any other, but without its cookies.
    Strip,
    /// It is not stored.
    Refuse,
}

/// What `Vary: Cookie` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cookies {
    /// Resin's rule: those who have no cookie and no session share what is stored, nothing is stored
    /// for the others, and they get nothing that is stored.
    #[default]
    Anonymous,
    /// RFC 9111: as any other field. Those who have the same cookies share.
    Compared,
}

/// A value with a name for each of its cases. The first name is the one that is printed.
pub(super) trait Choice: Copy + PartialEq + 'static {
    const NAMES: &'static [(&'static str, Self)];
    /// What to say to any other word, which `{}` stands for.
    const MALFORMED: &'static str;
}

impl Choice for bool {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("off", false),
        ("on", true),
        ("false", false),
        ("true", true),
    ];
    const MALFORMED: &'static str = "{} is neither off nor on";
}

impl Choice for Forwarding {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("append", Self::Append),
        ("replace", Self::Replace),
        ("remove", Self::Remove),
    ];
    const MALFORMED: &'static str = "{} is not one of off, append, replace and remove";
}

impl Choice for Balance {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("round-robin", Self::RoundRobin),
        ("least-connections", Self::LeastConnections),
        ("latency", Self::Latency),
        ("path", Self::Path),
        ("client", Self::Client),
    ];
    const MALFORMED: &'static str =
        "{} is not one of round-robin, least-connections, latency, path and client";
}

impl Choice for Log {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("combined", Self::Combined),
        ("json", Self::Json),
    ];
    const MALFORMED: &'static str = "{} is not one of off, combined and json";
}

impl Choice for SetCookie {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("explicit", Self::Explicit),
        ("strip", Self::Strip),
        ("refuse", Self::Refuse),
    ];
    const MALFORMED: &'static str = "{} is not one of explicit, strip and refuse";
}

impl Choice for Cookies {
    const NAMES: &'static [(&'static str, Self)] =
        &[("anonymous", Self::Anonymous), ("compared", Self::Compared)];
    const MALFORMED: &'static str = "{} is neither anonymous nor compared";
}

impl<T: Choice> Value for T {
    type Rule = ();

    fn set(&mut self, text: &[u8], (): &'static ()) -> Result<(), Refusal> {
        let word = only_value(text)?;
        let mut names = T::NAMES.iter();
        match names.find(|(name, _)| name.as_bytes() == word) {
            Some(&(_, value)) => {
                *self = value;
                Ok(())
            }
            None => Err(Refusal::invalid(T::MALFORMED, word)),
        }
    }

    fn print(&self, (): &'static (), f: &mut Formatter<'_>) -> fmt::Result {
        let mut names = T::NAMES.iter();
        match names.find(|(_, value)| value == self) {
            Some((name, _)) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}
