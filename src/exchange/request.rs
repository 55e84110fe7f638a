// SPDX-License-Identifier: GPL-2.0

//! The client's side of an exchange: reading its request, and pages of our own.

use super::grow;
use super::limits;
use super::rewritten;
use super::Exchange;
use super::Flow;
use super::Io;
use super::Phase;
use super::Store;
use super::Upstream;
use super::FIRST_ROOM;
use super::NO_MEMORY;
use crate::bytes::Full;
use crate::http::encode;
use crate::http::encode::ErrorPage;
use crate::http::encode::Persist;
use crate::http::head;
use crate::http::head::BodyLength;
use crate::http::head::Parse;
use crate::http::head::RequestHead;
use crate::http::Method;
use crate::http::Status;
use crate::http::Version;
use crate::time::Instant;

/// The most that a page of our own takes, head and body.
const PAGE_ROOM: usize = 2048;

impl Exchange {
    pub(super) fn client_data<S: Store>(&mut self, io: &mut Io<'_, S>) {
        if self.phase == Phase::Linger {
            io.buffers.request.clear();
        }
    }

    /// A client that has finished sending gets the answers to all that it has asked for, then the
    /// connection ends.
    pub(super) fn client_eof(&mut self) {
        self.ended = true;
        if self.phase == Phase::Linger {
            self.close(false);
        }
    }

    /// Reads a request head, if it is whole.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn read_request<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        let request = &mut io.buffers.request;
        if request.is_empty() {
            return self.unfinished();
        }
        if self.phase == Phase::Idle {
            self.phase = Phase::Head;
            // On a new connection time has been running since it was accepted.
            if !self.first {
                self.deadline = now + io.settings.header_timeout;
            }
        }
        match head::parse_request(request.filled(), &mut self.scan, &limits(io.settings)) {
            Ok(Parse::Complete(head)) => self.accept(now, head, io),
            Ok(Parse::Partial) => {
                if !request.is_full() || grow(request, io.settings.head_size) {
                    return self.unfinished();
                }
                self.fail(now, Status::SERVICE_UNAVAILABLE, NO_MEMORY, io);
            }
            Err(violation) => self.fail(now, violation.status, violation.reason, io),
        }
        Flow::Again
    }

    /// Octets are missing for a request: waits for them if any can come.
    fn unfinished(&mut self) -> Flow {
        if self.ended {
            self.close(false);
        }
        Flow::Wait
    }

    /// A whole request head is here: decides what becomes of it.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn accept<S: Store>(&mut self, now: Instant, head: RequestHead, io: &mut Io<'_, S>) {
        let relayed = matches!(head.method, Method::Get | Method::Head) && !has_body(&head);
        self.persist = head.keep_alive;
        self.request = Some(head);
        if !relayed {
            let why = "this method, or a request with a body, is not relayed yet";
            return self.fail(now, Status::NOT_IMPLEMENTED, why, io);
        }
        self.route(now, false, io);
    }

    /// Asks for a backend connection.
    pub(super) fn route<S: Store>(&mut self, now: Instant, fresh: bool, io: &mut Io<'_, S>) {
        self.upstream = Upstream::Wanted;
        self.todo.connect = Some(fresh);
        self.enter(Phase::Route, now, io.settings.connect_timeout);
    }

    /// Stages a page of our own as the answer.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn stage_page<S: Store>(
        &mut self,
        now: Instant,
        status: Status,
        why: &str,
        io: &mut Io<'_, S>,
    ) {
        // Only behind a request that was read whole the next one can be found.
        self.persist = self.persist && self.request.as_ref().is_some_and(|head| !has_body(head));
        let (head_only, client) = match &self.request {
            Some(head) => (head.method == Method::Head, head.version),
            // No whole head, but its method may be there.
            None => (
                io.buffers.request.filled().starts_with(b"HEAD "),
                Version::Http11,
            ),
        };
        let persist = if self.persist {
            Persist::KeepAlive
        } else {
            Persist::Close
        };
        // The rest of a 1xx response may be there still: it goes out first.
        let to_client = &mut io.buffers.to_client;
        let wanted = to_client.len().saturating_add(PAGE_ROOM);
        if to_client.capacity() < wanted && !to_client.store_mut().reserve(wanted) {
            return self.close(true);
        }
        let page = ErrorPage {
            status,
            reason: why,
            head_only,
            persist,
            client,
            now: io.date,
        };
        if io
            .buffers
            .to_client
            .append(|out| encode::error_page(&page, out))
            .is_err()
        {
            return self.close(true);
        }
        self.consume_request(io);
        self.outcome.status = Some(status);
        self.outcome.own_page = true;
        self.answered = true;
        self.enter(Phase::Flush, now, io.settings.send_timeout);
    }

    /// The request's octets are not needed any more.
    pub(super) fn consume_request<S: Store>(&mut self, io: &mut Io<'_, S>) {
        if let Some(head) = &self.request {
            io.buffers.request.consume(head.len);
        }
    }

    /// Stages the request for a backend connection that is up.
    pub(super) fn stage_request<S: Store>(&mut self, io: &mut Io<'_, S>) -> Result<(), Full> {
        let Some(head) = &self.request else {
            return Err(Full);
        };
        let to_upstream = &mut io.buffers.to_upstream;
        to_upstream.clear();
        let wanted = rewritten(head.len, io.settings).max(FIRST_ROOM);
        if to_upstream.capacity() < wanted && !to_upstream.store_mut().reserve(wanted) {
            return Err(Full);
        }
        let bytes = io.buffers.request.filled();
        to_upstream.append(|out| encode::request_head(head, bytes, io.fallback_host, out))
    }
}

/// Whether octets follow the head.
fn has_body(head: &RequestHead) -> bool {
    !matches!(head.body, BodyLength::None | BodyLength::Length(0))
}
