// SPDX-License-Identifier: GPL-2.0

//! `resin-speed list`: what can be measured. `resin-speed CASE ROUNDS`: does it so many times, for
//! whoever counts instructions: see `run` beside this crate.

#![forbid(unsafe_code)]
// Not all of the core is measured.
#![allow(dead_code, unused_imports)]

mod desk;
mod heads;

/// The files of `src/`, at the paths that they have in the kernel: see the `use` below.
#[path = "../../../../src"]
mod pure {
    pub(crate) mod bytes;
    pub(crate) mod cache;
    pub(crate) mod config;
    pub(crate) mod exchange;
    pub(crate) mod http;
    pub(crate) mod lb;
    pub(crate) mod log;
    pub(crate) mod probe;
    pub(crate) mod slab;
    pub(crate) mod srun;
    pub(crate) mod status;
    pub(crate) mod time;
}

use pure::{bytes, cache, config, exchange, http, lb, log, probe, slab, srun, status, time};

use std::hint::black_box;
use std::io::Write;

use desk::{passes_on, takes, Desk};

/// The most that a case of ours may cost.
enum Limit {
    /// Nothing was promised.
    None,
    /// So many instructions.
    Whole(usize),
    /// So many for each octet of the head.
    Octet(usize),
}

struct Case {
    name: &'static str,
    head: &'static str,
    limit: Limit,
    /// Does it so many times.
    run: fn(&[u8], usize),
}

const CASES: &[Case] = &[
    Case {
        name: "head of curl: resin",
        head: heads::CURL,
        limit: Limit::None,
        run: |head, rounds| repeat(rounds, || takes(black_box(head))),
    },
    Case {
        name: "head of curl: httparse",
        head: heads::CURL,
        limit: Limit::None,
        run: |head, rounds| repeat(rounds, || httparse_takes(black_box(head))),
    },
    Case {
        name: "head of curl: kawa",
        head: heads::CURL,
        limit: Limit::None,
        run: kawa_takes,
    },
    Case {
        name: "head of a browser: resin",
        head: heads::BROWSER,
        limit: Limit::Octet(6),
        run: |head, rounds| repeat(rounds, || takes(black_box(head))),
    },
    Case {
        name: "head of a browser: httparse",
        head: heads::BROWSER,
        limit: Limit::None,
        run: |head, rounds| repeat(rounds, || httparse_takes(black_box(head))),
    },
    Case {
        name: "head of a browser: kawa",
        head: heads::BROWSER,
        limit: Limit::None,
        run: kawa_takes,
    },
    Case {
        name: "head of 20 fields: resin",
        head: heads::TWENTY,
        limit: Limit::Octet(6),
        run: |head, rounds| repeat(rounds, || takes(black_box(head))),
    },
    Case {
        name: "head of 20 fields: httparse",
        head: heads::TWENTY,
        limit: Limit::None,
        run: |head, rounds| repeat(rounds, || httparse_takes(black_box(head))),
    },
    Case {
        name: "head of 20 fields: kawa",
        head: heads::TWENTY,
        limit: Limit::None,
        run: kawa_takes,
    },
    Case {
        name: "head of a browser, and anew for a backend",
        head: heads::BROWSER,
        limit: Limit::None,
        run: |head, rounds| repeat(rounds, || passes_on(black_box(head))),
    },
    Case {
        name: "lookup for curl: key, hash, index",
        head: heads::CURL,
        limit: Limit::Whole(400),
        run: |head, rounds| {
            let mut desk = desk(head);
            repeat(rounds, || desk.finds());
        },
    },
    Case {
        name: "lookup for a browser: key, hash, index",
        head: heads::BROWSER,
        limit: Limit::Whole(400),
        run: |head, rounds| {
            let mut desk = desk(head);
            repeat(rounds, || desk.finds());
        },
    },
    Case {
        name: "line of the log for curl",
        head: heads::CURL,
        limit: Limit::Whole(300),
        run: |head, rounds| {
            let mut desk = desk(head);
            repeat(rounds, || desk.logs());
        },
    },
    Case {
        name: "line of the log for a browser",
        head: heads::BROWSER,
        limit: Limit::Whole(300),
        run: |head, rounds| {
            let mut desk = desk(head);
            repeat(rounds, || desk.logs());
        },
    },
];

fn desk(head: &[u8]) -> Desk {
    Desk::new(head).expect("the gateway takes it")
}

fn repeat(rounds: usize, mut once: impl FnMut() -> bool) {
    for _ in 0..rounds {
        assert!(once());
    }
}

fn httparse_takes(head: &[u8]) -> bool {
    let mut slots = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut slots);
    request.parse(head).is_ok_and(|status| status.is_complete())
}

/// As its own benchmark does it.
fn kawa_takes(head: &[u8], rounds: usize) {
    let mut store = [0; 4096];
    let buffer = kawa::Buffer::new(kawa::SliceBuffer(&mut store[..]));
    let mut request = kawa::Kawa::new(kawa::Kind::Request, buffer);
    request.storage.write_all(head).expect("it fits");
    request.blocks.reserve(32);
    request.detached.jar.reserve(16);
    repeat(rounds, || {
        request.clear();
        request.storage.clear();
        request.storage.fill(head.len());
        kawa::h1::parse(black_box(&mut request), &mut kawa::h1::NoCallbacks);
        request.is_main_phase() || request.is_terminated()
    });
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    for case in CASES {
        let octets = case.head.len();
        if wanted == "list" {
            let limit = match case.limit {
                Limit::None => 0,
                Limit::Whole(instructions) => instructions,
                Limit::Octet(instructions) => instructions * octets,
            };
            println!("{}\t{octets}\t{limit}", case.name);
        } else if wanted == case.name {
            let rounds = arguments.next().and_then(|count| count.parse().ok());
            return (case.run)(case.head.as_bytes(), rounds.expect("CASE ROUNDS"));
        }
    }
}
