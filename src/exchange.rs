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
//!    ^                      |                   |                |                  | all staged
//!    |                      | violation         | refused        | garbage, late    v
//!    +--- keep-alive ----- Flush <--------------+----------------+--------------- Flush
//!                           | close
//!                           v
//!                         Linger ----> Closed
//! ```
//!
//! Octets move through four buffers (see [`Buffers`]): a request head stays in `request` until the
//! response head has come, so that it can be sent again to another connection when a kept-alive
//! one turned out to be dead (RFC 9112 section 9.3.1). Body octets are never copied here: they stay
//! in `response` and are named by their number ([`Outgoing::relay`]).

mod outgoing;
mod request;
mod response;

use core::ops::DerefMut;

use crate::bytes::Buffer;
use crate::config::Settings;
use crate::http::body::Body;
use crate::http::encode::Framing;
use crate::http::head::{RequestHead, Scan};
use crate::http::{Limits, Status};
use crate::time::{Duration, Instant, UnixTime};
use outgoing::Outgoing;

/// Memory of a buffer, owned by the glue; it may be empty and can be made larger.
pub(crate) trait Store: DerefMut<Target = [u8]> {
    /// Makes the store at least `capacity` octets long and keeps its contents.
    ///
    /// Returns false, and changes nothing, when there is no memory.
    fn reserve(&mut self, capacity: usize) -> bool;

    /// Gives the memory back; the store is empty afterwards.
    fn release(&mut self);
}

/// The octets of one client connection that are on their way.
#[derive(Default)]
pub(crate) struct Buffers<S> {
    /// From the client, not yet used up: a request head and what follows it.
    pub(crate) request: Buffer<S>,
    /// To the backend: a request head.
    pub(crate) to_upstream: Buffer<S>,
    /// From the backend, not yet used up.
    pub(crate) response: Buffer<S>,
    /// To the client: heads, chunk framing, error pages.
    pub(crate) to_client: Buffer<S>,
}

impl<S: Store> Buffers<S> {
    /// Gives all memory back. What was in the buffers is lost.
    pub(crate) fn release(&mut self) {
        for buffer in [
            &mut self.request,
            &mut self.to_upstream,
            &mut self.response,
            &mut self.to_client,
        ] {
            buffer.clear();
            buffer.store_mut().release();
        }
    }
}

/// What an event is handled with.
pub(crate) struct Io<'a, S> {
    pub(crate) buffers: &'a mut Buffers<S>,
    pub(crate) settings: &'a Settings,
    /// The time of day, for the `Date` of pages that we write ourselves.
    pub(crate) date: UnixTime,
    /// The Host for a backend when an HTTP/1.0 request names none.
    pub(crate) fallback_host: &'a [u8],
}

/// What happened outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Octets from the client were added to `buffers.request`.
    ClientData,
    /// The client sends nothing more.
    ClientEof,
    /// The client's connection is gone (reset, timed out).
    ClientLost,
    /// A backend connection is up; `reused` if it has carried an exchange before.
    UpstreamReady { reused: bool },
    /// No backend connection could be had.
    UpstreamRefused(Refusal),
    /// Octets from the backend were added to `buffers.response`.
    UpstreamData,
    /// The backend sends nothing more.
    UpstreamEof,
    /// The backend's connection is gone.
    UpstreamLost,
    /// The clock was looked at: something may be due.
    Tick,
}

/// Why there is no backend connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The backend refused it or is not reachable: 502.
    Unreachable,
    /// No backend may be asked: 503.
    NoBackend,
    /// There is no memory for it here: 503.
    NoMemory,
}

/// What the glue is to do. Actions come in the order in which they must be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Let go of the backend connection: keep it for later exchanges, or close it.
    Release { reuse: bool },
    /// Count and log this exchange: it is over.
    Finish(Outcome),
    /// Get a backend connection; not a pooled one if `fresh`. Answer with `UpstreamReady` or
    /// `UpstreamRefused`, unless a `Release` comes first.
    Connect { fresh: bool },
    /// Send FIN to the client: there will be no more answers.
    ShutdownClient,
    /// Close the client's connection, with RST if `abort`. Nothing comes after this.
    CloseClient { abort: bool },
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the client was told; none if it was told nothing.
    pub(crate) status: Option<Status>,
    /// The backend's answer was not whole, or the client did not take it whole.
    pub(crate) aborted: bool,
    /// The answer is our own page.
    pub(crate) own_page: bool,
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
    /// The request goes out, or the response head is awaited.
    Wait,
    /// The response body is being relayed.
    Body,
    /// All of the answer is staged; it has to be sent yet.
    Flush,
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
    /// front of `buffers.request` until the response head has come.
    request: Option<RequestHead>,
    /// How far the head being read has been searched.
    scan: Scan,
    /// The client's connection goes on after this answer.
    persist: bool,
    /// No request has been answered yet.
    first: bool,
    /// The client has sent all that it will.
    ended: bool,
    upstream: Upstream,
    /// Framing of the response body as it comes in.
    body: Body,
    /// And as it goes out.
    framing: Framing,
    /// No chunk has gone out yet.
    first_chunk: bool,
    /// What goes to the client.
    outgoing: Outgoing,
    /// 1xx responses relayed in this exchange.
    interims: u8,
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

