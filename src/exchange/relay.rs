// SPDX-License-Identifier: GPL-2.0

//! One message body on its way: from the buffer that it is read into to the socket that it goes to.
//!
//! Three runs of octets are sent, in this order: what is staged (heads, chunk sizes, trailers) in a
//! buffer of its own, body octets where they were read to, and a fixed tail.

mod behind;

use super::buffers::stage;
use super::Store;
use crate::bytes;
use crate::bytes::Buffer;
use crate::bytes::Full;
use crate::http::body::Body;
use crate::http::encode;
use crate::http::encode::Framing;
use crate::http::field;
use crate::http::field::Line;
use crate::http::forward;
use crate::http::head::Options;
use crate::http::Violation;
use crate::srun;
use crate::srun::Window;
pub(super) use behind::Ahead;
use behind::Behind;

/// A body and what is to be sent of it now.
///
/// # Invariants
///
/// `at + data + held` octets are in the source buffer, which nobody else consumes from; `at + held` of
/// a recipient that has fallen behind.
pub(super) struct Relay {
    /// Its framing as it comes in.
    body: Body,
    /// And as it goes out.
    framing: Framing,
    /// What has gone out of a chunked body.
    chunks: Chunks,
    /// Whether trailers go out too.
    trailers: bool,
    /// Octets at the front of the source that were dealt with and stay there, for a repetition.
    at: usize,
    /// Whether octets that were dealt with stay.
    keeps: bool,
    /// Body octets at `at` that go out after what is staged.
    data: usize,
    /// Body octets behind those: they go out when the recipient has acknowledged others.
    held: usize,
    /// What the recipient takes before it acknowledges some of it, if it does such things.
    window: Option<Window>,
    /// What goes out last.
    tail: &'static [u8],
    /// Body octets so far, as they came in.
    octets: u64,
    /// Its framing was wrong: where it ends is not known any more.
    broken: bool,
    /// Its sender closes the connection, or has said so.
    closes: bool,
    /// Acknowledgements that have come with it and were not taken yet.
    acks: usize,
    /// The recipient gets octets that came long ago, from who keeps them: `data` are of those.
    behind: Option<Behind>,
    /// Octets of a stored body that have not come there yet.
    coming: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chunks {
    None,
    Some,
    /// The last chunk, and trailers.
    Trailers,
}

/// What came of looking for the next octets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There are octets to send, now or when others were acknowledged.
    Staged,
    /// More input is needed.
    Starved,
    /// All of the body was named.
    Done,
}

/// Why a body cannot be relayed.
pub(super) enum Broken {
    /// Its framing is wrong.
    Framing(Violation),
    /// There is no memory.
    Memory,
}

impl From<Full> for Broken {
    fn from(Full: Full) -> Self {
        Broken::Memory
    }
}

impl Relay {
    /// No body.
    pub(super) const fn none() -> Self {
        Self::new(Body::None, Framing::None, 0, false)
    }

    /// A body behind the first `at` octets of its source, which stay there if it `keeps` what was
    /// dealt with.
    pub(super) const fn new(body: Body, framing: Framing, at: usize, keeps: bool) -> Self {
        Self {
            body,
            framing,
            chunks: Chunks::None,
            trailers: false,
            at,
            keeps,
            data: 0,
            held: 0,
            window: match framing {
                Framing::Frames(wire) => Some(Window::new(wire)),
                _ => None,
            },
            tail: b"",
            octets: 0,
            broken: false,
            closes: false,
            acks: 0,
            behind: None,
            coming: 0,
        }
    }

    /// Lets trailers pass, if `options` does and if the recipient can be sent any.
    pub(super) fn with_trailers(self, options: &Options) -> Self {
        Self {
            trailers: self.framing == Framing::Chunked && options.let_trailers_pass(),
            ..self
        }
    }

    pub(super) fn framing(&self) -> Framing {
        self.framing
    }

    /// Body octets named so far.
    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether all of the body was named.
    pub(super) fn is_done(&self) -> bool {
        self.body.is_done() && self.coming == 0
    }

    /// Whether nothing that was named waits to be sent, what is staged apart.
    pub(super) fn is_idle(&self) -> bool {
        let has_all = self.behind.is_none() || self.awaits_stored().is_some();
        self.data == 0 && self.held == 0 && self.tail.is_empty() && has_all
    }

    /// Whether nothing goes out before the recipient has acknowledged something.
    pub(super) fn is_held(&self) -> bool {
        self.held > 0 && self.data == 0 && self.tail.is_empty() && self.behind.is_none()
    }

