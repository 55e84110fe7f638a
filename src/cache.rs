// SPDX-License-Identifier: GPL-2.0

//! The policy of a shared cache (RFC 9111): what may be stored, what may be reused, and until
//! when.
//!
//! Nothing here stores anything. Each decision is a function of the field lines of a message (which
//! [`http::head`](crate::http::head) has validated), of what was kept of a stored response, and of
//! the time.

mod control;
mod delta;
mod field;
mod freshness;
mod rules;
pub(crate) mod structured;

pub(crate) use control::{RequestControl, ResponseControl};
pub(crate) use delta::DeltaSeconds;
pub(crate) use field::Field;
pub(crate) use freshness::{age, Basis, Freshness, Times};
pub(crate) use rules::{Rules, SetCookie};
