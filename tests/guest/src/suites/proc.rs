//! Every proc file, good and bad.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::thread;

use nix::errno::Errno;

use crate::gateway::{self, Gateway};
use crate::leftovers::Log;
use crate::scale;
use crate::testing::{Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    srun_good_values,
    srun_bad_values,
    srun_not_supported_yet,
    srun_count_grows_and_shrinks,
    srun_count_bad_values,
    config_round_trip,
    config_whole_or_nothing,
    config_bad_values,
    every_file_reads_in_pieces,
    oversized_and_odd_writes,
    read_only_files_refuse_writes,
    last_error_and_log_say_why,
    concurrent_writers,
];

/// Checks that a write failed with one of these errors, and that `last-error` has a reason.
pub(super) fn check_refusal(
    file: &str,
    text: &str,
    outcome: &io::Result<()>,
    errors: &[Errno],
) -> Outcome {
    let what = format!("{:?} to {file}", text.chars().take(80).collect::<String>());
    let code = match outcome {
        Ok(()) => return Err(Failure(format!("{what} was taken"))),
        Err(error) => error.raw_os_error().unwrap_or(0),
    };
    let expected = errors.iter().any(|errno| *errno as i32 == code);
    ensure!(
        expected,
        "{what}: expected {errors:?}, saw {:?}",
        Errno::from_raw(code)
    );
    ensure!(
        !gateway::read("last-error")?.is_empty(),
        "{what}: last-error is empty"
    );
    Ok(())
}

const BAD: [Errno; 2] = [Errno::EINVAL, Errno::ERANGE];

fn refused(file: &str, text: &str, errors: &[Errno]) -> Outcome {
    let before = gateway::read(file)?;
    check_refusal(file, text, &gateway::try_write(file, text), errors)?;
    same!(
        gateway::read(file)?,
        before,
        "{file} after {text:?} was refused"
    );
    Ok(())
}

fn srun_good_values() -> Outcome {
    Gateway::load(PORT)?;
    for (written, read) in [
        ("192.168.0.3 6810", "192.168.0.3 6810"),
        ("192.168.0.3:6811", "192.168.0.3 6811"),
        ("  10.1.2.3\t 1  ", "10.1.2.3 1"),
        ("10.1.2.3 65535", "10.1.2.3 65535"),
        ("::1 6802", "::1 6802"),
        ("[2001:db8::7]:80", "2001:db8::7 80"),
        ("2001:DB8:0:0:0:0:0:7 80", "2001:db8::7 80"),
        ("10.1.2.3 80 http", "10.1.2.3 80"),
        ("10.1.2.3 80 up", "10.1.2.3 80"),
        ("10.1.2.3 80 http weight=1 max=0 up", "10.1.2.3 80"),
        ("10.1.2.3 80 down", "10.1.2.3 80 down"),
    ] {
        gateway::write("srun-0", written)?;
        let shown = gateway::read("srun-0")?;
        same!(shown, read, "srun-0 after {written:?}");
        gateway::write("srun-0", &shown).context("writing back what was read")?;
        same!(
            gateway::read("srun-0")?,
            read,
            "srun-0 after writing it back"
        );
    }
    gateway::try_write_octets("srun-0", b"10.9.9.9 99").context("without a newline")?;
    same!(gateway::read("srun-0")?, "10.9.9.9 99", "srun-0");
    Ok(())
}

fn srun_bad_values() -> Outcome {
    Gateway::load(PORT)?;
    for bad in [
        "",
        " ",
        "127.0.0.1",
        "6802",
        "127.0.0.1 0",
        "127.0.0.1 65536",
        "127.0.0.1 -1",
        "127.0.0.1 99999999999999999999",
        "127.0.0.1 80x",
        "127.0.0.1 0x50",
        "300.1.1.1 80",
        "1.2.3 80",
        "1.2.3.4.5 80",
        "localhost 80",
        "127.0.0.1:0",
        "127.0.0.1:",
        ":80",
        "[::1] 80 80",
        "[::1:80",
        "::1:80x",
        "127.0.0.1 80 junk",
        "127.0.0.1 80 81",
        "127.0.0.1 80 weight=0",
        "127.0.0.1 80 weight=",
        "127.0.0.1 80 weight=x",
        "127.0.0.1 80 up down",
        "127.0.0.1 80 http http",
        "127.0.0.1 80 UP",
        "0.0.0.0 80",
        "255.255.255.255 80",
        "224.0.0.1 80",
        ":: 80",
        "127.0.0.1 80\n127.0.0.1 81",
        "127.0.0.1\u{0} 80",
        "127.0.0.1 80\u{0}",
        "\u{e9} 80",
    ] {
        refused("srun-0", bad, &BAD)?;
    }
    Ok(())
}

