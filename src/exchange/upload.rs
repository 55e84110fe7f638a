// SPDX-License-Identifier: GPL-2.0

//! The request on its way to the backend: its head, and its body while it comes in.

use core::net::IpAddr;

use super::buffers::stage;
use super::relay::Broken;
use super::relay::Progress;
use super::Buffers;
use super::Cause;
use super::Exchange;
use super::Failure;
use super::Flow;
use super::Io;
use super::Phase;
use super::Store;
use super::Upstream;
use super::BODY_ROOM;
use super::NO_MEMORY;
use crate::bytes::Full;
use crate::cache::Believed;
use crate::cache::Kept;
use crate::config::Forwarding;
use crate::config::Settings;
use crate::http::body::Body;
use crate::http::encode;
use crate::http::encode::Framing;
use crate::http::forward::Forward;
use crate::http::forward::Treatment;
use crate::http::head::BodyLength;
use crate::http::head::RequestHead;
use crate::http::head::Scan;
use crate::http::Status;
use crate::http::Version;
use crate::srun::Wire;
use crate::time::Instant;

impl Exchange {
    /// A backend connection is up: sends the request.
    pub(super) fn upstream_ready<S: Store>(
        &mut self,
        now: Instant,
        reused: bool,
        io: &mut Io<'_, S>,
    ) {
        if self.phase != Phase::Route {
            return;
        }
        self.upstream = Upstream::Up {
            reused,
            persist: false,
        };
        self.scan = Scan::new();
        self.acked_before = io.ends.upstream_acked();
        self.asked = false;
        self.finished_first = false;
        self.spoken = None;
        io.buffers.response.clear();
        let staged = match Wire::of(io.ends.protocol()) {
            None => self.stage_request(io),
            Some(wire) => self.stage_frames(wire, io),
        };
        if let Err(failure) = staged {
            // A request that cannot be told to this backend: the connection is as good as before.
            self.drop_upstream(failure.2 == Cause::Proxy);
            return self.fail(now, failure, io);
        }
        self.sending = true;
        self.start_waiting(now, io);
        self.phase = Phase::Wait;
    }

    /// Stages the request's head for a backend connection that is up; the body follows it.
    fn stage_request<S: Store>(&mut self, io: &mut Io<'_, S>) -> Result<(), Failure> {
        self.wire = None;
        if io.ends.backend_version() == Some(Version::Http10) {
            self.go_ahead(io).map_err(|Full| NO_MEMORY)?;
        }
        let Some(head) = &self.request else {
            return Err(NO_MEMORY);
        };
        let framing = framing(head.body);
        self.upload
            .rewind(Body::of_request(head.body), framing, head.len);
        let forward = self.forward(head, io);
        let to_upstream = &mut io.buffers.to_upstream;
        to_upstream.clear();
        let bytes = io.buffers.request.filled();
        stage(to_upstream, encode::request_room(head, &forward), |out| {
            encode::request_head(head, bytes, &forward, out)
        })
        .map_err(|Full| NO_MEMORY)
    }

    /// Tells a client that waits for it to send its body, where the backend has no word for that: it
    /// speaks another protocol or, as far as we know, only HTTP/1.0 (RFC 9110 section 10.1.1).
    pub(super) fn go_ahead<S: Store>(&mut self, io: &mut Io<'_, S>) -> Result<(), Full> {
        if !core::mem::take(&mut self.expecting) {
            return Ok(());
        }
        stage(&mut io.buffers.to_client, GO_AHEAD.len(), |out| {
            out.put(GO_AHEAD)
        })
    }

