//! Makes something of what the guest has said.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use bench::picture;
use bench::profile;
use bench::ratchet;
use bench::report::Numbers;
use bench::wall::Wall;
use bench::Fault;
use serde_json::json;

const USAGE: &str = "usage: report profile COUNTS SAID BASE     where a row's instructions went
       report table FOLDER SAID...          a table of all runs; also writes FOLDER/bench.json and .svg
       report ratchet|baseline FILE SAID...  compares resin's costs with the file; writes it";

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
        ["table", folder, runs @ ..] => table(folder, runs),
        ["baseline", baseline, runs @ ..] => {
            write(Path::new(baseline), ratchet::baseline(&numbers(runs)?)?)?;
            Ok(format!("{baseline} is written\n"))
        }
        ["ratchet", baseline, runs @ ..] => ratchet::compare(&read(baseline)?, &numbers(runs)?),
        _ => Err(USAGE.into()),
    }
}

fn numbers(runs: &[&str]) -> Result<Numbers, Fault> {
    let mut numbers = Numbers::default();
    for run in runs {
        numbers.add(&read(run)?)?;
    }
    Ok(numbers)
}

fn table(folder: &str, runs: &[&str]) -> Result<String, Fault> {
    let numbers = numbers(runs)?;
    let mut wall = Wall::default();
    for run in runs {
        wall.add(&read(run)?)?;
    }
    let (rates, latencies) = wall.json();
    let all = json!({"icount": numbers.json(), "wall": rates, "latency": latencies});
    let folder = Path::new(folder);
    write(&folder.join("bench.json"), format!("{all:#}\n"))?;
    write(&folder.join("bench.svg"), picture::draw(&numbers))?;
    Ok(numbers.table() + &wall.table())
}

fn write(path: &Path, text: String) -> Result<(), Fault> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &str) -> Result<String, Fault> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}
