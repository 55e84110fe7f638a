// SPDX-License-Identifier: GPL-2.0

//! One client connection's requests, one after the other: events in, actions out.
//!
//! This is the proxy's brain. It owns no socket, clock or memory: the glue feeds it what happened
//! ([`Event`]), carries out what it asks for ([`Action`]), reads into the buffers that it opens and
//! writes out what it stages. Time comes in as an argument.
//!
//! ```text
//!            first octet        head parsed         connected        response head
//!   Idle ----------------> Head ------------> Route ---------> Wait ------------> Body
//!    ^                      |                   |               |  | 101           | all staged
//!    |                      | violation         | refused       |  +--> Tunnel     v
//!    +--- keep-alive ----- Flush <--------------+---------------+---------------- Flush
//!                           | close                garbage, late
//!                           v
//!                         Linger ----> Closed
//! ```
//!
//! Octets move through four buffers (see [`Buffers`]). A request stays in `request`, head and body,
//! until the response head has come or the room is needed, so that it can be sent again when a
//! kept-alive connection turned out to be dead (RFC 9112 section 9.3.1). Body octets are never
//! copied here: they are named where they were read to ([`relay::Relay`]), in both directions. Those that
//! nobody looks at need not be read at all ([`passing`]), and those of a stored answer are where it is
//! stored ([`stored`]). The request's body goes out while the response comes in ([`upload`]).

mod buffers;
mod ends;
mod event;
mod framed;
mod linger;
mod outcome;
mod pace;
mod page;
mod passing;
mod relay;
mod request;
mod response;
mod rest;
mod route;
mod stored;
mod tap;
mod timing;
mod todo;
mod tunnel;
mod upload;

use core::net::SocketAddr;

use crate::config::Settings;
use crate::http::head::RequestHead;
use crate::http::head::Scan;
use crate::http::Limits;
use crate::http::Status;
use crate::http::Version;
use crate::lb::Verdict;
use crate::srun::response as frames;
use crate::srun::Wire;
use crate::time::Duration;
use crate::time::Instant;
use buffers::room;
pub(crate) use buffers::stage;
pub(crate) use buffers::Buffers;
pub(crate) use buffers::Store;
use buffers::FIRST_ROOM;
pub(crate) use ends::Ends;
pub(crate) use event::Action;
pub(crate) use event::Event;
pub(crate) use event::Refusal;
pub(crate) use event::Reset;
pub(crate) use outcome::Cause;
use outcome::Failure;
pub(crate) use outcome::Outcome;
use pace::Pace;
use relay::Relay;
pub(crate) use rest::Rest;
pub(crate) use stored::Ready;
pub(crate) use tap::Fate;
pub(crate) use tap::Tap;
use todo::Todo;
pub(crate) use upload::believed;
pub(crate) use upload::kept;

/// What an event is handled with.
pub(crate) struct Io<'a, S> {
    pub(crate) buffers: &'a mut Buffers<S>,
    pub(crate) settings: &'a Settings,
    /// The client's address.
    pub(crate) client: SocketAddr,
    /// What this gateway calls itself in `Via`.
    pub(crate) name: &'a [u8],
    /// The number of the connection's first request; those that follow count on.
    pub(crate) id: u64,
    /// The two connections.
    pub(crate) ends: &'a dyn Ends,
    /// What is asked in the place of the client's own conditions: field lines, or nothing.
    pub(crate) conditions: &'a [u8],
    /// Who looks at the answer.
    pub(crate) tap: Option<&'a mut dyn Tap>,
}

/// Where the connection is in its present request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between requests.
    Idle,
    /// A part of a request head is here.
    Head,
    /// A request wants a backend connection.
    Route,
    /// The status of the gateway is being written.
    Report,
    /// The request goes out, or the response head is awaited.
    Wait,
    /// The response body is being relayed.
    Body,
    /// All of the answer is staged; it has to be sent yet, and perhaps the rest of the request.
    Flush,
    /// What either end sends goes to the other, whatever it is.
    Tunnel,
    /// FIN is sent; what the client still sends is thrown away, so that no RST destroys the answer
    /// (RFC 9112 section 9.6).
    Linger,
    /// The connection is to be closed.
    Closed,
}

