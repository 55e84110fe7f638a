// SPDX-License-Identifier: GPL-2.0

//! Selectors in short, since a key may have many: a request's fields are read once for each list of
//! names, and what they are is hashed; it is compared only with selectors whose hash is the same.

use super::bar;
use super::matches;
use super::name_of;
use super::put_value;
use super::Cookies;
use super::Request;
use super::Sink;
use crate::bytes::sip::SipKey;
use crate::bytes::sip::TableHasher;
use crate::bytes::Full;

/// A selector in short. Those that are the same have the same, and others hardly ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tag {
    /// A hash of the names, not zero.
    list: u32,
    /// A hash of names and values.
    values: u32,
}

impl Tag {
    /// The tag of a selector, as the secret has it.
    pub(crate) fn of(selector: &[u8], secret: SipKey) -> Tag {
        let (mut list, mut values) = (Digest::new(secret), Digest::new(secret));
        for line in selector.split(|octet| *octet == b'\n') {
            list.add(name_of(line));
            list.add(b"\n");
        }
        values.add(selector);
        Tag {
            list: list.finish().max(1),
            values: values.finish(),
        }
    }

    /// The tag as a number, which is not zero.
    pub(crate) const fn word(self) -> u64 {
        // CAST: Wider.
        ((self.list as u64) << 32) | self.values as u64
    }

    /// The tag of which this is the number.
    pub(crate) const fn of_word(word: u64) -> Tag {
        // CAST: Half by half.
        Tag {
            list: (word >> 32) as u32,
            values: word as u32,
        }
    }
}

/// A request that is compared with many selectors. Of each list of names that it has met, up to some,
/// it knows the hash that the request's own selector would have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matcher<'a> {
    request: &'a Request<'a>,
    cookies: Cookies,
    secret: SipKey,
    /// List and values; no values: nothing that varies by these is for the request.
    met: [Option<(u32, Option<u32>)>; 4],
}

impl<'a> Matcher<'a> {
    /// A request, with the secret of the tags.
    pub(crate) const fn new(
        request: &'a Request<'a>,
        cookies: Cookies,
        secret: SipKey,
    ) -> Matcher<'a> {
        Matcher {
            request,
            cookies,
            secret,
            met: [None; 4],
        }
    }

    /// Whether a selector with this tag may match, for all that is known by now.
    pub(crate) fn may_match(&self, tag: Tag) -> bool {
        let values = self.values(tag.list);
        values.is_none_or(|values| values == Some(tag.values))
    }

    /// Whether a selector, which has this tag, [`matches()`].
    pub(crate) fn matches(&mut self, selector: &[u8], tag: Tag) -> bool {
        if !self.may_match(tag) {
            return false;
        }
        let is_match = matches(selector, self.request, self.cookies);
        let place = self.met.iter_mut().find(|met| match met {
            Some((list, _)) => *list == tag.list,
            None => true,
        });
        if let Some(met @ None) = place {
            let values = match is_match {
                true => Some(tag.values),
                false => own_values(selector, self.request, self.cookies, self.secret),
            };
            *met = Some((tag.list, values));
        }
        is_match
    }

    fn values(&self, list: u32) -> Option<Option<u32>> {
        let mut met = self.met.iter().flatten();
        let (_, values) = met.find(|(met, _)| *met == list)?;
        Some(*values)
    }
}

/// The hash of the request's own selector, for the names in another's. None if nothing that varies
/// by these is for it.
fn own_values(
    selector: &[u8],
    request: &Request<'_>,
    cookies: Cookies,
    secret: SipKey,
) -> Option<u32> {
    let mut own = Digest::new(secret);
    for line in selector.split(|octet| *octet == b'\n') {
        let name = name_of(line);
        if bar(name, request, cookies).is_some() {
            return None;
        }
        if !name.is_empty() {
            own.add(name);
            put_value(name, request.lines, &mut own).ok()?;
            own.add(b"\n");
        }
    }
    Some(own.finish())
}

/// A hash of octets that is the same in whatever pieces they come.
struct Digest {
    hasher: TableHasher,
    /// The last octets, which are less than eight, and how many all are.
    word: u64,
    len: u64,
}

impl Digest {
    fn new(secret: SipKey) -> Digest {
        Digest {
            hasher: TableHasher::new(secret),
            word: 0,
            len: 0,
        }
    }

    fn add(&mut self, octets: &[u8]) {
        for octet in octets {
            self.word = (self.word << 8) | u64::from(*octet);
            self.len = self.len.wrapping_add(1);
            if self.len % 8 == 0 {
                self.hasher.word(self.word);
                self.word = 0;
            }
        }
    }

    fn finish(mut self) -> u32 {
        self.hasher.word(self.word);
        self.hasher.word(self.len);
        // CAST: A part of a hash is one.
        self.hasher.finish() as u32
    }
}

impl Sink for Digest {
    fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        self.add(octets);
        Ok(())
    }
}
