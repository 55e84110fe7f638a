// SPDX-License-Identifier: GPL-2.0

//! The world of a run: who acts when, what the sockets hold, how time passes.

use std::collections::{BTreeSet, VecDeque};

use super::audit::Audit;
use super::choices::Choices;
use super::client::Client;
use super::gateway::Hop;
use super::keeper::Keeper;
use super::link::Link;
use super::memory::{self, Memory, Shortage};
use super::mood::{longest_limit, Mood};
use super::reference::{After, Request};
use super::reply::Reply;
use super::trace::Trace;
use super::verdict::Evidence;
use crate::exchange::{Buffers, Exchange};
use crate::http::Version;
use crate::time::{Duration, Instant};

/// The gateway's socket to the client.
#[derive(Default)]
pub(super) struct Socket {
    /// Octets that the gateway has not read.
    pub(super) up: VecDeque<u8>,
    pub(super) fin: bool,
    pub(super) reset: bool,
    /// Octets that the client has not read.
    pub(super) down: VecDeque<u8>,
    /// Octets that the client has read.
    pub(super) acked: u64,
    pub(super) shut: bool,
    /// The gateway has closed it, with RST or not.
    pub(super) closed: Option<bool>,
}

pub(super) struct World {
    pub(super) choices: Choices,
    pub(super) mood: Mood,
    pub(super) now: Instant,
    pub(super) exchange: Exchange,
    pub(super) buffers: Buffers<Memory>,
    pub(super) shortage: Shortage,
    pub(super) socket: Socket,
    pub(super) links: Vec<Link>,
    pub(super) hop: Hop,
    /// Idle links.
    pub(super) pool: Vec<usize>,
    pub(super) keeper: Option<Keeper>,
    /// FIN is due to the client, to the backend.
    pub(super) shutdown: (bool, bool),
    /// FIN has to follow what the client was sent last.
    pub(super) finishes: bool,
    /// What the backend speaks, once it has spoken.
    pub(super) version: Option<Version>,
    /// The backend has failed in this exchange.
    pub(super) tried: bool,
    /// Something happened on a socket of the gateway.
    pub(super) woken: bool,
    pub(super) due: Instant,
    /// How long the sweep takes to come when the gateway cannot go on.
    patience: Duration,
    /// Time has passed so many times without anything else happening.
    pub(super) waits: u32,
    pub(super) client: Client,
    replies: Vec<(Request, Reply)>,
    pub(super) audit: Audit,
    pub(super) trace: Trace,
    /// What kinds of things happened.
    pub(super) seen: BTreeSet<String>,
}

/// The period of the sweep.
const PERIOD: Duration = Duration::from_millis(200);

/// More rounds than any run needs.
const MAX_ROUNDS: usize = 500_000;

/// How many time limits can run out, one after the other, without anything moving.
const MAX_WAITS: u32 = 80;

impl World {
    pub(super) fn new(mut choices: Choices) -> Self {
        let mood = Mood::new(&mut choices);
        let client = Client::new(&mut choices, &mood);
        let shortage = Shortage::default();
        let now = Instant::from_nanos(1_000_000_000);
        Self {
            now,
            exchange: {
                let mut exchange = Exchange::NEW;
                exchange.begin(now, &mood.settings);
                exchange
            },
            buffers: memory::buffers(&shortage),
            shortage,
            socket: Socket::default(),
            links: Vec::new(),
            hop: Hop::None,
            pool: Vec::new(),
            keeper: mood.keeps.map(Keeper::new),
            shutdown: (false, false),
            finishes: false,
            version: None,
            tried: false,
            woken: true,
            due: now,
            patience: PERIOD,
            waits: 0,
            client,
            replies: Vec::new(),
            audit: Audit::default(),
            trace: Trace::default(),
            seen: BTreeSet::new(),
            choices,
            mood,
        }
    }