fn srun_not_supported_yet() -> Outcome {
    Gateway::load(PORT)?;
    for text in ["10.0.0.1 80 drain", "10.0.0.1 80 backup"] {
        let before = gateway::read("srun-0")?;
        match gateway::try_write("srun-0", text) {
            // Once it is supported, it has to be kept and shown.
            Ok(()) => same!(gateway::read("srun-0")?, text, "srun-0 after {text:?}"),
            outcome => {
                check_refusal("srun-0", text, &outcome, &[Errno::EOPNOTSUPP])?;
                same!(gateway::read("srun-0")?, before, "srun-0 after {text:?}");
            }
        }
    }
    Ok(())
}

fn srun_files() -> Result<BTreeSet<String>, Failure> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(gateway::PROC)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let digits = name.strip_prefix("srun-").unwrap_or("");
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            names.insert(name);
        }
    }
    Ok(names)
}

fn srun_count_grows_and_shrinks() -> Outcome {
    Gateway::load(PORT)?;
    gateway::write("srun-0", "10.7.7.7 77")?;
    for count in [3, 64, 1, 0, 2, 2] {
        gateway::write("srun-count", &count.to_string())?;
        same!(
            gateway::read("srun-count")?,
            count.to_string(),
            "srun-count"
        );
        let right: BTreeSet<_> = (0..count).map(|n| format!("srun-{n}")).collect();
        same!(srun_files()?, right, "the files with srun-count {count}");
        for name in right {
            let words = gateway::read(&name)?.split(' ').count();
            ensure!(words >= 2, "{name} holds no address and port");
        }
        if count == 64 {
            same!(
                gateway::read("srun-0")?,
                "10.7.7.7 77",
                "srun-0 after growing"
            );
            gateway::write("srun-63", "10.6.3.63 63")?;
            same!(gateway::read("srun-63")?, "10.6.3.63 63", "srun-63");
        }
    }
    Ok(())
}

fn srun_count_bad_values() -> Outcome {
    Gateway::load(PORT)?;
    for bad in [
        "65",
        "-1",
        "abc",
        "",
        "1 2",
        "1.5",
        "0x2",
        "4294967297",
        "1\n2",
    ] {
        refused("srun-count", bad, &BAD)?;
        same!(
            srun_files()?.len(),
            1,
            "the number of srun files after {bad:?}"
        );
    }
    Ok(())
}

fn config_round_trip() -> Outcome {
    Gateway::load(PORT)?;
    let first = gateway::read("config")?;
    for line in first.lines() {
        // Texts that are not set are a name alone.
        let words = line.split(' ').count();
        ensure!((1..=2).contains(&words), "{words} words in {line:?}");
    }
    gateway::write("config", &first).context("writing all of it back")?;
    same!(
        gateway::read("config")?,
        first,
        "config after writing it back"
    );
    for line in first.lines() {
        gateway::write("config", line).context("writing one line back")?;
    }
    for (name, written, read) in [
        ("response-timeout", "1500ms", "1500ms"),
        ("response-timeout", "120s", "2m"),
        ("keepalive-timeout", "61s", "61s"),
        ("head-size", "16384", "16K"),
        ("head-size", "32K", "32K"),
        ("idle-per-cpu", "0", "0"),
        ("body-size", "4294967296G", "4294967296G"),
        ("forwarded", "append", "append"),
        ("cdn-loop", "on", "on"),
        ("status-allow", "10.0.0.0/8,\t::1", "10.0.0.0/8 ::1"),
        ("status-allow", "none", "none"),
        ("page-503", "  back   soon ", "back   soon"),
    ] {
        gateway::write("config", &format!("{name} {written}"))?;
        same!(setting(name)?, read, "{name} after {written}");
    }
    let text = "# a comment\n\n header-timeout   7s \nidle-per-cpu\t5\n";
    gateway::write("config", text)?;
    same!(setting("header-timeout")?, "7s", "header-timeout");
    same!(setting("idle-per-cpu")?, "5", "idle-per-cpu");
    Ok(())
}

