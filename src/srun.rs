// SPDX-License-Identifier: GPL-2.0

//! HMUX and srun: how Resin's web server plugins have talked to its JVMs since 1999.
//!
//! A message is a row of frames, each of a code, a length and a payload. A request is told piece by
//! piece (its path, its method, who asks, each field), and so is the head of its response; the
//! content of both comes in data frames.
//!
//! ```text
//!            HMUX: Resin 2.1 to 4.x            srun: Resin 1.x and 2.0, an old port of 3.0
//! frame      code, 16-bit length, payload      code, 24-bit length, payload
//! without    Q, X, Y: the code alone           -
//! a length   C, A: two octets follow           -
//! end        Q, or X: it is closed then        Z, or X: it is closed then
//! no answer  X: the connection has ended       X
//! uploads    Y asks for an A                   an A for each D; for the first one perhaps not
//! ```
//!
//! Nobody has ever specified them. The sources are the code of both ends, published by Caucho
//! (`mod_caucho.c` and `stream.c`; `HmuxRequest.java`, `RunnerRequest.java`), and what Resin 3.0
//! and 4.0 do on the wire. Neither can name the number of a version, ask who is there or upgrade to
//! another protocol, and there is no interim response.

pub(crate) mod body;
pub(crate) mod request;
pub(crate) mod response;
mod window;

pub(crate) use window::Window;

use crate::bytes::Full;
use crate::bytes::Writer;
use crate::config::Protocol;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    /// HMUX.
    Hmux,
    /// srun.
    Srun,
}

/// What a frame from a backend is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// The status line.
    Status,
    /// The name of a field, before its value.
    Name,
    /// The name of something that the backend tells of itself, before its value.
    Meta,
    /// The value of what was named.
    Value,
    /// The end of the head.
    HeadEnd,
    /// Content.
    Data,
    /// The acknowledgement of a part of the request's content.
    Ack,
    /// The end of the response.
    End,
    /// The end of the response and of the connection.
    Close,
    /// Something else: the number of a channel, a wish to flush, what is not known. It is skipped.
    Other,
}

/// The front of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Frame {
    kind: Kind,
    /// Octets before the payload.
    prefix: usize,
    /// Octets of the payload.
    payload: usize,
}

/// The longest prefix of a frame.
pub(crate) const PREFIX_MAX: usize = 4;

impl Wire {
    /// The wire of a backend's protocol, if it is one of these.
    pub(crate) const fn of(protocol: Protocol) -> Option<Wire> {
        match protocol {
            Protocol::Http => None,
            Protocol::Hmux => Some(Wire::Hmux),
            Protocol::Srun => Some(Wire::Srun),
        }
    }

    /// Reads the front of a frame from a backend; none if it is not all there.
    fn frame(self, input: &[u8]) -> Option<Frame> {
        let (code, after) = input.split_first()?;
        let (prefix, payload) = match (self, code, after) {
            (Wire::Hmux, b'Q' | b'X' | b'Y', _) => (1, 0),
            (Wire::Hmux, b'C' | b'A', [_, _, ..]) => (3, 0),
            (Wire::Hmux, _, [high, low, ..]) => (3, u16::from_be_bytes([*high, *low]).into()),
            (Wire::Srun, _, [high, middle, low, ..]) => {
                (4, u32::from_be_bytes([0, *high, *middle, *low]) as usize)
            }
            _ => return None,
        };
        Some(Frame {
            kind: self.kind(*code),
            prefix,
            payload,
        })
    }

    const fn kind(self, code: u8) -> Kind {
        match (self, code) {
            (Wire::Hmux, b's') | (Wire::Srun, b'S') => Kind::Status,
            (Wire::Hmux, b'S') | (Wire::Srun, b'V') => Kind::Value,
            (Wire::Hmux, b'M') => Kind::Meta,
            (Wire::Hmux, b'Q') | (Wire::Srun, b'Z') => Kind::End,
            (_, b'H') => Kind::Name,
            (_, b'G') => Kind::HeadEnd,
            (_, b'D') => Kind::Data,
            (_, b'A') => Kind::Ack,
            (_, b'X') => Kind::Close,
            _ => Kind::Other,
        }
    }

    /// Whether these octets from a backend, which nothing has come before, say that it has ended the
    /// connection.
    pub(crate) fn is_closed(self, octets: &[u8]) -> bool {
        matches!(self.frame(octets), Some(Frame { kind: Kind::Close, payload: 0, prefix })
            if prefix == octets.len())
    }

    /// Writes the front of a frame with a payload of so many octets, which is a number that the
    /// length can hold.
    fn put_prefix(self, code: u8, payload: usize, out: &mut Writer<'_>) -> Result<(), Full> {
        out.put(&[code])?;
        match (
            self,
            u32::try_from(payload).map_err(|_| Full)?.to_be_bytes(),
        ) {
            (Wire::Hmux, [0, 0, length @ ..]) => out.put(&length),
            (Wire::Srun, [0, length @ ..]) => out.put(&length),
            _ => Err(Full),
        }
    }

    /// Writes a frame.
    fn put(self, code: u8, payload: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        self.put_prefix(code, payload.len(), out)?;
        out.put(payload)
    }
}
