// SPDX-License-Identifier: GPL-2.0

//! PURGE: what is stored for a target is removed by a request for that.

use kernel::sync::Arc;

use super::desk::key_of;
use super::desk::Asked;
use super::desk::Desk;
use crate::cache::key::Scheme;
use crate::http::Status;

/// Who may, has what is stored for a target removed by a request for that: what is to be said of it.
pub(super) fn purge(desk: &Desk<'_>, asked: Asked<'_>) -> (Status, &'static [u8]) {
    let allowed = &desk.settings().purge_allow;
    match allowed.contains(desk.client) {
        false => (
            Status::FORBIDDEN,
            b"purge-allow does not allow that to you\n",
        ),
        true if purge_all(desk, asked) => (Status::OK, b"Purged\n"),
        true => (Status::NOT_FOUND, b"Nothing stored\n"),
    }
}

/// Whatever the scheme; and there may be another cache by now than this request's.
fn purge_all(desk: &Desk<'_>, asked: Asked<'_>) -> bool {
    let keys = Scheme::ALL.map(|scheme| key_of(scheme, asked));
    let stats = desk.engine.stats();
    let present = desk.engine.cache();
    let present = present
        .as_ref()
        .filter(|other| !Arc::ptr_eq(other, desk.cache));
    let mut any = false;
    for cache in [Some(desk.cache), present].into_iter().flatten() {
        for key in keys.iter().flatten() {
            any |= cache.purge(key, stats);
        }
    }
    any
}
