// SPDX-License-Identifier: GPL-2.0

//! Who is waited for, for how long, and what happens when the time is over.

use super::Buffers;
use super::Cause;
use super::Exchange;
use super::Failure;
use super::Io;
use super::Pace;
use super::Phase;
use super::Store;
use super::Upstream;
use super::NO_MEMORY;
use crate::config::Settings;
use crate::http::Status;
use crate::time::Duration;
use crate::time::Instant;

/// Whose turn it is while an exchange is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The client has to send more of the request's body.
    ClientSends,
    /// The client has to take what is there for it.
    ClientTakes,
    /// The backend has to take more of the request.
    BackendTakes,
    /// The backend has to begin its answer, or go on with it.
    BackendSends,
    /// Either end of a tunnel.
    Tunnel,
}

/// The times of one exchange.
pub(super) struct Clock {
    /// When the request's first octet came.
    begun: Instant,
    /// When the backend connection began to get the request.
    asked: Instant,
    /// From then to the response head.
    answered_in: Option<Duration>,
    waiting: Waiting,
    /// Who is waited for at the same time.
    also: Option<Waiting>,
    /// Since when, as far as it was accounted for.
    since: Instant,
    client_sends: Pace,
    client_takes: Pace,
    backend_takes: Pace,
    backend_sends: Pace,
    tunnel: Pace,
    /// How often octets came from the backend.
    heard: u64,
}

impl Clock {
    pub(super) const fn new(now: Instant) -> Self {
        let pace = Pace::new(Duration::ZERO, 0);
        Self {
            begun: now,
            asked: now,
            answered_in: None,
            waiting: Waiting::BackendSends,
            also: None,
            since: now,
            client_sends: pace,
            client_takes: pace,
            backend_takes: pace,
            backend_sends: pace,
            tunnel: pace,
            heard: 0,
        }
    }

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Octets came from the backend.
    pub(super) fn heard(&mut self) {
        self.heard = self.heard.wrapping_add(1);
    }

    fn pace(&mut self, of: Waiting) -> &mut Pace {
        match of {
            Waiting::ClientSends => &mut self.client_sends,
            Waiting::ClientTakes => &mut self.client_takes,
            Waiting::BackendTakes => &mut self.backend_takes,
            Waiting::BackendSends => &mut self.backend_sends,
            Waiting::Tunnel => &mut self.tunnel,
        }
    }
}

impl Exchange {
    /// The first octet of a request is here.
    pub(super) fn start_clock<S>(&mut self, now: Instant, io: &Io<'_, S>) {
        let settings = io.settings;
        self.clock = Clock {
            client_sends: Pace::new(settings.body_timeout, 0),
            client_takes: Pace::new(settings.send_timeout, io.ends.client_acked()),
            backend_sends: Pace::new(settings.response_timeout, 0),
            tunnel: Pace::new(settings.tunnel_timeout, 0),
            ..Clock::new(now)
        };
        self.outcome.received = io.ends.date();
    }

    /// How long the backend took from the beginning of the request to its response head, once.
    pub(crate) fn take_answered_in(&mut self) -> Option<Duration> {
        self.clock.answered_in.take()
    }

    /// A backend connection is about to get the request.
    pub(super) fn start_waiting<S>(&mut self, now: Instant, io: &Io<'_, S>) {
        self.clock.since = now;
        self.clock.asked = now;
        self.clock.backend_takes =
            Pace::new(io.settings.response_timeout, io.ends.upstream_acked());
        self.clock.backend_sends = Pace::new(io.settings.response_timeout, 0);
    }

    /// The backend has let the client go on: the time for its answer begins anew.
    pub(super) fn restart_waiting<S>(&mut self, io: &Io<'_, S>) {
        self.clock.backend_sends = Pace::new(io.settings.response_timeout, 0);
    }

    /// The response head is here.
    pub(super) fn start_answer<S>(&mut self, now: Instant, io: &Io<'_, S>) {
        self.outcome.first_byte = Some(now.since(self.clock.begun));
        self.clock.answered_in = Some(now.since(self.clock.asked));
        self.clock.backend_sends = Pace::new(io.settings.read_timeout, self.clock.heard);
    }

