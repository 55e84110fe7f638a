// SPDX-License-Identifier: GPL-2.0

//! The origin's answer to a HEAD, which says how what is stored is now (RFC 9111 section 4.3.5).

use kernel::sync::Arc;

use super::asking::Asking;
use super::asking::Came;
use super::desk::Kept;
use super::entry::Entry;
use super::entry::State;
use crate::cache::freshen_by_head;
use crate::cache::index::Id;
use crate::cache::DeltaSeconds;
use crate::cache::HeadEffect;
use crate::cache::Validators;
use crate::http::head::RequestHead;
use crate::http::head::ResponseHead;

/// A HEAD of something that is stored. Used under a client's state lock.
pub(super) struct Heading(Asking);

impl Heading {
    /// It is about to be sent.
    pub(super) fn new(desk: Kept, mapped: Option<DeltaSeconds>, stored: (Id, Arc<Entry>)) -> Self {
        Self(Asking::new(desk, mapped, Some(stored)))
    }

    /// A final head is here: updates what is stored, or drops it.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn head(
        &self,
        request: &RequestHead,
        asked: Option<&[u8]>,
        (answer, octets): (&ResponseHead, &[u8]),
    ) {
        // Without its octets it had a body: nothing is known of what it asked for.
        if let Some(asked) = asked {
            let request = self.0.desk.request(request, asked);
            self.came(&self.0.came(&request, answer, octets));
        }
    }

    fn came(&self, came: &Came<'_>) {
        let Some((_, stored)) = &self.0.stored else {
            return;
        };
        let Some(old) = stored.head() else {
            return;
        };
        // What is for somebody says nothing of what is for all, and a 200 is about no stored 404.
        let is_about = !came.request.may_be_personal() && old.response.status == came.status;
        if !is_about || stored.body().state() != State::Whole {
            return;
        }
        let known = Validators::of(&old.lines, old.response.dated);
        let (length, now) = (stored.body().len(), came.times.response_wall);
        match freshen_by_head(came.status, came.lines, &known, length, now) {
            HeadEffect::Update => self.0.update(stored, came),
            HeadEffect::MakeStale => self.0.drop_stored(),
            HeadEffect::Nothing => {}
        }
    }
}
