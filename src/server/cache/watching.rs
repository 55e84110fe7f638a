// SPDX-License-Identifier: GPL-2.0

//! Looks whether a request has changed what is stored (RFC 9111 section 4.4).

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::desk::Desk;
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

/// A target's key under each scheme that may be meant.
pub(super) type Keys<'a> = [Option<Key<'a>>; Scheme::ALL.len()];

/// An unsafe request, whose head may be gone when the answer comes.
pub(super) struct Watching {
    engine: Arc<Engine>,
    cache: Arc<Cache>,
    /// Of the target's keys.
    hashes: [Option<u64>; Scheme::ALL.len()],
    /// None if nobody knows what it was told: whatever the scheme, it has changed that.
    scheme: Option<Scheme>,
    /// The target, as it is written; none if there was no memory for it.
    key: Option<KVec<u8>>,
}

impl Watching {
    /// Of a request for the target with these keys; under a scheme, if that is known.
    pub(super) fn new(desk: &Desk<'_>, scheme: Option<Scheme>, keys: &Keys<'_>) -> Self {
        let hash = |key: &Key<'_>| key.hash(desk.cache.secret);
        // The one that has the port: it is left out where it is the scheme's own.
        let any = keys.iter().flatten().max_by_key(|key| key.len());
        Self {
            engine: desk.engine.clone(),
            cache: desk.cache.clone(),
            hashes: keys.each_ref().map(|key| key.as_ref().map(hash)),
            scheme,
            key: any.and_then(|key| written(key.len(), |out| key.write(out)).ok()),
        }
    }

    /// A final answer is here: if the request has succeeded, what is stored for its target goes, and for
    /// those that the answer names.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn head(&self, method: Method, answer: &ResponseHead, octets: &[u8]) {
        if !invalidates(method, answer.status) {
            return;
        }
        let lines = answer.fields.of(octets);
        let target = self.key.as_deref().and_then(key::parts);
        for (scheme, hash) in Scheme::ALL.into_iter().zip(self.hashes) {
            if self.scheme.is_some_and(|known| known != scheme) {
                continue;
            }
            match (target, hash) {
                (Some((host, path)), _) => self.purge_named(&Base { scheme, host, path }, lines),
                (None, Some(hash)) => self.cache.purge_hash(hash, self.engine.stats()),
                (None, None) => {}
            }
        }
    }

    /// What is stored for a target goes, and for those that the answer's field lines name.
    fn purge_named(&self, base: &Base<'_>, lines: &[u8]) {
        self.purge(base, base.path);
        for reference in references(lines) {
            self.purge_reference(base, reference);
        }
    }

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
            self.purge(base, path);
        }
    }

    fn purge(&self, base: &Base<'_>, path: &[u8]) {
        let Some(key) = Key::new(base.scheme, base.host, b"", path) else {
            return;
        };
        self.cache.purge(&key, self.engine.stats());
        // There may be another one by now.
        if let Some(cache) = self.engine.cache() {
            cache.purge(&key, self.engine.stats());
        }
    }
}
