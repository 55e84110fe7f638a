//! Makes something of what the guest has said.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use bench::picture;
use bench::profile;
use bench::report::Numbers;
use bench::Fault;

const USAGE: &str = "usage: report profile COUNTS SAID BASE     where a row's instructions went
       report table FOLDER SAID...          a table of all runs; also writes FOLDER/bench.json and .svg";

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
        ["table", folder, runs @ ..] => {
            let mut numbers = Numbers::default();
            for run in runs {
                numbers.add(&read(run)?)?;
            }
            let json = format!("{{\n  \"icount\": {}\n}}\n", numbers.json());
            write(folder, "bench.json", json)?;
            write(folder, "bench.svg", picture::draw(&numbers))?;
            Ok(numbers.table())
        }
        _ => Err(USAGE.into()),
    }
}

fn write(folder: &str, name: &str, text: String) -> Result<(), Fault> {
    fs::write(Path::new(folder).join(name), text).map_err(|error| format!("{name}: {error}"))
}

fn read(path: &str) -> Result<String, Fault> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}