/// The state of one client connection.
pub(crate) struct Exchange {
    phase: Phase,
    /// When the present phase has lasted too long.
    deadline: Instant,
    /// The request in hand, from its head's end until its answer is out. Its octets are at the
    /// front of `buffers.request` as long as `upload` keeps them.
    request: Option<RequestHead>,
    /// The backend connection was let go of before the exchange on it was over.
    cut: bool,
    /// What the exchange says of the backend that was let go of.
    verdict: Verdict,
    /// The backend's answer is none, or is broken.
    garbage: bool,
    /// Why the first backend would not have the request.
    failure: Option<Failure>,
    /// Another backend was asked after one had failed in the middle.
    elsewhere: bool,
    /// The client gets another answer than that of the backend, or where there is none.
    replaced: bool,
    /// The request waits for a place at a backend.
    queued: bool,
    /// How long it may wait for that, all in all.
    queue_until: Option<Instant>,
    /// Which backend the client says it belongs to.
    stamp: Option<u64>,
    /// How far the head being read has been searched.
    scan: Scan,
    /// The client's connection goes on after this answer.
    persist: bool,
    /// Requests that were answered on this connection.
    served: u64,
    /// The client has sent all that it will.
    ended: bool,
    /// The client has gone, and had so many octets of the body; the rest is for others ([`tap`]).
    gone: Option<u64>,
    upstream: Upstream,
    /// What the backend connection speaks, if that is not HTTP.
    wire: Option<Wire>,
    /// How far the frames of the response head were read, on such a wire.
    frames: frames::Scan,
    /// What of the request, behind its head, goes to the backend.
    upload: Relay,
    /// The request is on its way to the backend, which has not stopped listening.
    sending: bool,
    /// The client waits for a 100 before it sends the body.
    expecting: bool,
    /// In which version the backend has answered, if nobody was told yet.
    spoken: Option<Version>,
    /// How many more hops a TRACE or OPTIONS may take.
    hops: Option<u64>,
    /// What the backend's end had acknowledged before it got the request.
    acked_before: u64,
    /// Some of the request was sent on the present connection.
    asked: bool,
    /// What goes to the client.
    download: Relay,
    /// 1xx responses relayed in this exchange.
    interims: u16,
    /// Which ends were told that nothing more comes: of a tunnel, or the client at the end.
    told: Told,
    /// The connection has become another protocol's, and nobody was told yet.
    switched: bool,
    /// The backend has finished sending into a tunnel.
    upstream_ended: bool,
    /// The backend's connection is gone, and it had finished sending before.
    finished_first: bool,
    clock: timing::Clock,
    outcome: Outcome,
    /// The client has been told a final status.
    answered: bool,
    todo: Todo,
}

/// What this exchange has of a backend connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upstream {
    None,
    /// Asked for by `Action::Connect`.
    Wanted,
    Up {
        reused: bool,
        /// It can carry another exchange after this one.
        persist: bool,
    },
}

/// Ends that were sent FIN.
#[derive(Default)]
struct Told {
    client: bool,
    upstream: bool,
}

/// Whether to go on at once or wait for an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Again,
    Wait,
}

/// Octets of a buffer that bodies are read into.
const BODY_ROOM: usize = 16384;
/// 1xx responses in one exchange; more is a backend gone mad.
const MAX_INTERIMS: u16 = 1000;

const NO_MEMORY: Failure = (
    Status::SERVICE_UNAVAILABLE,
    "there is not enough memory for this exchange",
    Cause::Resource,
);

