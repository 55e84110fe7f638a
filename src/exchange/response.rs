// SPDX-License-Identifier: GPL-2.0

//! The backend's side of an exchange: its response head and the body that follows.

use super::buffers::grow;
use super::buffers::stage;
use super::framed;
use super::limits;
use super::relay::Broken;
use super::relay::Progress;
use super::Cause;
use super::Exchange;
use super::Failure;
use super::Flow;
use super::Io;
use super::Phase;
use super::Relay;
use super::Store;
use super::Upstream;
use super::MAX_INTERIMS;
use super::NO_MEMORY;
use crate::bytes::Full;
use crate::http::body::Body;
use crate::http::encode;
use crate::http::encode::Delivery;
use crate::http::encode::Framing;
use crate::http::encode::Persist;
use crate::http::head;
use crate::http::head::Parse;
use crate::http::head::ResponseHead;
use crate::http::Method;
use crate::http::Status;
use crate::http::Version;
use crate::http::Violation;
use crate::lb::Verdict;
use crate::time::Instant;

impl Exchange {
    /// The backend's connection ended, in order (`eof`) or not.
    pub(super) fn upstream_gone<S: Store>(&mut self, now: Instant, eof: bool, io: &mut Io<'_, S>) {
        match self.phase {
            Phase::Wait => self.gone_before_response(now, eof, NO_ANSWER, io),
            Phase::Body if self.download.lacks_only_end() => self.end_missing(Cause::Server, io),
            Phase::Body if eof && self.download.takes_more() && self.download.eof() => {
                self.body_done(io);
            }
            Phase::Body => {
                self.blame(Cause::Server);
                self.cut_short(now, io);
            }
            // The answer is whole. That the rest of the request has no taker is the client's loss.
            Phase::Flush => {
                self.persist = false;
                self.drop_upstream(false);
            }
            Phase::Tunnel if eof => self.upstream_ended = true,
            Phase::Tunnel => self.close(now, Cause::Server),
            _ => {}
        }
    }

    /// There will be no answer on this connection: tries another one, or fails.
    fn gone_before_response<S: Store>(
        &mut self,
        now: Instant,
        eof: bool,
        failure: Failure,
        io: &mut Io<'_, S>,
    ) {
        let reused = matches!(self.upstream, Upstream::Up { reused: true, .. });
        // After that only another backend may have it, and once.
        let another = !reused && !self.elsewhere;
        if (reused || another) && self.may_replay(eof, io) {
            self.drop_upstream(false);
            self.elsewhere |= another;
            if another {
                self.verdict = Verdict::Error;
                self.failure.get_or_insert(failure);
            }
            self.outcome.replayed = true;
            io.buffers.to_upstream.clear();
            self.route(now, true, io);
            return;
        }
        self.fail(now, failure, io);
    }

    /// Whether the request may go out once more, on a new connection: a kept-alive one may have
    /// been closed by the backend just when we used it (RFC 9112 section 9.3.1).
    ///
    /// Never if the application may have seen it, unless seeing it twice is as good as once (RFC
    /// 9110 section 9.2.2): only a FIN that was sent before anything of the request had arrived
    /// proves that it has not, or that nothing was sent.
    fn may_replay<S: Store>(&self, eof: bool, io: &Io<'_, S>) -> bool {
        let silent = self.wire.is_none() || !self.frames.has_spoken();
        let unanswered = io.buffers.response.is_empty() && self.interims == 0 && silent;
        let harmless = self
            .request
            .as_ref()
            .is_some_and(|head| head.method.is_idempotent());
        let finished = eof || self.finished_first;
        let unseen = !self.asked || (finished && io.ends.upstream_acked() == self.acked_before);
        unanswered && self.upload.keeps() && (harmless || unseen)
    }

