// SPDX-License-Identifier: GPL-2.0

//! Connections at rest: as long as nothing happens little is kept of one.
//!
//! The sweep puts to rest who has nothing to do. Whatever happens next wakes it: a step gets its [`State`]
//! back. If there is no memory for that the sweep tries again, until the connection has been idle for too
//! long.

use core::net::SocketAddr;
use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;

use super::step::Chore;
use super::Client;
use super::Hop;
use super::State;
use super::Turn;
use crate::exchange::Rest;
use crate::lb::Ticket;
use crate::lb::Verdict;
use crate::rt::clock;
use crate::rt::memory::Spared;
use crate::rt::socket::Attached;

/// What there is of a client's connection.
pub(super) enum Connection {
    /// Something goes on, or has a moment ago.
    Awake(Spared<State>),
    Resting(Resting),
    Over,
}

/// What is kept of a connection at rest.
pub(super) struct Resting {
    socket: Attached<Client>,
    peer: SocketAddr,
    exchange: Rest,
}

impl Connection {
    /// What a step works on, if something goes on.
    pub(super) fn state(&mut self) -> Option<&mut State> {
        match self {
            Self::Awake(state) => Some(state),
            Self::Resting(_) | Self::Over => None,
        }
    }

    /// Rests if nothing goes on: returns what is not needed any more.
    fn rest(&mut self) -> Option<Self> {
        let state = self.state()?;
        let exchange = state.rest()?;
        let resting = Resting {
            socket: state.socket.take()?,
            peer: state.peer,
            exchange,
        };
        Some(core::mem::replace(self, Self::Resting(resting)))
    }

    /// Takes the socket of a connection at rest, which is over.
    fn give_up(&mut self) -> Chore {
        match core::mem::replace(self, Self::Over) {
            Self::Resting(resting) => Chore::Abort(resting.socket),
            other => {
                *self = other;
                Chore::None
            }
        }
    }
}

impl Client {
    /// Keeps little of the connection if nothing goes on. Process context.
    pub(crate) fn rest(&self) {
        // Who has it has something to do.
        let Some(mut connection) = self.connection.try_lock() else {
            return;
        };
        let unneeded = connection.rest();
        drop(connection);
        drop(unneeded);
    }

    /// What a step works on; a connection at rest wakes up.
    pub(super) fn awake<'a>(&self, connection: &'a mut Connection) -> Option<&'a mut State> {
        if let Connection::Awake(state) = connection {
            return Some(state);
        }
        self.rouse(connection);
        if let Connection::Resting(_) | Connection::Over = connection {
            self.decline();
        }
        connection.state()
    }

    /// A place at a backend comes back that was given too late to a request.
    fn decline(&self) {
        if let Some(ticket) = Ticket::of_number(self.take_granted()) {
            self.engine.give_back(clock::now(), ticket, Verdict::None);
        }
    }

    /// Gives a connection at rest what it needs, if there is memory for that.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn rouse(&self, connection: &mut Connection) {
        let Connection::Resting(Resting { peer, .. }) = *connection else {
            return;
        };
        let Ok(mut state) = State::new(&self.engine, peer, self.number, GFP_NOWAIT) else {
            return self.due.store(0, Relaxed);
        };
        if let Connection::Resting(resting) = core::mem::replace(connection, Connection::Over) {
            state.socket = Some(resting.socket);
            state.exchange.resume(resting.exchange);
            *connection = Connection::Awake(state);
        }
    }

    /// Ends a connection at rest that there was no memory to wake up for, if it is broken or its time is
    /// over.
    pub(super) fn end_rest(&self, connection: &mut Connection) -> Chore {
        let Connection::Resting(Resting {
            socket, exchange, ..
        }) = connection
        else {
            return Chore::None;
        };
        let is_late = clock::now() >= exchange.deadline;
        if is_late || socket.failed() || self.engine.is_stopping() {
            connection.give_up()
        } else {
            Chore::None
        }
    }
}

impl State {
    /// What is to be remembered of the exchange, if nothing goes on.
    fn rest(&self) -> Option<Rest> {
        let is_mine = matches!(self.turn, Turn::Anybody) && !self.is_errand;
        let is_alone = matches!(self.upstream, Hop::None) && self.errand.is_none();
        let is_done = self.visit.is_idle() && self.journey.is_over() && !self.shutdown.is_wanted();
        // What could not be read yet would have to wait for more memory than it does now.
        let is_heard = self.socket.as_ref().is_some_and(|one| !one.readable());
        match is_mine && is_alone && is_done && is_heard {
            true => self.exchange.rest(&self.buffers, &self.ends()),
            false => None,
        }
    }
}
