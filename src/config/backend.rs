// SPDX-License-Identifier: GPL-2.0

//! One backend as it is written to and read from `srun-N`.
//!
//! ```text
//! backend = address *( 1*SP option )
//! address = IP 1*SP PORT / IPv4 ":" PORT / "[" IPv6 "]:" PORT
//! option  = "http" / "hmux" / "srun" / "weight=" N / "max=" N / "route=" NAME / "backup" / "up" /
//!           "drain" / "down"
//! ```
//! Options come in any order, each at most once.

use core::{
    fmt::{
        self,
        Display,
        Formatter, //
    },
    net::{
        IpAddr,
        Ipv4Addr,
        Ipv6Addr,
        SocketAddr, //
    },
    str::FromStr, //
};

use super::{
    amount::{
        Limits,
        Unit, //
    },
    refusal::Refusal,
    text::Text,
    words, //
};
use crate::bytes;

/// A server that requests are passed to (a "srun"): where it is and how it is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// Never port 0, and always one host's own address.
    pub(crate) addr: SocketAddr,
    pub(crate) protocol: Protocol,
    /// Its share of the requests against the other backends' weights, 1 to 256.
    pub(crate) weight: u16,
    /// The most exchanges with it at a time; 0 means no limit.
    pub(crate) max: u32,
    /// What its sessions' names have behind the first dot (Tomcat's jvmRoute, Jetty's worker name);
    /// empty if they have none.
    pub(crate) route: Text<32>,
    /// Chosen only when no other backend is up.
    pub(crate) backup: bool,
    pub(crate) admin: Admin,
}

/// What is spoken to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Hmux,
    Srun,
}

/// What the administrator wants of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admin {
    /// In use.
    Up,
    /// Finishes the sessions it has, gets no new ones.
    Drain,
    /// Not chosen at all.
    Down,
}

impl Backend {
    /// Where a Resin on the same machine has listened since 2001.
    pub(crate) const DEFAULT: Self =
        Self::new(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6802));

    /// A plain HTTP backend with every option at its default.
    pub(crate) const fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            protocol: Protocol::Http,
            weight: 1,
            max: 0,
            route: Text::EMPTY,
            backup: false,
            admin: Admin::Up,
        }
    }

    /// Takes what is written to `srun-N`; after a refusal it may have changed.
    pub(crate) fn read(&mut self, text: &[u8]) -> Result<(), Refusal> {
        *self = Self::parse(text)?;
        Ok(())
    }

    /// Parses what is written to `srun-N`.
    #[inline(never)]
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let line = text.trim_ascii();
        if line.contains(&b'\n') {
            return Err(Refusal::invalid(
                "write one line: a file is one backend",
                b"",
            ));
        }
        let mut words = words(line);
        let mut backend = Self::new(parse_address(&mut words)?);
        let mut given = Given::default();
        for word in words {
            backend.set_option(word, &mut given)?;
        }
        Ok(backend)
    }

    #[inline(never)]
    fn set_option(&mut self, word: &[u8], given: &mut Given) -> Result<(), Refusal> {
        let first = if let Some(protocol) = Protocol::from_name(word) {
            self.protocol = protocol;
            given.protocol.is_first()
        } else if let Some(admin) = Admin::from_name(word) {
            self.admin = admin;
            given.admin.is_first()
        } else if word == b"backup" {
            self.backup = true;
            given.backup.is_first()
        } else if let Some(value) = word.strip_prefix(b"weight=") {
            self.weight = u16::try_from(number(value, &WEIGHT, "weight")?).unwrap_or(u16::MAX);
            given.weight.is_first()
        } else if let Some(value) = word.strip_prefix(b"max=") {
            self.max = u32::try_from(number(value, &MAX, "max")?).unwrap_or(u32::MAX);
            given.max.is_first()
        } else if let Some(value) = word.strip_prefix(b"route=") {
            self.set_route(value)?;
            given.route.is_first()
        } else {
            return Err(Refusal::invalid("unknown option {}", word));
        };
        if first {
            Ok(())
        } else {
            Err(Refusal::invalid(
                "{} repeats or contradicts an earlier option",
                word,
            ))
        }
    }
}