    /// Reads a response head, if it is whole and the client has taken what came before.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn read_response<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        if io.buffers.response.is_empty() || !self.is_flushed(io.buffers) {
            return Flow::Wait;
        }
        if io.ends.upstream_acked() == self.acked_before {
            self.unasked(now, io);
            return Flow::Again;
        }
        match self.parse_response(io) {
            Ok(Parse::Complete(head)) if head.status.is_informational() => {
                self.interim(now, head, io)
            }
            Ok(Parse::Complete(head)) => return self.answer_begins(now, head, io),
            Ok(Parse::Partial) if self.has_closed() => self.upstream_gone(now, true, io),
            Ok(Parse::Partial) => {
                let response = &mut io.buffers.response;
                if response.is_full() && !grow(response, io.settings.head_size) {
                    self.fail(now, NO_MEMORY, io);
                    return Flow::Again;
                }
                return self.resumes();
            }
            Err(failure) => {
                let (_, _, cause) = failure;
                self.garbage |= cause == Cause::Proxy;
                self.fail(now, failure, io);
            }
        }
        Flow::Again
    }

    /// It has spoken before anything of the request was there: a 408 for the time it was idle, say,
    /// but no answer (RFC 9112 section 9.2).
    fn unasked<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        let said = io.buffers.response.filled();
        let closed = self.wire.is_some_and(|wire| wire.is_closed(said));
        io.buffers.response.clear();
        let failure = if closed { NO_ANSWER } else { UNASKED };
        self.gone_before_response(now, closed, failure, io);
    }

    /// Whether the backend has said, in a frame, that its connection has ended. As after a FIN, to
    /// read or write there is of no use.
    fn has_closed(&self) -> bool {
        self.wire.is_some() && self.frames.has_closed()
    }

    /// Parses a response head, which other wires than HTTP's have made text of first.
    fn parse_response<S: Store>(
        &mut self,
        io: &mut Io<'_, S>,
    ) -> Result<Parse<ResponseHead>, Failure> {
        if let Some(wire) = self.wire {
            if !self.unframe_head(wire, io)? {
                return Ok(Parse::Partial);
            }
        }
        let text = io.buffers.response.filled();
        let parsed = head::parse_response(text, &mut self.scan, &limits(io.settings));
        if let (Ok(Parse::Complete(head)), None) = (&parsed, self.wire) {
            self.spoken = Some(head.version);
        }
        parsed.map_err(refused)
    }

    /// In which version of HTTP the backend has answered, if it has since this was last asked.
    pub(crate) fn take_spoken(&mut self) -> Option<Version> {
        self.spoken.take()
    }

    /// Relays a 1xx response, which an HTTP/1.0 client would not understand (RFC 9110 section 15.2).
    fn interim<S: Store>(&mut self, now: Instant, head: ResponseHead, io: &mut Io<'_, S>) {
        self.interims = self.interims.saturating_add(1);
        self.scan = head::Scan::new();
        let switches = head.status == Status::SWITCHING_PROTOCOLS;
        let expected = self.interims <= MAX_INTERIMS && self.wire.is_none();
        if !expected || (switches && !self.may_switch(&head, io)) {
            self.garbage = true;
            return self.fail(now, UNEXPECTED, io);
        }
        if head.status == Status::CONTINUE {
            self.expecting = false;
            // The answer has not been waited for yet.
            self.restart_waiting(io);
        }
        if self.client_version() == Version::Http11
            && self
                .stage_head(&head, Framing::None, Persist::KeepAlive, io)
                .is_err()
        {
            return self.fail(now, NO_MEMORY, io);
        }
        io.buffers.response.consume(head.len);
        if switches {
            self.outcome.status = Some(head.status);
            self.answered = true;
            self.start_answer(now, io);
            self.enter_tunnel(io);
        }
    }

    /// Whether the connection may become another protocol's: the client has asked for that, and all
    /// of its request is out (RFC 9110 section 7.8).
    fn may_switch<S: Store>(&self, head: &ResponseHead, io: &Io<'_, S>) -> bool {
        let asked = self.request.as_ref().is_some_and(|head| head.upgrade);
        asked && head.upgrade && self.is_uploaded(io.buffers)
    }

    /// A final response head is here: decides how its body is framed on both sides.
    pub(super) fn start_response<S: Store>(
        &mut self,
        now: Instant,
        head: ResponseHead,
        io: &mut Io<'_, S>,
    ) -> Result<(), Full> {
        let method = self
            .request
            .as_ref()
            .map_or(Method::Get, |request| request.method);
        let body = Body::of_response(method, head.status, head.body);
        let framing = match (&body, self.client_version()) {
            (Body::None, _) => Framing::None,
            (Body::Length(octets), _) => Framing::Length(*octets),
            (_, Version::Http11) => Framing::Chunked,
            (_, Version::Http10) => Framing::Close,
        };
        let body = self.wire.map_or(body, |wire| framed::body(wire, body));
        // An answer to a request that the backend cannot have read is one to nobody knows what.
        let heard = self.upload.octets() > 0 || io.buffers.to_upstream.is_empty();
        let framed = !matches!(body, Body::UntilClose);
        let goes_on = self.sending && heard && head.keep_alive && framed;
        // With the backend's connection ends the upload, and what is still to come of it is nobody's.
        let ends_upload = !self.upload.is_done() && !goes_on;
        // A client that was not told to go on may send its body or not: nobody can tell.
        let unsure = self.expecting || ends_upload;
        let persist = self.persist && framing != Framing::Close && !unsure;
        let wire = if persist {
            Persist::KeepAlive
        } else {
            Persist::Close
        };
        self.stage_head(&head, framing, wire, io)?;
        self.persist = persist;
        if let Upstream::Up { persist, .. } = &mut self.upstream {
            *persist = goes_on;
        }
        io.buffers.response.consume(head.len);
        self.upload.forget(&mut io.buffers.request);
        self.download = Relay::new(body, framing, 0, false).with_trailers(&head.options);
        self.outcome.status = Some(head.status);
        self.answered = true;
        self.start_answer(now, io);
        self.phase = Phase::Body;
        Ok(())
    }

    fn stage_head<S: Store>(
        &mut self,
        head: &ResponseHead,
        framing: Framing,
        persist: Persist,
        io: &mut Io<'_, S>,
    ) -> Result<(), Full> {
        let delivery = Delivery {
            framing,
            persist,
            client: self.client_version(),
            date: Some(io.ends.date()),
            name: io.name,
            upgrade: matches!(
                head.status,
                Status::SWITCHING_PROTOCOLS | Status::UPGRADE_REQUIRED
            ),
            stamp: self.new_stamp(head.status, io),
            amended: self.amended(head.status, io.tap.as_deref()),
        };
        let bytes = io.buffers.response.filled();
        let room = encode::response_room(head, &delivery);
        stage(&mut io.buffers.to_client, room, |out| {
            encode::response_head(head, bytes, &delivery, out)
        })
    }

    pub(super) fn client_version(&self) -> Version {
        self.request
            .as_ref()
            .map_or(Version::Http11, |request| request.version)
    }

    /// Names the next body octets that can go to the client.
    pub(super) fn relay_body<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        if self.download.is_behind() {
            return self.read_ahead(now, io);
        }
        let before = self.download.octets();
        let buffers = &mut *io.buffers;
        let progress = self
            .download
            .pump(&mut buffers.response, &mut buffers.to_client);
        self.show_body(self.download.octets().saturating_sub(before), io);
        match progress {
            Ok(Progress::Done) => self.body_done(io),
            Ok(Progress::Staged | Progress::Starved) => {
                self.upload.acknowledged(self.download.take_acks());
                return self.resumes();
            }
            Err(broken) => self.break_off(now, broken, io),
        }
        Flow::Again
    }

    /// The rest of the body cannot be relayed.
    pub(super) fn break_off<S: Store>(&mut self, now: Instant, broken: Broken, io: &mut Io<'_, S>) {
        self.garbage |= matches!(broken, Broken::Framing(_));
        self.blame(match broken {
            Broken::Framing(_) => Cause::Proxy,
            Broken::Memory => Cause::Resource,
        });
        self.cut_short(now, io);
    }

    /// All of the answer is named: the backend connection is free, unless it gets the rest of the
    /// request yet.
    pub(super) fn body_done<S: Store>(&mut self, io: &mut Io<'_, S>) {
        self.show_end(io);
        let closes = self.download.closes();
        let persist = matches!(self.upstream, Upstream::Up { persist: true, .. }) && !closes;
        // The end of an answer in frames is the end of the exchange, be the request taken or not.
        let over = self.wire.is_some();
        // What the backend sent beyond the answer would be taken for a part of the next one.
        let clean = self.download.unread(&io.buffers.response) == 0;
        let uploaded = self.is_uploaded(io.buffers);
        if uploaded || !persist || !clean || self.expecting || over {
            self.drop_upstream(persist && clean && uploaded);
        }
        self.phase = Phase::Flush;
    }

    /// The end of an answer in frames will not come. The client, which goes by the length that it was
    /// told, has all of it: only the backend is to blame.
    pub(super) fn end_missing<S: Store>(&mut self, cause: Cause, io: &mut Io<'_, S>) {
        self.blame(cause);
        if self.download.eof() {
            self.body_done(io);
        }
    }

    /// The answer cannot be completed: ends the connection so that the client notices it.
    pub(super) fn cut_short<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        self.drop_upstream(false);
        self.outcome.aborted = true;
        if self.download.framing() == Framing::Close || self.phase == Phase::Tunnel {
            // Only RST tells a body that ends with the connection from a whole one.
            return self.shut_down(now, true);
        }
        // The client may take long to get what there is: nobody has to wait for more until then.
        self.show_cut(io);
        self.persist = false;
        self.phase = Phase::Flush;
    }
}

/// What is to be said of a head that is none.
pub(super) fn refused(violation: Violation) -> Failure {
    (Status::BAD_GATEWAY, violation.reason, Cause::Proxy)
}

const NO_ANSWER: Failure = (
    Status::BAD_GATEWAY,
    "the backend closed the connection without an answer",
    Cause::Server,
);
const UNASKED: Failure = (
    Status::BAD_GATEWAY,
    "the backend spoke before it was asked",
    Cause::Server,
);
const UNEXPECTED: Failure = (
    Status::BAD_GATEWAY,
    "the backend sent an unexpected 1xx response",
    Cause::Proxy,
);
