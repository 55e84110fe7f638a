// SPDX-License-Identifier: GPL-2.0

//! Bodies that are sent from where they are: from the cache's pages, or from the socket that has received
//! them.

use kernel::prelude::*;

use super::step::Moves;
use super::Client;
use super::Hop;
use super::State;
use crate::exchange::Event;
use crate::rt::pages::Runs;
use crate::rt::socket::Attached;
use crate::rt::socket::Io as Moved;
use crate::rt::socket::Passed;
use crate::server::cache::Look;
use crate::server::cache::Octets;
use crate::status::Count;
use crate::time::Instant;

impl State {
    /// Passes octets of the body on as they come, if nobody looks at them. If that cannot be says how many
    /// are to be read at most. A client that takes nothing now gets the next ones from a buffer: then it is
    /// known whose turn it is.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn pass(&mut self, client: &Client, now: Instant) -> Result<(), usize> {
        let octets = self.exchange.passes(&self.buffers).ok_or(ALL)?;
        let (Hop::Up(link), Some(socket), false) =
            (&self.upstream, &self.socket, self.visit.keeps())
        else {
            return Err(ALL);
        };
        let most = usize::try_from(octets).unwrap_or(usize::MAX);
        let octets = octets_of(link.pass(socket, most))?;
        let stats = client.engine.stats();
        stats.add(Count::BackendReceived, octets);
        stats.add(Count::ClientSent, octets);
        link.owner().backend().hear(now, octets);
        self.with(|exchange, io| exchange.passed(now, octets, io));
        Ok(())
    }

    /// The same of the request's body.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn pass_up(&mut self, client: &Client, now: Instant) -> Result<(), usize> {
        let octets = self.exchange.passes_up(&self.buffers).ok_or(ALL)?;
        let (Hop::Up(link), Some(socket)) = (&self.upstream, &self.socket) else {
            return Err(ALL);
        };
        let most = usize::try_from(octets).unwrap_or(usize::MAX);
        let octets = octets_of(socket.pass(link, most))?;
        let stats = client.engine.stats();
        stats.add(Count::ClientReceived, octets);
        stats.add(Count::BackendSent, octets);
        link.owner().backend().sent.add(octets);
        self.with(|exchange, io| exchange.passed_up(now, octets, io));
        self.note_asked(&client.engine, now);
        Ok(())
    }

    /// Looks whether more has come of a stored answer that somebody else brings.
    pub(super) fn look_further(&mut self, now: Instant) -> Moves {
        let Some(known) = self.exchange.awaits_stored() else {
            return Moves::None;
        };
        let event = match self.visit.look_further(known) {
            Look::Here(here) => Event::StoredGrew(here),
            Look::Wait => return Moves::None,
            Look::Later => return Moves::Later,
            Look::Lost => Event::UpstreamLost,
        };
        self.handle(now, event);
        Moves::Some
    }
}

/// Octets that are read at a time: as many as there is room for,
const ALL: usize = usize::MAX;
/// or only so many, where the others will be passed on.
const FEW: usize = 1024;

/// How many octets were passed on; if none how many are to be read.
fn octets_of(passed: Passed) -> Result<u64, usize> {
    match passed {
        Passed::Octets(octets) => Ok(octets as u64),
        Passed::Wait => Err(FEW),
        Passed::Not => Err(ALL),
    }
}

/// The first octets of a buffer's room, at most so many.
pub(super) fn first(room: &mut [u8], most: usize) -> &mut [u8] {
    let most = most.min(room.len());
    room.get_mut(..most).unwrap_or(&mut [])
}

/// Sends what is staged, and behind it octets that are kept or stored, of which so many are wanted; `more`
/// follows at once.
#[inline(never)] // Keeps its frame out of its caller's.
pub(super) fn send_kept(
    socket: &Attached<Client>,
    [staged, ..]: [&[u8]; 3],
    kept: Octets<'_>,
    wanted: usize,
    more: bool,
) -> Result<Moved> {
    match kept {
        Octets::Text(text) => {
            let text = text.get(..wanted).unwrap_or(text);
            match (staged, text) {
                ([], []) => Ok(Moved::Retry),
                _ => socket.send([staged, text, b""], more || text.len() < wanted),
            }
        }
        Octets::Body(body, at, end) => {
            let there = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
            let mut runs = Runs::none();
            body.refer(at, wanted.min(there), &mut runs);
            match (staged, runs.len()) {
                ([], 0) => Ok(Moved::Retry),
                (_, octets) => socket.send_runs(staged, &runs, more || octets < wanted),
            }
        }
    }
}
