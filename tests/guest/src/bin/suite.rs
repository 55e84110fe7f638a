//! The guest suites: `suite [FILTER…]`, as root, in a directory that holds resin.ko. With `--part 1/2`
//! before the filters it runs the first one of two parts, another guest the other.

use std::process::ExitCode;

use guest::testing::Test;
use guest::{runner, suites};

fn main() -> ExitCode {
    let tests: Vec<Test> = suites::ALL.iter().copied().flatten().copied().collect();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--child", name] => runner::child(&tests, name),
        ["--list"] => {
            tests
                .iter()
                .for_each(|test| println!("{}", runner::short(test.name)));
            ExitCode::SUCCESS
        }
        ["--part", part, ..] => match runner::part(&tests, part) {
            Some(tests) => runner::main(&tests, &args[2..]),
            None => {
                eprintln!("suite: --part wants N/M, as in 1/2, not {part:?}");
                ExitCode::from(2)
            }
        },
        _ => runner::main(&tests, &args),
    }
}