    /// Whether what was held can go out now.
    pub(super) fn may_go_on(&self) -> bool {
        self.is_held() && self.window.as_ref().is_none_or(|window| window.room() > 0)
    }

    /// The recipient has acknowledged something so often.
    pub(super) fn acknowledged(&mut self, times: usize) {
        if let Some(window) = &mut self.window {
            window.acknowledged(times);
        }
    }

    /// Acknowledgements of what goes the other way that have come since this was last asked.
    pub(super) fn take_acks(&mut self) -> usize {
        core::mem::take(&mut self.acks)
    }

    /// Whether the recipient gets all of the body, and only the frame that ends it has not come.
    pub(super) fn lacks_only_end(&self) -> bool {
        self.body.lacks_only_end()
    }

    /// Whether the sender of the body, which is done, closes its connection.
    pub(super) fn closes(&self) -> bool {
        self.closes
    }

    /// Whether everything that was dealt with is still at the front of the source.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Octets of `from` behind what was named.
    pub(super) fn unread<S: Store>(&self, from: &Buffer<S>) -> usize {
        let data = if self.behind.is_some() { 0 } else { self.data };
        let named = data.saturating_add(self.held);
        from.len().saturating_sub(self.at).saturating_sub(named)
    }

    /// Octets that may go to the recipient without having been in the source, if they are not framed anew.
    pub(super) fn passes(&self) -> Option<u64> {
        match (self.body, self.framing) {
            (Body::Length(left), Framing::Length(_)) if self.is_idle() && !self.keeps => Some(left),
            _ => None,
        }
    }

    /// So many of those have gone there.
    pub(super) fn passed(&mut self, octets: u64) {
        if let Body::Length(left) = self.body {
            self.body = Body::of_length(left.saturating_sub(octets));
            self.octets = self.octets.saturating_add(octets);
        }
    }

    /// Nothing more comes of the body, which is not done: whether it is whole.
    pub(super) fn eof(&mut self) -> bool {
        if self.body.eof().is_err() {
            return false;
        }
        if self.behind.is_none() {
            self.tail = self.last();
        }
        self.closes = true;
        true
    }

    /// Begins anew: the body is at `at`, where it was before, and goes out in this framing.
    pub(super) fn rewind(&mut self, body: Body, framing: Framing, at: usize) {
        *self = Self {
            trailers: self.trailers,
            ..Self::new(body, framing, at, self.keeps)
        };
    }

    /// Lets go of what was kept: there will be no repetition.
    pub(super) fn forget<S: Store>(&mut self, from: &mut Buffer<S>) {
        if self.keeps {
            from.consume(self.at);
            self.at = 0;
            self.keeps = false;
        }
    }

    /// Names the next octets that can be sent, once those before are out.
    pub(super) fn pump<S: Store>(
        &mut self,
        from: &mut Buffer<S>,
        staged: &mut Buffer<S>,
    ) -> Result<Progress, Broken> {
        if self.is_held() {
            return Ok(self.offer(staged)?);
        }
        if !self.is_idle() {
            return Ok(Progress::Staged);
        }
        if self.is_done() {
            return Ok(Progress::Done);
        }
        let progress = self.name_next(from, staged);
        // Also for want of memory: the reader is ahead of the octets then.
        self.broken |= progress.is_err();
        progress
    }

    fn name_next<S: Store>(
        &mut self,
        from: &mut Buffer<S>,
        staged: &mut Buffer<S>,
    ) -> Result<Progress, Broken> {
        loop {
            let input = from.filled().get(self.at..).unwrap_or(b"");
            let step = self.body.next(input).map_err(Broken::Framing)?;
            if step.trailer > 0 {
                let line = input.get(step.skip..).unwrap_or(b"");
                self.stage_trailer(line, staged)?;
            }
            self.pass(step.skip.saturating_add(step.trailer), from);
            self.closes = step.closes;
            self.acks = self.acks.saturating_add(step.acks);
            if step.data > 0 {
                self.octets = self.octets.saturating_add(step.data as u64);
                self.held = step.data;
                return Ok(self.offer(staged)?);
            }
            if step.done {
                self.tail = self.last();
                return Ok(Progress::Done);
            }
            if step.skip == 0 && step.trailer == 0 {
                return Ok(Progress::Starved);
            }
        }
    }

    /// Lets go out what is held, as far as the recipient takes it.
    fn offer<S: Store>(&mut self, staged: &mut Buffer<S>) -> Result<Progress, Full> {
        let room = self.window.as_ref().map_or(usize::MAX, Window::room);
        let some = self.held.min(room);
        if let (0, Some(window)) = (some, &mut self.window) {
            self.tail = window.wait();
            return Ok(Progress::Staged);
        }
        self.stage_chunk(some, staged)?;
        self.data = some;
        self.held = self.held.saturating_sub(some);
        if let Some(window) = &mut self.window {
            window.sends(some);
        }
        if self.held > 0 || !self.is_done() {
            return Ok(Progress::Staged);
        }
        self.tail = self.last();
        Ok(Progress::Done)
    }

