// SPDX-License-Identifier: GPL-2.0

//! The head of a response: from frames to the text that an HTTP backend would have sent.
//!
//! So there is one parser of heads, and what it refuses is refused here too. What it could not see
//! any more is looked for before: an end of line in a value would make two fields of one.

use super::Kind;
use super::Wire;
use crate::bytes;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::http::field::Name;
use crate::http::Status;
use crate::http::Violation;

/// How far the frames were read that may be a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scan {
    /// Octets of whole frames that were looked at.
    at: usize,
    /// There was a status.
    has_status: bool,
    /// There was a name; its value must come now.
    is_open: bool,
    /// Acknowledgements that were not taken yet.
    acks: usize,
    /// The backend has said something, be it no part of a response.
    has_spoken: bool,
    /// It has ended the connection instead of an answer.
    has_closed: bool,
}

impl Scan {
    /// Nothing was read.
    pub(crate) const fn new() -> Scan {
        Scan {
            at: 0,
            has_status: false,
            is_open: false,
            acks: 0,
            has_spoken: false,
            has_closed: false,
        }
    }

    /// Reads on in `frames`, which are those of the last call with more appended. Returns the
    /// octets of the whole head once all of it was read. There will be none if it
    /// [has closed](Self::has_closed).
    ///
    /// [`Self::take_acks`] and [`Self::take_leading`] must be called after each call. `limit` is
    /// what a head may have. Every violation carries 502.
    pub(crate) fn read(
        &mut self,
        wire: Wire,
        frames: &[u8],
        limit: usize,
    ) -> Result<Option<usize>, Violation> {
        loop {
            let rest = frames.get(self.at..).unwrap_or(&[]);
            let Some((kind, payload, after)) = whole_frame(wire, rest) else {
                break;
            };
            if kind == Kind::Close && payload.is_empty() && !self.is_begun() {
                self.has_closed = true;
                self.at = frames.len().saturating_sub(after.len());
                break;
            }
            self.has_spoken = true;
            let is_over = self
                .note(kind, payload)
                .map_err(|reason| Violation::bad(reason).of_response())?;
            self.at = frames.len().saturating_sub(after.len());
            if is_over {
                return Ok(Some(self.at));
            }
        }
        let leading = if self.is_begun() { 0 } else { self.at };
        if frames.len().saturating_sub(leading) >= limit {
            return Err(Violation::bad("head too large").of_response());
        }
        Ok(None)
    }

    /// Acknowledgements that were read since this was last asked.
    pub(crate) fn take_acks(&mut self) -> usize {
        core::mem::take(&mut self.acks)
    }

    /// Octets at the front that are no part of a head: the caller must drop them.
    pub(crate) fn take_leading(&mut self) -> usize {
        if self.is_begun() {
            0
        } else {
            core::mem::take(&mut self.at)
        }
    }

    /// Whether the backend has said anything.
    pub(crate) fn has_spoken(&self) -> bool {
        self.has_spoken
    }

    /// Whether it has ended the connection before it began an answer, which says no more than a FIN.
    ///
    /// A Resin ends a connection so that was idle for too long, and one that goes down says it to
    /// any request.
    pub(crate) fn has_closed(&self) -> bool {
        self.has_closed
    }

    fn is_begun(&self) -> bool {
        self.has_status || self.is_open
    }