    /// What the backend is told of the client, and what it is asked for.
    pub(super) fn forward<'a, S>(&self, head: &RequestHead, io: &Io<'a, S>) -> Forward<'a> {
        let settings = io.settings;
        let client = io.client.ip();
        let [x_for, x_proto, x_host, forwarded] = treatments(settings, client);
        Forward {
            client,
            client_port: io.client.port(),
            x_for,
            x_proto,
            x_host,
            forwarded,
            name: io.name,
            cdn_loop: settings.cdn_loop,
            fallback_host: io.ends.fallback_host(),
            upgrade: head.upgrade,
            expect: self.expecting,
            trailers: true,
            max_forwards: self.hops,
            conditions: io.conditions,
        }
    }

    /// Makes room for more of the body: by a larger buffer, or by what was sent already.
    pub(super) fn upload_room<S: Store>(&mut self, buffers: &mut Buffers<S>) {
        let request = &mut buffers.request;
        if request.is_full() && request.capacity() < BODY_ROOM {
            request.store_mut().reserve(BODY_ROOM);
        }
        if request.is_full() {
            self.upload.forget(request);
        }
    }

    /// Names the next octets of the body that can go to the backend.
    pub(super) fn upload_more<S: Store>(&mut self, now: Instant, io: &mut Io<'_, S>) -> Flow {
        let buffers = &mut *io.buffers;
        let progress = self
            .upload
            .pump(&mut buffers.request, &mut buffers.to_upstream);
        match progress {
            Err(Broken::Framing(violation)) => {
                let (status, why) = (violation.status, violation.reason);
                self.fail(now, (status, why, Cause::Proxy), io);
                return Flow::Again;
            }
            Err(Broken::Memory) => {
                self.fail(now, NO_MEMORY, io);
                return Flow::Again;
            }
            // What is missing will never come.
            Ok(Progress::Starved) if self.ended && self.phase != Phase::Tunnel => {
                self.fail(now, CUT_SHORT, io);
                return Flow::Again;
            }
            Ok(_) => {}
        }
        if self.upload.octets() > 0 || self.upload.is_done() {
            self.expecting = false;
        }
        if is_too_large(self.upload.octets(), io) && self.phase != Phase::Tunnel {
            self.fail(now, TOO_LARGE, io);
            return Flow::Again;
        }
        Flow::Wait
    }

    /// Whether to go on at once, with octets of the body that the backend lets go now.
    pub(super) fn resumes(&self) -> Flow {
        if self.sending && self.upload.may_go_on() {
            Flow::Again
        } else {
            Flow::Wait
        }
    }

    /// The answer is out. Lets the backend have the rest of the request, and then lets go of it.
    pub(super) fn finish_upload<S: Store>(&mut self, io: &Io<'_, S>) -> Flow {
        let Upstream::Up { persist, .. } = self.upstream else {
            return Flow::Again;
        };
        if !self.sending || !io.buffers.response.is_empty() {
            // It listens no more, or says more than it was asked for.
            self.drop_upstream(false);
        } else if self.is_uploaded(io.buffers) {
            self.drop_upstream(persist);
        } else {
            return Flow::Wait;
        }
        Flow::Again
    }

    /// Whether the backend's socket has taken all of the request.
    pub(super) fn is_uploaded<S: Store>(&self, buffers: &Buffers<S>) -> bool {
        self.upload.is_done() && self.upload.is_idle() && buffers.to_upstream.is_empty()
    }

    /// Whether a body follows the request's head.
    pub(crate) fn has_body(&self) -> bool {
        let head = self.request.as_ref();
        head.is_some_and(|head| head.body != BodyLength::None)
    }

    /// Whether the backend has the whole request, and has to answer it.
    pub(crate) fn is_asked<S: Store>(&self, buffers: &Buffers<S>) -> bool {
        self.phase == Phase::Wait && self.is_uploaded(buffers)
    }

    /// The request will not be completed, and the answer has begun: it may go on, for servers answer
    /// without having read all (RFC 9112 section 9.3), and clients stop sending then (section 9.5).
    /// A backend is not to blame for that.
    pub(super) fn end_upload(&mut self, cause: Option<Cause>) {
        if let Some(cause) = cause {
            self.outcome.blame(cause, b'B');
        }
        self.upstream_deaf(false);
        self.persist = false;
        if self.phase == Phase::Flush {
            self.drop_upstream(false);
        }
    }

    /// The backend takes no more of the request. Its answer may be there all the same: RFC 9112
    /// section 9.6 has servers that answer, and close without having read all.
    pub(super) fn upstream_deaf(&mut self, finished: bool) {
        self.sending = false;
        self.finished_first = finished;
        if let Upstream::Up { persist, .. } = &mut self.upstream {
            *persist = false;
        }
    }
}

/// How a body that comes in this framing goes to an HTTP backend: in the same.
pub(super) fn framing(body: BodyLength) -> Framing {
    match body {
        BodyLength::None => Framing::None,
        BodyLength::Length(octets) => Framing::Length(octets),
        BodyLength::Chunked => Framing::Chunked,
    }
}

/// Which of what a request of this client says of those who have forwarded it the backend sees as it
/// came.
pub(crate) fn kept(settings: &Settings, client: IpAddr) -> Kept {
    Kept::of(treatments(settings, client))
}

/// Which of what this client says of its target's scheme and host the backend gets to see. A trusted
/// one's scheme it may hear of in other ways, too ([`framed`](super::framed)).
pub(crate) fn believed(settings: &Settings, client: IpAddr) -> Believed {
    let trusted = settings.trusted_proxies.contains(client);
    let is_seen = |policy| trusted || policy == Forwarding::Off;
    Believed {
        proto: is_seen(settings.x_forwarded_proto),
        host: is_seen(settings.x_forwarded_host),
        forwarded: is_seen(settings.forwarded),
    }
}

/// What becomes of X-Forwarded-For, -Proto, -Host and Forwarded.
fn treatments(settings: &Settings, client: IpAddr) -> [Treatment; 4] {
    let trusted = settings.trusted_proxies.contains(client);
    let policies = [
        settings.x_forwarded_for,
        settings.x_forwarded_proto,
        settings.x_forwarded_host,
        settings.forwarded,
    ];
    policies.map(|policy| treatment(policy, trusted))
}

/// What becomes of a field about those who have forwarded the request before: only a trusted one is
/// believed.
fn treatment(policy: Forwarding, trusted: bool) -> Treatment {
    match policy {
        Forwarding::Off => Treatment::Keep,
        Forwarding::Remove if trusted => Treatment::Keep,
        Forwarding::Remove => Treatment::Remove,
        Forwarding::Append if trusted => Treatment::Append,
        Forwarding::Append | Forwarding::Replace => Treatment::Replace,
    }
}

/// Whether a body of so many octets is more than the settings allow.
pub(super) fn is_too_large<S>(octets: u64, io: &Io<'_, S>) -> bool {
    io.settings.body_size != 0 && octets > io.settings.body_size
}

const GO_AHEAD: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

pub(super) const TOO_LARGE: Failure = (
    Status::CONTENT_TOO_LARGE,
    "the body of the request is too large",
    Cause::Proxy,
);
const CUT_SHORT: Failure = (
    Status::BAD_REQUEST,
    "the body of the request ends before its time",
    Cause::Client,
);
