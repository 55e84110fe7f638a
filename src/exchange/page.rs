// SPDX-License-Identifier: GPL-2.0

//! Answers of our own.

use super::buffers::stage;
use super::Cause;
use super::Exchange;
use super::Io;
use super::Phase;
use super::Store;
use super::NO_MEMORY;
use crate::http::encode;
use crate::http::encode::Answer;
use crate::http::encode::ErrorPage;
use crate::http::encode::Persist;
use crate::http::field;
use crate::http::forward;
use crate::http::head::RequestHead;
use crate::http::Method;
use crate::http::Status;
use crate::http::Version;
use crate::time::Instant;

/// What the answer to an OPTIONS takes at most.
const OPTIONS_ROOM: usize = 256;

impl Exchange {
    /// Stages a page of our own as the answer.
    pub(super) fn stage_page<S: Store>(
        &mut self,
        now: Instant,
        status: Status,
        why: &str,
        io: &mut Io<'_, S>,
    ) {
        let (head_only, client) = match &self.request {
            Some(head) => (head.method == Method::Head, head.version),
            // No whole head, but its method may be there.
            None => {
                self.remember(None, io);
                let head_only = io.buffers.request.filled().starts_with(b"HEAD ");
                (head_only, Version::Http11)
            }
        };
        let plain = self.prefers_plain(io);
        let persist = self.end_request(io);
        let page = ErrorPage {
            status,
            reason: why,
            text: io.settings.page(status.code()),
            id: self.id(io),
            plain,
            head_only,
            persist,
            client,
            now: io.ends.date(),
        };
        // The rest of a 1xx response may be there still: it goes out first.
        let before = io.buffers.to_client.len();
        let staged = stage(&mut io.buffers.to_client, encode::PAGE_MAX, |out| {
            encode::error_page(&page, out)
        });
        if staged.is_err() {
            return self.close(now, Cause::Resource);
        }
        self.answered_with(status, before, io);
    }

    /// Stages the answer to a TRACE or OPTIONS that may go no further (RFC 9110 section 7.6.2).
    pub(super) fn stage_hop_answer<S: Store>(
        &mut self,
        now: Instant,
        head: &RequestHead,
        io: &mut Io<'_, S>,
    ) {
        self.blame(Cause::Local);
        let traces = head.method == Method::Trace;
        // The head stays in its place until the end.
        let answer = Answer {
            persist: self.end_request(io),
            client: head.version,
            now: io.ends.date(),
        };
        let bytes = io.buffers.request.filled();
        let room = if traces {
            encode::trace_room(head)
        } else {
            OPTIONS_ROOM
        };
        let before = io.buffers.to_client.len();
        let staged = stage(&mut io.buffers.to_client, room, |out| {
            if traces {
                encode::trace_answer(head, bytes, &answer, out)
            } else {
                encode::options_answer(&answer, out)
            }
        });
        if staged.is_err() {
            return self.close(now, Cause::Resource);
        }
        self.answered_with(Status::OK, before, io);
    }

    /// Stages the status of the gateway, which [`Action::Report`](super::Action::Report) has asked
    /// for: a `body` of a type, or none if there was no memory.
    pub(crate) fn answer<S: Store>(
        &mut self,
        now: Instant,
        content_type: &str,
        body: Option<&[u8]>,
        io: &mut Io<'_, S>,
    ) {
        let (Phase::Report, Some(head)) = (self.phase, self.request) else {
            return;
        };
        let Some(body) = body else {
            return self.fail(now, NO_MEMORY, io);
        };
        self.blame(Cause::Local);
        let answer = Answer {
            persist: self.end_request(io),
            client: head.version,
            now: io.ends.date(),
        };
        let length = body.len() as u64;
        let body = if head.method == Method::Head {
            b""
        } else {
            body
        };
        let room = body.len().saturating_add(encode::REPORT_ROOM);
        let before = io.buffers.to_client.len();
        let staged = stage(&mut io.buffers.to_client, room, |out| {
            encode::report_head(content_type, length, &answer, out)?;
            out.put(body)
        });
        if staged.is_err() {
            return self.fail(now, NO_MEMORY, io);
        }
        self.answered_with(Status::OK, before, io);
        self.advance(now, io);
        self.watch(now, io);
    }

    /// An answer of our own is staged, behind so many octets.
    fn answered_with<S: Store>(&mut self, status: Status, before: usize, io: &Io<'_, S>) {
        let answer = io.buffers.to_client.filled().get(before..).unwrap_or(b"");
        self.outcome.octets = encode::content(answer).len() as u64;
        self.outcome.status = Some(status);
        self.outcome.own_page = true;
        self.answered = true;
        self.phase = Phase::Flush;
    }

    /// The number of the present request.
    pub(super) fn id<S>(&self, io: &Io<'_, S>) -> u64 {
        io.id.wrapping_add(self.served)
    }

    /// Whether the client would rather read plain text. Who says nothing of that is taken for a
    /// browser; but if its head is none, it may be anything, which plain text suits better.
    fn prefers_plain<S: Store>(&self, io: &Io<'_, S>) -> bool {
        let bytes = io.buffers.request.filled();
        match &self.request {
            // Nobody knows once the head is gone.
            Some(_) if !self.upload.keeps() => false,
            Some(head) => forward::prefers_plain(head.fields.of(bytes)).unwrap_or(false),
            None => forward::prefers_plain(field::readable(bytes)).unwrap_or(true),
        }
    }

    /// The backend has no part in the answer. Only behind a request that was read whole the next
    /// one can be found.
    pub(super) fn end_request<S: Store>(&mut self, io: &mut Io<'_, S>) -> Persist {
        let whole = self.request.is_some() && self.upload.skip(&mut io.buffers.request);
        self.persist = self.persist && whole;
        if self.persist {
            Persist::KeepAlive
        } else {
            Persist::Close
        }
    }
}
