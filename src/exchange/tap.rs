// SPDX-License-Identifier: GPL-2.0

//! Somebody who looks at the backend's answers on their way to the client: a cache.

use super::relay::Ahead;
use super::Cause;
use super::Exchange;
use super::Flow;
use super::Io;
use super::Outcome;
use super::Phase;
use super::Store;
use super::NO_MEMORY;
use crate::http::body::Body;
use crate::http::encode::Amended;
use crate::http::head::RequestHead;
use crate::http::head::ResponseHead;
use crate::http::Status;
use crate::time::Instant;

/// Who looks at the answers of one client's requests: at one for each request, not at another that
/// takes its place, and not at a tunnel.
pub(crate) trait Tap {
    /// The head of a final answer has come. The heads are parsed from these octets; those of an answer
    /// of another protocol are what HTTP would have. The request's are gone if it has a long body; then
    /// the answer goes to the client, whatever is said here.
    fn head(
        &mut self,
        request: (&RequestHead, Option<&[u8]>),
        answer: (&ResponseHead, &[u8]),
    ) -> Fate;

    /// What is changed of the head that was seen last on its way to the client.
    fn amended(&self) -> Option<Amended<'_>>;

    /// There is no answer, or no memory for it, and the client is about to be told so with this status,
    /// which is 500 at least.
    fn failed(&mut self, request: (&RequestHead, &[u8]), status: Status) -> Fate;

    /// More octets of its body, without its framing.
    fn body(&mut self, octets: &[u8]);

    /// Whether it keeps the body: all of it that was shown can be had from it until the next request
    /// begins, and others have a use for the rest when the client has none any more.
    fn keeps(&self) -> bool;

    /// All of its body has come.
    fn end(&mut self);

    /// No more of its body comes, though it is not all there. Of an answer that ends with the client's
    /// connection, or is thrown away, nothing is said.
    fn cut(&mut self);
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes to the client.
    Relay,
    /// The client, if there is one, is to get another one: a connection is asked for once more
    /// ([`Action::Connect`](super::Action::Connect)), and brings it.
    Replace,
}

impl Exchange {
    /// A final response head is here.
    pub(super) fn answer_begins<S: Store>(
        &mut self,
        now: Instant,
        head: ResponseHead,
        io: &mut Io<'_, S>,
    ) -> Flow {
        match self.fate(&head, io) {
            Fate::Relay => {
                if self.start_response(now, head, io).is_err() {
                    self.fail(now, NO_MEMORY, io);
                }
            }
            Fate::Replace => self.replace(now, &head, io),
        }
        Flow::Again
    }

