// SPDX-License-Identifier: GPL-2.0

//! Whether a stored response may be reused (RFC 9111 section 4).
//!
//! That it is the one for the request's target, and that its Vary selects it, was seen before.

use super::cache_status::Forward;
use super::control::{RequestControl, ResponseControl};
use super::delta::DeltaSeconds;
use super::freshness::Basis;
use super::request::Request;
use super::rules::Rules;
use super::store::Response;
use crate::http::{Method, Status};
use crate::time::Instant;

/// What is done with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reuse {
    /// The stored response is fresh: it is the answer.
    Fresh,
    /// It is stale, and is the answer nevertheless.
    Stale(Excuse),
    /// The origin is asked whether the stored response is still good (RFC 9111 section 4.3), or
    /// for another one if it has no validator.
    Validate(Forward),
    /// The origin is asked as if nothing was stored, and the stored response stays as it is.
    Pass(Forward),
    /// The client wants nothing that must be asked for: 504 (RFC 9111 section 5.2.1.7).
    GatewayTimeout,
}

/// Why a stale response may be reused (RFC 9111 section 4.2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Excuse {
    /// The client takes it: max-stale (RFC 9111 section 5.2.1.2).
    MaxStale,
    /// Its sender allows it while it is validated (RFC 5861 section 3) or, if that said nothing,
    /// our rules do: it must be validated now, behind the client's back.
    WhileRevalidate,
    /// The origin failed, and its sender, the client or our rules allow it then (RFC 5861 section
    /// 4).
    IfError,
}

/// What failed when the origin was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// It did not answer.
    NoAnswer,
    /// It answered with this status, which may be none of a failure.
    Answer(Status),
}

impl Failure {
    /// RFC 5861 section 4: "an error is any situation that would result in a 500, 502, 503, or 504
    /// HTTP response status code being returned".
    const fn is_error(self) -> bool {
        match self {
            Failure::NoAnswer => true,
            Failure::Answer(status) => matches!(status.code(), 500 | 502 | 503 | 504),
        }
    }
}

/// What is done with a request for which there is this stored response, or none.
///
/// Whether the parts that a request asks for are there, if a 206 is stored, is for the caller to
/// see: [`Part`](super::range::Part).
///
/// `missed` says what a cache that has none tells: that it has nothing for the target, or no
/// variant that matches. `now` is boottime.
pub(crate) fn reuse(
    request: &Request<'_>,
    stored: Option<&Response>,
    missed: Forward,
    rules: &Rules<'_>,
    now: Instant,
) -> Reuse {
    // RFC 9111 section 4: what is stored for GET answers GET and HEAD; "a cache MUST write through
    // requests with methods that are unsafe".
    if !matches!(request.method, Method::Get | Method::Head) {
        return Reuse::Pass(Forward::Method);
    }
    if request.has_content {
        return Reuse::Pass(Forward::Bypass);
    }
    let found = match stored.filter(|stored| is_shared(&stored.control)) {
        None => Reuse::Pass(missed),
        // RFC 9110 sections 13.1.1 and 13.1.4: they ask about the state of the origin.
        Some(_) if request.conditions.are_for_origin() => Reuse::Pass(Forward::Request),
        // RFC 9111 section 3.3: "A cache MUST NOT use an incomplete response to answer requests
        // unless the response has been made complete, or the request is partial".
        Some(stored) if stored.status == Status::PARTIAL_CONTENT && !is_of_parts(request) => {
            Reuse::Pass(Forward::Partial)
        }
        Some(stored) => reuse_stored(request, stored, rules, now),
    };
    match found {
        Reuse::Validate(_) | Reuse::Pass(_) if request.control.only_if_cached => {
            Reuse::GatewayTimeout
        }
        found => found,
    }
}

/// Whether it may be in a shared cache at all (RFC 9111 sections 5.2.2.5 and 5.2.2.7): nothing else
/// is stored, but if it ever is, it is as if it was not there.
const fn is_shared(control: &ResponseControl) -> bool {
    !control.private && !control.forbids_storing()
}

/// Whether a request may be answered with parts, which only those with GET may (RFC 9110 section
/// 14.2).
fn is_of_parts(request: &Request<'_>) -> bool {
    request.method == Method::Get && request.has_range
}

fn reuse_stored(
    request: &Request<'_>,
    stored: &Response,
    rules: &Rules<'_>,
    now: Instant,
) -> Reuse {
    let is_guess = is_guess(request, stored);
    let request = &request.control;
    // The RFC lets no-store reuse what is stored (section 5.2.1.5), but who says it wants the
    // origin's answer; and as that must not be stored, nothing may be freshened with it either.
    if request.no_store {
        return Reuse::Pass(Forward::Request);
    }
    if request.no_cache || !is_young_enough(request, stored, now) {
        return Reuse::Validate(Forward::Request);
    }
    // RFC 9111 section 5.2.2.4: not "without forwarding it for validation".
    if stored.control.no_cache || is_guess {
        return Reuse::Validate(Forward::Stale);
    }
    if stored.freshness.is_fresh(now) {
        return Reuse::Fresh;
    }
    match excuse(request, stored, rules, now) {
        Some(excuse) => Reuse::Stale(excuse),
        None => Reuse::Validate(Forward::Stale),
    }
}

/// Whether nothing but our guess says that it is for this request: what is fresh by heuristics is not
/// fresh for those who may have a page of their own, as `lifetime` supposes of what they get.
fn is_guess(request: &Request<'_>, stored: &Response) -> bool {
    request.may_be_personal() && stored.freshness.basis == Basis::Heuristic
}

