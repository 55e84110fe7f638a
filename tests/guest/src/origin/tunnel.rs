//! The far end of a tunnel, after a 101.

use std::io::{self, Write};
use std::net::Shutdown;

use super::body::Incoming;
use super::{routes, End, Peer};
use crate::http::Head;

/// What the far end does. However it ends, what came through is in `Origin::received`.
#[derive(Debug, Clone)]
pub enum Tunnel {
    /// Sends back what comes; after the peer's FIN says how much that was (`bye N`) and closes.
    Echo {
        /// Ends after so many octets, without a word.
        after: u64,
        /// Ends that with a RST.
        reset: bool,
    },
    /// Reads until the peer's FIN, then reports ([`super::Received::report`]) and closes.
    Sink,
    /// Sends the body that `seed` names, then a FIN, and reads until the peer's.
    Source {
        /// Which body.
        seed: u64,
        /// How long it is.
        len: u64,
    },
    /// Neither reads nor sends.
    Silent,
}

impl Peer<'_> {
    /// Is the far end until it is over; how the connection has to end.
    pub(super) fn tunnel(&mut self, head: &Head, tunnel: &Tunnel) -> io::Result<End> {
        self.body = Some(Incoming::tunnel(head, routes::seed(head)));
        match tunnel {
            Tunnel::Echo { after, reset } => return self.echo_octets(*after, *reset),
            Tunnel::Sink => {
                self.read_body(u64::MAX)?;
                let seen = self.body.as_ref().map(|body| body.seen().report());
                self.stream.write_all(seen.unwrap_or_default().as_bytes())?;
            }
            Tunnel::Source { seed, len } => {
                self.send_body(*seed, 0, *len)?;
                self.stream.shutdown(Shutdown::Write)?;
                self.read_body(u64::MAX)?;
            }
            Tunnel::Silent => self.stall()?,
        }
        Ok(End::Close)
    }

    fn echo_octets(&mut self, after: u64, reset: bool) -> io::Result<End> {
        let mut done = 0;
        while done < after {
            let piece = self.body_octets(after - done)?;
            if piece.is_empty() {
                self.stream.write_all(format!("bye {done}\n").as_bytes())?;
                return Ok(End::Close);
            }
            self.stream.write_all(&piece)?;
            done += piece.len() as u64;
        }
        Ok(if reset { End::Reset } else { End::Close })
    }
}
