//! Every proc file: what it shows, what it takes, and what it refuses for which reason.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, PermissionsExt};

use nix::errno::Errno;

use crate::gateway::{self, Gateway};
use crate::testing::{Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    srun_good_values,
    srun_bad_values,
    srun_count_grows_and_shrinks,
    srun_count_bad_values,
    config_round_trip,
    config_whole_or_nothing,
    config_bad_values,
    every_file_reads_in_pieces,
];

/// Checks that a write failed with this error, and that `last-error` gives this reason for it.
pub(super) fn check_refusal(
    file: &str,
    text: &str,
    outcome: &io::Result<()>,
    errno: Errno,
    reason: &str,
) -> Outcome {
    let what = format!("{:?} to {file}", text.chars().take(80).collect::<String>());
    let code = match outcome {
        Ok(()) => return Err(Failure(format!("{what} was taken"))),
        Err(error) => error.raw_os_error().unwrap_or(0),
    };
    same!(Errno::from_raw(code), errno, "{what}: the error");
    let said = gateway::read("last-error")?;
    let ours = said.strip_prefix(&format!("{file}: "));
    ensure!(
        ours.is_some_and(|said| said.contains(reason)),
        "{what}: last-error is {said:?}, and not about {reason:?}"
    );
    Ok(())
}

/// Writes what must be refused with this error for this reason, and change nothing.
pub(super) fn refused(file: &str, text: &str, errno: Errno, reason: &str) -> Outcome {
    let before = gateway::read(file)?;
    // So that `last-error` cannot have its reason from the write before.
    let _ = gateway::try_write("srun-count", "old news");
    check_refusal(file, text, &gateway::try_write(file, text), errno, reason)?;
    same!(
        gateway::read(file)?,
        before,
        "{file} after {text:?} was refused"
    );
    Ok(())
}