impl Exchange {
    /// A connection of which nothing is known yet. A constant: to make one takes no stack.
    pub(crate) const NEW: Self = Self {
        phase: Phase::Idle,
        deadline: Instant::MAX,
        request: None,
        cut: false,
        verdict: Verdict::None,
        garbage: false,
        failure: None,
        elsewhere: false,
        replaced: false,
        queued: false,
        queue_until: None,
        stamp: None,
        scan: Scan::new(),
        persist: true,
        served: 0,
        ended: false,
        gone: None,
        upstream: Upstream::None,
        wire: None,
        frames: frames::Scan::new(),
        upload: Relay::none(),
        sending: false,
        expecting: false,
        spoken: None,
        hops: None,
        acked_before: 0,
        asked: false,
        download: Relay::none(),
        interims: 0,
        told: Told {
            client: false,
            upstream: false,
        },
        switched: false,
        upstream_ended: false,
        finished_first: false,
        clock: timing::Clock::new(Instant::MAX),
        outcome: Outcome::NOTHING,
        answered: false,
        todo: Todo::NOTHING,
    };

    /// The connection was accepted just now.
    pub(crate) fn begin(&mut self, now: Instant, settings: &Settings) {
        self.deadline = now + settings.header_timeout;
    }

    /// Whether no request is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// Whether nothing may happen for a long time: other settings can come into force.
    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Tunnel)
    }

    #[allow(dead_code)] // For tests.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// When the glue must come back with [`Event::Tick`] if nothing else happens.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether [`Event::Tick`] may do something though nothing else has happened: when it is time, and at
    /// the end of a connection, which comes when the client has taken everything.
    pub(crate) fn wants_tick(&self, now: Instant) -> bool {
        now >= self.deadline || self.phase == Phase::Linger
    }

    /// Whether octets from the client are wanted: the glue makes room with [`Self::client_room`].
    pub(crate) fn reads_client(&self) -> bool {
        let wanted = match self.phase {
            Phase::Idle | Phase::Head | Phase::Linger => true,
            Phase::Wait | Phase::Body | Phase::Flush | Phase::Tunnel => {
                self.sending && !self.upload.is_done() && self.upload.is_idle()
            }
            Phase::Route | Phase::Report | Phase::Closed => false,
        };
        wanted && !self.ended
    }

    /// Whether octets from the backend are wanted: not while the client has to take some first.
    pub(crate) fn reads_upstream<S: Store>(&self, buffers: &Buffers<S>) -> bool {
        let wanted = match self.phase {
            // A 1xx response that the client has not taken yet holds up what follows it.
            Phase::Wait => self.is_flushed(buffers),
            Phase::Body => self.download.takes_more(),
            Phase::Tunnel => self.download.is_idle() && !self.upstream_ended,
            // It has answered, but still gets the rest of the request.
            Phase::Flush => self.is_flushed(buffers),
            _ => false,
        };
        wanted && matches!(self.upstream, Upstream::Up { .. })
    }

    /// Room for octets from the client; `None` when there is no memory.
    ///
    /// It is only empty if it was called while nothing is wanted.
    pub(crate) fn client_room<'b, S: Store>(
        &mut self,
        buffers: &'b mut Buffers<S>,
    ) -> Option<&'b mut [u8]> {
        if self.sending {
            self.upload_room(buffers);
        }
        room(&mut buffers.request, FIRST_ROOM)
    }

    /// Room for octets from the backend; `None` when there is no memory.
    ///
    /// A large body gets a larger buffer if there is memory for it.
    pub(crate) fn upstream_room<'b, S: Store>(
        &self,
        buffers: &'b mut Buffers<S>,
    ) -> Option<&'b mut [u8]> {
        let response = &mut buffers.response;
        if self.answered && response.capacity() < BODY_ROOM {
            response.store_mut().reserve(BODY_ROOM);
        }
        room(response, FIRST_ROOM)
    }

    /// Whether the backend connection that is to be let go of is to be reset: nobody waits for what
    /// is on its way, and a backend that takes nothing must not keep it.
    pub(crate) fn resets_upstream(&self) -> bool {
        self.cut
    }

    /// Up to three runs of octets for the client, to be sent in this order. `kept` is what the tap has
    /// from [`Self::missed`] on, or some of that.
    pub(crate) fn client_output<'b, S: Store>(
        &self,
        buffers: &'b Buffers<S>,
        kept: &'b [u8],
    ) -> [&'b [u8]; 3] {
        let (from, staged) = (&buffers.response, &buffers.to_client);
        match self.phase {
            Phase::Closed => [b"", b"", b""],
            _ => self.download.parts(from, staged, kept),
        }
    }

    /// The client's socket took the first `taken` octets of [`Self::client_output`].
    pub(crate) fn client_took<S: Store>(&mut self, now: Instant, taken: usize, io: &mut Io<'_, S>) {
        let buffers = &mut *io.buffers;
        self.download
            .took(taken, &mut buffers.response, &mut buffers.to_client);
        self.advance(now, io);
        self.watch(now, io);
    }

    /// Up to three runs of octets for the backend, to be sent in this order.
    pub(crate) fn upstream_output<'b, S: Store>(&self, buffers: &'b Buffers<S>) -> [&'b [u8]; 3] {
        if !self.sending {
            return [b"", b"", b""];
        }
        self.upload
            .parts(&buffers.request, &buffers.to_upstream, b"")
    }

    /// The backend's socket took the first `taken` octets of [`Self::upstream_output`].
    pub(crate) fn upstream_took<S: Store>(
        &mut self,
        now: Instant,
        taken: usize,
        io: &mut Io<'_, S>,
    ) {
        self.asked |= taken > 0;
        let buffers = &mut *io.buffers;
        self.upload
            .took(taken, &mut buffers.request, &mut buffers.to_upstream);
        self.advance(now, io);
        self.watch(now, io);
    }

    /// Takes in one event.
    pub(crate) fn handle<S: Store>(&mut self, now: Instant, event: Event, io: &mut Io<'_, S>) {
        if self.phase == Phase::Closed {
            return;
        }
        match event {
            Event::ClientData => self.client_data(io),
            Event::ClientEof => self.ended = true,
            Event::ClientLost => self.client_lost(now, io),
            Event::UpstreamReady { reused } => self.upstream_ready(now, reused, io),
            Event::UpstreamRefused(why) => self.upstream_refused(now, why, io),
            Event::UpstreamQueued => self.upstream_queued(now, io),
            Event::UpstreamChosen => self.upstream_chosen(now, io),
            Event::Stored(ready) => self.stored(now, ready, io),
            Event::StoredGrew(here) => self.stored_grew(here),
            Event::UpstreamData => self.clock.heard(),
            Event::UpstreamDeaf { finished } => self.upstream_deaf(finished),
            Event::UpstreamEof => self.upstream_gone(now, true, io),
            Event::UpstreamLost => self.upstream_gone(now, false, io),
            Event::Tick => {}
        }
        self.end_linger(now, io);
        self.advance(now, io);
        self.watch(now, io);
        if now >= self.deadline && self.phase != Phase::Closed {
            self.overdue(now, io);
            self.advance(now, io);
            self.watch(now, io);
        }
    }

    /// Goes as far as the octets at hand allow.
    fn advance<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        // A finished exchange is reported before the next one begins.
        while self.todo.finish.is_none() {
            if self.sending && self.upload_more(now, io) == Flow::Again {
                continue;
            }
            let flow = match self.phase {
                Phase::Idle | Phase::Head => self.read_request(now, io),
                Phase::Wait => self.read_response(now, io),
                Phase::Body => self.relay_body(now, io),
                Phase::Flush => self.flushed(now, io),
                Phase::Tunnel => self.relay_tunnel(now, io),
                Phase::Route | Phase::Report | Phase::Linger | Phase::Closed => Flow::Wait,
            };
            if flow == Flow::Wait && !self.throw_away(now, io) {
                return;
            }
        }
    }

    /// Whether the client has taken everything so far.
    pub(crate) fn is_flushed<S: Store>(&self, buffers: &Buffers<S>) -> bool {
        self.download.is_idle() && buffers.to_client.is_empty()
    }

    /// The answer is staged: ends the exchange once the client has taken it, and the backend the
    /// rest of the request.
    fn flushed<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        self.catch_up(now, io);
        if self.phase == Phase::Closed
            || !self.is_flushed(io.buffers)
            || self.finish_upload(io) == Flow::Wait
        {
            return Flow::Wait;
        }
        // What nobody has taken of the request must not be taken for the next one.
        self.persist &= self.upload.skip(&mut io.buffers.request);
        self.upload.forget(&mut io.buffers.request);
        self.finish(now);
        if !self.persist || self.is_without_client() {
            self.part(now, io);
            return Flow::Wait;
        }
        self.reset();
        io.buffers.response.clear();
        io.buffers.to_upstream.clear();
        self.enter(Phase::Idle, now, io.settings.keepalive_timeout);
        if io.buffers.request.is_empty() {
            io.buffers.release();
        }
        Flow::Again
    }

    /// Forgets the exchange that is over.
    fn reset(&mut self) {
        self.served = self.served.saturating_add(1);
        self.scan = Scan::new();
        self.interims = 0;
        self.expecting = false;
        self.hops = None;
        self.upstream_ended = false;
        self.upload = Relay::none();
        self.download = Relay::none();
    }

    /// Answers with a page of our own, or cuts the answer that has begun.
    fn fail<S: Store>(&mut self, now: Instant, (status, why, cause): Failure, io: &mut Io<'_, S>) {
        if matches!(self.phase, Phase::Body | Phase::Flush) {
            return self.end_upload(Some(cause));
        }
        self.blame(cause);
        if self.answered {
            return self.cut_short(now, io);
        }
        self.drop_upstream(false);
        if self.is_replaced(now, status, io) {
            return;
        }
        io.buffers.response.clear();
        io.buffers.to_upstream.clear();
        self.stage_page(now, status, why, io);
    }

    /// Lets go of the backend connection, or of the wish for one.
    fn drop_upstream(&mut self, reuse: bool) {
        // Nobody has heard of a wish that was not polled yet.
        let unheard = self.todo.connect.take().is_some();
        if self.upstream != Upstream::None && !unheard {
            self.todo.release = Some(reuse);
            self.verdict = self.judge_backend();
            let uploaded = self.upload.is_done() && self.upload.is_idle();
            self.cut = !(self.answered && self.download.is_done() && uploaded);
        }
        self.upstream = Upstream::None;
        self.sending = false;
    }

    /// Closes the client's connection with RST.
    fn close(&mut self, now: Instant, cause: Cause) {
        self.blame(cause);
        self.outcome.aborted = true;
        self.shut_down(now, true);
    }

    /// Closes the client's connection without another word.
    fn shut_down(&mut self, now: Instant, abort: bool) {
        self.drop_upstream(false);
        self.finish(now);
        self.phase = Phase::Closed;
        self.deadline = Instant::MAX;
        self.todo.shutdown = false;
        self.todo.shutdown_upstream = false;
        self.todo.report = None;
        self.todo.close = Some(abort);
    }

    fn enter(&mut self, phase: Phase, now: Instant, limit: Duration) {
        self.phase = phase;
        self.deadline = now + limit;
    }
}

/// The limits of heads, from the settings.
pub(crate) fn limits(settings: &Settings) -> Limits {
    Limits {
        head: settings.head_size,
        fields: settings.header_fields,
        target: settings.target_size,
    }
}
