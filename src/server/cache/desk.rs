// SPDX-License-Identifier: GPL-2.0

//! Whom the cache serves, and by whose rules; and how it sees a request.

use core::net::IpAddr;

use kernel::sync::Arc;

use super::entry::Waiter;
use super::remark::remark;
use super::remark::Deed;
use super::Cache;
use crate::cache::key::Key;
use crate::cache::key::Scheme;
use crate::cache::scheme;
use crate::cache::DeltaSeconds;
use crate::cache::Request;
use crate::cache::Rules;
use crate::config::CacheSettings;
use crate::exchange;
use crate::http::head::RequestHead;
use crate::lb::Names;
use crate::server::engine::Config;
use crate::server::Engine;
use crate::status::Count;

/// Whom a visit is for, and whose rules there are.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) config: &'a Arc<Config>,
    pub(crate) cache: &'a Arc<Cache>,
    pub(crate) client: IpAddr,
    pub(crate) waiter: Waiter,
}

/// The same, for as long as the answer takes.
pub(super) struct Kept {
    engine: Arc<Engine>,
    pub(super) config: Arc<Config>,
    cache: Arc<Cache>,
    client: IpAddr,
}

/// A request, and its octets.
pub(super) type Asked<'a> = (&'a RequestHead, &'a [u8]);

impl<'a> Desk<'a> {
    pub(super) fn settings(&self) -> &'a CacheSettings {
        &self.config.cache
    }

    pub(super) fn keep(&self) -> Kept {
        Kept {
            engine: self.engine.clone(),
            config: self.config.clone(),
            cache: self.cache.clone(),
            client: self.client,
        }
    }
}

impl Kept {
    pub(super) fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(super) fn settings(&self) -> &CacheSettings {
        &self.config.cache
    }

    pub(super) fn rules(&self, mapped: Option<DeltaSeconds>) -> Rules<'_> {
        rules(&self.config, mapped)
    }

    pub(super) fn count(&self, what: Count) {
        self.engine.stats().count(what);
    }

    /// Says in the log what is done.
    pub(super) fn remark(&self, deed: Deed<'_>, target: &[u8]) {
        remark(&self.engine, &self.config, deed, target);
    }

    /// Wakes a client.
    pub(super) fn wake(&self, waiter: Waiter) {
        self.engine.wake(waiter.cpu, waiter.who);
    }

    pub(super) fn request<'a>(&self, head: &RequestHead, octets: &'a [u8]) -> Request<'a> {
        request(&self.config, self.client, head, octets)
    }
}

fn rules(config: &Config, mapped: Option<DeltaSeconds>) -> Rules<'_> {
    Rules::of(&config.cache, &config.settings, mapped)
}

/// A request of this client, as the cache sees it.
pub(super) fn request<'a>(
    config: &Config,
    client: IpAddr,
    head: &RequestHead,
    octets: &'a [u8],
) -> Request<'a> {
    let settings = &config.settings;
    let names = Names {
        cookie: b"",
        prefix: settings.session_path.as_bytes(),
        stamp: b"",
    };
    let session = names.find(head.path.of(octets), core::iter::empty());
    let lines = head.fields.of(octets);
    let mut request = Request::of(head.method, lines, head.body, session.name.is_some());
    request.kept = exchange::kept(settings, client);
    request
}

/// The key of a request's target under a scheme, if it has one. Whoever names no host gets what no other
/// gets.
pub(super) fn key_of(scheme: Scheme, (head, octets): Asked<'_>) -> Option<Key<'_>> {
    Key::new(scheme, head.host.of(octets), b"", head.path.of(octets))
}

/// The same under the scheme that the origin hears of; none if nobody knows what it will make of that.
pub(super) fn key_as_told<'a>(desk: &Desk<'_>, asked: Asked<'a>) -> Option<Key<'a>> {
    let (head, octets) = asked;
    let believed = exchange::believed(&desk.config.settings, desk.client);
    let lines = head.fields.of(octets);
    key_of(scheme(lines, head.host.of(octets), believed)?, asked)
}
