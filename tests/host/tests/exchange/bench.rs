// SPDX-License-Identifier: GPL-2.0

//! An exchange on a bench: its buffers, its clock, and hands that push octets in and pull them out.

use super::taps::Recorder;
use crate::config::{Forwarding, Protocol, Settings};
use crate::exchange::{
    Action, Buffers, Ends, Event, Exchange, Io, Outcome, Phase, Refusal, Store as _, Tap,
};
use crate::http::{Status, Version};
use crate::lb::Verdict;
use crate::simulation::audit::Audit;
use crate::simulation::memory::{self, Memory, Shortage};
pub(super) use crate::simulation::reference::End;
use crate::simulation::reference::{self, After, Response};
use crate::time::{Duration, Instant, UnixTime};

const DATE: &[u8] = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

pub(super) const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// Settings with which a request goes on as it came.
pub(super) fn quiet() -> Settings {
    Settings {
        x_forwarded_for: Forwarding::Off,
        x_forwarded_proto: Forwarding::Off,
        x_forwarded_host: Forwarding::Off,
        ..Settings::default()
    }
}

pub(super) struct Bench {
    exchange: Exchange,
    buffers: Buffers<Memory>,
    shortage: Shortage,
    pub(super) settings: Settings,
    pub(super) now: Instant,
    audit: Audit,
    requested: Vec<u8>,
    answered: Vec<u8>,
    /// What the gateway calls itself.
    pub(super) name: &'static str,
    pub(super) ends: Known,
    /// Who looks at the answers, and what he asks.
    pub(super) tap: Option<Recorder>,
    pub(super) conditions: &'static [u8],
}

/// What is known of the two ends.
pub(super) struct Known {
    /// What the backend speaks.
    pub(super) protocol: Protocol,
    pub(super) backend_version: Option<Version>,
    /// What they have acknowledged.
    pub(super) client_acked: u64,
    pub(super) client_unacked: u64,
    pub(super) upstream_acked: u64,
}

impl Ends for Known {
    fn date(&self) -> UnixTime {
        UnixTime::from_secs(784_111_777)
    }

    fn fallback_host(&self) -> &[u8] {
        b"backend:1"
    }

    fn stamp(&self) -> Option<u64> {
        None
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn backend_version(&self) -> Option<Version> {
        self.backend_version
    }

    fn client_acked(&self) -> u64 {
        self.client_acked
    }

    fn client_unacked(&self) -> u64 {
        self.client_unacked
    }

    fn upstream_acked(&self) -> u64 {
        self.upstream_acked
    }
}

impl Bench {
    /// Whatever tells of the gateway itself is left out: see `forwarding`.
    pub(super) fn new() -> Self {
        Self::with(quiet())
    }

    pub(super) fn with(settings: Settings) -> Self {
        let now = Instant::from_nanos(1 << 40);
        let shortage = Shortage::default();
        Self {
            exchange: {
                let mut exchange = Exchange::NEW;
                exchange.begin(now, &settings);
                exchange
            },
            buffers: memory::buffers(&shortage),
            shortage,
            settings,
            now,
            audit: Audit::default(),
            requested: Vec::new(),
            answered: Vec::new(),
            name: "",
            ends: Known {
                protocol: Protocol::Http,
                backend_version: Some(Version::Http11),
                client_acked: 0,
                client_unacked: 0,
                upstream_acked: 0,
            },
            tap: None,
            conditions: b"",
        }
    }

    /// A request that has gone out to a new backend connection.
    pub(super) fn connected(request: &[u8]) -> Self {
        let mut bench = Self::new();
        bench.client(request);
        bench.connect(false);
        bench
    }

    /// So many allocations succeed, then none.
    pub(super) fn spare(&mut self, count: u32) {
        self.shortage.spare(count);
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.exchange.verdict()
    }

    pub(super) fn finishes(&self) -> bool {
        self.exchange.finishes()
    }

    pub(super) fn take_spoken(&mut self) -> Option<Version> {
        self.exchange.take_spoken()
    }

    pub(super) fn take_switched(&mut self) -> bool {
        self.exchange.take_switched()
    }

