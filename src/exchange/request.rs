// SPDX-License-Identifier: GPL-2.0

//! The client's side of an exchange: reading its request, and deciding what becomes of it.

use super::buffers::grow;
use super::limits;
use super::upload;
use super::Cause;
use super::Exchange;
use super::Failure;
use super::Flow;
use super::Io;
use super::Phase;
use super::Relay;
use super::Reset;
use super::Store;
use super::NO_MEMORY;
use crate::http::body::Body;
use crate::http::forward;
use crate::http::head;
use crate::http::head::BodyLength;
use crate::http::head::Parse;
use crate::http::head::RequestHead;
use crate::http::Method;
use crate::http::Status;
use crate::http::Violation;
use crate::log;
use crate::log::Format;
use crate::status;
use crate::time::Instant;

impl Exchange {
    pub(super) fn client_data<S: Store>(&mut self, io: &mut Io<'_, S>) {
        if self.phase == Phase::Linger {
            io.buffers.request.clear();
        }
    }

    /// Whether the client may be waiting, with the rest of its first request, until what it has sent of that
    /// is acknowledged.
    pub(crate) fn lacks_some_of_first(&self) -> bool {
        let lacks_body = self.has_body() && !self.upload.is_done();
        self.served == 0 && (self.phase == Phase::Head || lacks_body)
    }

    /// Nobody is there any more to take an answer.
    pub(super) fn client_lost<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        if self.is_without_client() {
            return;
        }
        match self.phase {
            Phase::Head => self.remember(None, io),
            Phase::Idle => self.todo.reset = Some(Reset::Idle),
            Phase::Linger => self.todo.reset = Some(Reset::Linger),
            _ => {}
        }
        self.end_client(now, Cause::Client, io);
    }

    /// Reads a request head, if it is whole.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn read_request<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        // An empty line in front of a request is none (RFC 9112 section 2.2).
        let nothing = matches!(io.buffers.request.filled(), b"" | b"\r" | b"\r\n");
        if nothing && self.phase == Phase::Idle {
            return self.unfinished(now, io);
        }
        if self.phase == Phase::Idle {
            self.phase = Phase::Head;
            self.start_clock(now, io);
            // On a new connection time has been running since it was accepted.
            if self.served > 0 {
                self.deadline = now + io.settings.header_timeout;
            }
        }
        let request = &mut io.buffers.request;
        match head::parse_request(request.filled(), &mut self.scan, &limits(io.settings)) {
            Ok(Parse::Complete(head)) => self.accept(now, head, io),
            Ok(Parse::Partial) => {
                if !request.is_full() || grow(request, io.settings.head_size) {
                    return self.unfinished(now, io);
                }
                self.fail(now, NO_MEMORY, io);
            }
            Err(violation) => {
                let why = (violation.status, violation.reason, Cause::Proxy);
                self.fail(now, why, io);
            }
        }
        Flow::Again
    }

    /// Octets are missing for a request: waits for them if any can come. A client that has finished
    /// sending gets the answers to all that it has asked for, then the connection ends.
    fn unfinished<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        if !self.ended {
            return Flow::Wait;
        }
        if self.phase == Phase::Head {
            self.remember(None, io);
            self.blame(Cause::Client);
            self.outcome.aborted = true;
            self.finish(now);
        }
        self.linger(now, io);
        Flow::Wait
    }

    /// A whole request head is here: decides what becomes of it.
    fn accept<S: Store>(&mut self, now: Instant, head: RequestHead, io: &mut Io<'_, S>) {
        self.remember(Some(&head), io);
        let body = Body::of_request(head.body);
        let framing = upload::framing(head.body);
        self.upload = Relay::new(body, framing, head.len, true).with_trailers(&head.options);
        self.outcome.uploads = !body.is_done();
        self.expecting = head.expect_continue && !body.is_done();
        let most = io.settings.requests_per_connection as u64;
        self.persist = head.keep_alive && (most == 0 || self.served.saturating_add(1) < most);
        self.request = Some(head);
        match self.judge(&head, io) {
            Err(failure) => self.fail(now, failure, io),
            Ok(()) if self.hops == Some(0) => self.stage_hop_answer(now, &head, io),
            Ok(()) if self.todo.report.is_some() => {
                self.enter(Phase::Report, now, io.settings.response_timeout);
            }
            Ok(()) => self.route(now, false, io),
        }
    }

    /// Whether the request may be relayed.
    fn judge<S: Store>(&mut self, head: &RequestHead, io: &Io<'_, S>) -> Result<(), Failure> {
        let bytes = io.buffers.request.filled();
        if let BodyLength::Length(octets) = head.body {
            if upload::is_too_large(octets, io) {
                return Err(upload::TOO_LARGE);
            }
        }
        if forward::loops(head, bytes, io.name) {
            return Err(LOOP);
        }
        let refused = |violation: Violation| (violation.status, violation.reason, Cause::Proxy);
        self.hops = forward::max_forwards(head, bytes).map_err(refused)?;
        let looks = matches!(head.method, Method::Get | Method::Head);
        if looks && io.settings.status_allow.contains(io.client.ip()) {
            let asked = status::asked(head.path.of(bytes), head.fields.of(bytes));
            self.todo.report = asked.transpose().map_err(refused)?;
        }
        Ok(())
    }

    /// Remembers for the log what the request is, or the octets that are none. Without memory the
    /// log says less of it.
    pub(super) fn remember<S: Store>(&mut self, head: Option<&RequestHead>, io: &mut Io<'_, S>) {
        self.outcome.id = self.id(io);
        self.outcome.log = io.settings.log;
        if Format::of(io.settings.log).is_none() {
            return;
        }
        let captured = &mut io.buffers.captured;
        captured.clear();
        captured.store_mut().reserve(log::MAX_CAPTURE);
        let bytes = io.buffers.request.filled();
        let _ = captured.append(|out| match head {
            Some(head) => log::capture(head, bytes, out),
            None => log::capture_refused(bytes, out),
        });
    }
}

const LOOP: Failure = (
    Status::LOOP_DETECTED,
    "the request has been here before",
    Cause::Proxy,
);
