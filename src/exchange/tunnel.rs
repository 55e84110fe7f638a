// SPDX-License-Identifier: GPL-2.0

//! After a 101 the connection is another protocol's: octets go both ways until both ends have
//! finished (RFC 9110 section 7.8).

use super::Exchange;
use super::Flow;
use super::Io;
use super::Phase;
use super::Relay;
use super::Store;
use crate::http::body::Body;
use crate::http::encode::Framing;
use crate::time::Instant;

impl Exchange {
    /// Whether the connection has become another protocol's since this was last asked.
    pub(crate) fn take_switched(&mut self) -> bool {
        core::mem::take(&mut self.switched)
    }

    /// The head of the 101 is staged, the request was taken whole.
    pub(super) fn enter_tunnel<S: Store>(&mut self, io: &mut Io<'_, S>) {
        self.upload.forget(&mut io.buffers.request);
        self.upload = Relay::new(Body::UntilClose, Framing::Close, 0, false);
        self.download = Relay::new(Body::UntilClose, Framing::Close, 0, false);
        self.persist = false;
        self.sending = true;
        self.outcome.tunnel = true;
        self.switched = true;
        self.phase = Phase::Tunnel;
    }

    /// Names what can go to the client. What can go to the backend was named already.
    pub(super) fn relay_tunnel<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        let buffers = &mut *io.buffers;
        // Such a body has no framing that could be wrong, and stages nothing.
        let _ = self
            .download
            .pump(&mut buffers.response, &mut buffers.to_client);
        let sent = self.upload.is_idle() && buffers.to_upstream.is_empty();
        let ended = self.ended && sent && buffers.request.is_empty();
        if ended && self.sending && !self.told.upstream {
            self.told.upstream = true;
            self.todo.shutdown_upstream = true;
        }
        // A backend that listens no more need not be told.
        let over = self.told.upstream || !self.sending;
        let flushed = self.upstream_ended && self.is_flushed(io.buffers);
        if flushed && over {
            self.drop_upstream(false);
            // It ends in order: what is on its way arrives.
            self.cut = false;
            self.finish(now);
            self.linger(now, io);
        } else if flushed && !self.told.client {
            self.told.client = true;
            self.todo.shutdown = true;
        }
        Flow::Wait
    }
}
