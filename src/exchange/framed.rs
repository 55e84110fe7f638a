// SPDX-License-Identifier: GPL-2.0

//! Exchanges with a backend that speaks HMUX or srun: the heads of HTTP become frames and frames
//! become heads, so that all else is as with any backend.

use super::buffers::stage;
use super::buffers::FIRST_ROOM;
use super::response;
use super::Cause;
use super::Exchange;
use super::Failure;
use super::Io;
use super::Store;
use super::NO_MEMORY;
use crate::bytes::Full;
use crate::http::body::Body;
use crate::http::encode;
use crate::http::encode::Framing;
use crate::http::forward::Forward;
use crate::http::head::RequestHead;
use crate::http::Status;
use crate::srun::body::Frames;
use crate::srun::request;
use crate::srun::request::Request;
use crate::srun::response as frames;
use crate::srun::Wire;

impl Exchange {
    /// Stages the request's head for a backend connection that is up; the body follows it.
    pub(super) fn stage_frames<S: Store>(
        &mut self,
        wire: Wire,
        io: &mut Io<'_, S>,
    ) -> Result<(), Failure> {
        let Some(head) = &self.request else {
            return Err(NO_MEMORY);
        };
        if head.upgrade {
            return Err(NO_UPGRADE);
        }
        self.wire = Some(wire);
        self.frames = frames::Scan::new();
        self.upload
            .rewind(Body::of_request(head.body), Framing::Frames(wire), head.len);
        io.buffers.to_upstream.clear();
        let request = self.stage_text(head, io).map_err(|Full| NO_MEMORY)?;
        let text = io.buffers.response.filled();
        let room = request::room(wire, text).ok_or(TOO_LARGE)?;
        let staged = stage(&mut io.buffers.to_upstream, room, |out| {
            request::head(wire, text, &request, out)?;
            if self.upload.is_done() {
                out.put(request::end(wire))?;
            }
            Ok(())
        });
        io.buffers.response.clear();
        staged.map_err(|Full| NO_MEMORY)?;
        self.go_ahead(io).map_err(|Full| NO_MEMORY)
    }

    /// Writes the head that an HTTP backend would get where the response will come to.
    fn stage_text<S: Store>(
        &self,
        head: &RequestHead,
        io: &mut Io<'_, S>,
    ) -> Result<Request, Full> {
        let forward = Forward {
            upgrade: false,
            expect: false,
            trailers: false,
            ..self.forward(head, io)
        };
        let bytes = io.buffers.request.filled();
        let room = encode::request_room(head, &forward).max(FIRST_ROOM);
        stage(&mut io.buffers.response, room, |out| {
            encode::request_head(head, bytes, &forward, out)
        })?;
        Ok(Request {
            client: forward.client,
            client_port: forward.client_port,
            may_be_secure: io.settings.trusted_proxies.contains(forward.client),
            body: head.body,
        })
    }

    /// Reads on in the frames of a response head. Once they are all there they become text, at the
    /// front of what was received, and true is returned.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn unframe_head<S: Store>(
        &mut self,
        wire: Wire,
        io: &mut Io<'_, S>,
    ) -> Result<bool, Failure> {
        let buffers = &mut *io.buffers;
        let frames = buffers.response.filled();
        let read = self.frames.read(wire, frames, io.settings.head_size);
        self.upload.acknowledged(self.frames.take_acks());
        let Some(len) = read.map_err(response::refused)? else {
            buffers.response.consume(self.frames.take_leading());
            return Ok(false);
        };
        let head = frames.get(..len).unwrap_or(frames);
        // The client has taken all that was there for it.
        let scratch = &mut buffers.to_client;
        let staged = stage(scratch, frames::text_room(len), |out| {
            frames::text(wire, head, out)
        });
        let rest = frames.len().saturating_sub(len);
        let wanted = scratch.len().saturating_add(rest);
        let response = &mut buffers.response;
        let fits = staged.is_ok()
            && (response.capacity() >= wanted || response.store_mut().reserve(wanted))
            && response.replace(len, scratch.filled()).is_ok();
        // Whatever came of it: the client must not get that text.
        scratch.clear();
        fits.then_some(true).ok_or(NO_MEMORY)
    }
}

/// The frames that a body comes in which an HTTP backend would frame in that way.
pub(super) const fn body(wire: Wire, body: Body) -> Body {
    Body::Frames(Frames::new(
        wire,
        match body {
            Body::None => Some(0),
            Body::Length(octets) => Some(octets),
            _ => None,
        },
    ))
}

const NO_UPGRADE: Failure = (
    Status::NOT_IMPLEMENTED,
    "the backend's protocol cannot be upgraded to another one",
    Cause::Proxy,
);
const TOO_LARGE: Failure = (
    Status::HEAD_TOO_LARGE,
    "the backend's protocol has no room for so many fields",
    Cause::Proxy,
);