/// max-age and min-fresh of the request (RFC 9111 sections 5.2.1.1 and 5.2.1.3).
///
/// A response that is fresh and immutable is not validated for an age: RFC 8246 section 2 wants "a
/// signal from the client that a validation is necessary (e.g., a no-cache Cache-Control request
/// directive)", while max-age=0 is what browsers send to reload.
fn is_young_enough(request: &RequestControl, stored: &Response, now: Instant) -> bool {
    let freshness = &stored.freshness;
    let age = freshness.current_age(now);
    let is_unchanged = stored.control.immutable && freshness.is_fresh(now);
    // Ages are whole seconds: zero asks for validation even within the first one.
    let is_old = |max_age: DeltaSeconds| age > max_age || max_age == DeltaSeconds::ZERO;
    let is_too_old = !is_unchanged && request.max_age.is_some_and(is_old);
    let stays_fresh = |min_fresh| freshness.lifetime >= age.saturating_add(min_fresh);
    !is_too_old && request.min_fresh.is_none_or(stays_fresh)
}

/// Why a stale response may be the answer although the origin could be asked.
fn excuse(
    request: &RequestControl,
    stored: &Response,
    rules: &Rules<'_>,
    now: Instant,
) -> Option<Excuse> {
    if forbids_stale(&stored.control) {
        return None;
    }
    let staleness = stored.freshness.staleness(now);
    let max_stale = request.max_stale.filter(|_| !is_left_to_origin(stored));
    if max_stale.is_some_and(|most| staleness <= most) {
        return Some(Excuse::MaxStale);
    }
    // RFC 9111 section 5.2.1.1: who says max-age "does not wish to receive a stale response"
    // unless he says max-stale too; so does who says min-fresh, or how stale it may be.
    let wants_fresh =
        request.max_age.is_some() || request.min_fresh.is_some() || request.max_stale.is_some();
    let most = while_revalidate(stored, rules);
    (!wants_fresh && staleness <= most && most > DeltaSeconds::ZERO)
        .then_some(Excuse::WhileRevalidate)
}

/// Why a stored response may be the answer after the origin was asked in vain (RFC 9111 section
/// 4.3.3, RFC 5861 section 4); none if the failure, or a 504, is the answer.
///
/// What the client wanted younger he gets old rather than not at all, unless he wants no stored
/// response without validation. `now` is boottime.
pub(crate) fn reuse_on_failure(
    request: &Request<'_>,
    stored: &Response,
    failure: Failure,
    rules: &Rules<'_>,
    now: Instant,
) -> Option<Excuse> {
    let is_guess = is_guess(request, stored);
    let (request, control) = (&request.control, &stored.control);
    let is_refused = request.no_cache || request.no_store || control.no_cache || is_guess;
    if !failure.is_error() || is_refused || !is_shared(control) {
        return None;
    }
    if stored.freshness.is_fresh(now) {
        return Some(Excuse::IfError);
    }
    let asked = request
        .stale_if_error
        .filter(|_| !is_left_to_origin(stored));
    let most = asked
        .max(control.stale_if_error)
        .unwrap_or(if_error(stored, rules));
    let is_allowed = !forbids_stale(control) && stored.freshness.staleness(now) <= most;
    (is_allowed && most > DeltaSeconds::ZERO).then_some(Excuse::IfError)
}

/// How long after it became stale a response may be of use at most, the clients' wishes apart.
pub(super) fn longest_stale(stored: &Response, rules: &Rules<'_>) -> DeltaSeconds {
    if forbids_stale(&stored.control) {
        return DeltaSeconds::ZERO;
    }
    while_revalidate(stored, rules).max(if_error(stored, rules))
}

fn while_revalidate(stored: &Response, rules: &Rules<'_>) -> DeltaSeconds {
    let said = stored.control.stale_while_revalidate;
    said.unwrap_or(unsaid(stored, rules.grace))
}

fn if_error(stored: &Response, rules: &Rules<'_>) -> DeltaSeconds {
    let said = stored.control.stale_if_error;
    said.unwrap_or(unsaid(stored, rules.stale_if_error))
}

/// What a rule of ours adds where the origin said nothing: it may have reasons for that.
fn unsaid(stored: &Response, rule: DeltaSeconds) -> DeltaSeconds {
    match is_left_to_origin(stored) {
        true => DeltaSeconds::ZERO,
        false => rule,
    }
}

/// RFC 9111 section 4.2.4: "a cache MUST NOT generate a stale response if it is prohibited by an
/// explicit in-protocol directive (e.g., by a no-cache response directive, a must-revalidate
/// response directive, or an applicable s-maxage or proxy-revalidate response directive)", whatever
/// else the response says. For s-maxage see [`is_left_to_origin`].
const fn forbids_stale(control: &ResponseControl) -> bool {
    control.no_cache || control.must_revalidate || control.proxy_revalidate
}

/// Whether only the origin can allow that it be reused stale, not a client and not a rule of ours.
///
/// What nobody ever said to be fresh is not made so: that its sender forgot to forbid it is no reason
/// to give it out unasked, for as long as some client likes.
///
/// RFC 9111 section 5.2.2.10: s-maxage "incorporates the semantics of the proxy-revalidate response
/// directive". But who says stale-while-revalidate or stale-if-error beside it (RFC 5861: "caches
/// MAY serve the response in which it appears after it becomes stale") says more exactly what a
/// shared cache may do, and would have said it for nothing. Who means that it must be validated has
/// proxy-revalidate itself, or must-revalidate: they forbid all of it.
fn is_left_to_origin(stored: &Response) -> bool {
    stored.control.s_maxage.is_some() || stored.freshness.lifetime == DeltaSeconds::ZERO
}
