// SPDX-License-Identifier: GPL-2.0

//! A stored response on its way to a client: it poses as a backend that sends it.

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::entry::Body;
use super::entry::Extent;
use super::entry::Head;
use super::entry::State;
use super::entry::Waiter;
use super::telling::lifetimes;
use super::visit::Desk;
use super::visit::Served;
use super::written;
use crate::bytes::Writer;
use crate::cache::answer;
use crate::cache::answer::Content;
use crate::cache::answer::Manner;
use crate::cache::answer::Several;
use crate::cache::answer::Stored;
use crate::cache::mapping::Lifetimes;
use crate::cache::range::ByteRange;
use crate::cache::Request;
use crate::rt::clock;
use crate::rt::random;
use crate::server::memory::Charge;

/// Octets for a client. Used and dropped under its state lock.
pub(crate) struct Reader {
    /// Octets that come next, from `at` on; then what `next` says.
    text: KVec<u8>,
    at: usize,
    next: Next,
    source: Option<Source>,
    /// Octets of the request that were thrown away.
    taken: u64,
    _charge: Charge,
}

/// Octets that a reader takes without its text.
const COST: usize =
    size_of::<Reader>().next_power_of_two() + size_of::<Several>().next_power_of_two();

/// Where the octets are.
struct Source {
    head: Arc<Head>,
    body: Arc<Body>,
    several: Option<KBox<Several>>,
    waiter: Waiter,
}

/// What comes behind the text.
#[derive(Clone, Copy)]
enum Next {
    Nothing,
    /// The octets of the body up to `end`, and then the part of this index, if there are parts.
    Octets {
        position: u64,
        end: u64,
        part: usize,
    },
}

/// What came of reading.
pub(crate) enum Read {
    /// So many octets.
    Octets(usize),
    /// There are none yet: the client will be woken.
    Wait,
    /// Nobody will wake it.
    Later,
    /// There will be no more, though some are missing.
    Lost,
}

impl Reader {
    /// The answer to a request from what is stored.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn new(
        desk: &Desk<'_>,
        served: &Served,
        request: &Request<'_>,
        target: &[u8],
    ) -> Result<KBox<Self>> {
        let mut several = match request.has_range {
            false => None,
            true => Some(several()?),
        };
        let mapped = match served.head.response.freshness.is_mapped() {
            true => lifetimes(desk.config, target),
            false => None,
        };
        let (text, content) = head(desk, served, request, (mapped, several.as_deref_mut()))?;
        let next = match content {
            Content::None => Next::Nothing,
            Content::Part(range) => match served.head.part() {
                None => Next::until(range.first(), range.end()),
                Some(part) => Next::within(range, part.range())?,
            },
            // A part is found only by who asks for one that is in it.
            Content::Whole | Content::Parts if served.head.part().is_some() => return Err(EINVAL),
            Content::Whole => Next::until(0, length(served)),
            Content::Parts => Next::until(0, 0),
        };
        let source = Source {
            head: served.head.clone(),
            body: served.body.clone(),
            // Else the end of parts would follow what is none.
            several: several.filter(|_| content == Content::Parts),
            waiter: desk.waiter,
        };
        Self::made(desk, text, next, Some(source))
    }

    /// An answer that is written already.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn of_text(desk: &Desk<'_>, answer: &[u8]) -> Result<KBox<Self>> {
        let mut text = KVec::new();
        text.extend_from_slice(answer, GFP_NOWAIT)?;
        Self::made(desk, text, Next::Nothing, None)
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn made(
        desk: &Desk<'_>,
        text: KVec<u8>,
        next: Next,
        source: Option<Source>,
    ) -> Result<KBox<Self>> {
        let cost = COST.saturating_add(text.capacity());
        let reader = Self {
            text,
            at: 0,
            next,
            source,
            taken: 0,
            _charge: desk.engine.account().admit(cost)?,
        };
        Ok(KBox::new(reader, GFP_NOWAIT)?)
    }

    /// Octets of the request that it has taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes octets of the request, which nobody needs.
    pub(crate) fn take(&mut self, octets: usize) {
        self.taken = self.taken.saturating_add(octets as u64);
    }

    /// Puts octets into `room`, as many as there are.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> Read {
        let mut out = Writer::new(room);
        loop {
            self.put_text(&mut out);
            if out.room() == 0 {
                break;
            }
            if self.put_next(&mut out) {
                continue;
            }
            if !out.is_empty() || !self.lacks() {
                break;
            }
            match self.wait() {
                None => {}
                Some(waits) => return waits,
            }
        }
        match out.len() {
            0 => Read::Later,
            octets => Read::Octets(octets),
        }
    }

    fn put_text(&mut self, out: &mut Writer<'_>) {
        let rest = self.text.get(self.at..).unwrap_or(&[]);
        let count = rest.len().min(out.room());
        // It fits.
        let _ = out.put(rest.get(..count).unwrap_or(&[]));
        self.at = self.at.saturating_add(count);
        if self.at >= self.text.len() && self.at > 0 {
            // It is as large as a head, and the body may take long.
            self.text = KVec::new();
            self.at = 0;
        }
    }

    /// Puts something of what comes behind the text; false if there is nothing now.
    fn put_next(&mut self, out: &mut Writer<'_>) -> bool {
        let Some(source) = &self.source else {
            return false;
        };
        if self.at < self.text.len() {
            return true;
        }
        match self.next {
            Next::Nothing => false,
            Next::Octets {
                position,
                end,
                part,
            } if position >= end => self.next_part(part),
            Next::Octets {
                position,
                end,
                part,
            } => {
                let count = source.put(position, end, out);
                let position = position.saturating_add(count as u64);
                self.next = Next::Octets {
                    position,
                    end,
                    part,
                };
                count > 0
            }
        }
    }

    /// Goes on to the part of this index, or to the end behind the last one.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn next_part(&mut self, part: usize) -> bool {
        let source = self.source.as_ref();
        let Some((several, source)) =
            source.and_then(|source| Some((source.several.as_ref()?, source)))
        else {
            self.next = Next::Nothing;
            return false;
        };
        let lines = &source.head.lines;
        let range = several.ranges().get(part);
        let text = written(Several::room(lines), |out| match range {
            Some(range) => several.put_head(*range, lines, out),
            None => several.put_end(out),
        });
        let Ok(text) = text else {
            // Without memory it is tried again later.
            return false;
        };
        self.next = match range {
            Some(range) => Next::Octets {
                position: range.first(),
                end: range.end(),
                part: part.saturating_add(1),
            },
            None => Next::Nothing,
        };
        self.text = text;
        self.at = 0;
        true
    }

    /// Whether there is more to come.
    fn lacks(&self) -> bool {
        !matches!(self.next, Next::Nothing)
    }

    /// Nothing is there: waits for more. None if there is some now.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn wait(&self) -> Option<Read> {
        let source = self.source.as_ref()?;
        let position = match self.next {
            Next::Nothing => return Some(Read::Wait),
            // It lacks the memory for the head of a part.
            Next::Octets { position, end, .. } if position >= end => return Some(Read::Later),
            Next::Octets { position, .. } => position,
        };
        let waits = source.body.wait(source.waiter);
        // What has come before that is here, and nobody was told of it.
        let state = source.body.state();
        if source.body.len() > position {
            return None;
        }
        Some(match state {
            State::Growing if waits => Read::Wait,
            State::Growing => Read::Later,
            State::Whole | State::Broken => Read::Lost,
        })
    }
}