    /// Looks who is waited for now, and sets the deadline.
    pub(super) fn watch<S: Store>(&mut self, now: Instant, io: &Io<'_, S>) {
        let relays = matches!(
            self.phase,
            Phase::Wait | Phase::Body | Phase::Flush | Phase::Tunnel
        );
        if !relays {
            return;
        }
        let waited = now.since(self.clock.since);
        self.settle(self.clock.waiting, waited, io);
        if let Some(also) = self.clock.also {
            self.settle(also, waited, io);
        }
        self.clock.since = now;
        self.clock.waiting = self.whose_turn(io.buffers);
        self.clock.also = None;
        if self.reads_ahead() {
            // Both at a time: the one who has less time left counts.
            let client = self.clock.client_takes.left();
            let backend = self.clock.backend_sends.left();
            let (waiting, also) = match client < backend {
                true => (Waiting::ClientTakes, Waiting::BackendSends),
                false => (Waiting::BackendSends, Waiting::ClientTakes),
            };
            self.clock.waiting = waiting;
            self.clock.also = Some(also);
        }
        let left = self.clock.pace(self.clock.waiting).left();
        self.deadline = now + left;
        self.bound_deadline(io);
    }

    /// Somebody was waited for so long.
    fn settle<S>(&mut self, waiting: Waiting, waited: Duration, io: &Io<'_, S>) {
        let (limit, rate) = self.limit(waiting, io.settings);
        let done = self.done(waiting, io);
        self.clock.pace(waiting).settle(waited, done, limit, rate);
    }

    /// Whether the client has to take what it has missed, and the backend goes on meanwhile.
    fn reads_ahead(&self) -> bool {
        let is_here = matches!(self.upstream, Upstream::Up { .. });
        let behind = is_here && self.download.is_behind() && self.download.takes_more();
        // The backend may wait for the rest of the request.
        self.phase == Phase::Body && behind && (!self.sending || self.upload.is_done())
    }

    /// Lets an exchange not last longer than it may as a whole.
    pub(super) fn bound_deadline<S>(&mut self, io: &Io<'_, S>) {
        if let Some(end) = self.whole_end(io) {
            self.deadline = self.deadline.min(end);
        }
    }

    /// When the exchange has lasted for as long as it may, if there is a limit.
    fn whole_end<S>(&self, io: &Io<'_, S>) -> Option<Instant> {
        let whole = io.settings.exchange_timeout;
        let counts = match self.phase {
            Phase::Route | Phase::Wait | Phase::Body | Phase::Flush => true,
            Phase::Idle | Phase::Head | Phase::Report => false,
            Phase::Tunnel | Phase::Linger | Phase::Closed => false,
        };
        // What is sent in the place of an answer needs its own time.
        let counts = counts && !self.outcome.own_page && !self.replaced && !whole.is_zero();
        counts.then(|| self.clock.begun + whole)
    }

    fn whose_turn<S: Store>(&self, buffers: &Buffers<S>) -> Waiting {
        if self.phase == Phase::Tunnel {
            Waiting::Tunnel
        } else if !self.is_flushed(buffers) || (self.answered && self.is_without_client()) {
            Waiting::ClientTakes
        } else if !self.sending {
            Waiting::BackendSends
        } else if self.upload.is_held() && self.answered {
            // It need not take any more of the request.
            Waiting::BackendSends
        } else if !self.upload.is_idle() || !buffers.to_upstream.is_empty() {
            Waiting::BackendTakes
        } else if !self.upload.is_done() && !self.expecting {
            Waiting::ClientSends
        } else {
            Waiting::BackendSends
        }
    }

    /// Whether the backend has to go on with its answer, at whosever pace.
    fn waits_for_body(&self) -> bool {
        self.clock.waiting == Waiting::BackendSends || self.is_without_client()
    }

    /// How long somebody may be waited for, and how many octets in a second make up for waiting.
    fn limit(&self, waiting: Waiting, settings: &Settings) -> (Duration, u64) {
        let rate = settings.min_rate;
        match waiting {
            Waiting::ClientSends => (settings.body_timeout, rate),
            Waiting::ClientTakes => (settings.send_timeout, rate),
            Waiting::BackendTakes => (settings.response_timeout, 0),
            Waiting::BackendSends if self.answered => (settings.read_timeout, 0),
            Waiting::BackendSends => (settings.response_timeout, 0),
            Waiting::Tunnel => (settings.tunnel_timeout, 0),
        }
    }

