// SPDX-License-Identifier: GPL-2.0

//! On the way to a backend: asking for one, waiting for a place, asking for another.

use super::Buffers;
use super::Cause;
use super::Exchange;
use super::Failure;
use super::Io;
use super::Phase;
use super::Refusal;
use super::Store;
use super::Upstream;
use super::NO_MEMORY;
use crate::bytes;
use crate::bytes::Buffer;
use crate::config::Settings;
use crate::http::field;
use crate::http::head::RequestHead;
use crate::http::Status;
use crate::lb::write_stamp;
use crate::lb::Names;
use crate::lb::Session;
use crate::lb::Verdict;
use crate::lb::STAMP;
use crate::time::Instant;

impl Exchange {
    /// Asks for a backend connection.
    pub(super) fn route<S: Store>(&mut self, now: Instant, fresh: bool, io: &mut Io<'_, S>) {
        self.upstream = Upstream::Wanted;
        self.todo.connect = Some(fresh);
        self.queued = false;
        self.enter(Phase::Route, now, io.settings.connect_timeout);
        self.bound_deadline(io);
    }

    /// All places are taken: the request waits for one.
    pub(super) fn upstream_queued<S>(&mut self, now: Instant, io: &Io<'_, S>) {
        if self.phase == Phase::Route {
            self.queued = true;
            let until = now + io.settings.queue_timeout;
            self.deadline = *self.queue_until.get_or_insert(until);
            self.bound_deadline(io);
        }
    }

    /// It has got one.
    pub(super) fn upstream_chosen<S>(&mut self, now: Instant, io: &Io<'_, S>) {
        if self.phase == Phase::Route {
            self.queued = false;
            self.deadline = now + io.settings.connect_timeout;
            self.bound_deadline(io);
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
        match why {
            Refusal::Unreachable => self.try_another(now, UNREACHABLE, io),
            Refusal::NoBackend => {
                let failure = self.failure.take().unwrap_or(NO_BACKEND);
                self.fail(now, failure, io);
            }
            Refusal::NoMemory => self.fail(now, NO_MEMORY, io),
            Refusal::NotStored => self.fail(now, NOT_STORED, io),
        }
    }

    /// There was no connection in time.
    pub(super) fn route_overdue<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        let whole = io.settings.exchange_timeout;
        let over = !whole.is_zero() && now >= self.clock.begun() + whole;
        if self.queued {
            self.fail(now, LATE_PLACE, io);
        } else if over {
            self.fail(now, LATE_CONNECTION, io);
        } else {
            self.try_another(now, LATE_CONNECTION, io);
        }
    }

    /// Nothing of the request has reached a backend: another one may have it. If there is none, this
    /// was why.
    fn try_another<S: Store>(&mut self, now: Instant, failure: Failure, io: &mut Io<'_, S>) {
        self.drop_upstream(false);
        self.verdict = Verdict::Refused;
        self.failure.get_or_insert(failure);
        self.route(now, false, io);
    }

    /// What the exchange says of the backend that is to be let go of.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What the backend has shown so far.
    pub(crate) fn judge_backend(&self) -> Verdict {
        let relayed = self.answered && !self.outcome.own_page;
        let blamed = matches!(self.outcome.ending.first(), Some(b'S' | b's'));
        // A stream that lasts for as long as it may has done nothing wrong.
        let blamed = blamed && !(relayed && self.outcome.overran);
        match self.outcome.status {
            _ if blamed || self.garbage => Verdict::Error,
            // What a client has brought about is not the backend's fault.
            Some(Status::NOT_IMPLEMENTED | Status::VERSION_NOT_SUPPORTED) if relayed => {
                Verdict::Good
            }
            Some(status) if relayed && status.code() >= 500 => Verdict::Error,
            Some(_) if relayed => Verdict::Good,
            _ => Verdict::None,
        }
    }

    /// Whether a connection is wanted, and none is here yet.
    pub(crate) fn is_routing(&self) -> bool {
        self.phase == Phase::Route
    }

    /// The request in hand, and its octets; none once they are gone.
    pub(crate) fn asked<'b, S: Store>(
        &'b self,
        request: &'b Buffer<S>,
    ) -> Option<(&'b RequestHead, &'b [u8])> {
        let head = self.request.as_ref().filter(|_| self.upload.keeps())?;
        Some((head, request.filled()))
    }

    /// Which session the request that wants a backend belongs to.
    pub(crate) fn session<'b, S: Store>(
        &mut self,
        buffers: &'b Buffers<S>,
        settings: &Settings,
    ) -> Session<'b> {
        let Some(head) = &self.request else {
            return Session::default();
        };
        let names = Names {
            cookie: settings.session_cookie.as_bytes(),
            prefix: settings.session_path.as_bytes(),
            stamp: settings.sticky_cookie.as_bytes(),
        };
        let octets = buffers.request.filled();
        let cookies = field::fields(head.fields.of(octets))
            .filter(|(name, _)| bytes::eq_ignore_case(b"cookie", name))
            .map(|(_, value)| value);
        let session = names.find(head.path.of(octets), cookies);
        self.stamp = session.stamp;
        session
    }

    /// The cookie that the client has to be given with a response: that of the backend it is from.
    pub(super) fn new_stamp<'a, S>(
        &self,
        status: Status,
        io: &Io<'a, S>,
    ) -> Option<(&'a [u8], [u8; STAMP])> {
        let name = io.settings.sticky_cookie.as_bytes();
        let stamp = io.ends.stamp().filter(|_| io.settings.sticky)?;
        let stamp = Some(stamp).filter(|stamp| self.stamp != Some(*stamp))?;
        (!name.is_empty() && !status.is_informational()).then(|| (name, write_stamp(stamp)))
    }

    /// The path that is asked for, without the query.
    pub(crate) fn path<'b, S: Store>(&self, buffers: &'b Buffers<S>) -> &'b [u8] {
        let octets = buffers.request.filled();
        let head = self.request.as_ref();
        let path = head.map_or(&b""[..], |head| head.path.of(octets));
        path.split(|octet| *octet == b'?').next().unwrap_or(b"")
    }
}

const UNREACHABLE: Failure = (
    Status::BAD_GATEWAY,
    "the backend could not be reached",
    Cause::Server,
);
const NO_BACKEND: Failure = (
    Status::SERVICE_UNAVAILABLE,
    "no backend is available",
    Cause::Resource,
);
const NOT_STORED: Failure = (
    Status::GATEWAY_TIMEOUT,
    "nothing that could be the answer is stored",
    Cause::Local,
);
const LATE_PLACE: Failure = (
    Status::SERVICE_UNAVAILABLE,
    "no backend was free in time",
    Cause::Resource,
);
const LATE_CONNECTION: Failure = (
    Status::GATEWAY_TIMEOUT,
    "no backend could be reached in time",
    Cause::ServerTimeout,
);
