// SPDX-License-Identifier: GPL-2.0

//! Where a message's body ends: its framing while it streams (RFC 9112 sections 6 and 7).

use super::chunk::Chunked;
#[allow(unused_imports)] // For tests.
pub(crate) use super::chunk::MAX_TRAILERS;
use super::head::BodyLength;
use super::{Method, Status, Violation};
use crate::srun::body::Frames;

/// One message body on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    /// There is no body, or it has ended.
    None,
    /// So many octets are left.
    Length(u64),
    /// Chunked transfer coding.
    Chunked(Chunked),
    /// It ends when the connection does (responses only).
    UntilClose,
    /// Frames of HMUX or srun (responses only).
    Frames(Frames),
}

/// What the next octets of the input are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Step {
    /// Octets of framing at the front, to drop.
    pub(crate) skip: usize,
    /// Octets of the body that follow them. The caller must take all of them: to bound them, it
    /// offers less input.
    pub(crate) data: usize,
    /// Octets of a whole trailer line that follow them, CRLF included; there is no data then.
    pub(crate) trailer: usize,
    /// The message ends after these; what follows belongs to the next one.
    pub(crate) done: bool,
    /// The sender closes the connection after it, as a frame said, or it is better not used again.
    pub(crate) closes: bool,
    /// How often a frame has acknowledged content that goes the other way.
    pub(crate) acks: usize,
}

impl Body {
    /// The body that follows a request head: without a declared framing there is none (RFC 9112
    /// section 6.3, rule 7).
    pub(crate) const fn of_request(declared: BodyLength) -> Body {
        match declared {
            BodyLength::None | BodyLength::Length(0) => Body::None,
            BodyLength::Length(left) => Body::Length(left),
            BodyLength::Chunked => Body::Chunked(Chunked::new()),
        }
    }

    /// So many octets.
    pub(crate) const fn of_length(octets: u64) -> Body {
        match octets {
            0 => Body::None,
            octets => Body::Length(octets),
        }
    }

    /// The body that follows a response head (RFC 9112 section 6.3): `method` is the request's.
    ///
    /// A 101 has none either: what follows it is no longer HTTP.
    pub(crate) const fn of_response(method: Method, status: Status, declared: BodyLength) -> Body {
        match (method, status, declared) {
            (Method::Head, _, _) => Body::None,
            (_, Status::NO_CONTENT | Status::NOT_MODIFIED, _) => Body::None,
            (_, status, _) if status.is_informational() => Body::None,
            (_, _, BodyLength::None) => Body::UntilClose,
            _ => Body::of_request(declared),
        }
    }

    /// Says what the octets of `input` are, in the order in which they came, and advances past
    /// `skip + data + trailer` of them.
    ///
    /// A step that is not `done` and advances by nothing needs more input. After a violation it must
    /// not be asked again. Violations carry 400;
    /// for a response's body the caller turns them with [`Violation::of_response`].
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<Step, Violation> {
        let step = match self {
            Body::None => Step {
                done: true,
                ..Step::default()
            },
            Body::Length(left) => {
                let data = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *left = left.saturating_sub(data as u64);
                Step {
                    data,
                    done: *left == 0,
                    ..Step::default()
                }
            }
            Body::Chunked(chunked) => chunked.next(input)?,
            Body::UntilClose => Step {
                data: input.len(),
                ..Step::default()
            },
            Body::Frames(frames) => frames.next(input)?,
        };
        if step.done {
            *self = Body::None;
        }
        Ok(step)
    }

    /// Whether all of it has come, and only the frame that ends it has not.
    pub(crate) const fn lacks_only_end(&self) -> bool {
        matches!(self, Body::Frames(frames) if frames.is_whole())
    }

    /// Whether the message has ended.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Body::None)
    }

    /// Takes note that the stream has ended, and tells whether the message is complete (RFC 9112
    /// section 8).
    pub(crate) fn eof(&mut self) -> Result<(), Violation> {
        match self {
            Body::None | Body::UntilClose => {
                *self = Body::None;
                Ok(())
            }
            // What is missing is no part of the body.
            Body::Frames(frames) if frames.is_whole() => {
                *self = Body::None;
                Ok(())
            }
            Body::Length(_) | Body::Chunked(_) | Body::Frames(_) => {
                Err(Violation::bad("body cut short"))
            }
        }
    }
}