    /// Takes a frame into account; true if it ends the head.
    fn note(&mut self, kind: Kind, payload: &[u8]) -> Result<bool, &'static str> {
        let was_open = core::mem::take(&mut self.is_open);
        match kind {
            Kind::Value if was_open => no_line_end(payload)?,
            Kind::Value => return Err("a field without a name"),
            _ if was_open => return Err("a field without a value"),
            Kind::Status if self.has_status => return Err("more than one status"),
            Kind::Status => {
                no_line_end(payload)?;
                self.has_status = true;
            }
            Kind::Meta => self.is_open = true,
            Kind::Name if !self.has_status => return Err("a field before the status"),
            Kind::Name if !bytes::is_token(payload) => return Err("bad octet in a field name"),
            Kind::Name => self.is_open = true,
            Kind::Ack => self.acks = self.acks.saturating_add(1),
            Kind::HeadEnd if self.has_status => return Ok(true),
            Kind::HeadEnd => return Err("a response without a status"),
            Kind::Data => return Err("content before the end of the head"),
            Kind::End | Kind::Close => return Err("the backend ended its answer before it began"),
            Kind::Other => {}
        }
        Ok(false)
    }
}

/// RFC 9110 section 5.5: CR and LF are "invalid and dangerous".
fn no_line_end(text: &[u8]) -> Result<(), &'static str> {
    let has = |octet| bytes::find_byte(text, octet).is_some();
    if has(b'\r') || has(b'\n') {
        return Err("a line end in a field");
    }
    Ok(())
}

/// The frame at the front of `frames` and what follows it, if it is all there.
fn whole_frame(wire: Wire, frames: &[u8]) -> Option<(Kind, &[u8], &[u8])> {
    let frame = wire.frame(frames)?;
    let (_, payload) = frames.split_at_checked(frame.prefix)?;
    let (payload, after) = payload.split_at_checked(frame.payload)?;
    Some((frame.kind, payload, after))
}

/// Octets that [`text`] writes at most for a head of so many.
pub(crate) fn text_room(frames: usize) -> usize {
    // The version, which HMUX leaves out. Names and values have longer prefixes than text has
    // between them.
    frames.saturating_add(b"HTTP/1.1 ".len())
}

/// Writes a head, the frames of which a [`Scan`] has read, as text.
///
/// What is about a connection stays out: this one is no HTTP connection. So does the length of a
/// 304, which Resin 3.0 says is 0.
pub(crate) fn text(wire: Wire, frames: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    let mut rest = frames;
    let mut name: &[u8] = &[];
    let mut is_unmodified = false;
    while let Some((kind, payload, after)) = whole_frame(wire, rest) {
        rest = after;
        match kind {
            Kind::Status => {
                let status = status(wire, payload);
                is_unmodified = status.starts_with(b"304");
                put_line([b"HTTP/1.1", b" ", status], out)?;
            }
            Kind::Name => name = payload,
            Kind::Value if passes(name, is_unmodified) => put_line([name, b": ", payload], out)?,
            Kind::Meta => name = &[],
            _ => {}
        }
    }
    out.put(b"\r\n")
}

/// The status that a head has, the frames of which a [`Scan`] has read; none if it is not one.
pub(crate) fn code(wire: Wire, frames: &[u8]) -> Option<Status> {
    let mut rest = frames;
    loop {
        let (kind, payload, after) = whole_frame(wire, rest)?;
        rest = after;
        if kind == Kind::Status {
            let digits = status(wire, payload).get(..3)?;
            return Status::new(u16::try_from(bytes::parse_decimal(digits)?).ok()?);
        }
    }
}

/// Code and reason. srun has a version before them, which says nothing.
fn status(wire: Wire, payload: &[u8]) -> &[u8] {
    match wire {
        Wire::Hmux => payload,
        Wire::Srun => {
            let space = bytes::find_byte(payload, b' ').unwrap_or(payload.len());
            payload.get(space.saturating_add(1)..).unwrap_or(&[])
        }
    }
}

fn passes(name: &[u8], is_unmodified: bool) -> bool {
    let known = Name::of(name);
    let is_false = is_unmodified && known == Name::ContentLength;
    !name.is_empty() && !known.is_hop_by_hop() && !is_false
}

fn put_line(parts: [&[u8]; 3], out: &mut Writer<'_>) -> Result<(), Full> {
    for part in parts {
        out.put(part)?;
    }
    out.put(b"\r\n")
}
