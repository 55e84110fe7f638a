// SPDX-License-Identifier: GPL-2.0

//! Whether the actions of an exchange make sense one after the other.

use crate::exchange::{Action, Outcome};

#[derive(Default)]
pub(crate) struct Audit {
    /// A connection was asked for and has not been released.
    engaged: bool,
    /// The exchange that the connection is for was reported already.
    shut: bool,
    closed: bool,
    /// FIN was sent on the connection that was asked for.
    ended: bool,
    /// Connections asked for in the present exchange.
    tries: u8,
    pub(crate) finished: Vec<Outcome>,
}

impl Audit {
    pub(crate) fn note(&mut self, action: Action) {
        assert!(!self.closed, "{action:?} after the end");
        match action {
            Action::Connect { fresh } => {
                assert!(!self.engaged && !self.shut, "{action:?}");
                assert!(!fresh || self.tries > 0, "{action:?} is try {}", self.tries);
                assert!(self.tries < 100, "{action:?} again and again");
                self.engaged = true;
                self.ended = false;
                self.tries += 1;
            }
            Action::Release { .. } => {
                assert!(self.engaged, "{action:?} of nothing");
                self.engaged = false;
            }
            Action::Finish(outcome) => {
                assert!(!self.engaged, "{action:?} with a connection");
                self.tries = 0;
                self.finished.push(outcome);
            }
            Action::ShutdownUpstream => {
                assert!(self.engaged && !self.ended, "{action:?}");
                self.ended = true;
            }
            Action::Reset(_) | Action::Report(_) => assert!(!self.engaged),
            Action::ShutdownClient => {
                assert!(!self.shut, "{action:?} again");
                self.shut = true;
            }
            Action::CloseClient { .. } => {
                assert!(!self.engaged, "{action:?} with a connection");
                self.closed = true;
            }
        }
    }
}
