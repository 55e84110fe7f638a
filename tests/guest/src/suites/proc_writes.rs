//! Writes to proc files that are odd in themselves: too long, to what is only read, at once.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::thread;

use nix::errno::Errno;

use super::proc::check_refusal;
use crate::gateway::{self, Gateway};
use crate::leftovers::Log;
use crate::scale;
use crate::testing::{Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    oversized_and_odd_writes,
    read_only_files_refuse_writes,
    last_error_and_log_say_why,
    concurrent_writers,
];

/// What is said of a write that is too long.
const TOO_LONG: &str = "more than 16384 octets in one write";

fn oversized_and_odd_writes() -> Outcome {
    Gateway::load(PORT)?;
    for (name, why_no_noise) in [
        ("server_port", "is one word too many"),
        ("srun-count", "is one word too many"),
        ("srun-0", "write one line"),
        ("config", "line 1: unknown setting"),
        ("cache", "line 1: unknown setting"),
        ("cache-mapping", "is not one of url-pattern"),
    ] {
        let before = gateway::read(name)?;
        for size in [16_385, 65_536, 1 << 20] {
            let padded = format!("{before:<size$}");
            let outcome = gateway::try_write_octets(name, padded.as_bytes());
            check_refusal(name, &padded, &outcome, Errno::E2BIG, TOO_LONG)?;
            same!(gateway::read(name)?, before, "{name} after {size} octets");
        }
        // What fits is one write, white space and all.
        let page = format!("{before:<16384}");
        gateway::try_write_octets(name, page.as_bytes()).context("as much as fits")?;
        same!(gateway::read(name)?, before, "{name} after as much as fits");
        let mut file = OpenOptions::new().write(true).open(gateway::path(name))?;
        let _ = file.write(b"");
        same!(gateway::read(name)?, before, "{name} after an empty write");
        let noise: Vec<u8> = (0..=255).collect();
        let outcome = gateway::try_write_octets(name, &noise);
        check_refusal(name, "noise", &outcome, Errno::EINVAL, why_no_noise)?;
        same!(gateway::read(name)?, before, "{name} after noise");
    }
    Ok(())
}

fn read_only_files_refuse_writes() -> Outcome {
    Gateway::load(PORT)?;
    for name in ["last-error", "status", "metrics"] {
        if !gateway::path(name).exists() {
            continue;
        }
        let before = gateway::read(name)?;
        ensure!(
            gateway::try_write(name, "x").is_err(),
            "{name} took a write"
        );
        if name == "last-error" {
            same!(gateway::read(name)?, before, "last-error");
        }
    }
    ensure!(
        gateway::path("last-error").exists(),
        "there is no last-error"
    );
    ensure!(
        File::create(gateway::path("new-file")).is_err(),
        "a new file could be made"
    );
    ensure!(
        fs::remove_file(gateway::path("srun-0")).is_err(),
        "srun-0 could be removed"
    );
    Ok(())
}

fn last_error_and_log_say_why() -> Outcome {
    Gateway::load(PORT)?;
    same!(
        gateway::read("last-error")?,
        "",
        "last-error before any error"
    );
    let mut log = Log::from_now();
    let mut reasons = BTreeSet::new();
    let long = "8".repeat(16_385);
    for (file, text) in [
        ("srun-0", "300.1.1.1 80"),
        ("srun-count", "65"),
        ("config", "nonsense 1"),
        ("cache", "entries 1"),
        ("cache-mapping", "url-regexp ( max-age 1s"),
        ("srun-0", &long),
        ("server_port", &long),
    ] {
        ensure!(
            gateway::try_write(file, text).is_err(),
            "{text:?} to {file} was taken"
        );
        let reason = gateway::read("last-error")?;
        let begins = reason.starts_with(&format!("{file}: "));
        ensure!(begins, "last-error does not name {file}: {reason:?}");
        logged(&mut log, &reason)?;
        let printable = |c: char| c == ' ' || c == '\n' || c.is_ascii_graphic();
        ensure!(
            reason.chars().all(printable),
            "last-error is not plain text: {reason:?}"
        );
        reasons.insert(reason);
    }
    same!(
        reasons.len(),
        7,
        "the number of different reasons ({reasons:?})"
    );
    Ok(())
}

/// Fails unless the new lines of the kernel's log say it too.
pub(super) fn logged(log: &mut Log, reason: &str) -> Outcome {
    let lines = log.lines();
    let ours = |line: &String| line.contains("resin") && line.contains(reason);
    ensure!(
        lines.iter().any(ours),
        "{reason:?} is not in the kernel's log: {lines:?}"
    );
    Ok(())
}

fn concurrent_writers() -> Outcome {
    Gateway::load(PORT)?;
    let rounds = scale::count(200, 40);
    let writers: Vec<_> = (0..6_u64)
        .map(|number| thread::spawn(move || write_much(number, rounds)))
        .collect();
    for writer in writers {
        writer
            .join()
            .map_err(|_| Failure("a writer panicked".into()))??;
    }
    Ok(())
}

/// Writes values that only this writer writes, and reads values that anyone may have written.
fn write_much(number: u64, rounds: u64) -> Outcome {
    for round in 0..rounds {
        match number % 3 {
            0 => gateway::write("srun-0", &format!("10.0.{number}.1 {}", 1000 + round))?,
            1 => gateway::write("srun-count", &format!("{}", 1 + round % 4))?,
            _ => gateway::write(
                "config",
                &format!("header-timeout {}s\nidle-per-cpu 7", 1 + round),
            )?,
        }
        let seen = gateway::read("srun-0")?;
        let valid = seen == "127.0.0.1 6802"
            || seen.starts_with("10.0.0.1 1")
            || seen.starts_with("10.0.3.1 1");
        ensure!(valid, "srun-0 holds {seen:?}");
        let count: u64 = gateway::read("srun-count")?.parse()?;
        ensure!((1..=4).contains(&count), "srun-count is {count}");
        // Both lines of a write come together.
        let config = gateway::read("config")?;
        let first = config
            .lines()
            .find_map(|line| line.strip_prefix("header-timeout "));
        let second = config.contains("idle-per-cpu 7\n");
        ensure!(
            first == Some("10s") || second,
            "half a write was applied: {config}"
        );
    }
    Ok(())
}