fn setting(name: &str) -> Result<String, Failure> {
    let config = gateway::read("config")?;
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
    config
        .lines()
        .find_map(value)
        .ok_or_else(|| Failure(format!("config has no {name}: {config}")))
}

fn config_whole_or_nothing() -> Outcome {
    Gateway::load(PORT)?;
    for bad in [
        "header-timeout 9s\nno-such-setting 1",
        "header-timeout 9s\nresponse-timeout never",
        "header-timeout 9s\nidle-per-cpu",
        "header-timeout 9s\nidle-per-cpu 1 2",
        "header-timeout 9s\nheader-timeout 8s",
        "no-such-setting 1\nheader-timeout 9s",
        "header-timeout 9s\nhead-size 1",
    ] {
        refused("config", bad, &BAD)?;
    }
    let reason = gateway::read("last-error")?;
    ensure!(
        reason.contains("head-size"),
        "last-error does not name the setting: {reason:?}"
    );
    Ok(())
}

fn config_bad_values() -> Outcome {
    Gateway::load(PORT)?;
    for bad in [
        "header-timeout",
        "header-timeout 0s",
        "header-timeout -1s",
        "header-timeout 10x",
        "header-timeout 99999999999999999999s",
        "head-size 1G",
        "head-size 16KK",
        "forwarded maybe",
        "status-allow 10.0.0.1/8",
        "via two words",
        "header-fields 0",
        "Header-Timeout 10s",
        "header-timeout=10s",
        "\u{0}",
        "header-timeout 10s\u{0}",
    ] {
        refused("config", bad, &BAD)?;
    }
    Ok(())
}

/// Every file in the folder, but those whose reads wait for news.
fn readable() -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(gateway::PROC)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "log" && File::open(gateway::path(&name)).is_ok() {
            names.push(name);
        }
    }
    ensure!(names.len() >= 5, "too few readable files: {names:?}");
    Ok(names)
}

fn every_file_reads_in_pieces() -> Outcome {
    Gateway::load(PORT)?;
    gateway::write("srun-count", "3")?;
    for name in readable()? {
        let whole = fs::read(gateway::path(&name))?;
        // Counters and clocks move between two reads.
        if name == "metrics" || name == "status" {
            ensure!(!whole.is_empty(), "{name} is empty");
            continue;
        }
        ensure!(
            whole.is_empty() || whole.ends_with(b"\n"),
            "{name} does not end with a newline"
        );
        let mut file = File::open(gateway::path(&name))?;
        let mut pieces = Vec::new();
        let mut octet = [0];
        while file.read(&mut octet)? == 1 {
            pieces.push(octet[0]);
        }
        same!(pieces, whole, "{name} read octet by octet");
        for at in [0, 1, whole.len() / 2, whole.len(), whole.len() + 7] {
            let mut tail = vec![0; whole.len() + 16];
            let got = file.read_at(&mut tail, at as u64)?;
            let right = whole.get(at..).unwrap_or(b"");
            same!(&tail[..got], right, "{name} from octet {at}");
        }
    }
    Ok(())
}

fn oversized_and_odd_writes() -> Outcome {
    Gateway::load(PORT)?;
    for name in ["server_port", "srun-count", "srun-0", "config"] {
        let before = gateway::read(name)?;
        for size in [16_385, 65_536, 1 << 20] {
            let padded = format!("{before:<size$}");
            let outcome = gateway::try_write_octets(name, padded.as_bytes());
            check_refusal(name, &padded, &outcome, &[Errno::E2BIG, Errno::EINVAL])?;
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
        check_refusal(name, "noise", &outcome, &BAD)?;
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
    for (file, text) in [
        ("srun-0", "300.1.1.1 80"),
        ("srun-count", "65"),
        ("config", "nonsense 1"),
    ] {
        ensure!(
            gateway::try_write(file, text).is_err(),
            "{text:?} to {file} was taken"
        );
        let reason = gateway::read("last-error")?;
        let lines = log.lines();
        let ours = lines
            .iter()
            .any(|line| line.contains("resin") && line.contains(file));
        ensure!(ours, "the kernel log does not name {file}: {lines:?}");
        let printable = |c: char| c == ' ' || c == '\n' || c.is_ascii_graphic();
        ensure!(
            reason.chars().all(printable),
            "last-error is not plain text: {reason:?}"
        );
        reasons.insert(reason);
    }
    same!(
        reasons.len(),
        3,
        "the number of different reasons ({reasons:?})"
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
