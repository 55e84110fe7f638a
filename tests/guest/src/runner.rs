//! Runs tests one by one, each in a process of its own: whatever it does, it can be ended, and its
//! sockets and files end with it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{killpg, Signal};
use nix::unistd::Pid;

use crate::gateway;
use crate::leftovers::{self, Log, Sockets};
use crate::scale;
use crate::testing::Test;

/// How a test ended.
enum End {
    Ok,
    Ignored(&'static str),
    Failed(String),
}

/// The tests of the part "N/M": every Mth, from the Nth on, so that long ones fall to several.
pub fn part(tests: &[Test], part: &str) -> Option<Vec<Test>> {
    let (number, parts) = part.split_once('/')?;
    let (number, parts): (usize, usize) = (number.parse().ok()?, parts.parse().ok()?);
    let first = number.checked_sub(1).filter(|first| *first < parts)?;
    Some(tests.iter().skip(first).step_by(parts).copied().collect())
}

/// Runs the tests whose names hold one of the filters, or all of them. Exits as `cargo test` does.
pub fn main(tests: &[Test], filters: &[String]) -> ExitCode {
    let wanted = |test: &&Test| {
        filters.is_empty()
            || filters
                .iter()
                .any(|filter| short(test.name).contains(filter))
    };
    let tests: Vec<_> = tests.iter().filter(wanted).collect();
    println!("\nrunning {} tests", tests.len());
    let (mut passed, mut failed, mut ignored) = (0, Vec::new(), 0);
    let started = Instant::now();
    let mut log = Log::from_now();
    let before = Sockets::now();
    for (number, test) in tests.iter().enumerate() {
        let name = short(test.name);
        let begun = Instant::now();
        let end = run(test, before, &mut log);
        let time = begun.elapsed().as_secs_f64();
        match end {
            End::Ok => {
                passed += 1;
                println!("test {name} ... ok ({time:.1} s)");
            }
            End::Ignored(why) => {
                ignored += 1;
                println!("test {name} ... ignored ({why})");
            }
            End::Failed(why) => {
                println!("test {name} ... FAILED ({time:.1} s)");
                why.lines().for_each(|line| println!("    {line}"));
                failed.push(name);
                if gateway::loaded() {
                    println!("    the module cannot be unloaded: the other tests cannot run");
                    failed.extend(tests.iter().skip(number + 1).map(|test| short(test.name)));
                    break;
                }
            }
        }
    }
    summary(passed, &failed, ignored, started.elapsed())
}

fn summary(passed: usize, failed: &[&str], ignored: usize, time: Duration) -> ExitCode {
    if !failed.is_empty() {
        println!("\nfailures:");
        failed.iter().for_each(|name| println!("    {name}"));
    }
    let word = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {} failed; {ignored} ignored; finished in {:.1} s",
        failed.len(),
        time.as_secs_f64()
    );
    ExitCode::from(u8::from(!failed.is_empty()))
}

/// The part of a name that people type: `relay::head`.
pub fn short(name: &str) -> &str {
    name.split_once("suites::").map_or(name, |(_, name)| name)
}

fn run(test: &Test, before: Sockets, log: &mut Log) -> End {
    if let Some(why) = (test.unfit)() {
        return End::Ignored(why);
    }
    if gateway::loaded() {
        return End::Failed("resin is loaded already: rmmod it first".into());
    }
    leftovers::mark(&format!("resin-suite: {}", short(test.name)));
    log.lines();
    let mut trouble = Vec::new();
    if let Err(why) = in_a_process(test) {
        trouble.push(why);
        leftovers::mend_machine();
    }
    if let Err(why) = leftovers::clean_up(before) {
        trouble.push(format!("afterwards: {why}"));
    }
    let complaints = log.trouble();
    if !complaints.is_empty() {
        trouble.push(format!("the kernel complained:\n{}", complaints.join("\n")));
    }
    if trouble.is_empty() {
        End::Ok
    } else {
        End::Failed(trouble.join("\n"))
    }
}

fn in_a_process(test: &Test) -> Result<(), String> {
    let output = PathBuf::from(format!("/tmp/resin-suite-{}.out", std::process::id()));
    let mut child = start(test, &output).map_err(|error| format!("cannot start: {error}"))?;
    let limit = scale::secs(test.limit);
    let end = Instant::now() + limit;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let limit = limit.as_secs();
                let state = leftovers::diagnosis(child.id());
                break Err(format!("not done after {limit} s\n{state}"));
            }
            Err(error) => break Err(error.to_string()),
        }
    };
    end_group(&mut child);
    let said = fs::read_to_string(&output).unwrap_or_default();
    let _ = fs::remove_file(&output);
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if status.code() == Some(1) => Err(said),
        Ok(status) => Err(format!("{status}\n{said}")),
        Err(why) => Err(format!("{why}\n{said}")),
    }
}

fn start(test: &Test, output: &PathBuf) -> std::io::Result<Child> {
    let file = File::create(output)?;
    Command::new(std::env::current_exe()?)
        .args(["--child", test.name])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .process_group(0)
        .spawn()
}

/// Ends what is left of the test's processes. One that hangs in the kernel is not waited for.
fn end_group(child: &mut Child) {
    let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
    scale::wait_until(Duration::from_secs(2), || {
        matches!(child.try_wait(), Ok(Some(_)))
    });
}

/// The child's part: runs that test.
pub fn child(tests: &[Test], name: &str) -> ExitCode {
    let Some(test) = tests.iter().find(|test| test.name == name) else {
        println!("no test {name}");
        return ExitCode::from(2);
    };
    match (test.run)() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{}", failure.0);
            ExitCode::from(1)
        }
    }
}