/// Actions that have been decided and not yet been polled.
#[derive(Default)]
struct Todo {
    release: Option<bool>,
    finish: Option<Outcome>,
    connect: Option<bool>,
    shutdown: bool,
    close: Option<bool>,
}

/// Whether to go on at once or wait for an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Again,
    Wait,
}

/// Octets that the first allocation for a head takes: what browsers send fits.
const FIRST_ROOM: usize = 4096;
/// Octets of a buffer that bodies are read into.
const BODY_ROOM: usize = 16384;
/// Octets that our own additions to a head can take.
const HEAD_EXTRA: usize = 512;
/// 1xx responses in one exchange; more is a backend gone mad.
const MAX_INTERIMS: u8 = 16;

/// Why there is a 503, for people.
const NO_MEMORY: &str = "there is not enough memory for this exchange";

const NOTHING: Outcome = Outcome {
    status: None,
    aborted: false,
    own_page: false,
};

impl Exchange {
    /// A connection that was just accepted.
    pub(crate) fn new(now: Instant, settings: &Settings) -> Self {
        Self {
            phase: Phase::Idle,
            deadline: now + settings.header_timeout,
            request: None,
            scan: Scan::new(),
            persist: true,
            first: true,
            ended: false,
            upstream: Upstream::None,
            body: Body::None,
            framing: Framing::None,
            first_chunk: true,
            outgoing: Outgoing::new(),
            interims: 0,
            outcome: NOTHING,
            answered: false,
            todo: Todo::default(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// When the glue must come back with [`Event::Tick`] if nothing else happens.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether octets from the client are wanted: the glue makes room with [`Self::client_room`].
    pub(crate) fn reads_client(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Head | Phase::Linger) && !self.ended
    }

    /// Whether octets from the backend are wanted: not while the client has to take some first.
    pub(crate) fn reads_upstream<S: Store>(&self, buffers: &Buffers<S>) -> bool {
        let wanted = match self.phase {
            // A 1xx response that the client has not taken yet holds up what follows it.
            Phase::Wait => self.outgoing.is_empty(buffers),
            Phase::Body => self.outgoing.relay() == 0,
            _ => false,
        };
        wanted && matches!(self.upstream, Upstream::Up { .. })
    }

    /// Room for octets from the client; `None` when there is no memory.
    ///
    /// It is only empty if it was called while nothing is wanted.
    pub(crate) fn client_room<'b, S: Store>(
        &self,
        buffers: &'b mut Buffers<S>,
    ) -> Option<&'b mut [u8]> {
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
        if self.phase == Phase::Body && response.capacity() < BODY_ROOM {
            response.store_mut().reserve(BODY_ROOM);
        }
        room(response, FIRST_ROOM)
    }

