//! Makes something of what the guest has said.

use std::env;
use std::fs;
use std::process::ExitCode;

use bench::profile;
use bench::Fault;

const USAGE: &str = "usage: report profile COUNTS SAID BASE     where a row's instructions went";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("report: error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &[&str]) -> Result<String, Fault> {
    match arguments {
        ["profile", counts, said, base] => {
            let base = base.trim_start_matches("0x");
            let base = u64::from_str_radix(base, 16).map_err(|_| USAGE)?;
            profile::profile(&read(counts)?, &read(said)?, base)
        }
        _ => Err(USAGE.into()),
    }
}

fn read(path: &str) -> Result<String, Fault> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}
