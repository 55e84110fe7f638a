//! The tests, by what they are about.

mod backends;
mod balancing;
mod cache_bodies;
mod cache_collapse;
mod cache_files;
mod cache_hits;
mod cache_invalidation;
mod cache_memory;
mod cache_ranges;
mod cache_validation;
mod cache_vary;
mod clients;
mod endings;
mod engine;
mod faults;
mod fields;
mod forwarding;
mod hmux;
mod inject;
mod limits;
mod listening;
mod load;
mod log;
mod meddling;
mod namespaces;
mod pages;
mod probes;
mod proc;
mod proc_writes;
mod queues;
mod relay;
mod replay;
mod requests;
mod resting;
mod session2001;
mod sessions;
mod shares;
mod slow;
mod status;
mod status_page;
mod timeouts;
mod tunnels;
mod tunnels_ends;
mod unload;
mod uploads;
mod uploads_broken;
mod uploads_early;
mod uploads_whole;
mod waiting;

use crate::testing::Test;

/// All of them, quick and basic ones first.
pub const ALL: &[&[Test]] = &[
    session2001::TESTS,
    proc::TESTS,
    proc_writes::TESTS,
    cache_files::TESTS,
    balancing::TESTS,
    backends::TESTS,
    queues::TESTS,
    sessions::TESTS,
    shares::TESTS,
    waiting::TESTS,
    probes::TESTS,
    relay::TESTS,
    engine::TESTS,
    resting::TESTS,
    fields::TESTS,
    requests::TESTS,
    forwarding::TESTS,
    faults::TESTS,
    replay::TESTS,
    hmux::TESTS,
    clients::TESTS,
    status::TESTS,
    status_page::TESTS,
    pages::TESTS,
    timeouts::TESTS,
    limits::TESTS,
    listening::TESTS,
    uploads::TESTS,
    uploads_whole::TESTS,
    uploads_early::TESTS,
    uploads_broken::TESTS,
    tunnels::TESTS,
    tunnels_ends::TESTS,
    load::TESTS,
    slow::TESTS,
    log::TESTS,
    endings::TESTS,
    log::FOLLOWERS,
    cache_hits::TESTS,
    cache_bodies::TESTS,
    cache_validation::TESTS,
    cache_vary::TESTS,
    cache_ranges::TESTS,
    cache_invalidation::TESTS,
    cache_collapse::TESTS,
    cache_memory::TESTS,
    namespaces::TESTS,
    meddling::TESTS,
    unload::TESTS,
    inject::TESTS,
];
