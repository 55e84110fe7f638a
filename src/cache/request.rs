// SPDX-License-Identifier: GPL-2.0

//! What a cache must know about a request.

use super::conditional::Conditions;
use super::control::RequestControl;
use super::field::Field;
use crate::bytes;
use crate::http::field::Name;
use crate::http::forward::Treatment;
use crate::http::head::BodyLength;
use crate::http::named::with_named;
use crate::http::{field, Method};

/// A request, as the cache sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// The method.
    pub(crate) method: Method,
    /// Its field lines.
    pub(crate) lines: &'a [u8],
    /// Cache-Control and Pragma.
    pub(crate) control: RequestControl,
    /// Its conditions.
    pub(crate) conditions: Conditions<'a>,
    /// Authorization (RFC 9111 section 3.5).
    pub(crate) has_authorization: bool,
    /// Range (RFC 9110 section 14.2).
    pub(crate) has_range: bool,
    /// Whether content comes with it. For GET and HEAD that "has no generally defined semantics"
    /// (RFC 9110 section 9.3.1): what it means to the origin is in no key.
    pub(crate) has_content: bool,
    /// Whether it says who asks: it has a Cookie, or a session in its path.
    pub(crate) is_known: bool,
    /// What of it the gateway does not change, whoever sent it. [`Request::of`] takes it that it
    /// changes all that it might: who knows better says so.
    pub(crate) kept: Kept,
    /// Its Connection may name fields.
    has_options: bool,
}

/// Which of the fields in which gateways tell what they saw reach the origin as they came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Kept {
    x_for: bool,
    x_proto: bool,
    x_host: bool,
    forwarded: bool,
}

impl Kept {
    /// Those of a request whose X-Forwarded-For, -Proto, -Host and Forwarded are treated so.
    pub(crate) fn of(treatments: [Treatment; 4]) -> Kept {
        let is_kept = |treatment| treatment == Treatment::Keep;
        let [x_for, x_proto, x_host, forwarded] = treatments.map(is_kept);
        Kept {
            x_for,
            x_proto,
            x_host,
            forwarded,
        }
    }
}

impl<'a> Request<'a> {
    /// One pass over the field lines of a head; more only if the request says something about
    /// caching, which most do not.
    ///
    /// `session_in_path` says whether the path names a session (`;jsessionid=`), which is as good
    /// as a cookie.
    pub(crate) fn of(
        method: Method,
        lines: &'a [u8],
        body: BodyLength,
        session_in_path: bool,
    ) -> Request<'a> {
        let (mut is_controlled, mut is_conditional) = (false, false);
        let (mut has_authorization, mut has_range) = (false, false);
        let (mut is_known, mut has_options) = (session_in_path, false);
        for (name, value) in field::fields(lines) {
            match Field::of(name) {
                Field::Connection => has_options |= !bytes::tokens(value).all(is_of_connection),
                Field::CacheControl | Field::Pragma => is_controlled = true,
                Field::IfMatch
                | Field::IfModifiedSince
                | Field::IfNoneMatch
                | Field::IfUnmodifiedSince => is_conditional = true,
                Field::Authorization => has_authorization = true,
                Field::Cookie => is_known = true,
                Field::Range => has_range = true,
                _ => {}
            }
        }
        Request {
            method,
            lines,
            control: match is_controlled {
                true => RequestControl::of(lines),
                false => RequestControl::NONE,
            },
            conditions: match is_conditional {
                true => Conditions::of(lines),
                false => Conditions::default(),
            },
            has_authorization,
            has_range,
            has_content: !matches!(body, BodyLength::None | BodyLength::Length(0)),
            is_known,
            kept: Kept::default(),
            has_options,
        }
    }

    /// Whether the answer may be made for whoever asks, though nobody said so: he is known, or has
    /// credentials.
    pub(crate) const fn may_be_personal(&self) -> bool {
        self.is_known || self.has_authorization
    }

    /// Whether the gateway writes this field itself, or takes it away.
    pub(super) fn is_rewritten(&self, name: &[u8]) -> bool {
        match Name::of(name) {
            Name::XForwardedFor => !self.kept.x_for,
            Name::XForwardedProto => !self.kept.x_proto,
            Name::XForwardedHost => !self.kept.x_host,
            Name::Forwarded => !self.kept.forwarded,
            _ => false,
        }
    }

    /// Whether this field of it is for one hop only, and not seen by the origin, because its
    /// Connection names it (RFC 9110 section 7.6.1).
    #[inline(never)] // Keeps the names out of its caller's frame.
    pub(super) fn hides(&self, name: &[u8]) -> bool {
        self.has_options && with_named(self.lines, true, |named| named.has(name))
    }
}

/// Whether an option of Connection is about the connection, as those are that most requests have.
fn is_of_connection(option: &[u8]) -> bool {
    bytes::eq_ignore_case(option, b"keep-alive") || bytes::eq_ignore_case(option, b"close")
}
