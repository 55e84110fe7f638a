// SPDX-License-Identifier: GPL-2.0

//! A client, the gateway's exchange and a backend in a world with a clock of its own, where
//! everything may fail: the body of the fuzz target `exchange`, and of the tests of `simulation`.
//!
//! A run follows from its tape of `choices` alone. In each:
//! * what the client gets is, read by somebody else's parser, the backend's answer to each of its
//!   requests in their order, or a page of ours, or visibly cut short;
//! * what the backend gets is one well-formed request at a time, as the client meant it;
//! * a backend connection is kept only when nothing is left on it;
//! * whenever nothing can move, there is a time limit within what the settings say, and the run ends;
//! * actions make sense, one after the other, and buffers stay within their limits.

pub(crate) mod audit;
pub(crate) mod choices;
mod client;
mod gateway;
mod keeper;
mod link;
pub(crate) mod memory;
mod mood;
pub(crate) mod reference;
mod reply;
mod trace;
mod verdict;
mod world;

use std::collections::BTreeSet;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use choices::Choices;
use trace::Trace;
use world::World;

/// One run whose decisions are the octets of `tape`, and then zeros.
///
/// If it fails, what happened in it is printed.
pub fn check(tape: &[u8]) {
    if let Err(panic) = run(tape) {
        explain(tape);
        resume_unwind(panic);
    }
}

/// What a run was like.
pub struct Run {
    /// The tape that leads to the same run.
    pub tape: Vec<u8>,
    /// What kinds of things happened in it.
    pub seen: BTreeSet<String>,
}

/// One run that follows from a seed.
///
/// If it fails it is made smaller, and what happened in it is printed.
pub fn check_seed(seed: u64) -> Run {
    let mut world = World::new(Choices::seeded(seed));
    let result = catch_unwind(AssertUnwindSafe(|| world.live()));
    let tape = world.choices.tape().to_vec();
    if let Err(panic) = result {
        eprintln!("seed {seed}");
        explain(&shrunk(tape));
        resume_unwind(panic);
    }
    let seen = world.seen;
    Run { tape, seen }
}

fn run(tape: &[u8]) -> std::thread::Result<()> {
    let mut world = World::new(Choices::of(tape));
    catch_unwind(AssertUnwindSafe(|| world.live()))
}

/// Runs again, and prints what happens.
fn explain(tape: &[u8]) {
    let mut world = World::new(Choices::of(tape));
    world.trace = Trace::written();
    let _ = catch_unwind(AssertUnwindSafe(|| world.live()));
    eprintln!("tape {tape:?}\n{}", world.trace.text());
}

/// A smaller tape on which the run fails too.
fn shrunk(mut tape: Vec<u8>) -> Vec<u8> {
    let fails = |tape: &[u8]| run(tape).is_err();
    let mut size = tape.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < tape.len() {
            let end = tape.len().min(start + size);
            let without = [&tape[..start], &tape[end..]].concat();
            let mut zeros = tape.clone();
            zeros[start..end].fill(0);
            if fails(&without) {
                tape = without;
            } else if zeros != tape && fails(&zeros) {
                tape = zeros;
            } else {
                start = end;
            }
        }
        size /= 2;
    }
    tape
}
