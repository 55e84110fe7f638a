// SPDX-License-Identifier: GPL-2.0

//! What the origin is asked about, and what its answer makes of what is stored.

mod validation;

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::desk::Kept;
use super::entry::Entry;
use super::written;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::cache::age;
use crate::cache::index::Id;
use crate::cache::DeltaSeconds;
use crate::cache::Received;
use crate::cache::Request;
use crate::cache::Response;
use crate::cache::Times;
use crate::cache::DATE_ROOM;
use crate::http::field::fields;
use crate::http::head::ResponseHead;
use crate::http::Status;
use crate::rt::clock;
use crate::time::Instant;

/// A request that the origin answers. Used under a client's state lock.
pub(super) struct Asking {
    pub(super) desk: Kept,
    /// When it was sent, by boottime.
    pub(super) asked: Instant,
    /// How long the answer is fresh, if a mapping says so.
    pub(super) mapped: Option<DeltaSeconds>,
    /// What is stored already, and the answer is about.
    pub(super) stored: Option<(Id, Arc<Entry>)>,
}

/// A response that came, and what is known about it.
pub(super) struct Came<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) status: Status,
    pub(super) lines: &'a [u8],
    pub(super) age: DeltaSeconds,
    pub(super) times: Times,
}

impl Asking {
    /// It is about to be sent.
    pub(super) fn new(
        desk: Kept,
        mapped: Option<DeltaSeconds>,
        stored: Option<(Id, Arc<Entry>)>,
    ) -> Self {
        Self {
            desk,
            asked: clock::boot_now(),
            mapped,
            stored,
        }
    }

    /// This has come now.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn came<'a>(
        &self,
        request: &'a Request<'a>,
        answer: &ResponseHead,
        octets: &'a [u8],
    ) -> Came<'a> {
        let lines = answer.fields.of(octets);
        Came {
            request,
            status: answer.status,
            lines,
            age: age(lines),
            times: Times {
                request_boottime: self.asked,
                response_boottime: clock::boot_now(),
                response_wall: clock::unix_now(),
            },
        }
    }

    /// Field lines, as one of the functions of [`Received`] writes them. None without memory.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn lines_of<F>(&self, came: &Came<'_>, stored: &[u8], put: F) -> Option<KVec<u8>>
    where
        F: FnOnce(&Received<'_>, &[u8], &mut Writer<'_>) -> Result<(), Full>,
    {
        let rules = self.desk.rules(self.mapped);
        let received = Received::of(came.lines, &rules, came.times.response_wall);
        let most = merged_room(stored, came.lines);
        written(most, |out| put(&received, stored, out)).ok()
    }

    /// What came, as the cache sees it.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn response(&self, came: &Came<'_>) -> Response {
        let rules = self.desk.rules(self.mapped);
        let (status, times) = (came.status, &came.times);
        Response::of(came.request, status, came.lines, came.age, times, &rules)
    }

    /// Whether these lines, which may be those of several answers, are no more than one may have.
    pub(super) fn are_few(&self, lines: &[u8]) -> bool {
        let settings = &self.desk.config.settings;
        lines.len() <= settings.head_size && fields(lines).count() <= settings.header_fields
    }

    /// Drops what was found, unless there is something else in its place by now.
    pub(super) fn drop_stored(&self) {
        if let Some((_, stored)) = &self.stored {
            let cache = self.desk.cache();
            cache.kill_those(stored.hash(), |other| Arc::ptr_eq(other, stored));
        }
    }
}

/// Whether two entries are of the same target, and are for the same requests.
pub(super) fn is_same_variant(one: &Entry, other: &Entry) -> bool {
    let is_same = match (one.head(), other.head()) {
        (Some(one), Some(other)) => one.selector[..] == other.selector[..],
        _ => false,
    };
    is_same && one.key() == other.key()
}

/// Octets that merged field lines take at most.
fn merged_room(stored: &[u8], lines: &[u8]) -> usize {
    // A line of four octets or more may get a space.
    stored
        .len()
        .saturating_add(lines.len())
        .saturating_add(lines.len() / 4)
        .saturating_add(DATE_ROOM)
}