impl Backend {
    #[inline(never)]
    fn set_route(&mut self, name: &[u8]) -> Result<(), Refusal> {
        if !bytes::is_token(name) {
            return Err(Refusal::invalid(
                "route {} is not a token: write letters, digits and marks such as - . _",
                name,
            ));
        }
        if !self.route.store(name) {
            return Err(Refusal::too_large(
                "route {} is too long: write up to 32 octets",
                name,
            ));
        }
        Ok(())
    }

    /// Whether the other one is the same server, whatever else is different.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        self.addr == other.addr && self.protocol == other.protocol
    }
}

impl Default for Backend {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Display for Backend {
    /// The address, one space, the port, then the options that are not at their default.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = Self::new(self.addr);
        write!(f, "{} {}", self.addr.ip(), self.addr.port())?;
        if self.protocol != plain.protocol {
            write!(f, " {}", self.protocol.name())?;
        }
        if self.weight != plain.weight {
            write!(f, " weight={}", self.weight)?;
        }
        if self.max != plain.max {
            write!(f, " max={}", self.max)?;
        }
        if self.route != plain.route {
            write!(f, " route={}", self.route.as_str())?;
        }
        if self.backup {
            f.write_str(" backup")?;
        }
        if self.admin != plain.admin {
            write!(f, " {}", self.admin.name())?;
        }
        Ok(())
    }
}

impl Protocol {
    const ALL: [Self; 3] = [Self::Http, Self::Hmux, Self::Srun];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Hmux => "hmux",
            Self::Srun => "srun",
        }
    }

    fn from_name(word: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|protocol| protocol.name().as_bytes() == word)
    }
}

impl Admin {
    const ALL: [Self; 3] = [Self::Up, Self::Drain, Self::Down];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Drain => "drain",
            Self::Down => "down",
        }
    }

    fn from_name(word: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|admin| admin.name().as_bytes() == word)
    }
}

/// Which options a line has named so far.
#[derive(Default)]
struct Given {
    protocol: Once,
    weight: Once,
    max: Once,
    route: Once,
    backup: Once,
    admin: Once,
}

#[derive(Default)]
struct Once(bool);

impl Once {
    /// Whether this call is the first one.
    fn is_first(&mut self) -> bool {
        !core::mem::replace(&mut self.0, true)
    }
}

/// A plain decimal number within `limits`; `subject` names it in a refusal.
#[inline(never)]
fn number(word: &[u8], limits: &'static Limits, subject: &'static str) -> Result<u64, Refusal> {
    limits.parse(word).map_err(|refusal| refusal.about(subject))
}

/// Takes the address from the front of a line's words: one word with the port in it, or two.
#[inline(never)]
fn parse_address<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Result<SocketAddr, Refusal> {
    let Some(word) = words.next() else {
        return Err(Refusal::invalid(MISSING_ADDRESS, b""));
    };
    let (host, port) = split_port(word);
    let ip = match parse_ip(host) {
        Ok(ip) => ip,
        Err(reason) => return Err(reason.refusal(word)),
    };
    match port.or_else(|| words.next()) {
        Some(port) => Ok(SocketAddr::new(ip, parse_port(port)?)),
        None => Err(Refusal::invalid(MISSING_PORT, word)),
    }
}

#[inline(never)]
fn parse_port(word: &[u8]) -> Result<u16, Refusal> {
    let port = number(word, &PORT, "port")?;
    // `PORT` bounds the value, so that this never saturates.
    Ok(u16::try_from(port).unwrap_or(u16::MAX))
}

