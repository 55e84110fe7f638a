// SPDX-License-Identifier: GPL-2.0

//! The backend's side of an exchange: its response head and the body that follows.

use super::grow;
use super::limits;
use super::rewritten;
use super::Exchange;
use super::Flow;
use super::Io;
use super::Phase;
use super::Refusal;
use super::Store;
use super::Upstream;
use super::HEAD_EXTRA;
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
use crate::time::Instant;

impl Exchange {
    /// A backend connection is up: sends the request.
    pub(super) fn upstream_ready<S: Store>(
        &mut self,
        now: Instant,
        reused: bool,
        io: &mut Io<'_, S>,
    ) {
        if self.phase != Phase::Route {
            return;
        }
        self.upstream = Upstream::Up {
            reused,
            persist: false,
        };
        self.scan = head::Scan::new();
        io.buffers.response.clear();
        match self.stage_request(io) {
            Ok(()) => self.enter(Phase::Wait, now, io.settings.response_timeout),
            Err(Full) => self.fail(now, Status::SERVICE_UNAVAILABLE, NO_MEMORY, io),
        }
    }

    pub(super) fn upstream_refused<S: Store>(
        &mut self,
        now: Instant,
        why: Refusal,
        io: &mut Io<'_, S>,
    ) {
        if self.phase != Phase::Route {
            return;
        }
        let (status, why) = match why {
            Refusal::Unreachable => (Status::BAD_GATEWAY, "the backend could not be reached"),
            Refusal::NoBackend => (Status::SERVICE_UNAVAILABLE, "no backend is available"),
            Refusal::NoMemory => (Status::SERVICE_UNAVAILABLE, NO_MEMORY),
        };
        self.fail(now, status, why, io);
    }

