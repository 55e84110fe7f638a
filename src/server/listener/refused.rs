// SPDX-License-Identifier: GPL-2.0

//! Connections for which there is no room: each gets a short page, and a moment to read it.
//!
//! The page is sent once the request, or its beginning, has come: a client does not look for an
//! answer before it has asked. Then the connection is kept, and what comes is thrown away, until the
//! client closes: a close with something unread, or before the client has sent all, would be an RST
//! that may overtake the page (RFC 9112 section 9.6). All of that is bounded: few connections wait at
//! a time, the oldest makes room, and none waits for longer than `linger-timeout`.
//!
//! Each has one line in the access log, when its page is sent or when that can be no more, and a
//! number of its own, which is on the page.

use core::net::IpAddr;
use kernel::alloc::KVec;
use kernel::prelude::*;

use crate::bytes::Writer;
use crate::config::Settings;
use crate::http::encode;
use crate::http::encode::ErrorPage;
use crate::http::encode::Persist;
use crate::http::Status;
use crate::http::Version;
use crate::log::Entry;
use crate::log::Format;
use crate::rt::clock;
use crate::rt::socket::Attached;
use crate::rt::socket::Io;
use crate::server::census::Denied;
use crate::server::listener::Listener;
use crate::server::Engine;
use crate::time::Duration;
use crate::time::Instant;
use crate::time::UnixTime;

/// Connections that wait at a time.
const ROOM: usize = 128;
/// Octets of one connection that are thrown away in one go.
const BUDGET: usize = 1 << 16;

/// What the client is told, and the letters of the log: who has ended it is the gateway either way,
/// by a limit or for want of something.
fn verdict(why: Denied) -> (Status, &'static str, [u8; 2]) {
    match why {
        Denied::Share => (Status::TOO_MANY_REQUESTS, ENOUGH, *b"PR"),
        Denied::Full => (Status::SERVICE_UNAVAILABLE, FULL, *b"PR"),
        Denied::NoMemory => (Status::SERVICE_UNAVAILABLE, NO_MEMORY, *b"RR"),
    }
}

const ENOUGH: &str = "there are too many connections from this address";
const FULL: &str = "there are too many connections";
const NO_MEMORY: &str = "there is not enough memory for this connection";

/// A connection as the log knows it.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    peer: IpAddr,
    /// Its number, where others have that of a request.
    id: u64,
    at: Instant,
    date: UnixTime,
}

impl Arrival {
    /// One that has come just now.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn new(engine: &Engine, peer: IpAddr) -> Self {
        Self {
            peer,
            id: engine.number(),
            at: clock::now(),
            date: clock::unix_now(),
        }
    }

    /// Logs that it was refused, and what it was told, if anything: a status, and so many octets. It
    /// waits for nobody, and takes no memory: whoever floods us pushes out older lines, no more.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn log(
        &self,
        engine: &Engine,
        settings: &Settings,
        why: Denied,
        told: Option<(Status, usize)>,
    ) {
        let Some(format) = Format::of(settings.log) else {
            return;
        };
        let now = clock::now();
        let (_, _, ending) = verdict(why);
        let entry = Entry {
            client: self.peer,
            received: self.date,
            status: told.map_or(0, |(status, _)| status.code()),
            octets: told.map_or(0, |(_, octets)| octets as u64),
            backend: None,
            cache: "-",
            total: now.since(self.at),
            first_byte: None,
            ending,
            id: self.id,
            is_remark: false,
        };
        engine.log_line(format, now, &entry, b"");
    }
}

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
    arrival: Arrival,
    stage: Stage,
}

