//! The guest suites: `suite [FILTER…]`, as root, in a directory that holds resin.ko.

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
        _ => runner::main(&tests, &args),
    }
}
