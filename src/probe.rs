// SPDX-License-Identifier: GPL-2.0

//! What a backend is asked to see whether it is well, and what it says to that.
//!
//! It is a GET of one path on a connection of its own, whatever the backend speaks: neither HMUX nor
//! srun has a question of its own that all versions of Resin answer.

use crate::bytes::Full;
use crate::bytes::Writer;
use crate::config::Protocol;
use crate::http::head;
use crate::http::head::BodyLength;
use crate::http::head::Parse;
use crate::http::Limits;
use crate::http::Status;
use crate::http::Violation;
use crate::srun::request;
use crate::srun::request::Request;
use crate::srun::response;
use crate::srun::Wire;
use core::net::SocketAddr;

/// Octets that [`write_request`] writes at most, of which the path and the backend's name have so many.
pub(crate) fn room(path: &[u8], host: &[u8]) -> usize {
    // Frames tell the host twice, and have prefixes.
    let named = host.len().saturating_mul(3);
    path.len().saturating_add(named).saturating_add(FRAMES)
}

const FRAMES: usize = 768;

/// Writes the request for `path` to the backend that is known as `host`, as from `client`. What is in
/// `scratch`, of [`room`] octets too, is lost.
pub(crate) fn write_request(
    protocol: Protocol,
    (path, host): (&[u8], &[u8]),
    client: SocketAddr,
    scratch: &mut [u8],
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let Some(wire) = Wire::of(protocol) else {
        return write_text(path, host, out);
    };
    let mut text = Writer::new(scratch);
    write_text(path, host, &mut text)?;
    let request = Request {
        client: client.ip(),
        client_port: client.port(),
        may_be_secure: false,
        body: BodyLength::None,
    };
    request::head(wire, text.written(), &request, out)?;
    out.put(request::end(wire))
}

fn write_text(path: &[u8], host: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(b"GET ")?;
    out.put(path)?;
    out.put(b" HTTP/1.1\r\nHost: ")?;
    out.put(host)?;
    out.put(b"\r\nUser-Agent: resin\r\nConnection: close\r\n\r\n")
}

/// What has come of the answer.
pub(crate) struct Reply {
    protocol: Protocol,
    /// Octets that are dealt with: interim responses, frames that say nothing.
    at: usize,
    frames: response::Scan,
}

impl Reply {
    /// Nothing has come.
    pub(crate) const fn new(protocol: Protocol) -> Reply {
        Reply {
            protocol,
            at: 0,
            frames: response::Scan::new(),
        }
    }

    /// Reads on in `octets`, which are those of the last call with more appended: the status, once
    /// the whole head of the answer is there.
    pub(crate) fn read(
        &mut self,
        octets: &[u8],
        limits: &Limits,
    ) -> Result<Option<Status>, Violation> {
        match Wire::of(self.protocol) {
            None => self.read_text(octets, limits),
            Some(wire) => self.read_frames(wire, octets, limits),
        }
    }

    fn read_text(&mut self, octets: &[u8], limits: &Limits) -> Result<Option<Status>, Violation> {
        loop {
            let rest = octets.get(self.at..).unwrap_or(&[]);
            // From the beginning each time: it is a few hundred octets, in one piece mostly.
            match head::parse_response(rest, &mut head::Scan::new(), limits)? {
                Parse::Partial => return Ok(None),
                Parse::Complete(head) if head.status.is_informational() => {
                    self.at = self.at.saturating_add(head.len);
                }
                Parse::Complete(head) => return Ok(Some(head.status)),
            }
        }
    }

    fn read_frames(
        &mut self,
        wire: Wire,
        octets: &[u8],
        limits: &Limits,
    ) -> Result<Option<Status>, Violation> {
        let rest = octets.get(self.at..).unwrap_or(&[]);
        let read = self.frames.read(wire, rest, limits.head)?;
        self.frames.take_acks();
        if let Some(len) = read {
            let head = rest.get(..len).unwrap_or(rest);
            let status = response::code(wire, head);
            return status.map(Some).ok_or(BAD_STATUS);
        }
        if self.frames.has_closed() {
            return Err(CLOSED);
        }
        self.at = self.at.saturating_add(self.frames.take_leading());
        Ok(None)
    }
}

const BAD_STATUS: Violation = Violation::bad("bad status code").of_response();
const CLOSED: Violation = Violation::bad("the connection has ended").of_response();