    /// What is changed of a final head.
    pub(super) fn amended<'a>(
        &self,
        status: Status,
        tap: Option<&'a dyn Tap>,
    ) -> Option<Amended<'a>> {
        tap.filter(|_| !self.replaced && !status.is_informational())?
            .amended()
    }

    fn fate<S: Store>(&self, head: &ResponseHead, io: &mut Io<'_, S>) -> Fate {
        let (Some(tap), Some(request), false) = (&mut io.tap, &self.request, self.replaced) else {
            return Fate::Relay;
        };
        let asked = io.buffers.request.filled();
        let asked = self.upload.keeps().then_some(asked);
        let answer = io.buffers.response.filled();
        match tap.head((request, asked), (head, answer)) {
            // It cannot be asked again.
            Fate::Replace if asked.is_none() => Fate::Relay,
            fate => fate,
        }
    }

    /// The client gets another answer than this one, of which nothing is kept.
    fn replace<S: Store>(&mut self, now: Instant, head: &ResponseHead, io: &mut Io<'_, S>) {
        let method = self.request.as_ref().map(|request| request.method);
        let body = method.map(|method| Body::of_response(method, head.status, head.body));
        let is_all = io.buffers.response.len() == head.len && self.wire.is_none();
        let whole = is_all && body.is_some_and(|body| body.is_done());
        // It has answered: that is what is to be said of the backend.
        self.outcome.status = Some(head.status);
        self.answered = true;
        self.start_answer(now, io);
        let reuse = whole && head.keep_alive && self.is_uploaded(io.buffers);
        self.drop_upstream(reuse);
        self.cut |= !whole;
        self.outcome.status = None;
        self.answered = false;
        self.failure = None;
        self.ask_again(now, io);
    }

    /// Asks for a connection that brings another answer, when there is none from a backend; false if
    /// nobody has one.
    pub(super) fn is_replaced<S: Store>(
        &mut self,
        now: Instant,
        status: Status,
        io: &mut Io<'_, S>,
    ) -> bool {
        let was_asked = matches!(self.phase, Phase::Route | Phase::Wait);
        let may_ask = was_asked && !self.replaced && self.upload.keeps();
        let (Some(tap), Some(request), true) = (&mut io.tap, &self.request, may_ask) else {
            return false;
        };
        let asked = io.buffers.request.filled();
        if status.code() < 500 || tap.failed((request, asked), status) == Fate::Relay {
            return false;
        }
        // The client gets an answer, and who brings it has no part in what went wrong.
        self.outcome.ending = Outcome::NOTHING.ending;
        self.outcome.overran = false;
        self.garbage = false;
        self.failure = None;
        self.ask_again(now, io);
        true
    }

    /// Once for each request.
    fn ask_again<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        if self.is_without_client() {
            // Whoever wanted to know has seen it, or has to ask again.
            return self.shut_down(now, true);
        }
        self.replaced = true;
        io.buffers.response.clear();
        io.buffers.to_upstream.clear();
        self.route(now, false, io);
    }

    /// The client takes no more of the answer, for this reason: goes on without it if somebody wants
    /// the rest, else closes the connection. What goes on has to come as fast as a client has to take it.
    pub(super) fn end_client<S: Store>(&mut self, now: Instant, cause: Cause, io: &mut Io<'_, S>) {
        if !self.is_body_kept(io) || self.is_without_client() {
            return self.close(now, cause);
        }
        self.blame(cause);
        self.outcome.aborted = true;
        self.gone = Some(self.download.passed_on());
        self.download.forget_missed();
        self.ended = true;
        self.persist = false;
        self.leave_client(now, io.settings);
    }

    /// Whether the body that comes is kept.
    fn is_body_kept<S>(&self, io: &Io<'_, S>) -> bool {
        let keeps = io.tap.as_ref().is_some_and(|tap| tap.keeps());
        keeps && self.phase == Phase::Body && !self.replaced
    }

    /// The client's socket takes nothing more now. If the body is kept the backend goes on all the same:
    /// neither it nor others who read along have to wait for this client. True if so.
    pub(crate) fn client_waits<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> bool {
        let is_kept = self.is_body_kept(io) && !self.is_without_client();
        if !is_kept || !self.download.fall_behind(&mut io.buffers.response) {
            return false;
        }
        self.advance(now, io);
        self.watch(now, io);
        true
    }

    /// Octets of the kept or stored body before those that go out next, and how many those are, if the
    /// client gets what it has missed.
    pub(crate) fn missed(&self) -> Option<(u64, usize)> {
        self.download.wants()
    }

    /// Reads what has come of a body while the client is behind.
    pub(super) fn read_ahead<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        loop {
            match self.download.look_ahead(&mut io.buffers.response) {
                Ok(Ahead::Octets(octets)) => {
                    self.show_body(octets as u64, io);
                    let is_kept = self.is_body_kept(io);
                    self.download
                        .keep(octets, is_kept, &mut io.buffers.response);
                }
                Ok(Ahead::Nothing) => break,
                Err(broken) => {
                    self.break_off(now, broken, io);
                    return Flow::Again;
                }
            }
        }
        self.upload.acknowledged(self.download.take_acks());
        if self.download.is_all_kept() {
            self.body_done(io);
            return Flow::Again;
        }
        self.catch_up(now, io);
        match self.download.is_behind() {
            true => self.resumes(),
            false => Flow::Again,
        }
    }

    /// Names what the client gets next of what it has missed.
    pub(super) fn catch_up<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        if self.download.catch_up(&mut io.buffers.to_client).is_err() {
            self.end_client(now, Cause::Resource, io);
        }
    }

    /// There is no client at all: one request is made for the sake of who looks at the answer, and the
    /// connection that there is not ends. Its octets are to come.
    pub(crate) fn begin_alone(&mut self) {
        self.gone = Some(0);
        self.ended = true;
    }

    /// Whether the client has gone, and what is under way is for others.
    pub(crate) fn is_without_client(&self) -> bool {
        self.gone.is_some()
    }

    /// What was there for a client that has gone goes nowhere; false if there was nothing.
    pub(super) fn throw_away<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> bool {
        if self.gone.is_none() || self.is_flushed(io.buffers) {
            return false;
        }
        if self.phase == Phase::Body && !self.is_body_kept(io) {
            // There was no room for all of it, perhaps.
            self.close(now, Cause::Client);
            return true;
        }
        let parts = self.client_output(io.buffers, b"");
        let octets = parts.iter().map(|part| part.len()).sum();
        let buffers = &mut *io.buffers;
        self.download
            .took(octets, &mut buffers.response, &mut buffers.to_client);
        octets > 0
    }

    /// So many octets of the body are at the front of what has come, and were not seen before.
    pub(super) fn show_body<S: Store>(&self, octets: u64, io: &mut Io<'_, S>) {
        let (Some(tap), false) = (&mut io.tap, self.replaced) else {
            return;
        };
        let body = usize::try_from(octets).ok();
        let body = body.and_then(|octets| io.buffers.response.filled().get(..octets));
        if let Some(body @ [_, ..]) = body {
            tap.body(body);
        }
    }

    /// No more of the body will be shown.
    pub(super) fn show_cut<S>(&self, io: &mut Io<'_, S>) {
        if let (Some(tap), false) = (&mut io.tap, self.replaced) {
            tap.cut();
        }
    }

    /// All of the body was shown.
    pub(super) fn show_end<S>(&self, io: &mut Io<'_, S>) {
        if let (Some(tap), false) = (&mut io.tap, self.replaced) {
            tap.end();
        }
    }
}
