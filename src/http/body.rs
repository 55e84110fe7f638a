// SPDX-License-Identifier: GPL-2.0

//! Where a message's body ends: its framing while it streams (RFC 9112 sections 6 and 7).

use super::head::BodyLength;
use super::{Method, Status, Violation};

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
}

/// The state of a chunked body (RFC 9112 section 7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chunked {
    left: u64,
}

/// What the next octets of the input are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Step {
    /// Octets of framing at the front, to drop.
    pub(crate) skip: usize,
    /// Octets of the body that follow them. The caller must take all of them: to bound them, it
    /// offers less input.
    pub(crate) data: usize,
    /// The message ends after these; what follows belongs to the next one.
    pub(crate) done: bool,
}

impl Body {
    /// The body that follows a request head.
    pub(crate) fn of_request(declared: BodyLength) -> Body {
        let _ = declared;
        todo!()
    }

    /// The body that follows a response head (RFC 9112 section 6.3): `method` is the request's.
    ///
    /// A 101 has none either: what follows it is no longer HTTP.
    pub(crate) fn of_response(method: Method, status: Status, declared: BodyLength) -> Body {
        let _ = (method, status, declared);
        todo!()
    }

    /// Says what the octets of `input` are, in the order in which they came, and advances past
    /// `skip + data` of them.
    ///
    /// A step of `skip == 0`, `data == 0` and not `done` needs more input. Violations carry 400;
    /// for a response's body the caller turns them with [`Violation::of_response`].
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<Step, Violation> {
        let _ = input;
        todo!()
    }

    /// Whether the message has ended.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Body::None)
    }

    /// The stream has ended: is the message complete? Violated if it was cut short.
    pub(crate) fn eof(&mut self) -> Result<(), Violation> {
        todo!()
    }
}
