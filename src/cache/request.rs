// SPDX-License-Identifier: GPL-2.0

//! What a cache must know about a request.

use super::conditional::Conditions;
use super::control::RequestControl;
use super::field::Field;
use crate::http::head::BodyLength;
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
}

impl<'a> Request<'a> {
    /// One pass over the field lines of a head; more only if the request says something about
    /// caching, which most do not.
    ///
    /// `session_in_path` says whether the path names a session (`;jsessionid=`), which is as good
    /// as a cookie.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn of(
        method: Method,
        lines: &'a [u8],
        body: BodyLength,
        session_in_path: bool,
    ) -> Request<'a> {
        let (mut is_controlled, mut is_conditional) = (false, false);
        let (mut has_authorization, mut has_range) = (false, false);
        let mut is_known = session_in_path;
        for (name, _) in field::fields(lines) {
            match Field::of(name) {
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
        }
    }
}
