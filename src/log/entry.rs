// SPDX-License-Identifier: GPL-2.0

//! What is known of an exchange at its end, and how it is stored until somebody reads it.

use core::net::IpAddr;
use core::net::Ipv6Addr;

use super::Format;
use crate::time::Duration;
use crate::time::UnixTime;

/// What is known of an exchange, besides what was captured of its request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry<'a> {
    /// The client's address.
    pub(crate) client: IpAddr,
    /// When the request came.
    pub(crate) received: UnixTime,
    /// What the client was told; 0 if nothing.
    pub(crate) status: u16,
    /// Body octets that were sent to the client.
    pub(crate) octets: u64,
    /// The number of the backend that was asked, below 65,535.
    pub(crate) backend: Option<u16>,
    /// What the cache did: up to eight letters, digits or hyphens. `-` if it was not asked.
    pub(crate) cache: &'a str,
    /// From the request to the last octet of the answer.
    pub(crate) total: Duration,
    /// From the request to the first octet of the answer.
    pub(crate) first_byte: Option<Duration>,
    /// How it ended: two letters, digits or hyphens.
    pub(crate) ending: [u8; 2],
    /// The request's id.
    pub(crate) id: u64,
    /// It is a [`remark`](super::remark()) at that time instead: nothing but that is known.
    pub(crate) is_remark: bool,
}

/// Words that an entry is stored in.
pub(crate) const FIELDS: usize = 9;

/// What stands before an address of IPv4 in one of IPv6 (RFC 4291 section 2.5.5.2).
const MAPPED: u64 = 0xffff_0000_0000;

/// No backend.
const NONE: u16 = u16::MAX;

impl Entry<'_> {
    /// Of a remark.
    pub(crate) const fn remark(now: UnixTime) -> Self {
        Self {
            client: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            received: now,
            status: 0,
            octets: 0,
            backend: None,
            cache: "-",
            total: Duration::ZERO,
            first_byte: None,
            ending: *b"--",
            id: 0,
            is_remark: true,
        }
    }

    /// The entry, and the format of what was captured, as numbers.
    pub(crate) fn pack(&self, format: Format) -> [u64; FIELDS] {
        let (high, low) = match self.client {
            IpAddr::V4(client) => (0, MAPPED | u64::from(client.to_bits())),
            // CAST: the two halves.
            IpAddr::V6(client) => ((client.to_bits() >> 64) as u64, client.to_bits() as u64),
        };
        let cache = self.cache.bytes().take(8).rev();
        let format = match format {
            Format::Combined => 0,
            Format::Json => 1,
        };
        let [first, second] = self.ending.map(u64::from);
        [
            high,
            low,
            // CAST: as it is unpacked.
            self.received.as_secs() as u64,
            self.octets,
            self.total.as_nanos(),
            // The longest span is as good as the one that is a nanosecond shorter.
            self.first_byte
                .map_or(0, |time| time.as_nanos().saturating_add(1)),
            self.id,
            cache.fold(0, |word, octet| (word << 8) | u64::from(octet)),
            u64::from(self.status)
                | (u64::from(self.backend.unwrap_or(NONE)) << 16)
                | (first << 32)
                | (second << 40)
                | (format << 48)
                | (u64::from(self.is_remark) << 56),
        ]
    }
}

impl<'a> Entry<'a> {
    /// What [`Entry::pack`] packed, from the octets of those words in little-endian order; and
    /// what follows them. None if they are too few.
    pub(crate) fn unpack(record: &'a [u8]) -> Option<(Format, Entry<'a>, &'a [u8])> {
        let (fields, text) = record.split_at_checked(FIELDS.wrapping_mul(8))?;
        let mut chunks = fields.chunks_exact(8);
        let mut octets = || <&[u8; 8]>::try_from(chunks.next()?).ok();
        let client = [octets()?, octets()?].map(|half| u64::from_le_bytes(*half));
        let [received, sent, total, first_byte, id] =
            [octets()?, octets()?, octets()?, octets()?, octets()?]
                .map(|number| u64::from_le_bytes(*number));
        let cache = octets()?;
        let len = cache.iter().take_while(|octet| **octet != 0).count();
        let [status_low, status_high, backend_low, backend_high, first, second, format, remark] =
            *octets()?;
        let backend = u16::from_le_bytes([backend_low, backend_high]);
        let [high, low] = client.map(u128::from);
        let entry = Entry {
            client: IpAddr::V6(Ipv6Addr::from((high << 64) | low)),
            // CAST: as it was packed.
            received: UnixTime::from_secs(received as i64),
            status: u16::from_le_bytes([status_low, status_high]),
            octets: sent,
            backend: (backend != NONE).then_some(backend),
            cache: core::str::from_utf8(cache.get(..len)?).unwrap_or("-"),
            total: Duration::from_nanos(total),
            first_byte: first_byte.checked_sub(1).map(Duration::from_nanos),
            ending: [first, second],
            id,
            is_remark: remark != 0,
        };
        let format = match format {
            0 => Format::Combined,
            _ => Format::Json,
        };
        Some((format, entry, text))
    }
}
