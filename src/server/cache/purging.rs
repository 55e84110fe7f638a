// SPDX-License-Identifier: GPL-2.0

//! PURGE: what is stored for a target is removed by a request for that.

use kernel::sync::Arc;

use super::reader::Reader;
use super::visit::key_of;
use super::visit::Asked;
use super::visit::Consulted;
use super::visit::Desk;
use crate::cache::key::Scheme;
use crate::exchange::Refusal;

/// Who may, has what is stored for a target removed by a request for that.
#[inline(never)] // Keeps its frame out of its caller's.
pub(super) fn purge(desk: &Desk<'_>, asked: Asked<'_>) -> Consulted {
    let allowed = &desk.settings().purge_allow;
    let answer = match allowed.contains(desk.client) {
        false => FORBIDDEN,
        true if purge_all(desk, asked) => PURGED,
        true => NOTHING,
    };
    match Reader::of_text(desk, answer) {
        Ok(reader) => Consulted::Stored(reader),
        Err(_) => Consulted::Refused(Refusal::NoMemory),
    }
}

/// Whatever the scheme; and there may be another cache by now than this request's.
#[inline(never)] // Keeps its frame out of its caller's.
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

const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\
    Cache-Control: no-store\r\nContent-Length: 39\r\n\r\npurge-allow does not allow that to you\n";
const PURGED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
    Cache-Control: no-store\r\nContent-Length: 7\r\n\r\nPurged\n";
const NOTHING: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\
    Cache-Control: no-store\r\nContent-Length: 15\r\n\r\nNothing stored\n";