    pub(super) fn resets_upstream(&self) -> bool {
        self.exchange.resets_upstream()
    }

    pub(super) fn phase(&self) -> Phase {
        self.exchange.phase()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.exchange.deadline()
    }

    pub(super) fn reads_client(&self) -> bool {
        self.exchange.reads_client()
    }

    pub(super) fn reads_upstream(&self) -> bool {
        self.exchange.reads_upstream(&self.buffers)
    }

    /// Memory of all buffers.
    pub(super) fn buffered(&self) -> usize {
        let buffers = &self.buffers;
        buffers.request.capacity()
            + buffers.to_upstream.capacity()
            + buffers.response.capacity()
            + buffers.to_client.capacity()
    }

    /// The exchange, and what it sees of its connections.
    fn parts(&mut self) -> (&mut Exchange, Io<'_, Memory>) {
        let io = Io {
            buffers: &mut self.buffers,
            settings: &self.settings,
            client: ([192, 0, 2, 1], 4711).into(),
            name: self.name.as_bytes(),
            ends: &self.ends,
            id: 0x1000,
            conditions: self.conditions,
            tap: self.tap.as_mut().map(|tap| tap as &mut dyn Tap),
        };
        (&mut self.exchange, io)
    }

    pub(super) fn handle(&mut self, event: Event) {
        let now = self.now;
        let (exchange, mut io) = self.parts();
        exchange.handle(now, event, &mut io);
    }

    /// Time passes, and the clock is looked at.
    pub(super) fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.handle(Event::Tick);
    }

    /// All that is to be done now.
    pub(super) fn actions(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(action) = self.exchange.poll() {
            self.audit.note(action);
            actions.push(action);
        }
        self.handle(Event::Tick);
        actions
    }

    /// The only action is that an exchange is reported: its answer was whole.
    pub(super) fn assert_finished(&mut self, status: u16, own_page: bool) {
        let finished = self.exchange.poll();
        let Some(Action::Finish(outcome)) = finished else {
            panic!("{finished:?}");
        };
        self.audit.note(Action::Finish(outcome));
        let seen = outcome.status.map(Status::code);
        assert_eq!(
            (seen, outcome.own_page, outcome.aborted),
            (Some(status), own_page, false)
        );
        self.handle(Event::Tick);
    }

    /// What is told of the exchange that is over, whatever else is to be done.
    pub(super) fn outcome(&mut self) -> Outcome {
        let actions = self.actions();
        let outcome = actions.iter().find_map(|action| match action {
            Action::Finish(outcome) => Some(*outcome),
            _ => None,
        });
        outcome.unwrap_or_else(|| panic!("{actions:?}"))
    }

    /// The connection that is asked for is there, and takes the request.
    pub(super) fn connect(&mut self, reused: bool) {
        assert!(matches!(self.actions()[..], [Action::Connect { .. }]));
        self.handle(Event::UpstreamReady { reused });
        self.send();
    }

    /// Another backend is asked for, and there is none.
    pub(super) fn nobody_else(&mut self) {
        let actions = self.actions();
        assert!(
            matches!(
                actions[..],
                [Action::Release { reuse: false }, Action::Connect { .. }]
            ),
            "{actions:?}"
        );
        self.handle(Event::UpstreamRefused(Refusal::NoBackend));
    }

    /// The backend connection takes all that there is for it.
    pub(super) fn send(&mut self) {
        while self.send_some(usize::MAX) > 0 {}
    }

    /// The backend connection takes up to `most` octets.
    pub(super) fn send_some(&mut self, most: usize) -> usize {
        let parts = self.exchange.upstream_output(&self.buffers).concat();
        let taken = most.min(parts.len());
        self.requested.extend(&parts[..taken]);
        let now = self.now;
        let (exchange, mut io) = self.parts();
        exchange.upstream_took(now, taken, &mut io);
        taken
    }

