// SPDX-License-Identifier: GPL-2.0

//! `cache-clear`: drops stored responses: `all`, `expires`, `pattern HOST-REGEXP URL-REGEXP`.

use kernel::{
    alloc::KVec,
    prelude::*,
    sync::Arc, //
};

use super::{
    Context,
    Failure, //
};
use crate::{
    cache::{
        clear::Command,
        key,
        regexp::{
            self,
            Regexp,
            Scratch,
            State, //
        }, //
    },
    config::Refusal,
    rt::{
        clock,
        proc::File, //
    },
    server::{
        cache::{
            Cache,
            Entry, //
        },
        mappings, //
    },
};

pub(super) struct CacheClear(pub(super) Context);

impl CacheClear {
    #[inline(never)]
    fn clear(&self, text: &[u8]) -> Result<(), Failure> {
        let cache = self.0.instance.cache();
        match (Command::parse(text)?, cache) {
            (Command::Pattern { host, url }, cache) => return clear_matching(cache, host, url),
            (Command::All, Some(cache)) => cache.clear(|_| true),
            (Command::Expired, Some(cache)) => clear_expired(&cache),
            (_, None) => {}
        }
        Ok(())
    }
}

impl File for CacheClear {
    fn store(&self, text: &[u8]) -> Result {
        self.0.finish(format_args!("cache-clear"), self.clear(text))
    }

    fn refuse(&self, why: &str) {
        self.0.errors.record(format_args!("cache-clear: {why}"));
    }
}

/// An expression in memory of its own.
type Expression = Regexp<KVec<State>>;

#[inline(never)]
fn compiled(
    name: &'static str,
    text: &[u8],
    scratch: &mut Scratch,
) -> Result<KBox<Expression>, Failure> {
    let room = regexp::room(text);
    let states = KVec::from_elem(State::EMPTY, room, GFP_KERNEL).map_err(Error::from)?;
    let malformed = |why: regexp::Malformed| Refusal::invalid(why.as_str(), b"").about(name);
    let expression = Regexp::parse(text, states, scratch).map_err(malformed)?;
    Ok(KBox::new(expression, GFP_KERNEL).map_err(Error::from)?)
}

/// Drops those of which both are true; they are read even if there are none.
#[inline(never)]
fn clear_matching(cache: Option<Arc<Cache>>, host: &[u8], url: &[u8]) -> Result<(), Failure> {
    let both = both(host, url)?;
    if let Some(cache) = cache {
        cache.clear(|entry| matches(entry, &both));
    }
    Ok(())
}

#[inline(never)]
fn both(host: &[u8], url: &[u8]) -> Result<[KBox<Expression>; 2], Failure> {
    let mut scratch = mappings::scratch()?;
    let host = compiled("HOST-REGEXP", host, &mut scratch)?;
    let url = compiled("URL-REGEXP", url, &mut scratch)?;
    Ok([host, url])
}

fn matches(entry: &Entry, [host, url]: &[KBox<Expression>; 2]) -> bool {
    let parts = key::parts(entry.key());
    parts.is_some_and(|(its_host, its_url)| host.is_in(its_host) && url.is_in(its_url))
}

/// Drops what is stale. What is being filled is not known to be.
fn clear_expired(cache: &Cache) {
    let now = clock::boot_now();
    cache.clear(|entry| {
        let head = entry.head();
        head.is_some_and(|head| !head.response.freshness.is_fresh(now))
    });
}
