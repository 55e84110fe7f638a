// SPDX-License-Identifier: GPL-2.0

//! The host tests, one module for each part of the core.

mod answer;
mod body;
mod bytes;
mod cache;
mod cache_store;
mod config;
mod connection;
mod corpus;
mod date;
mod encode;
mod exceptions;
mod exchange;
mod forward;
mod forwarded;
mod framing;
mod head;
mod lb;
mod list;
mod log;
mod probe;
mod scan;
mod simulation;
mod slab;
mod split;
mod srun;
mod status;
mod strict;
mod time;

/// So many random cases for a property. A failure says what to put into a table: nothing is kept in
/// a file.
fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        ..Default::default()
    }
}