    pub(super) fn upstream_data<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        // While the client is waited for, its time is running.
        if self.phase == Phase::Body && self.outgoing.is_empty(io.buffers) {
            self.body_deadline(now, io);
        }
    }

    /// The backend's connection ended, in order (`eof`) or not.
    pub(super) fn upstream_gone<S: Store>(&mut self, now: Instant, eof: bool, io: &mut Io<'_, S>) {
        match self.phase {
            Phase::Wait => self.gone_before_response(now, io),
            Phase::Body if eof && self.outgoing.relay() == 0 && self.body.eof().is_ok() => {
                self.body_done(now, io);
            }
            Phase::Body => self.cut_short(now, io),
            _ => {}
        }
    }

    /// A kept-alive connection may have been closed just when we used it: then the request, which
    /// is safe, goes out once more on a new one (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
    fn gone_before_response<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        let reused = matches!(self.upstream, Upstream::Up { reused: true, .. });
        if reused && io.buffers.response.is_empty() && self.interims == 0 {
            self.drop_upstream(false);
            io.buffers.to_upstream.clear();
            self.route(now, true, io);
            return;
        }
        self.fail(
            now,
            Status::BAD_GATEWAY,
            "the backend closed the connection without an answer",
            io,
        );
    }

    /// Reads a response head, if it is whole and the client has taken what came before.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn read_response<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        if io.buffers.response.is_empty() || !self.outgoing.is_empty(io.buffers) {
            return Flow::Wait;
        }
        let response = &mut io.buffers.response;
        match head::parse_response(response.filled(), &mut self.scan, &limits(io.settings)) {
            Ok(Parse::Complete(head)) if head.status.is_informational() => {
                self.interim(now, head, io)
            }
            Ok(Parse::Complete(head)) => {
                if self.start_response(now, head, io).is_err() {
                    self.fail(now, Status::SERVICE_UNAVAILABLE, NO_MEMORY, io);
                }
            }
            Ok(Parse::Partial) => {
                if response.is_full() && !grow(response, io.settings.head_size) {
                    self.fail(now, Status::SERVICE_UNAVAILABLE, NO_MEMORY, io);
                    return Flow::Again;
                }
                return Flow::Wait;
            }
            Err(violation) => self.fail(now, Status::BAD_GATEWAY, violation.reason, io),
        }
        Flow::Again
    }

    /// Relays a 1xx response, which an HTTP/1.0 client would not understand (RFC 9110 section 15.2).
    #[inline(never)] // Keeps its frame out of its caller's.
    fn interim<S: Store>(&mut self, now: Instant, head: ResponseHead, io: &mut Io<'_, S>) {
        self.interims = self.interims.saturating_add(1);
        self.scan = head::Scan::new();
        if head.status == Status::SWITCHING_PROTOCOLS || self.interims > MAX_INTERIMS {
            return self.fail(
                now,
                Status::BAD_GATEWAY,
                "the backend sent an unexpected 1xx response",
                io,
            );
        }
        if self.client_version() == Version::Http11
            && self
                .stage_head(&head, Framing::None, Persist::KeepAlive, io)
                .is_err()
        {
            return self.fail(now, Status::SERVICE_UNAVAILABLE, NO_MEMORY, io);
        }
        io.buffers.response.consume(head.len);
    }

    /// A final response head is here: decides how its body is framed on both sides.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn start_response<S: Store>(
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
            (Body::Chunked(_) | Body::UntilClose, Version::Http11) => Framing::Chunked,
            (Body::Chunked(_) | Body::UntilClose, Version::Http10) => Framing::Close,
        };
        let persist = self.persist && framing != Framing::Close;
        let wire = if persist {
            Persist::KeepAlive
        } else {
            Persist::Close
        };
        self.stage_head(&head, framing, wire, io)?;
        self.persist = persist;
        if let Upstream::Up { persist, .. } = &mut self.upstream {
            *persist = head.keep_alive && !matches!(body, Body::UntilClose);
        }
        self.framing = framing;
        self.first_chunk = true;
        self.body = body;
        self.outcome.status = Some(head.status);
        self.answered = true;
        io.buffers.response.consume(head.len);
        self.consume_request(io);
        self.enter(Phase::Body, now, io.settings.send_timeout);
        Ok(())
    }

    fn stage_head<S: Store>(
        &mut self,
        head: &ResponseHead,
        framing: Framing,
        persist: Persist,
        io: &mut Io<'_, S>,
    ) -> Result<(), Full> {
        let to_client = &mut io.buffers.to_client;
        to_client.clear();
        let wanted = rewritten(head.len, io.settings);
        if to_client.capacity() < wanted && !to_client.store_mut().reserve(wanted) {
            return Err(Full);
        }
        let bytes = io.buffers.response.filled();
        let delivery = Delivery {
            framing,
            persist,
            client: self.client_version(),
            date: None,
        };
        to_client.append(|out| encode::response_head(head, bytes, &delivery, out))
    }

    fn client_version(&self) -> Version {
        self.request
            .as_ref()
            .map_or(Version::Http11, |request| request.version)
    }

    /// Names the next body octets that can go to the client.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn relay_body<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        if self.outgoing.relay() > 0 {
            return Flow::Wait;
        }
        let Ok(step) = self.body.next(io.buffers.response.filled()) else {
            self.cut_short(now, io);
            return Flow::Again;
        };
        io.buffers.response.consume(step.skip);
        if step.data > 0 {
            let idle = self.outgoing.is_empty(io.buffers);
            if self.framing == Framing::Chunked && self.stage_chunk(step.data, io).is_err() {
                self.cut_short(now, io);
                return Flow::Again;
            }
            self.outgoing.set_relay(step.data);
            if idle {
                self.body_deadline(now, io);
            }
        }
        if step.done {
            self.body_done(now, io);
            return Flow::Again;
        }
        if step.data == 0 && step.skip > 0 {
            Flow::Again
        } else {
            Flow::Wait
        }
    }

    fn stage_chunk<S: Store>(&mut self, octets: usize, io: &mut Io<'_, S>) -> Result<(), Full> {
        let first = core::mem::take(&mut self.first_chunk);
        let to_client = &mut io.buffers.to_client;
        if to_client.capacity() == 0 && !to_client.store_mut().reserve(HEAD_EXTRA) {
            return Err(Full);
        }
        to_client.append(|out| encode::chunk_prefix(first, octets as u64, out))
    }

    /// All of the body is named: the backend connection is free.
    fn body_done<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        let persist = matches!(self.upstream, Upstream::Up { persist: true, .. });
        // What the backend sent beyond the answer, or has not yet read of the request, would be
        // taken for a part of the next exchange.
        let clean =
            io.buffers.response.len() == self.outgoing.relay() && io.buffers.to_upstream.is_empty();
        self.drop_upstream(persist && clean);
        if self.framing == Framing::Chunked {
            self.outgoing.set_tail(last_chunk(self.first_chunk));
        }
        self.enter(Phase::Flush, now, io.settings.send_timeout);
    }

    /// The answer cannot be completed: ends the connection so that the client notices it.
    pub(super) fn cut_short<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        self.drop_upstream(false);
        self.outcome.aborted = true;
        if self.framing == Framing::Close {
            // Only RST tells a body that ends with the connection from a whole one.
            return self.close(true);
        }
        self.persist = false;
        self.enter(Phase::Flush, now, io.settings.send_timeout);
    }

    /// Who is waited for decides for how long.
    pub(super) fn body_deadline<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        let limit = if self.outgoing.is_empty(io.buffers) {
            io.settings.read_timeout
        } else {
            io.settings.send_timeout
        };
        self.deadline = now + limit;
    }
}

/// The end of a chunked body: the end of the chunk before, unless there was none, and the last
/// chunk without trailers (RFC 9112 section 7.1).
const fn last_chunk(first: bool) -> &'static [u8] {
    if first {
        b"0\r\n\r\n"
    } else {
        b"\r\n0\r\n\r\n"
    }
}
