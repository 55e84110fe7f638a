// SPDX-License-Identifier: GPL-2.0

//! The answer to a request from what is stored: its head is written at once, its content is sent from
//! where it is.

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::desk::Desk;
use super::entry::Body;
use super::entry::Extent;
use super::entry::Head;
use super::entry::State;
use super::entry::Waiter;
use super::telling::lifetimes;
use super::visit::Served;
use super::written;
use crate::bytes::Buffer;
use crate::cache::answer;
use crate::cache::answer::Content;
use crate::cache::answer::Manner;
use crate::cache::answer::Several;
use crate::cache::answer::Stored;
use crate::cache::mapping::Lifetimes;
use crate::cache::range::ByteRange;
use crate::cache::Request;
use crate::exchange::stage;
use crate::exchange::Ready;
use crate::exchange::Store;
use crate::http::date;
use crate::http::encode::put_status_line;
use crate::http::field::put_field;
use crate::http::Status;
use crate::rt::clock;
use crate::rt::random;
use crate::server::memory::Charge;

/// The content of an answer. Used under its client's lock.
pub(crate) struct Reader {
    source: Source,
    /// Octets of it.
    length: u64,
    /// Octets of the body that were there when it was last looked at.
    seen: u64,
    waiter: Waiter,
}

/// Where it is.
enum Source {
    Text(&'static [u8]),
    /// From this octet of the body on.
    Body(Arc<Body>, u64),
    Parts(KBox<Pieces>),
}

/// Several parts of a body, with a head before each, and the end.
struct Pieces {
    head: Arc<Head>,
    body: Arc<Body>,
    several: KBox<Several>,
    /// Octets of the content before the present piece: `text`, and then those of `range`, if there is one.
    before: u64,
    text: KVec<u8>,
    range: Option<ByteRange>,
    /// How many parts have had their turn.
    parts: usize,
    _charge: Charge,
}

/// Octets for a client.
pub(crate) enum Octets<'a> {
    Text(&'a [u8]),
    /// Those of a body from the first number on, up to the other one.
    Body(&'a Body, u64, u64),
}

/// What came of looking for more octets.
pub(crate) enum Look {
    /// So many are here.
    Here(u64),
    /// There are no more yet: the client will be woken.
    Wait,
    /// Nobody will wake it.
    Later,
    /// There will be no more, though some are missing.
    Lost,
}

/// Octets that several parts take: those, and about what the head of one does.
const COST: usize =
    size_of::<Pieces>().next_power_of_two() + size_of::<Several>().next_power_of_two() + 256;

impl Reader {
    /// Writes the head of the answer to a request from what is stored, but for its end.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn new<S: Store>(
        desk: &Desk<'_>,
        served: &Served,
        request: &Request<'_>,
        target: &[u8],
        out: &mut Buffer<S>,
    ) -> Result<(Self, Ready)> {
        let mut pieces = match request.has_range {
            false => None,
            true => Some(Pieces::new(desk, served)?),
        };
        let mapped = match served.head.response.freshness.is_mapped() {
            true => lifetimes(desk.config, target),
            false => None,
        };
        let several = pieces.as_deref_mut().map(|pieces| &mut *pieces.several);
        let head = put_head(desk, served, request, (mapped, several), out)?;
        let length = head.length.unwrap_or(0);
        let (source, length) = match head.content {
            Content::None => (Source::Text(b""), 0),
            Content::Part(range) => (Source::of_part(served, range)?, length),
            // A part is found only by who asks for one that is in it.
            Content::Whole | Content::Parts if served.head.part().is_some() => return Err(EINVAL),
            Content::Whole => (Source::Body(served.body.clone(), 0), length),
            Content::Parts => (Source::Parts(pieces.ok_or(EINVAL)?), length),
        };
        let reader = Self {
            source,
            length,
            seen: 0,
            waiter: desk.waiter,
        };
        let ready = reader.ready(head.status, head.length);
        Ok((reader, ready))
    }

    /// The same of an answer of ours, with this content.
    pub(super) fn of_text<S: Store>(
        desk: &Desk<'_>,
        status: Status,
        text: &'static [u8],
        out: &mut Buffer<S>,
    ) -> Result<(Self, Ready)> {
        let staged = stage(out, OWN_HEAD, |out| {
            put_status_line(status, status.reason().as_bytes(), out)?;
            put_field(b"Content-Type", b"text/plain", out)?;
            put_field(b"Cache-Control", b"no-store", out)?;
            put_field(b"Date", &date::format(clock::unix_now()), out)
        });
        staged.map_err(|_| ENOMEM)?;
        let length = text.len() as u64;
        let reader = Self {
            source: Source::Text(text),
            length,
            seen: 0,
            waiter: desk.waiter,
        };
        let ready = reader.ready(status, Some(length));
        Ok((reader, ready))
    }

    fn ready(&self, status: Status, length: Option<u64>) -> Ready {
        Ready {
            status,
            length,
            content: self.length,
            here: self.here(),
        }
    }

    /// How many octets of the content are here.
    fn here(&self) -> u64 {
        match &self.source {
            Source::Text(_) => self.length,
            Source::Body(body, first) => body.len().saturating_sub(*first).min(self.length),
            // Nobody is in a hurry for parts of what is still coming.
            Source::Parts(pieces) => match pieces.body.state() {
                State::Whole => self.length,
                State::Growing | State::Broken => 0,
            },
        }
    }

    /// Octets of the content from `position` on: none without memory. It never goes back.
    pub(super) fn kept(&mut self, position: u64) -> Octets<'_> {
        let rest = self.length.saturating_sub(position);
        match &mut self.source {
            Source::Text(text) => {
                let at = usize::try_from(position).unwrap_or(usize::MAX);
                Octets::Text(text.get(at..).unwrap_or(&[]))
            }
            Source::Body(body, first) => {
                let at = first.saturating_add(position);
                Octets::Body(body, at, at.saturating_add(rest))
            }
            Source::Parts(pieces) => pieces.kept(position),
        }
    }

