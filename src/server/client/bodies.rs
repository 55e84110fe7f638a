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
use crate::server::cache::Look;
use crate::server::cache::Octets;
use crate::status::Count;
use crate::time::Instant;

impl State {
    /// Passes octets of the body on as they come, if nobody looks at them; none if that cannot be. A client
    /// that takes nothing now gets the next ones from a buffer: then it is known whose turn it is.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn pass(&mut self, client: &Client, now: Instant) -> Option<Moves> {
        let octets = self.exchange.passes(&self.buffers)?;
        let (Hop::Up(link), Some(socket), false) =
            (&self.upstream, &self.socket, self.visit.keeps())
        else {
            return None;
        };
        let most = usize::try_from(octets).unwrap_or(usize::MAX);
        let octets = link.pass(socket, most)? as u64;
        let stats = client.engine.stats();
        stats.add(Count::BackendReceived, octets);
        stats.add(Count::ClientSent, octets);
        link.owner().backend().hear(now, octets);
        self.with(|exchange, io| exchange.passed(now, octets, io));
        Some(Moves::Some)
    }

    /// The same of the request's body.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn pass_up(&mut self, client: &Client, now: Instant) -> Option<Moves> {
        let octets = self.exchange.passes_up(&self.buffers)?;
        let (Hop::Up(link), Some(socket)) = (&self.upstream, &self.socket) else {
            return None;
        };
        let most = usize::try_from(octets).unwrap_or(usize::MAX);
        let octets = socket.pass(link, most)? as u64;
        let stats = client.engine.stats();
        stats.add(Count::ClientReceived, octets);
        stats.add(Count::BackendSent, octets);
        link.owner().backend().sent.add(octets);
        self.with(|exchange, io| exchange.passed_up(now, octets, io));
        self.note_asked(&client.engine, now);
        Some(Moves::Some)
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