    /// What somebody who is waited for has done in all.
    ///
    /// Who takes octets is measured by what its end acknowledges: a socket's buffer can hold more
    /// than a slow client takes in a minute.
    fn done<S>(&self, waiting: Waiting, io: &Io<'_, S>) -> u64 {
        match waiting {
            Waiting::ClientSends => self.upload.octets(),
            Waiting::ClientTakes if self.is_without_client() => self.download.octets(),
            Waiting::ClientTakes => io.ends.client_acked(),
            Waiting::BackendTakes => io.ends.upstream_acked(),
            // Neither a part of a head nor a 1xx response is an answer.
            Waiting::BackendSends if !self.answered => 0,
            Waiting::BackendSends => self.clock.heard,
            Waiting::Tunnel => {
                let moved = self.upload.octets().wrapping_add(self.download.octets());
                moved
                    .wrapping_add(io.ends.client_acked())
                    .wrapping_add(io.ends.upstream_acked())
            }
        }
    }

    /// The client has gone, and what comes is as good as taken.
    pub(super) fn leave_client(&mut self, now: Instant, settings: &Settings) {
        self.clock.client_takes = Pace::new(settings.send_timeout, self.download.octets());
        self.clock.waiting = Waiting::ClientTakes;
        self.clock.since = now;
    }

    /// How long the client may take nothing more of what is there for it.
    pub(super) fn left_to_take<S>(&mut self, now: Instant, io: &Io<'_, S>) -> Duration {
        let (limit, rate) = self.limit(Waiting::ClientTakes, io.settings);
        let waited = now.since(self.clock.since);
        self.clock.since = now;
        let pace = &mut self.clock.client_takes;
        pace.settle(waited, io.ends.client_acked(), limit, rate);
        pace.left()
    }

    /// The present phase has lasted too long.
    pub(super) fn overdue<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) {
        self.outcome.overran |= self.whole_end(io).is_some_and(|end| now >= end);
        if self.outcome.overran && self.reads_ahead() {
            // It would be over if the client had not fallen behind.
            self.clock.waiting = Waiting::ClientTakes;
        }
        match self.phase {
            Phase::Idle if io.ends.client_unacked() == 0 => self.shut_down(now, false),
            Phase::Idle => self.linger(now, io),
            Phase::Linger => self.linger_on(now, io),
            Phase::Head => self.fail(now, LATE_HEAD, io),
            Phase::Route => self.route_overdue(now, io),
            Phase::Report => self.fail(now, NO_MEMORY, io),
            Phase::Wait => match self.clock.waiting {
                Waiting::ClientSends => self.fail(now, LATE_BODY, io),
                Waiting::ClientTakes => self.close(now, Cause::ClientTimeout),
                _ => self.fail(now, LATE_ANSWER, io),
            },
            // There is an answer; only the request was never finished.
            Phase::Body | Phase::Flush if self.clock.waiting == Waiting::BackendTakes => {
                self.end_upload(None);
            }
            Phase::Body | Phase::Flush if self.clock.waiting == Waiting::ClientSends => {
                self.end_upload(Some(Cause::ClientTimeout));
            }
            Phase::Flush if self.is_flushed(io.buffers) => self.end_upload(None),
            Phase::Body if self.waits_for_body() => {
                if self.download.lacks_only_end() {
                    return self.end_missing(Cause::ServerTimeout, io);
                }
                if self.download.is_behind() {
                    // The client gets what there is for it.
                    self.blame(Cause::ServerTimeout);
                    return self.cut_short(now, io);
                }
                self.close(now, Cause::ServerTimeout);
            }
            Phase::Body | Phase::Flush => self.end_client(now, Cause::ClientTimeout, io),
            Phase::Tunnel => {
                self.blame(Cause::ClientTimeout);
                // What was not taken for so long would stay in the kernel for minutes.
                self.shut_down(now, io.ends.client_unacked() > 0);
            }
            Phase::Closed => {}
        }
    }
}

const LATE_HEAD: Failure = (
    Status::REQUEST_TIMEOUT,
    "the request did not come in time",
    Cause::ClientTimeout,
);
const LATE_BODY: Failure = (
    Status::REQUEST_TIMEOUT,
    "the body of the request did not come in time",
    Cause::ClientTimeout,
);
const LATE_ANSWER: Failure = (
    Status::GATEWAY_TIMEOUT,
    "the backend did not answer in time",
    Cause::ServerTimeout,
);
