// SPDX-License-Identifier: GPL-2.0

//! Request targets and hosts (RFC 9112 section 3.2, RFC 9110 sections 4.2 and 7.2).

use core::net::Ipv6Addr;

use super::head::Form;
use super::{Method, Status, Violation};
use crate::bytes::{self, Span};

/// A request target, taken apart. The spans count from its first octet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    /// How it is written.
    pub(crate) form: Form,
    /// The authority, empty unless the form is absolute.
    pub(crate) authority: Span,
    /// What follows the authority.
    pub(crate) path: Span,
}

/// Takes a target apart. Its octets are [`bytes::is_target_char`]s.
pub(crate) fn parse(target: &[u8], method: Method) -> Result<Target, Violation> {
    let whole = Span::between(0, target.len());
    match target {
        // "This specification does not define a tunnel": RFC 9110 section 9.3.6 leaves it to us.
        _ if method == Method::Connect => Err(Violation::new(
            Status::NOT_IMPLEMENTED,
            "CONNECT is not offered",
        )),
        [b'/', ..] => Ok(Target {
            form: Form::Origin,
            authority: Span::EMPTY,
            path: whole,
        }),
        b"*" if method == Method::Options => Ok(Target {
            form: Form::Asterisk,
            authority: Span::EMPTY,
            path: whole,
        }),
        _ => absolute(target),
    }
}

/// The absolute-form (RFC 9112 section 3.2.2) of the schemes http and https.
fn absolute(target: &[u8]) -> Result<Target, Violation> {
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        let start = target.get(..scheme.len()).unwrap_or(&[]);
        bytes::eq_ignore_case(start, scheme.as_bytes())
    });
    let Some(scheme) = scheme else {
        return Err(Violation::bad("bad request target"));
    };
    let rest = target.get(scheme.len()..).unwrap_or(&[]);
    let authority = rest.iter().position(|octet| matches!(octet, b'/' | b'?'));
    let end = scheme.len().saturating_add(authority.unwrap_or(rest.len()));
    let authority = Span::between(scheme.len(), end);
    if !is_host(authority.of(target)) {
        return Err(Violation::bad("bad host in the request target"));
    }
    Ok(Target {
        form: Form::Absolute,
        authority,
        path: Span::between(end, target.len()),
    })
}

/// Whether it is a host with an optional port, `uri-host [ ":" port ]`, and not empty, as it must
/// be in a URI of the scheme http (RFC 9110 sections 4.2.1 and 7.2).
///
/// The host is a name or an IPv4 address, or an IPv6 address in brackets. User information is
/// refused (RFC 9110 section 4.2.4), and so is a comma, which is legal in a name: whoever joins
/// two fields with a comma must not make a host of them.
pub(crate) fn is_host(text: &[u8]) -> bool {
    match text {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|octet| *octet == b']') else {
                return false;
            };
            let address = rest.get(..end).unwrap_or(&[]);
            let after = rest.get(end.saturating_add(1)..).unwrap_or(&[]);
            is_ipv6(address) && is_port_suffix(after)
        }
        _ => {
            let (name, after) = text.split_at_checked(name_len(text)).unwrap_or((text, &[]));
            !name.is_empty() && is_port_suffix(after)
        }
    }
}

fn is_ipv6(address: &[u8]) -> bool {
    core::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// `[ ":" *DIGIT ]`, the number being a port if there is one (RFC 3986 section 3.2.3).
fn is_port_suffix(text: &[u8]) -> bool {
    match text {
        [] | [b':'] => true,
        [b':', digits @ ..] => bytes::parse_decimal(digits).is_some_and(|port| port <= 65535),
        _ => false,
    }
}

/// Octets of the registered name at the front of `text` (RFC 3986 section 3.2.2), without commas.
fn name_len(text: &[u8]) -> usize {
    let mut rest = text;
    loop {
        let plain = rest.iter().position(|octet| !bytes::is_host_char(*octet));
        rest = rest.get(plain.unwrap_or(rest.len())..).unwrap_or(&[]);
        rest = match rest {
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            _ => return bytes::before(text, rest).len(),
        };
    }
}
