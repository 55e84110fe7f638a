// SPDX-License-Identifier: GPL-2.0

//! What an origin has for a target.

use std::ops::Range;

/// How an origin's answer may be used, in seconds.
#[derive(Clone, Copy)]
pub(super) struct Profile {
    pub(super) fields: &'static str,
    pub(super) fresh: u64,
    pub(super) revalidate: u64,
    pub(super) error: u64,
    pub(super) varies: bool,
    pub(super) stored: bool,
}

const PROFILES: &[Profile] = &[
    profile("Cache-Control: max-age=5\r\n", 5, 0, 0),
    profile("Cache-Control: max-age=60\r\n", 60, 0, 0),
    profile("Cache-Control: s-maxage=8, max-age=600\r\n", 8, 0, 0),
    profile(
        "Cache-Control: max-age=3, stale-while-revalidate=10\r\n",
        3,
        10,
        0,
    ),
    profile("Cache-Control: max-age=3, stale-if-error=20\r\n", 3, 0, 20),
    profile("Cache-Control: max-age=0\r\n", 0, 0, 0),
    profile("Cache-Control: no-cache\r\n", 0, 0, 0),
    Profile {
        varies: true,
        ..profile(
            "Vary: Accept-Language\r\nCache-Control: max-age=30\r\n",
            30,
            0,
            0,
        )
    },
    Profile {
        stored: false,
        ..profile("Cache-Control: no-store\r\n", 0, 0, 0)
    },
];

const fn profile(fields: &'static str, fresh: u64, revalidate: u64, error: u64) -> Profile {
    Profile {
        fields,
        fresh,
        revalidate,
        error,
        varies: false,
        stored: true,
    }
}

/// What the origin has for a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Page {
    pub(super) key: u64,
    pub(super) version: u64,
    pub(super) lang: char,
}

impl Page {
    pub(super) fn profile(self) -> Profile {
        let mixed = (self.key * 31 + self.version).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        PROFILES[mixed as usize % PROFILES.len()]
    }

    pub(super) fn tag(self) -> String {
        format!("\"{}.{}.{}\"", self.key, self.version, self.lang)
    }

    pub(super) fn of_tag(tag: &str) -> Self {
        let parts: Vec<_> = tag.trim_matches('"').split('.').collect();
        Self {
            key: parts[0].parse().unwrap(),
            version: parts[1].parse().unwrap(),
            lang: parts[2].parse().unwrap(),
        }
    }

    /// A 206 with these octets.
    pub(super) fn part(self, range: Range<usize>, fields: &str) -> Vec<u8> {
        let body = self.body();
        let (first, last) = (range.start, range.end - 1);
        let (octets, all) = (range.len(), body.len());
        let mut text = format!(
            "HTTP/1.1 206 Part\r\n{fields}Content-Range: bytes {first}-{last}/{all}\r\n\
             Content-Length: {octets}\r\n\r\n"
        )
        .into_bytes();
        text.extend_from_slice(&body[range]);
        text
    }

    pub(super) fn body(self) -> Vec<u8> {
        let len = (self.key * 7919 + self.version * 104_729) % 9000;
        let len = if len < 900 { 0 } else { len as usize };
        let unit = format!("{}{};", self.tag(), self.version);
        unit.bytes().cycle().take(len).collect()
    }
}

/// What a request that the origin has got asks for of so many octets, if that is a part.
pub(super) fn part_of(head: &str, len: usize) -> Option<(usize, usize)> {
    let (_, range) = head.split_once("Range: bytes=")?;
    let (range, _) = range.split_once("\r\n")?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    (first < len).then(|| (first, len.min(last + 1)))
}