impl Visitor {
    /// Does what can be done now, without waiting, with `room` for a page. Returns whether there may
    /// be more to do at once.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn step(&mut self, settings: &Settings, room: &mut [u8]) -> bool {
        let mut more = self.read(settings);
        if self.stage == Stage::Asked {
            self.answer(settings, room);
            // FIN may have been read already, and then nothing tells of it again.
            more |= self.read(settings);
        }
        more && self.stage != Stage::Over
    }

    /// Throws away what has come.
    fn read(&mut self, settings: &Settings) -> bool {
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
                Ok(Io::Eof) | Err(_) => self.end(settings),
                Ok(Io::Wait | Io::Retry) => return false,
            }
        }
        true
    }

    /// Sends the page and FIN. It fits into an empty send buffer, or something is wrong.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn answer(&mut self, settings: &Settings, room: &mut [u8]) {
        let (status, _, _) = verdict(self.why);
        let page = self.page(settings, room);
        match self.socket.send([page, b"", b""], false) {
            // The sweep tries again.
            Ok(Io::Retry | Io::Wait) => self.stage = Stage::Asked,
            Ok(Io::Done(sent)) => {
                self.log(settings, Some((status, encode::content(page).len())));
                let whole = sent == page.len() && self.socket.shutdown_send();
                self.stage = if whole { Stage::Answered } else { Stage::Over };
            }
            _ => self.end(settings),
        }
    }

    /// Writes the page into `room`. It is plain text: nobody reads what the client accepts, nor
    /// whether it has asked with HEAD.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn page<'a>(&self, settings: &Settings, room: &'a mut [u8]) -> &'a [u8] {
        let (status, reason, _) = verdict(self.why);
        let page = ErrorPage {
            status,
            reason,
            text: settings.page(status.code()),
            id: self.arrival.id,
            plain: true,
            head_only: false,
            persist: Persist::Close,
            client: Version::Http11,
            now: clock::unix_now(),
        };
        let mut out = Writer::new(room);
        // There is room for the longest page.
        let _ = encode::error_page(&page, &mut out);
        let len = out.len();
        room.get(..len).unwrap_or(&[])
    }

    /// Ends it, with its page if that was not sent. It is to be dropped then.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn dismiss(&mut self, settings: &Settings, room: &mut [u8]) {
        self.read(settings);
        if self.is_untold() {
            self.answer(settings, room);
        }
        self.end(settings);
    }

    /// Nothing more is done for it. If it was not told why, the log says that too.
    fn end(&mut self, settings: &Settings) {
        if self.is_untold() {
            self.log(settings, None);
        }
        self.stage = Stage::Over;
    }

    fn is_untold(&self) -> bool {
        matches!(self.stage, Stage::Silent | Stage::Asked)
    }

    fn log(&self, settings: &Settings, told: Option<(Status, usize)>) {
        let engine = &self.socket.owner().engine;
        self.arrival.log(engine, settings, self.why, told);
    }
}

/// The refused connections of one listener.
pub(super) struct Refused {
    /// The oldest first.
    visitors: KVec<Visitor>,
    /// Room for a page: when one is needed there may be no memory.
    page: KVec<u8>,
}

impl Refused {
    /// None, and room for some. Process context.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            visitors: KVec::with_capacity(ROOM, GFP_KERNEL)?,
            page: KVec::from_elem(0, encode::PAGE_MAX, GFP_KERNEL)?,
        })
    }

    /// Takes a connection in. Process context.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn add(
        &mut self,
        socket: Attached<Listener>,
        why: Denied,
        arrival: Arrival,
        settings: &Settings,
    ) {
        if self.visitors.len() >= ROOM {
            self.dismiss_oldest(settings);
        }
        let visitor = Visitor {
            socket,
            why,
            arrival,
            stage: Stage::Silent,
        };
        if self.push(visitor) {
            self.step_newest(settings);
        }
    }

    /// Puts one behind the others. Says whether it could; else the connection is closed.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn push(&mut self, visitor: Visitor) -> bool {
        // No memory is taken: there is room.
        self.visitors.push(visitor, GFP_KERNEL).is_ok()
    }

    /// Does what can be done for who came last. What is left to be read is seen in the next look at
    /// all of them.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn step_newest(&mut self, settings: &Settings) {
        let Some(newest) = self.visitors.last_mut() else {
            return;
        };
        newest.step(settings, &mut self.page);
        if newest.stage == Stage::Over {
            drop(self.visitors.pop());
        }
    }

    /// Does what can be done for all. Returns whether some have more to be read at once.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn step_all(&mut self, settings: &Settings) -> bool {
        let mut more = false;
        let page = &mut self.page;
        self.visitors.retain(|visitor| {
            more |= visitor.step(settings, page);
            visitor.stage != Stage::Over
        });
        more
    }

    /// Ends who has waited longest.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn dismiss_oldest(&mut self, settings: &Settings) {
        if let Some(oldest) = self.visitors.first_mut() {
            oldest.dismiss(settings, &mut self.page);
        }
        drop(self.visitors.remove(0));
    }

    /// Looks after all connections, and ends those that have waited for too long. Returns whether
    /// some have more to be read at once. Process context.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn look(&mut self, now: Instant, settings: &Settings) -> bool {
        let more = self.step_all(settings);
        // Ends: without any the age is zero.
        while self.oldest_age(now) > settings.linger_timeout {
            self.dismiss_oldest(settings);
        }
        more
    }

    /// Ends them all, as they are. Process context.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn end(mut self, settings: &Settings) {
        for visitor in &mut self.visitors {
            visitor.end(settings);
        }
    }

    /// Zero if there is none.
    fn oldest_age(&self, now: Instant) -> Duration {
        self.visitors
            .first()
            .map_or(Duration::ZERO, |oldest| now.since(oldest.arrival.at))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.visitors.is_empty()
    }
}