/// The same for many texts, by their errors and reasons.
pub(super) fn all_refused(file: &str, all: &[(Errno, &str, &[&str])]) -> Outcome {
    for (errno, reason, texts) in all {
        for text in *texts {
            refused(file, text, *errno, reason)?;
        }
    }
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
        ("10.1.2.3 80 drain", "10.1.2.3 80 drain"),
        ("10.1.2.3 80 backup", "10.1.2.3 80 backup"),
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
    let bad: [(Errno, &str, &[&str]); 12] = [
        (Errno::EINVAL, "an address is missing", &["", " "]),
        (Errno::EINVAL, "a port is missing after", &["127.0.0.1"]),
        (
            Errno::EINVAL,
            "is not an address: write IP PORT",
            &[
                "6802",
                "300.1.1.1 80",
                "1.2.3 80",
                "1.2.3.4.5 80",
                ":80",
                "[::1:80",
                "::1:80x",
                "127.0.0.1\u{0} 80",
                "\u{e9} 80",
            ],
        ),
        (Errno::EINVAL, "is a host name", &["localhost 80"]),
        (
            Errno::EINVAL,
            "is not the address of one host",
            &["0.0.0.0 80", "255.255.255.255 80", "224.0.0.1 80", ":: 80"],
        ),
        (Errno::EOPNOTSUPP, "needs an interface", &["fe80::1 80"]),
        (
            Errno::ERANGE,
            "is out of range: write 1 to 65535",
            &[
                "127.0.0.1 0",
                "127.0.0.1 65536",
                "127.0.0.1 99999999999999999999",
                "127.0.0.1:0",
            ],
        ),
        (
            Errno::EINVAL,
            "is not a number",
            &[
                "127.0.0.1 -1",
                "127.0.0.1 80x",
                "127.0.0.1 0x50",
                "127.0.0.1:",
                "127.0.0.1 80\u{0}",
                "127.0.0.1 80 weight=",
                "127.0.0.1 80 weight=x",
            ],
        ),
        (
            Errno::EINVAL,
            "unknown option",
            &[
                "[::1] 80 80",
                "127.0.0.1 80 junk",
                "127.0.0.1 80 81",
                "127.0.0.1 80 UP",
            ],
        ),
        (
            Errno::ERANGE,
            "weight: \"0\" is out of range: write 1 to 256",
            &["127.0.0.1 80 weight=0"],
        ),
        (
            Errno::EINVAL,
            "repeats or contradicts an earlier option",
            &["127.0.0.1 80 up down", "127.0.0.1 80 http http"],
        ),
        (
            Errno::EINVAL,
            "write one line",
            &["127.0.0.1 80\n127.0.0.1 81"],
        ),
    ];
    all_refused("srun-0", &bad)
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
    let bad: [(Errno, &str, &[&str]); 4] = [
        (
            Errno::ERANGE,
            "is out of range: write 0 to 64",
            &["65", "4294967297"],
        ),
        (
            Errno::EINVAL,
            "is not a number",
            &["-1", "abc", "1.5", "0x2"],
        ),
        (Errno::EINVAL, "a count is missing", &[""]),
        (
            Errno::EINVAL,
            "\"2\" is one word too many",
            &["1 2", "1\n2"],
        ),
    ];
    all_refused("srun-count", &bad)?;
    same!(srun_files()?.len(), 1, "the number of srun files");
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
        ("receive-buffer", "1048576", "1M"),
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
    for (reason, second) in [
        ("unknown setting \"no-such-setting\"", "no-such-setting 1"),
        (
            "response-timeout: \"never\" is not a time",
            "response-timeout never",
        ),
        ("idle-per-cpu: a value is missing", "idle-per-cpu"),
        (
            "idle-per-cpu: \"2\" is one word too many",
            "idle-per-cpu 1 2",
        ),
        ("header-timeout: set twice in one text", "header-timeout 8s"),
    ] {
        let text = format!("header-timeout 9s\n{second}");
        refused("config", &text, Errno::EINVAL, &format!("line 2: {reason}"))?;
    }
    let first = "no-such-setting 1\nheader-timeout 9s";
    refused("config", first, Errno::EINVAL, "line 1: unknown setting")?;
    let range = "line 2: head-size: \"1\" is out of range: write 1K to 64K";
    refused(
        "config",
        "header-timeout 9s\nhead-size 1",
        Errno::ERANGE,
        range,
    )
}

fn config_bad_values() -> Outcome {
    Gateway::load(PORT)?;
    let bad: [(Errno, &str, &[&str]); 10] = [
        (Errno::EINVAL, "a value is missing", &["header-timeout"]),
        (
            Errno::ERANGE,
            "is out of range: write 100ms to 1h",
            &["header-timeout 0s"],
        ),
        (
            Errno::EINVAL,
            "is not a time",
            &[
                "header-timeout -1s",
                "header-timeout 10x",
                "header-timeout 99999999999999999999s",
                "header-timeout 10s\u{0}",
            ],
        ),
        (
            Errno::ERANGE,
            "head-size: \"1G\" is out of range",
            &["head-size 1G"],
        ),
        (Errno::EINVAL, "is not a size", &["head-size 16KK"]),
        (
            Errno::EINVAL,
            "is not one of off, append, replace and remove",
            &["forwarded maybe"],
        ),
        (
            Errno::EINVAL,
            "has bits set after its prefix length",
            &["status-allow 10.0.0.1/8"],
        ),
        (
            Errno::EINVAL,
            "via: \"two words\" is not a token",
            &["via two words"],
        ),
        (
            Errno::ERANGE,
            "is out of range: write 1 to 1000",
            &["header-fields 0"],
        ),
        (
            Errno::EINVAL,
            "unknown setting",
            &["Header-Timeout 10s", "header-timeout=10s", "\u{0}"],
        ),
    ];
    all_refused("config", &bad)
}

/// Every file in the folder, but those whose reads wait for news.
fn readable() -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(gateway::PROC)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Whoever may do anything can open those that nobody reads.
        let mode = fs::metadata(gateway::path(&name))?.permissions().mode();
        if name != "log" && mode & 0o444 != 0 {
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
