// SPDX-License-Identifier: GPL-2.0

//! Whole conversations in a simulated world: see `src/simulation.rs`.

use std::collections::BTreeSet;

use crate::simulation::check_seed;

/// `RUNS=1000000 cargo test simulation` looks at more worlds.
fn runs() -> u64 {
    let runs = std::env::var("RUNS").ok();
    runs.map_or(4000, |runs| runs.parse().expect("RUNS is a number"))
}

/// Each seed is a world of its own. To look at one that fails, read what it prints.
#[test]
fn every_answer_is_right_or_visibly_cut() {
    let mut seen = BTreeSet::new();
    for seed in 0..runs() {
        seen.extend(check_seed(seed).seen);
    }
    // A world in which these do not happen says little.
    for kind in KINDS {
        assert!(seen.contains(kind), "{kind} is not among {seen:?}");
    }
}

const KINDS: [&str; 27] = [
    "answer 0 cut",
    "answer 200",
    "answer 200 cut",
    "answer 204",
    "answer 304",
    "answer 404 cut",
    "answer 999",
    "page 400",
    "page 408",
    "page 408 cut",
    "page 414",
    "page 431",
    "page 501",
    "page 501 cut",
    "page 502",
    "page 502 cut",
    "page 503",
    "page 504",
    "page 504 cut",
    "page 505",
    "retried",
    "reused",
    "fell behind",
    "FIN went along",
    "passed on",
    "passed on to the backend",
    "rested",
];

#[test]
fn a_seed_leads_to_the_same_run() {
    for seed in 0..20 {
        let once = check_seed(seed);
        let again = check_seed(seed);
        assert_eq!((once.tape, once.seen), (again.tape, again.seen));
    }
}
