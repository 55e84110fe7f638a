// SPDX-License-Identifier: GPL-2.0

//! Connections for which there is no room: each gets a short page, and a moment to read it.
//!
//! The page is sent once the request, or its beginning, has come: a client does not look for an
//! answer before it has asked. Then the connection is kept, and what comes is thrown away, until the
//! client closes: a close with something unread, or before the client has sent all, would be an RST
//! that may overtake the page (RFC 9112 section 9.6). All of that is bounded: few connections wait at
//! a time, the oldest makes room, and none waits for longer than `linger-timeout`.

use kernel::alloc::KVec;
use kernel::prelude::*;

use crate::config::Settings;
use crate::http::date;
use crate::rt::clock;
use crate::rt::socket::Attached;
use crate::rt::socket::Io;
use crate::server::census::Denied;
use crate::server::listener::Listener;
use crate::time::Duration;
use crate::time::Instant;

/// Connections that wait at a time.
const ROOM: usize = 128;
/// Octets of one connection that are thrown away in one go.
const BUDGET: usize = 1 << 16;

/// The head, but for its Date, and the page. It has no length: the close ends it, so nothing needs to be
/// reckoned.
fn page(why: Denied, settings: &Settings) -> (&'static [u8], &[u8]) {
    let (head, reason, code): (&[u8], &[u8], u16) = match why {
        Denied::Share => (HEAD_429, b"Too Many Requests\n", 429),
        Denied::Full | Denied::NoMemory => (HEAD_503, b"Service Unavailable\n", 503),
    };
    match settings.page(code) {
        b"" => (head, reason),
        text => (head, text),
    }
}

const HEAD_503: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Connection: close\r\n\
    Retry-After: 1\r\n\
    Cache-Control: no-store\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Date: ";
const HEAD_429: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\n\
    Connection: close\r\n\
    Retry-After: 1\r\n\
    Cache-Control: no-store\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Date: ";

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has come from the client.
    Silent,
    /// Something has, and the page has not been sent.
    Asked,
    /// The page and FIN have been sent.
    Answered,
    /// Nothing more will come, or nothing more can be done.
    Over,
}

/// One refused connection. Dropped in process context, which closes it.
struct Visitor {
    socket: Attached<Listener>,
    why: Denied,
    since: Instant,
    stage: Stage,
}

impl Visitor {
    /// Does what can be done now, without waiting. Returns whether there may be more to do at once.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn step(&mut self, settings: &Settings) -> bool {
        let mut more = self.read();
        if self.stage == Stage::Asked {
            self.answer(settings);
            // FIN may have been read already, and then nothing tells of it again.
            more |= self.read();
        }
        more && self.stage != Stage::Over
    }

    /// Throws away what has come.
    fn read(&mut self) -> bool {
        let mut left = BUDGET;
        while left > 0 && self.stage != Stage::Over {
            match self.socket.discard(left) {
                Ok(Io::Done(count)) => {
                    left = left.saturating_sub(count);
                    if self.stage == Stage::Silent {
                        self.stage = Stage::Asked;
                    }
                }
                // Who has asked and half-closed still wants to know.
                Ok(Io::Eof) if self.stage == Stage::Asked => return false,
                Ok(Io::Eof) | Err(_) => self.stage = Stage::Over,
                Ok(Io::Wait | Io::Retry) => return false,
            }
        }
        true
    }

    /// Sends the page and FIN. It fits into an empty send buffer, or something is wrong.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn answer(&mut self, settings: &Settings) {
        let (head, text) = page(self.why, settings);
        let mut date = *b"Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        if let Some(date) = date.first_chunk_mut() {
            *date = date::format(clock::unix_now());
        }
        let page = [head, &date, text];
        let len = page.iter().map(|part| part.len()).sum();
        self.stage = match self.socket.send(page, false) {
            Ok(Io::Done(sent)) if sent == len && self.socket.shutdown_send() => Stage::Answered,
            // The sweep tries again.
            Ok(Io::Retry | Io::Wait) => Stage::Asked,
            _ => Stage::Over,
        };
    }

    /// Ends it, with its page if that was not sent.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn dismiss(mut self, settings: &Settings) {
        self.read();
        if matches!(self.stage, Stage::Silent | Stage::Asked) {
            self.answer(settings);
        }
    }
}

/// The refused connections of one listener, the oldest first.
pub(super) struct Refused(KVec<Visitor>);

impl Refused {
    /// None, and room for some. Process context.
    pub(super) fn new() -> Result<Self> {
        Ok(Self(KVec::with_capacity(ROOM, GFP_KERNEL)?))
    }

    /// Takes a connection in. Process context.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn add(
        &mut self,
        socket: Attached<Listener>,
        why: Denied,
        now: Instant,
        settings: &Settings,
    ) {
        if self.0.len() >= ROOM {
            if let Ok(oldest) = self.0.remove(0) {
                oldest.dismiss(settings);
            }
        }
        let mut visitor = Visitor {
            socket,
            why,
            since: now,
            stage: Stage::Silent,
        };
        // What is left to be read is seen in the next look at all of them.
        visitor.step(settings);
        if visitor.stage != Stage::Over {
            // There is room: it was made above. Else the connection is closed.
            let _ = self.0.push_within_capacity(visitor);
        }
    }

    /// Looks after all connections, and ends those that have waited for too long. Returns whether
    /// some have more to be read at once. Process context.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn look(&mut self, now: Instant, settings: &Settings) -> bool {
        let mut more = false;
        self.0.retain(|visitor| {
            more |= visitor.step(settings);
            visitor.stage != Stage::Over
        });
        while self.oldest_age(now) > settings.linger_timeout {
            match self.0.remove(0) {
                Ok(oldest) => oldest.dismiss(settings),
                Err(_) => break,
            }
        }
        more
    }

    /// Zero if there is none.
    fn oldest_age(&self, now: Instant) -> Duration {
        self.0
            .first()
            .map_or(Duration::ZERO, |oldest| now.since(oldest.since))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