    /// Up to three runs of octets for the client, to be sent in this order.
    pub(crate) fn client_output<'b, S: Store>(&self, buffers: &'b Buffers<S>) -> [&'b [u8]; 3] {
        match self.phase {
            Phase::Closed => [b"", b"", b""],
            _ => self.outgoing.parts(buffers),
        }
    }

    /// The client's socket took the first `taken` octets of [`Self::client_output`].
    pub(crate) fn client_took<S: Store>(&mut self, now: Instant, taken: usize, io: &mut Io<'_, S>) {
        if taken == 0 {
            return;
        }
        self.outgoing.took(taken, io.buffers);
        if self.phase == Phase::Body {
            self.body_deadline(now, io);
        } else if self.phase == Phase::Flush {
            self.deadline = now + io.settings.send_timeout;
        }
        self.advance(now, io);
    }

    /// Takes in one event.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn handle<S: Store>(&mut self, now: Instant, event: Event, io: &mut Io<'_, S>) {
        if self.phase == Phase::Closed {
            return;
        }
        match event {
            Event::ClientData => self.client_data(io),
            Event::ClientEof => self.client_eof(),
            Event::ClientLost => self.close(true),
            Event::UpstreamReady { reused } => self.upstream_ready(now, reused, io),
            Event::UpstreamRefused(why) => self.upstream_refused(now, why, io),
            Event::UpstreamData => self.upstream_data(now, io),
            Event::UpstreamEof => self.upstream_gone(now, true, io),
            Event::UpstreamLost => self.upstream_gone(now, false, io),
            Event::Tick => {}
        }
        self.advance(now, io);
        if now >= self.deadline && self.phase != Phase::Closed {
            self.overdue(now, io);
            self.advance(now, io);
        }
    }

    /// Whether [`Self::poll`] has something to say.
    pub(crate) fn is_pending(&self) -> bool {
        let todo = &self.todo;
        todo.shutdown
            || todo.release.is_some()
            || todo.finish.is_some()
            || todo.connect.is_some()
            || todo.close.is_some()
    }

    /// The next thing to do, if there is one. Once all is done, `Event::Tick` goes on.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        let todo = &mut self.todo;
        if let Some(reuse) = todo.release.take() {
            return Some(Action::Release { reuse });
        }
        if let Some(outcome) = todo.finish.take() {
            return Some(Action::Finish(outcome));
        }
        if let Some(fresh) = todo.connect.take() {
            return Some(Action::Connect { fresh });
        }
        if core::mem::take(&mut todo.shutdown) {
            return Some(Action::ShutdownClient);
        }
        let abort = todo.close.take()?;
        Some(Action::CloseClient { abort })
    }

    /// Goes as far as the octets at hand allow.
    fn advance<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        // A finished exchange is reported before the next one begins.
        while self.todo.finish.is_none() {
            let flow = match self.phase {
                Phase::Idle | Phase::Head => self.read_request(now, io),
                Phase::Wait => self.read_response(now, io),
                Phase::Body => self.relay_body(now, io),
                Phase::Flush => self.flushed(now, io),
                Phase::Route | Phase::Linger | Phase::Closed => Flow::Wait,
            };
            if flow == Flow::Wait {
                return;
            }
        }
    }

    /// The present phase has lasted too long.
    fn overdue<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        match self.phase {
            Phase::Idle | Phase::Linger => self.close(false),
            Phase::Head => self.fail(
                now,
                Status::REQUEST_TIMEOUT,
                "the request did not come in time",
                io,
            ),
            Phase::Route => self.fail(
                now,
                Status::GATEWAY_TIMEOUT,
                "no backend could be reached in time",
                io,
            ),
            Phase::Wait => self.fail(
                now,
                Status::GATEWAY_TIMEOUT,
                "the backend did not answer in time",
                io,
            ),
            Phase::Body | Phase::Flush => self.close(true),
            Phase::Closed => {}
        }
    }

    /// The answer is staged and `parts` may be out: ends the exchange once they are.
    fn flushed<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        if !self.outgoing.is_empty(io.buffers) {
            return Flow::Wait;
        }
        self.finish();
        if !self.persist && self.ended {
            self.close(false);
            return Flow::Wait;
        }
        if !self.persist {
            io.buffers.release();
            self.todo.shutdown = true;
            self.enter(Phase::Linger, now, io.settings.linger_timeout);
            return Flow::Wait;
        }
        self.first = false;
        self.scan = Scan::new();
        self.interims = 0;
        self.answered = false;
        self.outcome = NOTHING;
        self.body = Body::None;
        io.buffers.response.clear();
        io.buffers.to_upstream.clear();
        self.enter(Phase::Idle, now, io.settings.keepalive_timeout);
        if io.buffers.request.is_empty() {
            io.buffers.release();
        }
        Flow::Again
    }

    /// Answers with a page of our own, or cuts the answer that has begun.
    fn fail<S: Store>(&mut self, now: Instant, status: Status, why: &str, io: &mut Io<'_, S>) {
        if self.answered {
            return self.cut_short(now, io);
        }
        self.drop_upstream(false);
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
        }
        self.upstream = Upstream::None;
    }

    /// Ends this exchange for the log; once.
    fn finish(&mut self) {
        if self.request.is_some() || self.answered {
            self.todo.finish = Some(self.outcome);
        }
        self.request = None;
        self.answered = false;
    }

    /// Closes the client's connection without another word.
    fn close(&mut self, abort: bool) {
        if abort {
            self.outcome.aborted = true;
        }
        self.drop_upstream(false);
        self.finish();
        self.phase = Phase::Closed;
        self.deadline = Instant::MAX;
        self.todo.shutdown = false;
        self.todo.close = Some(abort);
    }

    fn enter(&mut self, phase: Phase, now: Instant, limit: Duration) {
        self.phase = phase;
        self.deadline = now + limit;
    }
}

/// The limits of heads, from the settings.
fn limits(settings: &Settings) -> Limits {
    Limits {
        head: settings.head_size,
        fields: settings.header_fields,
        target: settings.target_size,
    }
}

/// What a head of `len` octets can take when it is written anew: each field line may get a space.
fn rewritten(len: usize, settings: &Settings) -> usize {
    len.saturating_add(settings.header_fields)
        .saturating_add(HEAD_EXTRA)
}

/// The spare part of a buffer, after a first allocation if it has none.
fn room<S: Store>(buffer: &mut Buffer<S>, first: usize) -> Option<&mut [u8]> {
    if buffer.capacity() == 0 && !buffer.store_mut().reserve(first) {
        return None;
    }
    Some(buffer.spare())
}

/// Makes a full buffer larger, up to what a head of `limit` octets needs; false if it can't.
fn grow<S: Store>(buffer: &mut Buffer<S>, limit: usize) -> bool {
    let most = limit.saturating_add(HEAD_EXTRA);
    let wanted = buffer.capacity().saturating_mul(2).min(most);
    wanted > buffer.capacity() && buffer.store_mut().reserve(wanted)
}
