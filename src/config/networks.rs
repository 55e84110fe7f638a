// SPDX-License-Identifier: GPL-2.0

//! Lists of networks, such as those whose proxies are trusted.
//!
//! ```text
//! networks  = "none" / network *( separator network )
//! separator = 1*( SP / HTAB / "," )
//! network   = IPv4 [ "/" 0-32 ] / IPv6 [ "/" 0-128 ]
//! ```

use core::{
    fmt::{
        self,
        Display,
        Formatter, //
    },
    net::{
        IpAddr,
        Ipv4Addr, //
    },
};

use super::{
    refusal::Refusal,
    table::Value, //
};
use crate::bytes;

/// Up to [`Networks::MAX`] networks, in the order in which they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Networks {
    /// How many of `list` are used. The others are [`Network::UNUSED`].
    len: u8,
    list: [Network; Self::MAX],
}

impl Networks {
    /// The most networks in a list.
    pub(crate) const MAX: usize = 8;

    /// The list that contains nobody.
    pub(crate) const NONE: Self = Self {
        len: 0,
        list: [Network::UNUSED; Self::MAX],
    };

    /// Whether `ip` is in one of the networks. An IPv4 address that came mapped into IPv6 (RFC 4291
    /// section 2.5.5.2) is the IPv4 address.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.iter().any(|network| network.contains(ip))
    }

    fn iter(&self) -> impl Iterator<Item = &Network> {
        self.list.iter().take(usize::from(self.len))
    }

    #[inline(never)]
    fn push(&mut self, word: &[u8]) -> Result<(), Refusal> {
        let network = Network::parse(word)?;
        match self.list.get_mut(usize::from(self.len)) {
            Some(free) => {
                *free = network;
                self.len = self.len.saturating_add(1);
                Ok(())
            }
            None => Err(Refusal::too_large(TOO_MANY, word)),
        }
    }
}

impl Value for Networks {
    type Rule = ();

    #[inline(never)]
    fn set(&mut self, text: &[u8], (): &'static ()) -> Result<(), Refusal> {
        *self = Self::NONE;
        if text == b"none" {
            return Ok(());
        }
        let separates = |octet: &u8| octet.is_ascii_whitespace() || *octet == b',';
        let mut words = text.split(separates).filter(|word| !word.is_empty());
        words.try_for_each(|word| self.push(word))?;
        if self.len == 0 {
            return Err(Refusal::invalid(MISSING, b""));
        }
        Ok(())
    }

    #[inline(never)]
    fn print(&self, (): &'static (), f: &mut Formatter<'_>) -> fmt::Result {
        if self.len == 0 {
            return f.write_str(" none");
        }
        self.iter().try_for_each(|network| {
            f.write_str(" ")?;
            Display::fmt(network, f)
        })
    }
}

/// The addresses that begin with the same bits as another.
///
/// # Invariants
///
/// `ip` is canonical (no mapped IPv4), and has no bit set after the first `prefix`; `prefix` is at
/// most the length of such an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    ip: IpAddr,
    /// How many bits count.
    prefix: u8,
}

impl Network {
    /// Fills the places of a list that are not used.
    const UNUSED: Self = Self {
        ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        prefix: 0,
    };

    /// Reads `ADDRESS` or `ADDRESS/PREFIX`.
    #[inline(never)]
    fn parse(word: &[u8]) -> Result<Self, Refusal> {
        let (address, prefix) = split_prefix(word);
        let Some(ip) = parse_ip(address) else {
            return Err(Refusal::invalid(MALFORMED, word));
        };
        let prefix = match prefix {
            None => Some(width(ip)),
            Some(digits) => parse_prefix(digits).filter(|&prefix| prefix <= width(ip)),
        };
        let Some(prefix) = prefix else {
            return Err(Refusal::invalid(BAD_PREFIX, word));
        };
        let network = Self { ip, prefix }.canonical();
        match network {
            None => Err(Refusal::invalid(BAD_PREFIX, word)),
            Some(network) if network.has_host_bits() => Err(Refusal::invalid(HOST_BITS, word)),
            Some(network) => Ok(network),
        }
    }

    /// A network of mapped IPv4 addresses as the IPv4 network that it is. None if it is a part of
    /// those addresses and of others, which nobody means.
    fn canonical(self) -> Option<Self> {
        match (self.ip, self.ip.to_canonical()) {
            (IpAddr::V6(_), ip @ IpAddr::V4(_)) => Some(Self {
                ip,
                prefix: self.prefix.checked_sub(MAPPED)?,
            }),
            _ => Some(self),
        }
    }

    fn has_host_bits(&self) -> bool {
        let trailing = match self.ip {
            IpAddr::V4(ip) => ip.to_bits().trailing_zeros(),
            IpAddr::V6(ip) => ip.to_bits().trailing_zeros(),
        };
        let host = u32::from(width(self.ip).saturating_sub(self.prefix));
        trailing < host
    }

    /// Whether the canonical `ip` is one of these.
    fn contains(&self, ip: IpAddr) -> bool {
        let same = match (self.ip, ip) {
            (IpAddr::V4(ours), IpAddr::V4(its)) => (ours.to_bits() ^ its.to_bits()).leading_zeros(),
            (IpAddr::V6(ours), IpAddr::V6(its)) => (ours.to_bits() ^ its.to_bits()).leading_zeros(),
            _ => return false,
        };
        same >= u32::from(self.prefix)
    }
}

impl Display for Network {
    #[inline(never)]
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.ip, f)?;
        if self.prefix == width(self.ip) {
            return Ok(());
        }
        write!(f, "/{}", self.prefix)
    }
}

/// Bits in an address of this family.
fn width(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn split_prefix(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = word.splitn(2, |&octet| octet == b'/');
    (parts.next().unwrap_or(b""), parts.next())
}

fn parse_ip(word: &[u8]) -> Option<IpAddr> {
    core::str::from_utf8(word).ok()?.parse().ok()
}

/// Up to three digits, none of them a leading zero too many.
fn parse_prefix(digits: &[u8]) -> Option<u8> {
    if digits.len() > 1 && digits.starts_with(b"0") {
        return None;
    }
    u8::try_from(bytes::parse_decimal(digits)?).ok()
}

/// Bits in front of an IPv4 address that is mapped into IPv6: `::ffff:0:0/96`.
const MAPPED: u8 = 96;

const MISSING: &str = "a value is missing: write networks such as 10.0.0.0/8, or none";
const MALFORMED: &str = "{} is not a network: write one such as 10.0.0.0/8 or 2001:db8::/32";
const BAD_PREFIX: &str = "the prefix length of {} is wrong: write /0 to /32, for IPv6 to /128";
const HOST_BITS: &str = "{} has bits set after its prefix length";
const TOO_MANY: &str = "{} is one too many: a list holds up to 8 networks";
