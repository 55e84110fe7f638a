// SPDX-License-Identifier: GPL-2.0

//! What a 304 makes of what is stored (RFC 9111 sections 3.2 and 4.3.4).

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::is_same_variant;
use super::Asking;
use super::Came;
use crate::cache::index::Id;
use crate::cache::select;
use crate::cache::vary;
use crate::cache::Response;
use crate::cache::Selection;
use crate::cache::Validators;
use crate::server::cache::copy;
use crate::server::cache::entry;
use crate::server::cache::entry::Charge;
use crate::server::cache::entry::Entry;
use crate::server::cache::entry::Head;
use crate::server::cache::entry::State;
use crate::server::cache::visit::Served;
use crate::server::cache::TRIES;

/// What becomes of what is stored if it cannot be updated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unusable {
    Stays,
    Gone,
    /// The origin does not want it to be anybody's.
    Withdrawn,
}

impl Asking {
    /// The origin says that what is stored is still good. None if it is about something else, or if what
    /// is stored was lost while it came in.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(in super::super) fn validated(
        &self,
        stored: &Arc<Entry>,
        came: &Came<'_>,
    ) -> Option<Served> {
        let old = stored.head()?;
        if !is_about(came, old) {
            // Nor would it be the next time.
            self.drop_stored();
            return None;
        }
        if !stored.is_readable(came.times.response_boottime) {
            return None;
        }
        self.update(stored, came);
        let lines = self.lines_of(came, &old.lines, |received, stored, out| {
            received.answer(stored, out)
        })?;
        if !self.are_few(&lines) {
            return None;
        }
        // For this client alone: if there is no room, to ask once more would be worse.
        let charge = self.desk.cache().charge(Head::cost(&lines, &old.selector));
        let head = self.updated(old, lines, came, charge)?;
        Some(Served::validated(head, stored.body().clone(), came.age))
    }

    /// Updates what is stored with the fields of the 304, or drops it (RFC 9111 section 3.2).
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(in super::super) fn update(&self, stored: &Arc<Entry>, came: &Came<'_>) {
        let Some((id, _)) = self.stored else {
            return;
        };
        // What still comes in is not to be changed by anybody but who brings it.
        let mut present = (stored.body().state() == State::Whole).then(|| stored.clone());
        for _ in 0..TRIES {
            let Some(entry) = present else {
                return;
            };
            present = self.update_entry(id, &entry, came);
        }
    }

    /// The same with what there is at present: if another 304 was faster, what that has made of it.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn update_entry(&self, id: Id, present: &Arc<Entry>, came: &Came<'_>) -> Option<Arc<Entry>> {
        let old = present.head()?;
        if old.asked > self.asked {
            // The origin has said something else since.
            return None;
        }
        let cache = self.desk.cache();
        match self.updated_entry(present, old, came) {
            Ok(entry) => {
                let other = cache.update(id, present, entry).err()??;
                Arc::ptr_eq(other.body(), present.body()).then_some(other)
            }
            Err(why) => {
                match why {
                    Unusable::Withdrawn => self.drop_variant(present),
                    Unusable::Gone => cache.kill(id),
                    Unusable::Stays => {}
                }
                None
            }
        }
    }

    /// Drops what is stored of the same variant, however often it is there.
    pub(in super::super) fn drop_variant(&self, stored: &Arc<Entry>) {
        let cache = self.desk.cache();
        cache.kill_those(stored.hash(), |other| is_same_variant(other, stored));
    }

    /// The entry that takes the place of a stored one, with the same body.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn updated_entry(
        &self,
        stored: &Arc<Entry>,
        old: &Head,
        came: &Came<'_>,
    ) -> Result<Arc<Entry>, Unusable> {
        self.may_update(came)?;
        let lines = self.lines_of(came, &old.lines, |received, stored, out| {
            received.update(stored, out)
        });
        let lines = lines.filter(|lines| self.are_few(lines));
        let lines = lines.ok_or(Unusable::Gone)?;
        let is_same = vary::is_same(&old.lines, &lines);
        let charge = self.desk.cache().charge(Head::cost(&lines, &old.selector));
        let head = self.updated(old, lines, came, Some(charge.ok_or(Unusable::Stays)?));
        let head = head.filter(|head| is_same && self.may_stay(&head.response, came));
        head.and_then(|head| self.entry_of(stored, head))
            .ok_or(Unusable::Gone)
    }

    /// What a stored head becomes with these lines. None without memory.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn updated(
        &self,
        old: &Head,
        lines: KVec<u8>,
        came: &Came<'_>,
        charge: Option<Charge>,
    ) -> Option<Arc<Head>> {
        let rules = self.desk.rules(self.mapped);
        let response = old.response.updated(&lines, came.age, &came.times, &rules);
        self.like(old, &response, lines, charge)
    }

    /// A head that selects as another does, of the same body.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn like(
        &self,
        old: &Head,
        response: &Response,
        lines: KVec<u8>,
        charge: Option<Charge>,
    ) -> Option<Arc<Head>> {
        let selector = (copy(&old.selector).ok()?, old.tag);
        Head::new(response, self.asked, lines, selector, old.extent, charge).ok()
    }

    /// Whether what came may update what is stored, by what it says itself.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn may_update(&self, came: &Came<'_>) -> Result<(), Unusable> {
        let rules = self.desk.rules(self.mapped);
        let said = self.response(came);
        said.may_update(came.request, &rules)
            .map_err(|why| match why.is_of_resource() {
                true => Unusable::Withdrawn,
                false => Unusable::Stays,
            })
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn may_stay(&self, response: &Response, came: &Came<'_>) -> bool {
        let rules = self.desk.rules(self.mapped);
        let now = came.times.response_boottime;
        response.may_stay(came.request, &rules, now).is_ok()
    }

    /// Another entry for a target that is stored, with the same body.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn entry_of(&self, stored: &Arc<Entry>, head: Arc<Head>) -> Option<Arc<Entry>> {
        let key = copy(stored.key()).ok()?;
        let charge = self
            .desk
            .cache()
            .charge(entry::COST.saturating_add(entry::cost(key.len())))?;
        let entry = Entry::new(stored.hash(), key, stored.body().clone(), false, charge).ok()?;
        entry.begin(head);
        Some(entry)
    }
}

/// Whether a 304 is about what is stored (RFC 9111 section 4.3.4).
#[inline(never)] // Keeps its frame out of its caller's.
fn is_about(came: &Came<'_>, old: &Head) -> bool {
    let new = Validators::of(came.lines, came.times.response_wall);
    let stored = Validators::of(&old.lines, old.response.dated);
    select(&new, &stored, true) != Selection::Nothing
}
