//! The tests, by what they are about.

mod balancing;
mod clients;
mod faults;
mod fields;
mod inject;
mod listening;
mod load;
mod log;
mod meddling;
mod namespaces;
mod proc;
mod relay;
mod requests;
mod session2001;
mod slow;
mod status;
mod timeouts;
mod unload;
mod uploads;

use crate::testing::Test;

/// All of them, quick and basic ones first.
pub const ALL: &[&[Test]] = &[
    session2001::TESTS,
    proc::TESTS,
    balancing::TESTS,
    relay::TESTS,
    fields::TESTS,
    requests::TESTS,
    faults::TESTS,
    clients::TESTS,
    status::TESTS,
    timeouts::TESTS,
    listening::TESTS,
    uploads::TESTS,
    slow::TESTS,
    load::TESTS,
    log::TESTS,
    log::FOLLOWERS,
    namespaces::TESTS,
    meddling::TESTS,
    unload::TESTS,
    inject::TESTS,
];