/// What was written for an address, as far as its punctuation tells.
enum Host<'a> {
    /// Between brackets: IPv6 and nothing else.
    Bracketed(&'a [u8]),
    Bare(&'a [u8]),
}

/// Cuts `IPv4:PORT` and `[IPv6]:PORT`. A bare IPv6 address has several colons and is left whole.
fn split_port(word: &[u8]) -> (Host<'_>, Option<&[u8]>) {
    let colon = word.iter().rposition(|&octet| octet == b':');
    let cut = colon.and_then(|at| Some((word.get(..at)?, word.get(at.checked_add(1)?..)?)));
    match cut {
        _ if bracketed(word).is_some() => (host(word), None),
        // A URL is cut nowhere, so that it is called what it is: not an address.
        Some((_, port)) if !port.iter().all(u8::is_ascii_alphanumeric) => (host(word), None),
        Some((front, port)) if bracketed(front).is_some() || !front.contains(&b':') => {
            (host(front), Some(port))
        }
        _ => (host(word), None),
    }
}

fn host(word: &[u8]) -> Host<'_> {
    bracketed(word).map_or(Host::Bare(word), Host::Bracketed)
}

fn bracketed(word: &[u8]) -> Option<&[u8]> {
    word.strip_prefix(b"[")?.strip_suffix(b"]")
}

/// Why an address cannot be a backend's.
#[derive(Clone, Copy)]
enum BadAddress {
    Malformed,
    Name,
    Scope,
    NotOneHost,
}

impl BadAddress {
    #[inline(never)]
    fn refusal(self, word: &[u8]) -> Refusal {
        match self {
            Self::Malformed => Refusal::invalid(
                "{} is not an address: write IP PORT, such as 192.168.0.3 6802",
                word,
            ),
            Self::Name => Refusal::invalid(
                "{} is a host name: names are resolved in user space, write an address",
                word,
            ),
            Self::Scope => Refusal::unsupported(
                "{} needs an interface: link-local addresses are not supported yet",
                word,
            ),
            Self::NotOneHost => Refusal::invalid("{} is not the address of one host", word),
        }
    }
}

#[inline(never)]
fn parse_ip(host: Host<'_>) -> Result<IpAddr, BadAddress> {
    let ip = match host {
        Host::Bracketed(word) => parse::<Ipv6Addr>(word).map(IpAddr::V6),
        Host::Bare(word) => parse::<IpAddr>(word),
    };
    // A mapped address would be an IPv4 connection under another name: call it what it is.
    match (ip.map(|ip| ip.to_canonical()), host) {
        (Some(IpAddr::V6(ip)), _) if is_link_local(&ip) => Err(BadAddress::Scope),
        (Some(IpAddr::V4(ip)), _) if ip.is_broadcast() => Err(BadAddress::NotOneHost),
        (Some(ip), _) if ip.is_unspecified() || ip.is_multicast() => Err(BadAddress::NotOneHost),
        (Some(ip), _) => Ok(ip),
        (None, Host::Bare(word) | Host::Bracketed(word)) if word.contains(&b'%') => {
            Err(BadAddress::Scope)
        }
        (None, Host::Bare(word)) if looks_like_name(word) => Err(BadAddress::Name),
        (None, _) => Err(BadAddress::Malformed),
    }
}

fn parse<T: FromStr>(word: &[u8]) -> Option<T> {
    core::str::from_utf8(word).ok()?.parse().ok()
}

/// fe80::/10 (RFC 4291 section 2.5.6).
fn is_link_local(ip: &Ipv6Addr) -> bool {
    ip.segments()
        .first()
        .is_some_and(|&first| first & 0xffc0 == 0xfe80)
}

fn looks_like_name(word: &[u8]) -> bool {
    let label = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
    word.iter().all(label) && word.iter().any(u8::is_ascii_alphabetic)
}

const MISSING_ADDRESS: &str = "an address is missing: write IP PORT, such as 192.168.0.3 6802";
const MISSING_PORT: &str = "a port is missing after {}";

/// A backend cannot be on port 0.
const PORT: Limits = Limits::new(Unit::Count, 1, u16::MAX as u64);
const WEIGHT: Limits = Limits::new(Unit::Count, 1, 256);
const MAX: Limits = Limits::new(Unit::Count, 0, 1_000_000);
