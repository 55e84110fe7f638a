// SPDX-License-Identifier: GPL-2.0

//! A shared cache (RFC 9111): what may be stored, for whom and until when, and where it is.
//!
//! Nothing here has memory: whoever uses the [`index`] owns its slots. Each decision is a function of
//! the field lines of a message (which [`http::head`](crate::http::head) has validated), of what was
//! kept of a stored response, and of the time.

mod cache_status;
mod conditional;
mod control;
mod delta;
mod field;
mod freshness;
pub(crate) mod index;
mod invalidate;
pub(crate) mod key;
pub(crate) mod pattern;
pub(crate) mod range;
mod request;
mod reuse;
mod rules;
mod store;
pub(crate) mod structured;
mod update;
pub(crate) mod vary;

pub(crate) use cache_status::{put_age, CacheStatus, Forward, Handling};
pub(crate) use conditional::{
    freshen_by_head, is_replaced, select, Conditions, EntityTag, HeadEffect, Outcome, Selection,
    Validators,
};
pub(crate) use control::{Directives, RequestControl, ResponseControl};
pub(crate) use delta::DeltaSeconds;
pub(crate) use field::Field;
pub(crate) use freshness::{age, Basis, Freshness, Times};
pub(crate) use invalidate::{invalidates, references, Base};
pub(crate) use request::Request;
pub(crate) use reuse::{reuse, reuse_on_failure, Excuse, Failure, Reuse};
pub(crate) use rules::{Cookies, Rules, SetCookie};
pub(crate) use store::{Response, Storable, Uncacheable};
pub(crate) use update::{Received, DATE_ROOM};