    /// Goes on to the end of the body without relaying it; false if that is not here yet.
    pub(super) fn skip<S: Store>(&mut self, from: &mut Buffer<S>) -> bool {
        self.pass(self.data.saturating_add(self.held), from);
        self.data = 0;
        self.held = 0;
        self.tail = b"";
        while !self.is_done() && !self.broken {
            let input = from.filled().get(self.at..).unwrap_or(b"");
            let Ok(step) = self.body.next(input) else {
                self.broken = true;
                return false;
            };
            let octets = step
                .skip
                .saturating_add(step.data)
                .saturating_add(step.trailer);
            self.pass(octets, from);
            if octets == 0 && !step.done {
                return false;
            }
        }
        !self.broken
    }

    /// The runs of octets to send, in their order. `kept` are those at [`Self::wants`], or some of
    /// them.
    pub(super) fn parts<'b, S: Store>(
        &self,
        from: &'b Buffer<S>,
        staged: &'b Buffer<S>,
        kept: &'b [u8],
    ) -> [&'b [u8]; 3] {
        let (source, at) = match self.behind {
            None => (from.filled(), self.at),
            Some(_) => (kept, 0),
        };
        let source = source.get(at..).unwrap_or(b"");
        let data = source.get(..self.data).unwrap_or(source);
        [staged.filled(), data, self.tail]
    }

    /// The first `taken` octets of [`Self::parts`] are sent.
    pub(super) fn took<S: Store>(
        &mut self,
        taken: usize,
        from: &mut Buffer<S>,
        staged: &mut Buffer<S>,
    ) {
        let first = taken.min(staged.len());
        staged.consume(first);
        let rest = taken.saturating_sub(first);
        let data = rest.min(self.data);
        match &mut self.behind {
            None => self.pass(data, from),
            Some(behind) => behind.pass(data),
        }
        self.data = self.data.saturating_sub(data);
        let tail = rest.saturating_sub(data);
        self.tail = self.tail.get(tail..).unwrap_or(b"");
    }

    /// The next octets of the source were dealt with.
    fn pass<S: Store>(&mut self, octets: usize, from: &mut Buffer<S>) {
        if self.keeps {
            self.at = self.at.saturating_add(octets);
        } else {
            from.consume(octets);
        }
    }

    /// Stages what goes before so many body octets.
    fn stage_chunk<S: Store>(&mut self, octets: usize, staged: &mut Buffer<S>) -> Result<(), Full> {
        if let Framing::Frames(wire) = self.framing {
            return stage(staged, srun::PREFIX_MAX, |out| {
                srun::request::data_prefix(wire, octets, out)
            });
        }
        if self.framing != Framing::Chunked {
            return Ok(());
        }
        let first = self.chunks == Chunks::None;
        self.chunks = Chunks::Some;
        stage(staged, encode::CHUNK_PREFIX_MAX, |out| {
            encode::chunk_prefix(first, octets as u64, out)
        })
    }

    /// Stages a trailer, behind the last chunk.
    fn stage_trailer<S: Store>(&mut self, line: &[u8], staged: &mut Buffer<S>) -> Result<(), Full> {
        let Ok(Line::Field { name, padded, .. }) = field::line(line) else {
            return Ok(());
        };
        let value = bytes::trim_ows(padded);
        let passes = self.trailers && self.framing == Framing::Chunked;
        if !passes || !forward::may_trail(name) {
            return Ok(());
        }
        let before = self.chunks;
        self.chunks = Chunks::Trailers;
        let room = name.len().saturating_add(value.len()).saturating_add(16);
        stage(staged, room, |out| {
            if before != Chunks::Trailers {
                encode::trailers_begin(before == Chunks::None, out)?;
            }
            encode::trailer(name, value, out)
        })
    }

    /// What ends the message (RFC 9112 section 7.1).
    fn last(&self) -> &'static [u8] {
        match (self.framing, self.chunks) {
            (Framing::Chunked, Chunks::None) => b"0\r\n\r\n",
            (Framing::Chunked, Chunks::Some) => b"\r\n0\r\n\r\n",
            (Framing::Chunked, Chunks::Trailers) => b"\r\n",
            (Framing::Frames(wire), _) => srun::request::end(wire),
            _ => b"",
        }
    }
}
