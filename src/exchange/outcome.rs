// SPDX-License-Identifier: GPL-2.0

//! How an exchange ended: for the counters and the log.

use super::Exchange;
use super::Phase;
use crate::config::Log;
use crate::http::Status;
use crate::time::Duration;
use crate::time::Instant;
use crate::time::UnixTime;

/// What there is to say of an exchange that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the client was told; none if it was told nothing.
    pub(crate) status: Option<Status>,
    /// There was no whole answer, or the client did not take it whole.
    pub(crate) aborted: bool,
    /// The answer is our own: a page, or the gateway's status.
    pub(crate) own_page: bool,
    /// Who ended it before its time, and where: two letters, `--` if nobody did.
    pub(crate) ending: [u8; 2],
    /// The number of the request.
    pub(crate) id: u64,
    /// When the request's first octet came.
    pub(crate) received: UnixTime,
    /// From then to the end.
    pub(crate) total: Duration,
    /// From then to the backend's response head, if there was one.
    pub(crate) first_byte: Option<Duration>,
    /// Body octets of the answer that were on their way.
    pub(crate) octets: u64,
    /// And of the request.
    pub(crate) uploaded: u64,
    /// The request had a body.
    pub(crate) uploads: bool,
    /// The request was sent again, on another connection.
    pub(crate) replayed: bool,
    /// It became a tunnel.
    pub(crate) tunnel: bool,
    /// How it is to be logged.
    pub(crate) log: Log,
    /// It has lasted for as long as an exchange may as a whole.
    pub(crate) overran: bool,
}

/// Who has ended an exchange before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The client went away.
    Client,
    /// The client was too slow.
    ClientTimeout,
    /// The backend went away, or could not be reached.
    Server,
    /// The backend was too slow.
    ServerTimeout,
    /// This gateway would not have it: it is malformed, or beyond a limit.
    Proxy,
    /// There was no memory, or no backend.
    Resource,
    /// This gateway has answered it itself, as it should.
    Local,
}

/// Why a request gets a page of ours: its status, what it says, who is to blame.
pub(super) type Failure = (Status, &'static str, Cause);

impl Outcome {
    /// Of an exchange that has not begun.
    pub(super) const NOTHING: Outcome = Outcome {
        status: None,
        aborted: false,
        own_page: false,
        ending: *b"--",
        id: 0,
        received: UnixTime::from_secs(0),
        total: Duration::ZERO,
        first_byte: None,
        octets: 0,
        uploaded: 0,
        uploads: false,
        replayed: false,
        tunnel: false,
        log: Log::Off,
        overran: false,
    };

    /// Notes who has ended it, and at what stage; the first one counts.
    pub(super) fn blame(&mut self, cause: Cause, stage: u8) {
        if self.ending == *b"--" {
            self.ending = [cause.letter(), stage];
        }
    }
}

impl Cause {
    /// HAProxy's letter for it, the first of its "termination state".
    const fn letter(self) -> u8 {
        match self {
            Cause::Client => b'C',
            Cause::ClientTimeout => b'c',
            Cause::Server => b'S',
            Cause::ServerTimeout => b's',
            Cause::Proxy => b'P',
            Cause::Resource => b'R',
            Cause::Local => b'L',
        }
    }
}

impl Exchange {
    /// Notes who has ended the exchange before its time; the first one counts.
    pub(super) fn blame(&mut self, cause: Cause) {
        let stage = self.stage();
        self.outcome.blame(cause, stage);
    }

    /// Ends this exchange for the log; once.
    pub(super) fn finish(&mut self, now: Instant) {
        if self.request.is_some() || self.answered || self.phase == Phase::Head {
            if !self.outcome.own_page {
                self.outcome.octets = self.gone.unwrap_or(self.download.passed_on());
            }
            self.outcome.uploaded = self.upload.octets();
            self.outcome.total = now.since(self.clock.begun());
            self.todo.finish = Some(self.outcome);
        }
        self.outcome = Outcome::NOTHING;
        self.garbage = false;
        self.failure = None;
        self.queue_until = None;
        self.elsewhere = false;
        self.replaced = false;
        self.request = None;
        self.answered = false;
    }

    /// The letter of where the exchange is: `R`equest head, `C`onnecting, request `B`ody, response
    /// `H`ead, response `D`ata, `L`ast octets, `T`unnel.
    pub(super) fn stage(&self) -> u8 {
        match self.phase {
            Phase::Idle | Phase::Head | Phase::Report => b'R',
            Phase::Route => b'C',
            Phase::Wait if !self.upload.is_done() => b'B',
            Phase::Wait => b'H',
            Phase::Body => b'D',
            Phase::Flush | Phase::Linger | Phase::Closed => b'L',
            Phase::Tunnel => b'T',
        }
    }
}
