// SPDX-License-Identifier: GPL-2.0

//! Looks whether a request has changed what is stored (RFC 9111 section 4.4).

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::visit::Desk;
use super::written;
use super::Cache;
use crate::cache::invalidates;
use crate::cache::key;
use crate::cache::key::Key;
use crate::cache::key::Scheme;
use crate::cache::references;
use crate::cache::Base;
use crate::http::head::ResponseHead;
use crate::http::Method;
use crate::server::Engine;

/// An unsafe request, whose head may be gone when the answer comes.
pub(super) struct Watching {
    engine: Arc<Engine>,
    cache: Arc<Cache>,
    /// Of the target's key.
    hash: u64,
    scheme: Scheme,
    /// The target, as it is written; none if there was no memory for it.
    key: Option<KVec<u8>>,
}

impl Watching {
    /// Of a request for this target.
    pub(super) fn new(desk: &Desk<'_>, key: &Key<'_>) -> Self {
        Self {
            engine: desk.engine.clone(),
            cache: desk.cache.clone(),
            hash: key.hash(desk.cache.secret),
            scheme: key.scheme(),
            key: written(key.len(), |out| key.write(out)).ok(),
        }
    }

    /// A final answer is here: if the request has succeeded, what is stored for its target goes, and for
    /// those that the answer names.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn head(&self, method: Method, answer: &ResponseHead, octets: &[u8]) {
        if !invalidates(method, answer.status) {
            return;
        }
        let Some((host, path)) = self.key.as_deref().and_then(key::parts) else {
            return self.cache.purge_hash(self.hash, self.engine.stats());
        };
        self.purge(host, path);
        let base = Base {
            scheme: self.scheme,
            host,
            path,
        };
        for reference in references(answer.fields.of(octets)) {
            self.purge_reference(&base, reference);
        }
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn purge_reference(&self, base: &Base<'_>, reference: &[u8]) {
        let most = base
            .path
            .len()
            .saturating_add(reference.len())
            .saturating_add(2);
        let Ok(mut room) = KVec::from_elem(0, most, GFP_NOWAIT) else {
            return;
        };
        if let Some(path) = base.resolve(reference, &mut room) {
            self.purge(base.host, path);
        }
    }

    fn purge(&self, host: &[u8], path: &[u8]) {
        let Some(key) = Key::new(self.scheme, host, b"", path) else {
            return;
        };
        self.cache.purge(&key, self.engine.stats());
        // There may be another one by now.
        if let Some(cache) = self.engine.cache() {
            cache.purge(&key, self.engine.stats());
        }
    }
}