    pub(super) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        self.trace.note(self.now, what);
    }

    /// Lets everybody act until the connection is closed, then looks at what came of it.
    pub(super) fn live(&mut self) {
        for _ in 0..MAX_ROUNDS {
            if self.socket.closed.is_some() {
                return self.end();
            }
            if self.mood.faults {
                self.misfortune();
            }
            if self.choices.once_in(4) {
                self.rest();
            }
            if !self.round() && !self.client.resume() {
                self.wait();
            }
        }
        panic!("no end in {:?}", self.exchange.phase());
    }

    /// What nobody has decided.
    fn misfortune(&mut self) {
        if self.choices.once_in(60) {
            let kind = self.choices.below(5) as u32;
            self.shortage.set(kind);
            self.note(format_args!("shortage {kind}"));
        }
        if self.choices.once_in(60) {
            let millis = *self.choices.pick(&[1, 90, 5000, 60_000]);
            self.now = self.now + Duration::from_millis(millis);
        }
    }

    /// Everybody gets a turn, in some order, and does not always take it. Returns whether anything
    /// may have happened.
    fn round(&mut self) -> bool {
        let first = self.choices.below(3);
        let mut moved = false;
        for turn in first..first + 3 {
            if self.choices.once_in(5) {
                moved = true;
                continue;
            }
            moved |= match turn % 3 {
                0 => self.client_acts(),
                1 => self.origin_acts(),
                _ => self.gateway_acts(),
            };
        }
        moved
    }

    fn client_acts(&mut self) -> bool {
        if self.socket.reset {
            return false;
        }
        let most = *self.choices.pick(&[100_000, 1, 30, 700]);
        let sent = self.client.send(most.min(65_536 - self.socket.up.len()));
        let mut moved = !sent.is_empty();
        if moved {
            let what = sent.escape_ascii();
            self.trace
                .note(self.now, format_args!("client sends {what}"));
        }
        self.socket.up.extend(sent);
        if let Some(end) = self.client.ends() {
            moved = true;
            self.client_ends(end);
        }
        let most = *self.choices.pick(&[100_000, 1, 30, 700]);
        moved |= self.client_reads(most) > 0;
        self.woken |= moved;
        moved
    }

    fn client_ends(&mut self, end: After) {
        self.note(format_args!("client ends with {end:?}"));
        if end == After::Fin {
            self.socket.fin = true;
            return;
        }
        self.socket.reset = true;
        self.client.after = After::Reset;
        if self.choices.once_in(2) {
            self.socket.up.clear();
        }
    }

    fn client_reads(&mut self, most: usize) -> usize {
        let client = &mut self.client;
        let octets = self.socket.down.len().min(most).min(client.appetite);
        client.appetite -= octets;
        self.socket.acked += octets as u64;
        client.received.extend(self.socket.down.drain(..octets));
        // It has acknowledged the FIN too.
        self.woken |= octets > 0 && self.socket.shut && self.socket.down.is_empty();
        octets
    }

    fn origin_acts(&mut self) -> bool {
        let mut moved = false;
        for (index, link) in self.links.iter_mut().enumerate() {
            let before = self.replies.len();
            if link.act(&mut self.choices, &self.mood, &mut self.replies) {
                moved = true;
                self.woken |= self.hop.index() == Some(index);
            }
            if let Some((request, reply)) = self.replies.get(before) {
                let (octets, end) = (reply.octets.escape_ascii(), reply.finale);
                self.trace.note(
                    self.now,
                    format_args!("link {index}: {request:?} -> {octets} {end:?}"),
                );
            }
        }
        moved
    }

    fn gateway_acts(&mut self) -> bool {
        if !self.woken && self.now < self.due {
            return false;
        }
        self.woken = false;
        let moved = self.run();
        if moved {
            self.waits = 0;
            self.patience = PERIOD;
        }
        self.check_bounds();
        moved
    }

    /// Nobody can do anything: the gateway must be waiting for a point in time, and not for long.
    fn wait(&mut self) {
        self.waits += 1;
        assert!(
            self.waits < MAX_WAITS,
            "nothing moves in {:?}",
            self.exchange.phase()
        );
        let limit = self.now + longest_limit(&self.mood.settings);
        assert!(
            self.exchange.deadline() <= limit,
            "no deadline in {:?}",
            self.exchange.phase()
        );
        if self.due <= self.now {
            self.now = self.now + self.patience;
            self.patience = self.patience.saturating_mul(2);
        } else {
            self.now = self.due;
        }
        self.note(format_args!("waited in {:?}", self.exchange.phase()));
    }

    fn check_bounds(&self) {
        let settings = &self.mood.settings;
        let head = settings.head_size + 512;
        let rewritten = head + settings.header_fields;
        let buffers = &self.buffers;
        assert!(buffers.request.capacity() <= head.max(16384));
        assert!(buffers.response.capacity() <= head.max(16384));
        // Trailers may be staged behind a head.
        assert!(buffers.to_upstream.capacity() <= rewritten + 4096);
        assert!(buffers.to_client.capacity() <= rewritten + 4096);
    }

    /// The gateway has closed the connection: the client reads on to its end.
    fn end(&mut self) {
        let buffers = [
            &self.buffers.request,
            &self.buffers.to_upstream,
            &self.buffers.response,
            &self.buffers.to_client,
        ];
        assert!(buffers.iter().all(|buffer| buffer.capacity() == 0));
        if self.client.after == After::More {
            self.read_on(self.socket.closed == Some(true));
        }
        let received = self.client.received.escape_ascii();
        let after = self.client.after;
        self.trace
            .note(self.now, format_args!("received {received} {after:?}"));
        if !self.mood.wild {
            let evidence = Evidence {
                client: &self.client,
                replies: &self.replies,
                finished: &self.audit.finished,
                calm: !self.mood.faults,
                tunnels: self.links.iter().filter_map(Link::tunnelled).collect(),
            };
            evidence.judge();
        }
    }

    /// What is on its way reaches the client, unless RST overtakes it.
    fn read_on(&mut self, abort: bool) {
        let left = self.socket.down.len();
        let lost = if abort {
            self.choices.below(left + 1)
        } else {
            0
        };
        let read = self.client_reads(left - lost);
        // Octets that the gateway has not read make a RST of its close.
        let reset = abort || read < left || !self.socket.up.is_empty();
        self.client.after = if reset { After::Reset } else { After::Fin };
    }
}
