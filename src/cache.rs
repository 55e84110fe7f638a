// SPDX-License-Identifier: GPL-2.0

//! A shared cache (RFC 9111): what may be stored, for whom and until when, and where it is.
//!
//! Nothing here has memory: whoever uses the [`index`] owns its slots. Each decision is a function of
//! the field lines of a message (which [`http::head`](crate::http::head) has validated), of what was
//! kept of a stored response, and of the time.
//!
//! # Time
//!
//! Every `now`, and every other [`Instant`](crate::time::Instant) here, is boottime: see
//! [`Times`].
//!
//! # From a request to an entry
//!
//! [`reuse()`] says what is done with a request. If it is forwarded, and its answer may come to be
//! stored, the entry is inserted then, when the request leaves, not when the answer comes. So whoever
//! purges the target, or changes it by an unsafe method (RFC 9111 section 4.4), kills the entries
//! that are being filled too: what the origin said before the change is not stored after it.
//!
//! The answer is stored if [`Response::may_be_stored`] allows it and [`vary::select`] finds a
//! selector for it; [`Received::store`] writes its field lines.
//!
//! A stored response that is reused comes to the client as [`answer::write`] makes it.
//!
//! # Updates
//!
//! An answer that says something of what is stored already is a 304 ([`select`]) or one to a HEAD
//! ([`freshen_by_head`]). For each entry that it is about, of those whose selector
//! [matches](vary::matches()) the request:
//!
//! 1. [`Response::may_update`] of the answer itself, by what it says itself. If not, the entry stays
//!    as it is, or goes: see there.
//! 2. [`Received::update`] writes the new field lines. The client that has asked gets those of
//!    [`Received::answer`], in any case.
//! 3. [`Response::updated`] of the new lines; they take the place of the old ones if it
//!    [may stay](Response::may_stay) and still [varies by the same](vary::is_same). Else the entry
//!    goes.

pub(crate) mod answer;
mod cache_status;
pub(crate) mod clear;
mod conditional;
mod control;
mod delta;
mod field;
mod freshness;
pub(crate) mod index;
mod invalidate;
pub(crate) mod key;
pub(crate) mod mapping;
pub(crate) mod pattern;
pub(crate) mod range;
pub(crate) mod regexp;
mod request;
mod reuse;
mod rules;
mod store;
pub(crate) mod structured;
mod told;
mod update;
pub(crate) mod vary;

pub(crate) use cache_status::{put_age, CacheStatus, Forward, Handling};
pub(crate) use conditional::{
    freshen_by_head, select, Conditions, EntityTag, HeadEffect, Outcome, Selection, Validators,
};
pub(crate) use control::{Directives, RequestControl, ResponseControl};
pub(crate) use delta::DeltaSeconds;
pub(crate) use field::{first, Field};
pub(crate) use freshness::{age, Basis, Freshness, Times};
pub(crate) use invalidate::{invalidates, references, Base};
pub(crate) use request::{Kept, Request};
pub(crate) use reuse::{reuse, reuse_on_failure, Excuse, Failure, Reuse};
pub(crate) use rules::{Cookies, Rules, SetCookie};
pub(crate) use store::{Response, Storable, Uncacheable};
pub(crate) use told::{scheme, Believed};
pub(crate) use update::{Received, DATE_ROOM};
