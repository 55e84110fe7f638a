// SPDX-License-Identifier: GPL-2.0

//! A recipient that is slower than the sender, while somebody keeps the body: the sender goes on, and
//! the recipient gets what it has missed from who keeps that. Once it has caught up it gets octets
//! where they were read to again. Of a body that was stored before, a recipient is behind from the start.

use super::Broken;
use super::Relay;
use crate::bytes::Buffer;
use crate::bytes::Full;
use crate::exchange::Store;
use crate::exchange::BODY_ROOM;
use crate::http::body::Body;
use crate::http::encode::Framing;

/// Where in the body the recipient is.
#[derive(Clone, Copy)]
pub(super) struct Behind {
    /// Octets of the body before those that it gets next.
    at: u64,
    /// Octets of the body that are kept.
    kept: u64,
    /// What comes next is not kept: it has to wait for the recipient.
    waits: bool,
}

/// Octets that are named at a time, where their number need not be told.
const MOST: usize = 1 << 30;

/// What comes next of a body that is read ahead.
pub(crate) enum Ahead {
    /// So many octets of it, at the front of the source: see [`Relay::keep`].
    Octets(usize),
    /// Nothing, for now or for ever, or what the recipient has to be there for.
    Nothing,
}

impl Behind {
    /// The recipient has taken so many octets.
    pub(super) fn pass(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets as u64);
    }
}

impl Relay {
    /// A stored body of so many octets, of which some are here.
    pub(crate) fn stored(framing: Framing, octets: u64, here: u64) -> Self {
        let here = here.min(octets);
        Self {
            octets: here,
            behind: Some(Behind {
                at: 0,
                kept: here,
                waits: false,
            }),
            coming: octets.saturating_sub(here),
            ..Self::new(Body::None, framing, 0, false)
        }
    }

    /// So many octets of the stored body are here by now.
    pub(crate) fn stored_grew(&mut self, here: u64) {
        let Some(behind) = &mut self.behind else {
            return;
        };
        let more = here.saturating_sub(behind.kept).min(self.coming);
        behind.kept = behind.kept.saturating_add(more);
        self.octets = self.octets.saturating_add(more);
        self.coming = self.coming.saturating_sub(more);
    }

    /// How many octets of a stored body are here, if the recipient has all of those and waits for more.
    pub(crate) fn awaits_stored(&self) -> Option<u64> {
        let behind = self.behind.as_ref()?;
        let has_all = self.data == 0 && behind.at == behind.kept;
        (has_all && self.coming > 0).then_some(behind.kept)
    }

    /// What was named is to come from who keeps the body: it leaves the source. False if nothing was
    /// named that is still there.
    pub(crate) fn fall_behind<S: Store>(&mut self, from: &mut Buffer<S>) -> bool {
        let is_plain = self.held == 0 && self.tail.is_empty() && self.behind.is_none();
        if self.data == 0 || !is_plain || self.window.is_some() {
            return false;
        }
        self.behind = Some(Behind {
            at: self.octets.saturating_sub(self.data as u64),
            kept: self.octets,
            waits: false,
        });
        self.pass(self.data, from);
        true
    }

    /// Whether the recipient gets octets from who keeps them.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// Octets of the body before those that who keeps it has to give now, and how many those are.
    pub(crate) fn wants(&self) -> Option<(u64, usize)> {
        self.behind.map(|behind| (behind.at, self.data))
    }

    /// Whether more of the body may come.
    pub(crate) fn takes_more(&self) -> bool {
        self.behind.map_or(self.is_idle(), |behind| !behind.waits)
    }

    /// Body octets that were named for the recipient; of those that are kept, what it has taken.
    pub(crate) fn passed_on(&self) -> u64 {
        self.behind.map_or(self.octets, |behind| behind.at)
    }

    /// Looks what comes next of the body, though the recipient has not got that far.
    pub(crate) fn look_ahead<S: Store>(&mut self, from: &mut Buffer<S>) -> Result<Ahead, Broken> {
        while self.takes_more() && !self.is_done() {
            let before = self.body;
            let input = from.filled().get(self.at..).unwrap_or(b"");
            let step = self.body.next(input).map_err(Broken::Framing);
            self.broken |= step.is_err();
            let step = step?;
            if step.trailer > 0 && self.trailers {
                // Trailers are not kept.
                self.body = before;
                self.wait_for_recipient();
                break;
            }
            let framing = step.skip.saturating_add(step.trailer);
            self.pass(framing, from);
            self.closes = step.closes;
            self.acks = self.acks.saturating_add(step.acks);
            if step.data > 0 {
                return Ok(Ahead::Octets(step.data));
            }
            if framing == 0 {
                break;
            }
        }
        Ok(Ahead::Nothing)
    }

    /// So many octets, at the front of the source, are kept, or have to stay there.
    pub(crate) fn keep<S: Store>(&mut self, octets: usize, is_kept: bool, from: &mut Buffer<S>) {
        self.octets = self.octets.saturating_add(octets as u64);
        match &mut self.behind {
            Some(behind) if is_kept => {
                behind.kept = behind.kept.saturating_add(octets as u64);
                self.pass(octets, from);
            }
            _ => {
                self.held = octets;
                self.wait_for_recipient();
            }
        }
    }

    fn wait_for_recipient(&mut self) {
        if let Some(behind) = &mut self.behind {
            behind.waits = true;
        }
    }

    /// Whether nothing more will be named behind what is.
    pub(crate) fn names_all(&self) -> bool {
        let is_last = |behind: &Behind| {
            let end = behind.at.saturating_add(self.data as u64);
            end == behind.kept && self.last().is_empty()
        };
        self.is_done() && self.held == 0 && self.behind.as_ref().is_none_or(is_last)
    }

    /// Whether all of the body has come, and nothing of it has to stay in the source.
    pub(crate) fn is_all_kept(&self) -> bool {
        self.is_done() && self.held == 0
    }

    /// Names what the recipient gets next, once it has what was named before.
    pub(crate) fn catch_up<S: Store>(&mut self, staged: &mut Buffer<S>) -> Result<(), Full> {
        let Some(behind) = self.behind.filter(|_| self.data == 0) else {
            return Ok(());
        };
        let missed = behind.kept.saturating_sub(behind.at);
        if missed > 0 {
            let most = match self.framing {
                Framing::Chunked => BODY_ROOM,
                _ => MOST,
            };
            let some = usize::try_from(missed).map_or(most, |missed| missed.min(most));
            self.stage_chunk(some, staged)?;
            self.data = some;
            return Ok(());
        }
        if self.coming > 0 {
            return Ok(());
        }
        self.behind = None;
        if self.held > 0 {
            self.offer(staged)?;
        } else if self.is_done() {
            self.tail = self.last();
        }
        Ok(())
    }

    /// The recipient wants nothing more of what it has missed.
    pub(crate) fn forget_missed(&mut self) {
        if self.behind.take().is_some() {
            self.data = 0;
        }
    }
}
