// SPDX-License-Identifier: GPL-2.0

//! Where a request comes from, as gateways tell it: X-Forwarded-For, -Proto and -Host, and
//! Forwarded (RFC 7239).

use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::put_field;
use crate::bytes::{self, Full, Writer};
use crate::http::field::{self, Name};
use crate::http::forward::{Forward, Treatment};
use crate::http::head::RequestHead;
use crate::http::list;

/// What gateways before us told.
#[derive(Default)]
pub(super) struct Told<'a> {
    x_for: Hops<'a>,
    forwarded: Hops<'a>,
    x_proto: &'a [u8],
    x_host: &'a [u8],
}

/// The old lines of a list that we append to.
#[derive(Default)]
struct Hops<'a> {
    /// The first line that can be joined with others.
    first: &'a [u8],
    /// There are other lines.
    more: bool,
}

impl<'a> Told<'a> {
    /// Whether a line of one of these fields passes as it is. If not, what must be known of it is
    /// remembered.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn passes(&mut self, name: Name, value: &'a [u8], forward: &Forward<'_>) -> bool {
        let treatment = match name {
            Name::XForwardedFor => forward.x_for,
            Name::XForwardedProto => forward.x_proto,
            Name::XForwardedHost => forward.x_host,
            _ => forward.forwarded,
        };
        if treatment == Treatment::Append {
            match name {
                Name::XForwardedFor => self.x_for.note(value),
                Name::XForwardedProto => note_first(&mut self.x_proto, value),
                Name::XForwardedHost => note_first(&mut self.x_host, value),
                _ => self.forwarded.note(value),
            }
        }
        treatment == Treatment::Keep
    }

    /// Writes those of the fields that have not passed.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn put(
        &self,
        head: &RequestHead,
        bytes: &[u8],
        forward: &Forward<'_>,
        out: &mut Writer<'_>,
    ) -> Result<(), Full> {
        let lines = head.fields.of(bytes);
        let host = head.host.of(bytes);
        if forward.x_for.speaks() {
            out.put(b"X-Forwarded-For: ")?;
            self.x_for.put(lines, Name::XForwardedFor, out)?;
            put_address(forward.client.to_canonical(), out)?;
            out.put(b"\r\n")?;
        }
        if forward.x_proto.speaks() {
            put_known(b"X-Forwarded-Proto", self.x_proto, b"http", out)?;
        }
        if forward.x_host.speaks() {
            put_known(b"X-Forwarded-Host", self.x_host, host, out)?;
        }
        if forward.forwarded.speaks() {
            out.put(b"Forwarded: ")?;
            self.forwarded.put(lines, Name::Forwarded, out)?;
            put_forwarded_element(forward, host, out)?;
            out.put(b"\r\n")?;
        }
        Ok(())
    }
}

impl<'a> Hops<'a> {
    fn note(&mut self, value: &'a [u8]) {
        if self.first.is_empty() && is_joinable(value) {
            self.first = value;
        } else {
            self.more = true;
        }
    }

    /// Writes all lines as one, up to where the next element goes.
    fn put(&self, lines: &[u8], name: Name, out: &mut Writer<'_>) -> Result<(), Full> {
        if !self.more {
            return put_before_next(self.first, out);
        }
        let mut values = field::values(lines, name).filter(|value| is_joinable(value));
        values.try_for_each(|value| put_before_next(value, out))
    }
}

fn put_before_next(value: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    if value.is_empty() {
        return Ok(());
    }
    out.put(value)?;
    out.put(b", ")
}

/// A line with a quoted string that does not end would make what follows a part of the string.
fn is_joinable(value: &[u8]) -> bool {
    !value.is_empty() && list::is_closed(value)
}

/// Remembers the first element of a field that has one value: the one of the first hop.
fn note_first<'a>(first: &mut &'a [u8], value: &'a [u8]) {
    if first.is_empty() {
        *first = bytes::tokens(value).next().unwrap_or(&[]);
    }
}

/// Writes what was told, or else what we know; nothing if that is nothing.
fn put_known(name: &[u8], told: &[u8], known: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    match if told.is_empty() { known } else { told } {
        [] => Ok(()),
        value => put_field(name, value, out),
    }
}

fn put_address(address: IpAddr, out: &mut Writer<'_>) -> Result<(), Full> {
    match address {
        // Far cheaper than by `fmt`, and most are.
        IpAddr::V4(address) => put_ipv4(address, out),
        IpAddr::V6(address) => write!(out, "{address}").map_err(|_| Full),
    }
}

fn put_ipv4(address: Ipv4Addr, out: &mut Writer<'_>) -> Result<(), Full> {
    let mut text = [0; IPV4_MOST];
    let mut places = text.iter_mut();
    let mut put = |octet| {
        if let Some(place) = places.next() {
            *place = octet;
        }
    };
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            put(b'.');
        }
        if octet >= 100 {
            put(b'0'.wrapping_add(octet / 100));
        }
        if octet >= 10 {
            put(b'0'.wrapping_add(octet / 10 % 10));
        }
        put(b'0'.wrapping_add(octet % 10));
    }
    let len = IPV4_MOST.saturating_sub(places.len());
    out.put(text.get(..len).unwrap_or(&[]))
}

/// Octets of `255.255.255.255`.
const IPV4_MOST: usize = 15;

/// `for=…;host=…;proto=http` (RFC 7239 section 4). Host is left out where the request has none.
fn put_forwarded_element(
    forward: &Forward<'_>,
    host: &[u8],
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    out.put(b"for=")?;
    put_node(forward.client.to_canonical(), forward.client_port, out)?;
    if !host.is_empty() {
        out.put(b";host=")?;
        put_value(host, out)?;
    }
    out.put(b";proto=http")
}

/// A node (RFC 7239 section 6): "an IPv6 address is always enclosed in square brackets", and what
/// has a colon in it in quotes.
fn put_node(address: IpAddr, port: u16, out: &mut Writer<'_>) -> Result<(), Full> {
    match (address, port) {
        (IpAddr::V4(address), 0) => return put_ipv4(address, out),
        (IpAddr::V6(address), 0) => write!(out, "\"[{address}]\""),
        (address, port) => write!(out, "\"{}\"", SocketAddr::new(address, port)),
    }
    .map_err(|_| Full)
}

/// Writes a host as a token or a quoted string: it has no octets that must be escaped in one
/// ([`is_host`](crate::http::target::is_host)).
fn put_value(host: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    if bytes::is_token(host) {
        return out.put(host);
    }
    out.put(b"\"")?;
    out.put(host)?;
    out.put(b"\"")
}