impl Next {
    /// Octets of a representation of which these are stored.
    fn within(range: ByteRange, stored: ByteRange) -> Result<Self> {
        let first = range.first().checked_sub(stored.first()).ok_or(EINVAL)?;
        let end = range.end().checked_sub(stored.first()).ok_or(EINVAL)?;
        match range.end() <= stored.end() {
            true => Ok(Self::until(first, end)),
            false => Err(EINVAL),
        }
    }

    fn until(position: u64, end: u64) -> Self {
        Self::Octets {
            position,
            end,
            part: 0,
        }
    }
}

impl Source {
    /// Puts octets of the body; returns how many.
    fn put(&self, position: u64, end: u64, out: &mut Writer<'_>) -> usize {
        let run = self.body.at(position);
        let most = usize::try_from(end.saturating_sub(position)).unwrap_or(usize::MAX);
        let count = run.len().min(most).min(out.room());
        let run = run.get(..count).unwrap_or(&[]);
        out.put(run).map_or(0, |()| count)
    }
}

/// Octets of the whole body: who has not said how long it is has a head only when all of it is there.
fn length(served: &Served) -> u64 {
    match served.head.extent {
        Extent::Whole(length) => length.unwrap_or_else(|| served.body.len()),
        Extent::Part(part) => part.complete(),
    }
}

/// Room for the parts that somebody asks for.
#[inline(never)] // Keeps its frame out of its caller's.
fn several() -> Result<KBox<Several>> {
    Ok(KBox::new(Several::new(), GFP_NOWAIT)?)
}

#[inline(never)] // Keeps its frame out of its caller's.
fn head(
    desk: &Desk<'_>,
    served: &Served,
    request: &Request<'_>,
    (mapped, several): (Option<Lifetimes>, Option<&mut Several>),
) -> Result<(KVec<u8>, Content)> {
    let boundary = match several {
        Some(_) => [random::number(), random::number()],
        None => [0; 2],
    };
    let settings = desk.settings();
    let stored = Stored {
        lines: &served.head.lines,
        response: &served.head.response,
        length: length(served),
    };
    let manner = Manner {
        now: clock::boot_now(),
        boundary,
        ranges: settings.enable_range,
        private: settings.rewrite_vary_as_private,
        mapped,
        brought: served.brought,
        told: settings
            .cache_status
            .then(|| (desk.config.name(), served.handling)),
    };
    let mut content = Content::None;
    let text = written(answer::room(&stored, &manner), |out| {
        content = answer::write(&stored, request, &manner, several, out)?;
        Ok(())
    })?;
    Ok((text, content))
}
