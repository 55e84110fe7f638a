// SPDX-License-Identifier: GPL-2.0

//! Requests that are made behind a client's back: it has got what is stored, though that is stale, and
//! the origin is asked about it for the sake of those who come later (RFC 5861 section 3).
//!
//! Each is a [`Client`] without a socket. It asks for what the client has asked for, as the client did.

use core::net::SocketAddr;

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::Client;
use super::State;
use crate::exchange::Event;
use crate::exchange::Store as _;
use crate::rt::clock;
use crate::server::cache::Question;
use crate::server::engine::Config;

/// What is to be asked.
pub(super) struct Errand {
    config: Arc<Config>,
    /// For whom it is asked first.
    peer: SocketAddr,
    /// Octets of the head of its request.
    head: KVec<u8>,
    question: Question,
}

impl Client {
    /// Sends somebody out, unless there are many already. If nobody goes what is stored stays stale. Only in
    /// the work item.
    pub(super) fn send_out(&self, errand: KBox<Errand>) {
        let _ = self.try_send_out(errand);
    }

    fn try_send_out(&self, errand: KBox<Errand>) -> Result {
        if self.engine.is_stopping() || !self.engine.begin_errand() {
            return Err(EBUSY);
        }
        let number = self.engine.number();
        let client = Self::new(self.engine.clone(), number, self.cpu, errand.peer, None);
        let client = client.inspect_err(|_| self.engine.end_errand())?;
        if let Some(state) = client.connection.lock().state() {
            state.go_out(errand)?;
        }
        // Whoever ends the engine waits for this work item before he looks who is there.
        self.engine.enter(client.cpu, number, client.clone())?;
        client.wake();
        Ok(())
    }
}

impl State {
    /// Notes that the present request, which has got what is stored, has an errand to be run.
    pub(super) fn note_errand(&mut self) {
        let Some(question) = self.visit.take_question() else {
            return;
        };
        let Some((head, octets)) = self.exchange.asked(&self.buffers.request) else {
            return;
        };
        let mut copy = KVec::new();
        let octets = octets.get(..head.len).unwrap_or(octets);
        if copy.extend_from_slice(octets, GFP_NOWAIT).is_err() {
            return;
        }
        let errand = Errand {
            config: self.config.clone(),
            peer: self.peer,
            head: copy,
            question,
        };
        self.errand = KBox::new(errand, GFP_NOWAIT).ok();
    }

    /// There is no client but this request.
    fn go_out(&mut self, errand: KBox<Errand>) -> Result {
        let (now, errand) = (clock::now(), KBox::into_inner(errand));
        self.is_errand = true;
        self.config = errand.config;
        self.visit.ask(errand.question);
        self.exchange.begin(now, &self.config.settings);
        self.exchange.begin_alone();
        let request = &mut self.buffers.request;
        if !request.store_mut().reserve(errand.head.len()) {
            return Err(ENOMEM);
        }
        request
            .append(|out| out.put(&errand.head))
            .map_err(|_| ENOMEM)?;
        self.handle(now, Event::ClientData);
        Ok(())
    }
}
