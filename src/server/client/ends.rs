// SPDX-License-Identifier: GPL-2.0

//! What an exchange sees of its connections.

use core::net::SocketAddr;

use super::Client;
use super::Hop;
use super::State;
use crate::config::Protocol;
use crate::exchange::Buffers;
use crate::exchange::Ends;
use crate::exchange::Exchange;
use crate::exchange::Io;
use crate::http::Version;
use crate::rt::clock;
use crate::rt::socket::Attached;
use crate::server::backend::Backend;
use crate::server::cache::Visit;
use crate::server::engine::Config;
use crate::server::memory::Memory;
use crate::server::upstream::Link;
use crate::time::UnixTime;

impl State {
    /// What the exchange does with what it sees of its connections.
    #[inline(always)] // Its callers have a frame of their own.
    pub(super) fn with<R>(
        &mut self,
        act: impl FnOnce(&mut Exchange, &mut Io<'_, Memory>) -> R,
    ) -> R {
        // Not by `ends()`: the rest of the state is borrowed, too.
        let ends = Sockets {
            client: self.socket.as_ref(),
            upstream: &self.upstream,
        };
        let mut io = io(
            &mut self.buffers,
            &self.config,
            &ends,
            &mut self.visit,
            (self.peer, self.id),
        );
        act(&mut self.exchange, &mut io)
    }

    /// What an exchange sees of its connections.
    pub(super) fn ends(&self) -> impl Ends + '_ {
        Sockets {
            client: self.socket.as_ref(),
            upstream: &self.upstream,
        }
    }
}

/// What an exchange sees of its connections.
fn io<'a>(
    buffers: &'a mut Buffers<Memory>,
    config: &'a Config,
    ends: &'a Sockets<'a>,
    visit: &'a mut Visit,
    (client, id): (SocketAddr, u64),
) -> Io<'a, Memory> {
    let (tap, conditions) = visit.look_on();
    Io {
        buffers,
        settings: &config.settings,
        client,
        name: config.name(),
        id,
        ends,
        conditions,
        tap,
    }
}

/// The two connections, as far as there are any.
struct Sockets<'a> {
    client: Option<&'a Attached<Client>>,
    upstream: &'a Hop,
}

impl Sockets<'_> {
    fn link(&self) -> Option<&Link> {
        match self.upstream {
            Hop::Connecting(link) | Hop::Up(link) => Some(link),
            Hop::None => None,
        }
    }

    fn backend(&self) -> Option<&Backend> {
        self.link().map(|link| &**link.owner().backend())
    }
}

impl Ends for Sockets<'_> {
    fn date(&self) -> UnixTime {
        clock::unix_now()
    }

    fn fallback_host(&self) -> &[u8] {
        self.backend().map_or(b"", Backend::authority)
    }

    fn stamp(&self) -> Option<u64> {
        self.backend().map(Backend::stamp)
    }

    fn protocol(&self) -> Protocol {
        self.backend().map_or(Protocol::Http, Backend::protocol)
    }

    fn backend_version(&self) -> Option<Version> {
        self.backend().and_then(Backend::version)
    }

    fn client_acked(&self) -> u64 {
        self.client.map_or(0, Attached::acked)
    }

    fn client_unacked(&self) -> u64 {
        self.client.map_or(0, Attached::unacked)
    }

    fn upstream_acked(&self) -> u64 {
        self.link().map_or(0, |link| link.acked())
    }
}
