// SPDX-License-Identifier: GPL-2.0

//! A simulated connection to a backend, and the backend at its end.

use std::collections::VecDeque;

use super::choices::Choices;
use super::mood::Mood;
use super::reference::{self, Request};
use super::reply::{Finale, Reply};

/// How far the connection is, as the gateway sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Connecting,
    Up,
    /// Refused, or reset.
    Gone,
}

pub(super) struct Link {
    pub(super) state: State,
    /// The backend never answers the SYN.
    silent: bool,
    /// Octets that the backend has not read.
    pub(super) to_origin: VecDeque<u8>,
    /// Octets that the gateway has not read.
    pub(super) arrived: VecDeque<u8>,
    /// A FIN has arrived behind them.
    pub(super) fin: bool,
    /// It is the last one that the gateway has released.
    pub(super) was_left: bool,
    /// The gateway has closed it.
    pub(super) closed: bool,
    /// The gateway has sent FIN on it.
    pub(super) shut: bool,
    /// Octets that the backend has read.
    pub(super) acked: u64,
    /// The backend has closed it, or will never say anything more.
    over: Option<Finale>,
    /// What the backend has read of the present request.
    request: Vec<u8>,
    /// And after it has switched to another protocol.
    tunnel: Option<Vec<u8>>,
    reply: Option<Reply>,
    said: usize,
    /// It has carried an exchange.
    pub(super) used: bool,
    /// Octets that the gateway has read of the present answer.
    taken: usize,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            state: State::Connecting,
            silent: false,
            to_origin: VecDeque::new(),
            arrived: VecDeque::new(),
            fin: false,
            closed: false,
            shut: false,
            acked: 0,
            was_left: false,
            over: None,
            request: Vec::new(),
            tunnel: None,
            reply: None,
            said: 0,
            used: false,
            taken: 0,
        }
    }

    /// Whether a receive would give something.
    pub(super) fn readable(&self) -> bool {
        !self.arrived.is_empty() || self.fin || self.state == State::Gone
    }

    /// Whether the gateway may keep it: it has read the whole answer and nothing else.
    pub(super) fn is_reusable(&self) -> bool {
        let answered = self.reply.as_ref().is_some_and(|reply| {
            let sound = reply.keeps && reply.whole;
            sound && self.taken == reply.honest
        });
        let sent = self.sent();
        answered && sent.is_some_and(|request| request.whole)
    }

    /// What was sent on it of the present request, as far as it can be read.
    pub(super) fn sent(&self) -> Option<Request> {
        let mut octets = self.request.clone();
        octets.extend(&self.to_origin);
        reference::request(&octets)
    }

    /// What it was told after it had switched to another protocol, or will be.
    pub(super) fn tunnelled(&self) -> Option<Vec<u8>> {
        let mut octets = self.tunnel.clone()?;
        octets.extend(&self.to_origin);
        Some(octets)
    }

    /// Begins to wait in the pool. What else the backend has to say comes now: the gateway cannot
    /// know that it will come later.
    pub(super) fn rest(&mut self) {
        if let Some(reply) = self.reply.take() {
            self.arrived.extend(&reply.octets[self.said..]);
            let over = reply.finale != Finale::KeepAlive;
            self.over = self.over.or(over.then_some(reply.finale));
        }
        self.request.clear();
        self.to_origin.clear();
        self.said = 0;
        self.taken = 0;
        self.used = true;
    }

    /// What the gateway receives.
    pub(super) fn read(&mut self, room: &mut [u8], most: usize) -> usize {
        let octets = room.len().min(most).min(self.arrived.len());
        for (to, from) in room.iter_mut().zip(self.arrived.drain(..octets)) {
            *to = from;
        }
        self.taken += octets;
        octets
    }

    /// No octet of an answer was read on it, and it has carried an exchange; and nobody has seen the
    /// request, unless that does no harm.
    pub(super) fn may_be_retried(&self, idempotent: bool) -> bool {
        self.used && self.taken == 0 && (idempotent || self.request.is_empty())
    }

    /// The backend does something. Returns whether it did, and notes a new answer in `replies`.
    pub(super) fn act(
        &mut self,
        choices: &mut Choices,
        mood: &Mood,
        replies: &mut Vec<(Request, Reply)>,
    ) -> bool {
        if self.closed || self.state == State::Gone {
            return false;
        }
        if self.state == State::Connecting {
            return self.accept(choices, mood);
        }
        if let Some(finale) = self.over {
            return self.end(finale);
        }
        if !self.to_origin.is_empty() {
            let most = *choices.pick(&[100_000, 1, 300, 3000]);
            let most = self.to_origin.len().min(most);
            let read = self.to_origin.drain(..most);
            self.acked += most as u64;
            match &mut self.tunnel {
                Some(tunnel) => tunnel.extend(read),
                None => self.request.extend(read),
            }
            // An end in an answer that only the end marks would be one that nobody can see.
            if mood.faults && self.reply.is_none() && choices.once_in(60) {
                self.over = Some(*choices.pick(&[Finale::Fin, Finale::Reset, Finale::Hang]));
            }
            return true;
        }
        if self.reply.is_none() && !self.request.is_empty() {
            if let Some(request) = reference::request(&self.request) {
                // Now and then it does not want to know all of it.
                if request.whole || (mood.faults && choices.once_in(20)) {
                    let reply = Reply::new(&request, choices, mood);
                    if reply.tunnel {
                        self.tunnel = Some(Vec::new());
                    }
                    self.reply = Some(reply.clone());
                    replies.push((request, reply));
                    return true;
                }
            }
        }
        self.speak(choices)
    }

    fn accept(&mut self, choices: &mut Choices, mood: &Mood) -> bool {
        if self.silent {
            return false;
        }
        match choices.below(if mood.faults { 12 } else { 1 }) {
            11 => self.silent = true,
            10 => self.state = State::Gone,
            _ => self.state = State::Up,
        }
        true
    }

    /// The backend has closed its side; whatever comes now is answered with RST.
    fn end(&mut self, finale: Finale) -> bool {
        let late = finale != Finale::Hang && !self.to_origin.is_empty();
        match finale {
            Finale::Reset => self.state = State::Gone,
            Finale::Fin if late => {
                self.fin = true;
                self.state = State::Gone;
            }
            Finale::Fin if !self.fin => self.fin = true,
            _ => return false,
        }
        true
    }

    /// Sends some of the answer, or ends a connection on which nothing happens.
    fn speak(&mut self, choices: &mut Choices) -> bool {
        let Some(reply) = &self.reply else {
            if self.used && self.request.is_empty() && choices.once_in(6) {
                self.over = Some(Finale::Fin);
                return true;
            }
            return false;
        };
        let rest = &reply.octets[self.said..];
        if rest.is_empty() && reply.tunnel {
            let ends = !self.fin && (self.shut || reply.finale == Finale::Fin);
            self.fin |= ends;
            return ends;
        }
        if rest.is_empty() {
            let over = reply.finale != Finale::KeepAlive;
            self.over = over.then_some(reply.finale);
            return over;
        }
        let most = *choices.pick(&[rest.len(), 1, 40, 1500]);
        let some = most
            .min(rest.len())
            .min(65536_usize.saturating_sub(self.arrived.len()));
        self.arrived.extend(&rest[..some]);
        self.said += some;
        some > 0
    }
}
