// SPDX-License-Identifier: GPL-2.0

//! What gateways before us have told the origin of a target: its scheme, since it may be them who have
//! ended the TLS, and its host (X-Forwarded-Proto, X-Forwarded-Host, Forwarded of RFC 7239). An answer
//! may depend on it, as a redirect to `https` does, though no Vary says so: it belongs to the key.

use super::key::Scheme;
use crate::bytes;
use crate::http::field::fields;
use crate::http::field::Name;
use crate::http::list;

/// Which of these fields of a request the origin gets to see, or goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Believed {
    /// X-Forwarded-Proto.
    pub(crate) proto: bool,
    /// X-Forwarded-Host.
    pub(crate) host: bool,
    /// Forwarded.
    pub(crate) forwarded: bool,
}

/// The scheme of a target on `host`, as the origin hears of it from these field lines. None if it hears
/// of another host, or of several schemes, or of one that is not ours: then nobody knows of what its
/// answer is one.
pub(crate) fn scheme(lines: &[u8], host: &[u8], believed: Believed) -> Option<Scheme> {
    let mut told = Told { host, scheme: None };
    if believed.proto || believed.host || believed.forwarded {
        for (name, value) in fields(lines) {
            match Name::of(name) {
                Name::XForwardedProto if believed.proto => {
                    bytes::tokens(value).try_for_each(|proto| told.proto(proto))?;
                }
                Name::XForwardedHost if believed.host => {
                    bytes::tokens(value).try_for_each(|host| told.host(host))?;
                }
                Name::Forwarded if believed.forwarded => told.forwarded(value)?,
                _ => {}
            }
        }
    }
    Some(told.scheme.unwrap_or(Scheme::Http))
}

/// What was told so far.
struct Told<'a> {
    host: &'a [u8],
    scheme: Option<Scheme>,
}

impl Told<'_> {
    fn proto(&mut self, proto: &[u8]) -> Option<()> {
        let scheme = Scheme::named(proto)?;
        let before = self.scheme.replace(scheme);
        before.is_none_or(|before| before == scheme).then_some(())
    }

    fn host(&self, host: &[u8]) -> Option<()> {
        bytes::eq_ignore_case(host, self.host).then_some(())
    }

    /// RFC 7239 section 4: `for=…;host=…;proto=…`, one element for each hop.
    fn forwarded(&mut self, value: &[u8]) -> Option<()> {
        let parameters = list::elements(value).flat_map(list::parameters);
        for parameter in parameters {
            let end = bytes::find_byte(parameter, b'=').unwrap_or(parameter.len());
            let (name, value) = parameter.split_at_checked(end)?;
            let value = unquoted(value.strip_prefix(b"=").unwrap_or(value));
            if bytes::eq_ignore_case(name, b"proto") {
                self.proto(value)?;
            } else if bytes::eq_ignore_case(name, b"host") {
                self.host(value)?;
            }
        }
        Some(())
    }
}

/// What is in a quoted string without its quotes. One with a backslash in it equals nothing that is a
/// host or a scheme.
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', text @ .., b'"'] => text,
        _ => value,
    }
}