    /// Octets come from the client, as far as they are wanted. Returns how many did.
    pub(super) fn client(&mut self, mut octets: &[u8]) -> usize {
        let all = octets.len();
        while self.exchange.reads_client() && !octets.is_empty() {
            let Some(room) = self.exchange.client_room(&mut self.buffers) else {
                break;
            };
            let some = room.len().min(octets.len());
            assert!(some > 0, "no room in {:?}", self.exchange.phase());
            room[..some].copy_from_slice(&octets[..some]);
            self.buffers.request.advance(some);
            octets = &octets[some..];
            self.handle(Event::ClientData);
        }
        all - octets.len()
    }

    /// A request without a client.
    pub(super) fn alone(mut self, request: &[u8]) -> Self {
        self.exchange.begin_alone();
        let store = self.buffers.request.store_mut();
        assert!(store.reserve(request.len()));
        let put = self.buffers.request.append(|out| out.put(request));
        assert!(put.is_ok());
        self.handle(Event::ClientData);
        self
    }

    /// Octets come from the backend, which has acknowledged something of the request. The client
    /// takes at once what holds them up.
    pub(super) fn backend(&mut self, octets: &[u8]) {
        self.ends.upstream_acked += 1;
        self.unasked(octets);
    }

    /// The same, but nothing of the request has arrived there.
    pub(super) fn unasked(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            if !self.reads_upstream() {
                self.take();
            }
            if !self.reads_upstream() {
                return;
            }
            let Some(room) = self.exchange.upstream_room(&mut self.buffers) else {
                return;
            };
            let some = room.len().min(octets.len());
            assert!(some > 0, "no room in {:?}", self.exchange.phase());
            room[..some].copy_from_slice(&octets[..some]);
            self.buffers.response.advance(some);
            octets = &octets[some..];
            self.handle(Event::UpstreamData);
        }
    }

    /// The status of the gateway that was asked for, or no memory for it.
    pub(super) fn report(&mut self, content_type: &str, body: Option<&[u8]>) {
        let now = self.now;
        let (exchange, mut io) = self.parts();
        exchange.answer(now, content_type, body, &mut io);
    }

    /// The client takes up to `most` octets.
    pub(super) fn take_some(&mut self, most: usize) -> usize {
        let kept = match (self.exchange.missed(), &self.tap) {
            (Some((position, _)), Some(tap)) => tap.at(position),
            _ => &[],
        };
        let parts = self.exchange.client_output(&self.buffers, kept).concat();
        let taken = most.min(parts.len());
        self.answered.extend(&parts[..taken]);
        self.ends.client_acked += taken as u64;
        let now = self.now;
        let (exchange, mut io) = self.parts();
        exchange.client_took(now, taken, &mut io);
        taken
    }

    /// The client's socket is full: whether the backend goes on.
    pub(super) fn client_waits(&mut self) -> bool {
        let now = self.now;
        let (exchange, mut io) = self.parts();
        exchange.client_waits(now, &mut io)
    }

    /// The client takes all that there is for it.
    pub(super) fn take(&mut self) {
        while self.take_some(usize::MAX) > 0 {}
    }

    /// All that the backend was sent since this was last asked.
    pub(super) fn requested(&mut self) -> Vec<u8> {
        self.send();
        std::mem::take(&mut self.requested)
    }

    /// All that the client was sent since this was last asked, without the Date that is always
    /// added.
    pub(super) fn answered(&mut self) -> Vec<u8> {
        self.take();
        let mut octets = std::mem::take(&mut self.answered);
        while let Some(at) = octets.windows(DATE.len()).position(|line| line == DATE) {
            octets.drain(at..at + DATE.len());
        }
        octets
    }

    /// The one response that the client was sent.
    pub(super) fn answer(&mut self, to_head: bool) -> Response {
        let octets = self.answered();
        let answer = reference::response(&octets, to_head, After::Reset).expect("an answer");
        assert_eq!(answer.len, octets.len(), "{}", octets.escape_ascii());
        answer
    }

    /// The page of ours that the client was sent.
    pub(super) fn page(&mut self) -> Response {
        let page = self.answer(false);
        assert_eq!(page.field("Cache-Control"), Some("no-store"));
        assert_eq!(page.end, End::Framed);
        page
    }
}
