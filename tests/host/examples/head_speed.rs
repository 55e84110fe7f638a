// SPDX-License-Identifier: GPL-2.0

//! How fast heads are read, next to httparse, and how fast they are read and passed on: nanoseconds
//! for a head and for an octet.
//!
//! `cargo run --release --example head_speed`; for instructions instead of time, run it under
//! `perf stat -e instructions:u` or `valgrind --tool=none` with a name and a number of rounds.

use std::hint::black_box;
use std::time::Instant;

use resin_host::head_grammar::{httparse_takes, passes_on, takes};

const CURL: &str =
    "GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.14.1\r\n\
    Accept: */*\r\n\r\n";

const BROWSER: &str = "GET /examples/servlets/servlet/SessionExample?dataname=foo&datavalue=bar \
    HTTP/1.1\r\nHost: www.example.org:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) \
    Gecko/20100101 Firefox/128.0\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,\
    image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\nCookie: \
    JSESSIONID=0123456789ABCDEF0123456789ABCDEF; theme=dark; _ga=GA1.1.1234567890.1234567890\r\n\
    Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: none\r\nSec-Fetch-User: ?1\r\nPriority: u=0, i\r\n\r\n";

type Parser = fn(&[u8]) -> bool;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = arguments
        .get(1)
        .map_or(1_000_000, |count| count.parse().unwrap());
    let parsers = [
        ("resin", takes as Parser),
        ("httparse", httparse_takes),
        ("passed-on", passes_on),
    ];
    for (name, head) in [("curl", CURL), ("browser", BROWSER)] {
        for (parser, parse) in parsers {
            let label = format!("{name}/{parser}");
            if arguments.first().is_some_and(|wanted| *wanted != label) {
                continue;
            }
            let start = Instant::now();
            for _ in 0..rounds {
                assert!(parse(black_box(head.as_bytes())));
            }
            let nanos = start.elapsed().as_nanos() as f64 / f64::from(rounds);
            let each = nanos / head.len() as f64;
            println!(
                "{label}: {nanos:.0} ns for {} octets, {each:.3} ns each",
                head.len()
            );
        }
    }
}
