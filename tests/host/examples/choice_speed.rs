// SPDX-License-Identifier: GPL-2.0

//! What it costs to choose a backend: nanoseconds for a choice, and for a choice and its end.
//!
//! `cargo run --release --example choice_speed`; for instructions instead of time, run it under
//! `valgrind --tool=callgrind` with a way, a number of backends and a number of rounds, and look at
//! `Cluster::choose`.

use std::time::Instant;

use resin_host::choosing::{Choosing, WAYS};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| -> Option<usize> { arguments.get(at)?.parse().ok() };
    let rounds = number(2).unwrap_or(1_000_000);
    for way in WAYS {
        if arguments
            .first()
            .is_some_and(|wanted| wanted.as_str() != way)
        {
            continue;
        }
        for count in [1, 2, 5, 16, 64] {
            if number(1).is_some_and(|wanted| wanted != count) {
                continue;
            }
            let mut choosing = Choosing::new(way, count);
            let started = Instant::now();
            for _ in 0..rounds {
                choosing.begin();
                choosing.end();
            }
            let nanos = started.elapsed().as_nanos() / rounds.max(1) as u128;
            println!("{way:<18} {count:>2} backends: {nanos:>4} ns for a choice and its end");
        }
    }
}