    /// Looks whether there are more than `known` octets; if not, waits for more. That the body grows where
    /// nothing is wanted of it is told, too: whoever brings it is at work.
    pub(super) fn look(&mut self, known: u64) -> Look {
        let body = match &self.source {
            Source::Text(_) => return Look::Lost,
            Source::Body(body, _) => body,
            Source::Parts(pieces) => &pieces.body,
        };
        let waits = body.wait(self.waiter);
        // What has come before that is here, and nobody was told of it.
        let (state, len) = (body.state(), body.len());
        let here = self.here();
        let grows = len > core::mem::replace(&mut self.seen, len);
        if here > known || grows {
            return Look::Here(here);
        }
        match state {
            State::Growing if waits => Look::Wait,
            State::Growing => Look::Later,
            State::Whole | State::Broken => Look::Lost,
        }
    }
}

/// What the head of an answer of ours takes at most, but for its end.
const OWN_HEAD: usize = 160;

impl Source {
    /// These octets of the representation, all of which is stored, or a part.
    fn of_part(served: &Served, range: ByteRange) -> Result<Self> {
        let stored = served.head.part().map(|part| part.range());
        let before = stored.map_or(0, |stored| stored.first());
        let end = stored.map_or(u64::MAX, |stored| stored.end());
        let first = range.first().checked_sub(before).ok_or(EINVAL)?;
        match range.end() <= end {
            true => Ok(Self::Body(served.body.clone(), first)),
            false => Err(EINVAL),
        }
    }
}

impl Pieces {
    fn new(desk: &Desk<'_>, served: &Served) -> Result<KBox<Self>> {
        let charge = desk.engine.account().admit(COST)?;
        let pieces = Self {
            head: served.head.clone(),
            body: served.body.clone(),
            several: several()?,
            before: 0,
            text: KVec::new(),
            range: None,
            parts: 0,
            _charge: charge,
        };
        Ok(KBox::new(pieces, GFP_NOWAIT)?)
    }

    fn kept(&mut self, position: u64) -> Octets<'_> {
        while position >= self.end() {
            if !self.go_on() {
                return Octets::Text(&[]);
            }
        }
        let at = position.saturating_sub(self.before);
        let text = usize::try_from(at).ok().and_then(|at| self.text.get(at..));
        match (text, self.range) {
            (Some(text @ [_, ..]), _) => Octets::Text(text),
            (_, Some(range)) => {
                let at = at.saturating_sub(self.text.len() as u64);
                Octets::Body(&self.body, range.first().saturating_add(at), range.end())
            }
            (_, None) => Octets::Text(&[]),
        }
    }

    /// Octets of the content up to the end of the present piece.
    fn end(&self) -> u64 {
        let octets = self.range.map_or(0, |range| range.len());
        let text = self.text.len() as u64;
        self.before.saturating_add(text).saturating_add(octets)
    }

    /// Goes on to the next piece; false without memory, and behind the last one.
    fn go_on(&mut self) -> bool {
        let ranges = self.several.ranges();
        if self.parts > ranges.len() {
            return false;
        }
        let (range, lines) = (ranges.get(self.parts).copied(), &self.head.lines);
        let text = written(Several::room(lines), |out| match range {
            Some(range) => self.several.put_head(range, lines, out),
            None => self.several.put_end(out),
        });
        let Ok(text) = text else {
            return false;
        };
        self.before = self.end();
        self.text = text;
        self.range = range;
        self.parts = self.parts.saturating_add(1);
        true
    }
}

/// Room for the parts that somebody asks for.
fn several() -> Result<KBox<Several>> {
    Ok(KBox::new(Several::new(), GFP_NOWAIT)?)
}

/// Octets of the whole body: who has not said how long it is has a head only when all of it is there.
fn length(served: &Served) -> u64 {
    match served.head.extent {
        Extent::Whole(length) => length.unwrap_or_else(|| served.body.len()),
        Extent::Part(part) => part.complete(),
    }
}

#[inline(never)] // Keeps its frame out of its caller's.
fn put_head<S: Store>(
    desk: &Desk<'_>,
    served: &Served,
    request: &Request<'_>,
    (mapped, several): (Option<Lifetimes>, Option<&mut Several>),
    out: &mut Buffer<S>,
) -> Result<answer::Written> {
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
    let mut head = None;
    let staged = stage(out, answer::room(&stored, &manner), |out| {
        head = Some(answer::write(&stored, request, &manner, several, out)?);
        Ok(())
    });
    staged.ok().and(head).ok_or(ENOMEM)
}
