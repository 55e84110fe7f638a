// SPDX-License-Identifier: GPL-2.0

//! How a backend is, why, and for how long: in words.

use core::fmt::{self, Display, Formatter};
use core::net::SocketAddr;

use super::numbers::Lasted;
use super::Backend;
use crate::config::Admin;
use crate::lb::{Condition, Why};
use crate::time::Duration;

/// How a backend is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// In use.
    Ok,
    /// In use again: it gets more and more to do.
    Warming,
    /// All its exchanges stand still: it gets no new sessions.
    Paused,
    /// It has failed, and is left alone for some time.
    Failing,
    /// The administrator wants it to get no new sessions.
    Drain,
    /// The administrator wants it to get no requests.
    Down,
}

impl State {
    /// All of them.
    pub(crate) const ALL: [State; 6] = [
        State::Ok,
        State::Warming,
        State::Paused,
        State::Failing,
        State::Drain,
        State::Down,
    ];

    /// What a backend itself makes of it, in few words: one that gets warm is in use.
    pub(crate) fn of(condition: Condition) -> Self {
        match condition {
            Condition::Up | Condition::Warming => State::Ok,
            Condition::Paused => State::Paused,
            Condition::Failed | Condition::Due | Condition::Tried => State::Failing,
        }
    }

    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warming => "warming",
            State::Paused => "paused",
            State::Failing => "failing",
            State::Drain => "drain",
            State::Down => "down",
        }
    }
}

impl Backend<'_> {
    /// In one word how it is.
    pub(crate) fn state(&self) -> State {
        match self.config.admin {
            Admin::Down => State::Down,
            Admin::Drain => State::Drain,
            Admin::Up if self.condition == Condition::Warming => State::Warming,
            Admin::Up => State::of(self.condition),
        }
    }

    /// Why it is failing; none if it is not.
    pub(crate) fn why(&self) -> Option<Why> {
        self.why.filter(|_| self.state() == State::Failing)
    }

    /// For how long it has been so. Nobody notes when the administrator wanted something.
    pub(crate) fn lasted(&self) -> Option<Duration> {
        (self.config.admin == Admin::Up).then_some(self.lasted)
    }
}

/// The word for why a backend is failing.
pub(crate) const fn reason(why: Why) -> &'static str {
    match why {
        Why::Refused => "refused",
        Why::Errors => "errors",
        Why::Probes => "probes",
    }
}

/// The state of a backend with what there is to say of it: `failing for 12s: refused connections`.
///
/// One that is well is `ok` and no more, as in the original page: scripts look for that.
pub(crate) struct Phrase<'a>(pub(crate) &'a Backend<'a>);

impl Display for Phrase<'_> {
    #[inline(never)] // Keeps its frame out of its caller's.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let state = self.0.state();
        f.write_str(state.name())?;
        if let Some(lasted) = self.0.lasted().filter(|_| state != State::Ok) {
            write!(f, " for {}", Lasted(lasted))?;
        }
        f.write_str(because(self.0.why()))
    }
}

fn because(why: Option<Why>) -> &'static str {
    match why {
        Some(Why::Refused) => ": refused connections",
        Some(Why::Errors) => ": errors on end",
        Some(Why::Probes) => ": probes failed",
        None => "",
    }
}

/// What the kernel log is told of a backend that is not as it was:
/// `srun-0 (127.0.0.1:6802) is failing: refused connections`, `srun-0 (127.0.0.1:6802) is ok again`.
pub(crate) struct News {
    /// Its number.
    pub(crate) slot: usize,
    pub(crate) addr: SocketAddr,
    /// How it is now.
    pub(crate) state: State,
    /// Why it has failed the last time.
    pub(crate) why: Option<Why>,
}

impl Display for News {
    #[inline(never)] // Keeps its frame out of its caller's.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            slot, addr, state, ..
        } = self;
        write!(f, "srun-{slot} ({addr}) is {}", state.name())?;
        f.write_str(match state {
            State::Ok => " again",
            State::Failing => because(self.why),
            _ => "",
        })
    }
}
