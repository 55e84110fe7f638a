// SPDX-License-Identifier: GPL-2.0

//! Parts of one version of a representation, put together (RFC 9111 section 3.4).

use core::ops::Range;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::cache::range::Part;
use crate::cache::Validators;
use crate::server::cache::entry::Body;
use crate::server::cache::entry::Entry;

/// What of a part that is stored goes with the one that comes.
#[derive(Default)]
pub(super) struct Joint {
    /// The part that is stored.
    other: Option<Arc<Entry>>,
    /// Octets of its body that come before those of the answer.
    before: Range<u64>,
    /// And behind those.
    after: Range<u64>,
}

/// Octets that are copied at most: nothing else happens on the processor meanwhile.
const MOST: u64 = 1 << 20;

impl Joint {
    /// This part is stored.
    pub(super) fn of(other: Option<Arc<Entry>>) -> Self {
        Self {
            other,
            ..Self::default()
        }
    }

    /// The part that is stored.
    pub(super) fn other(&self) -> Option<&Arc<Entry>> {
        self.other.as_ref()
    }

    /// What the part that comes, with these validators, is together with the one that is stored. None if
    /// they are not of the same version, have a gap between them, or are more than `most` octets.
    pub(super) fn with(&mut self, part: Part, new: &Validators<'_>, most: u64) -> Option<Part> {
        let head = self.other.as_ref()?.head()?;
        let stored = head.part()?;
        let old = Validators::of(&head.lines, head.response.dated);
        let joined = part
            .joined(stored)
            .filter(|_| new.allow_combining_with(&old))?;
        let (ours, theirs) = (part.range(), stored.range());
        let before = ours.first().saturating_sub(theirs.first());
        let after = theirs.end().saturating_sub(ours.end());
        if joined.range().len() > most || before.saturating_add(after) > MOST {
            return None;
        }
        self.before = 0..before;
        self.after = theirs.len().saturating_sub(after)..theirs.len();
        Some(joined)
    }

    /// Octets that come before those of the answer.
    pub(super) fn before(&self) -> u64 {
        self.before.end
    }

    /// Puts what comes before the answer into the body.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL`, if that is not there.
    pub(super) fn begin(&self, body: &Body) -> Result {
        self.copy(self.before.clone(), body)
    }

    /// The same with what comes behind it.
    pub(super) fn end(&mut self, body: &Body) -> Result {
        let copied = self.copy(self.after.clone(), body);
        self.let_go();
        copied
    }

    /// The part that is stored is not needed any more. The client may take long for what it gets.
    pub(super) fn let_go(&mut self) {
        self.other = None;
    }

    fn copy(&self, run: Range<u64>, to: &Body) -> Result {
        if run.is_empty() {
            return Ok(());
        }
        let other = self.other.as_ref().ok_or(EINVAL)?;
        let mut at = run.start;
        while at < run.end {
            let octets = other.body().at(at);
            let most = usize::try_from(run.end.saturating_sub(at)).unwrap_or(usize::MAX);
            let octets = octets.get(..most).unwrap_or(octets);
            if octets.is_empty() {
                return Err(EINVAL);
            }
            to.append(octets)?;
            at = at.saturating_add(octets.len() as u64);
        }
        Ok(())
    }
}
