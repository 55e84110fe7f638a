// SPDX-License-Identifier: GPL-2.0

//! What the glue is to do next.

use super::Action;
use super::Exchange;
use super::Outcome;
use super::Reset;
use crate::status::Format;

/// Actions that have been decided and not yet been polled.
pub(super) struct Todo {
    pub(super) shutdown_upstream: bool,
    pub(super) release: Option<bool>,
    pub(super) finish: Option<Outcome>,
    pub(super) reset: Option<Reset>,
    pub(super) report: Option<Format>,
    pub(super) connect: Option<bool>,
    pub(super) shutdown: bool,
    pub(super) close: Option<bool>,
}

impl Todo {
    pub(super) const NOTHING: Self = Self {
        shutdown_upstream: false,
        release: None,
        finish: None,
        reset: None,
        report: None,
        connect: None,
        shutdown: false,
        close: None,
    };
}

impl Exchange {
    /// Whether [`Self::poll`] has something to say.
    pub(crate) fn is_pending(&self) -> bool {
        let todo = &self.todo;
        todo.shutdown
            || todo.shutdown_upstream
            || todo.release.is_some()
            || todo.finish.is_some()
            || todo.reset.is_some()
            || todo.report.is_some()
            || todo.connect.is_some()
            || todo.close.is_some()
    }

    /// The next thing to do, if there is one. After an `Action::Finish`, once all is done, `Event::Tick` goes
    /// on.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        let todo = &mut self.todo;
        if core::mem::take(&mut todo.shutdown_upstream) {
            return Some(Action::ShutdownUpstream);
        }
        if let Some(reuse) = todo.release.take() {
            return Some(Action::Release { reuse });
        }
        if let Some(outcome) = todo.finish.take() {
            return Some(Action::Finish(outcome));
        }
        if let Some(reset) = todo.reset.take() {
            return Some(Action::Reset(reset));
        }
        if let Some(format) = todo.report.take() {
            return Some(Action::Report(format));
        }
        if let Some(fresh) = todo.connect.take() {
            return Some(Action::Connect { fresh });
        }
        if core::mem::take(&mut todo.shutdown) {
            return Some(Action::ShutdownClient);
        }
        let abort = todo.close.take()?;
        Some(Action::CloseClient { abort })
    }
}
