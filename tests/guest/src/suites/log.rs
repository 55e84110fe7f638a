//! The access log: what its lines say, and how readers get them.

mod followers;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sched::{sched_setaffinity, CpuSet};
use nix::unistd::Pid;

use crate::conn::Conn;
use crate::gateway;
use crate::load::{self, Plan};
use crate::scale;
use crate::testing::{sh, Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    a_line_for_each_exchange,
    what_is_no_request_has_a_line_too,
    a_hostile_client_forges_nothing,
    both_processors,
    a_slow_reader_loses_lines_and_is_told,
    followed_under_load,
    goaccess_reads_every_line unless no_goaccess,
    json_lines,
];

/// The tests of this suite that are about readers.
pub(super) const FOLLOWERS: &[crate::testing::Test] = followers::TESTS;

/// What is read without waiting.
pub(super) struct Log(File);

impl Log {
    pub(super) fn open() -> io::Result<Log> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
        Ok(Log(options.open(gateway::path("log"))?))
    }

    /// What there is now.
    fn rest(&mut self) -> Result<String, Failure> {
        let mut text = Vec::new();
        match self.0.read_to_end(&mut text) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                String::from_utf8(text).context("the log")
            }
            outcome => Err(Failure(format!(
                "reading without waiting: {outcome:?}, not EAGAIN"
            ))),
        }
    }

    /// That many lines, which may take a moment: a client has its answer before the log has it.
    pub(super) fn lines(&mut self, count: usize) -> Result<Vec<String>, Failure> {
        let mut text = String::new();
        let mut failure = None;
        scale::wait_until(Duration::from_secs(10), || match self.rest() {
            Ok(more) => {
                text += &more;
                text.lines().count() >= count
            }
            Err(error) => {
                failure = Some(error);
                true
            }
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        same!(
            text.lines().count(),
            count,
            "the number of lines in {text:?}"
        );
        ensure!(
            text.is_empty() || text.ends_with('\n'),
            "half a line: {text:?}"
        );
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// A line of the combined format, apart.
#[derive(Debug)]
pub(super) struct Line {
    client: String,
    time: String,
    pub(super) request: String,
    pub(super) status: String,
    pub(super) octets: String,
    referer: String,
    agent: String,
    pub(super) backend: String,
    pub(super) cache: String,
    total: String,
    first: String,
    pub(super) ending: String,
    pub(super) id: String,
}

impl Line {
    pub(super) fn of(line: &str) -> Result<Line, Failure> {
        Line::try_of(line)
            .ok_or_else(|| Failure(format!("no line of the combined format: {line:?}")))
    }

    fn try_of(line: &str) -> Option<Line> {
        let (client, rest) = line.split_once(" - - [")?;
        let (time, rest) = rest.split_once("] \"")?;
        let (request, rest) = quoted(rest)?;
        let (numbers, rest) = rest.strip_prefix(' ')?.split_once(" \"")?;
        let (status, octets) = numbers.split_once(' ')?;
        let (referer, rest) = quoted(rest)?;
        let (agent, rest) = quoted(rest.strip_prefix(" \"")?)?;
        let ours: Vec<_> = rest.strip_prefix(' ')?.split(' ').collect();
        let [backend, cache, total, first, ending, id] = ours[..] else {
            return None;
        };
        Some(Line {
            client: client.into(),
            time: time.into(),
            request: request.into(),
            status: status.into(),
            octets: octets.into(),
            referer: referer.into(),
            agent: agent.into(),
            backend: backend.into(),
            cache: cache.into(),
            total: total.into(),
            first: first.into(),
            ending: ending.into(),
            id: id.into(),
        })
    }
}

/// What stands before the next quote that has no backslash, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let end = text.find(|letter| {
        let end = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        end
    })?;
    Some((&text[..end], &text[end + 1..]))
}

fn a_line_for_each_exchange() -> Outcome {
    let bed = Bed::new()?;
    let mut log = Log::open()?;
    same!(log.lines(0)?.len(), 0, "the lines at the start");
    let before = sh("date -u +%s")?.trim().parse::<i64>()?;
    let mut client = bed.client()?;
    client.send(
        b"GET /len/123?seed=1 HTTP/1.1\r\nHost: test\r\nReferer: http://a/b\r\n\
          User-Agent: curl/8.14.1\r\n\r\n",
    )?;
    same!(client.response("GET")?.status, 200, "the status");
    let line = Line::of(&log.lines(1)?[0])?;
    same!(line.client, "127.0.0.1", "the client");
    let time = sh(&format!("date -u +%s -d '{}'", readable(&line.time)))?;
    let time = time.trim().parse::<i64>()? - before;
    ensure!(
        (0..=30).contains(&time),
        "the time is {time} s off: {line:?}"
    );
    same!(line.request, "GET /len/123?seed=1 HTTP/1.1", "the request");
    same!(line.status, "200", "the status");
    same!(line.octets, "123", "the octets");
    same!(line.referer, "http://a/b", "the Referer");
    same!(line.agent, "curl/8.14.1", "the User-Agent");
    same!(line.backend, "srun-0", "the backend");
    same!(line.cache, "MISS", "the cache state");
    let total: f64 = line.total.parse()?;
    let first: f64 = line.first.parse()?;
    ensure!(first > 0.0 && first <= total, "the times: {line:?}");
    same!(line.ending.len(), 2, "the letters of the ending");
    same!(line.id.len(), 16, "the digits of the id");
    // Its Connection line too is for the next: pipelined, one of them with a page of our own.
    client.send(
        b"GET /len/5 HTTP/1.1\r\nHost: test\r\n\r\nHEAD /len/7 HTTP/1.1\r\nHost: test\r\n\r\n",
    )?;
    client.response("GET")?;
    client.response("HEAD")?;
    let lines = log.lines(2)?;
    let second = Line::of(&lines[0])?;
    same!(
        (
            second.octets.as_str(),
            second.referer.as_str(),
            second.agent.as_str()
        ),
        ("5", "-", "-"),
        "the second"
    );
    let third = Line::of(&lines[1])?;
    same!(
        (third.octets.as_str(), third.request.as_str()),
        ("0", "HEAD /len/7 HTTP/1.1"),
        "the third"
    );
    ensure!(
        second.id != third.id && second.id != line.id,
        "ids come twice"
    );
    bed.gateway.backend(0, ([127, 0, 0, 1], 9).into())?;
    same!(
        bed.client()?.get("/gone")?.status,
        502,
        "the status without a backend"
    );
    let line = Line::of(&log.lines(1)?[0])?;
    same!(line.status, "502", "the status without a backend");
    Ok(())
}

/// `22/Nov/2026:06:03:33 +0000` as `date` reads it.
fn readable(time: &str) -> String {
    time.replacen('/', " ", 2).replacen(':', " ", 1)
}

fn what_is_no_request_has_a_line_too() -> Outcome {
    let bed = Bed::new()?;
    let mut log = Log::open()?;
    let mut client = bed.client()?;
    client.send(b"\x16\x03\x01\x02 \"hello\"\r\n\r\n")?;
    same!(client.response("GET")?.status, 400, "the status");
    let line = Line::of(&log.lines(1)?[0])?;
    same!(line.status, "400", "the status");
    same!(line.request, r#"\x16\x03\x01\x02 \"hello\""#, "the request");
    same!(line.backend, "-", "the backend");
    // A client that goes away before its answer: whatever is said of it, it is a line.
    let mut client = bed.client()?;
    client.request("GET", "/hang")?;
    ensure!(
        scale::wait_until(Duration::from_secs(10), || bed.origin.requests() == 1),
        "the request does not come through"
    );
    client.reset()?;
    let line = Line::of(&log.lines(1)?[0])?;
    same!(line.request, "GET /hang HTTP/1.1", "the request");
    same!(line.status, "499", "the status");
    same!(line.first, "-", "the time of the first octet");
    Ok(())
}

fn a_hostile_client_forges_nothing() -> Outcome {
    let bed = Bed::new()?;
    let mut log = Log::open()?;
    let mut request = b"GET /\"x\\ HTTP/1.1\r\nHost: test\r\nUser-Agent: \" 200 0\t".to_vec();
    request.extend(0x80..=0xff_u8);
    request.extend(b"\\\r\nReferer: \\\"");
    request.extend([b'\\'; 600]);
    request.extend(b"\r\n\r\n");
    let mut client = bed.client()?;
    client.send(&request)?;
    client.response("GET")?;
    let lines = log.lines(1)?;
    ensure!(
        lines[0].bytes().all(|octet| matches!(octet, b' '..=b'~')),
        "octets that are not harmless: {:?}",
        lines[0]
    );
    let line = Line::of(&lines[0])?;
    same!(line.request, r#"GET /\"x\\ HTTP/1.1"#, "the request");
    ensure!(
        line.agent.starts_with(r#"\" 200 0\x09\x80\x81"#),
        "{line:?}"
    );
    ensure!(
        line.agent.len() <= 256 && line.referer.len() <= 256,
        "too long: {line:?}"
    );
    // Every control, where a request would be.
    let mut log = Log::open()?;
    log.rest()?;
    for octet in (0..=0x1f_u8).chain([0x7f, 0x9b]) {
        let mut client = bed.client()?;
        client.send(&[b"GET /".as_slice(), &[octet], b"[2J HTTP/1.1\r\n\r\n"].concat())?;
        client.response("GET")?;
    }
    for line in log.lines(34)? {
        ensure!(
            line.bytes().all(|octet| matches!(octet, b' '..=b'~')),
            "{line:?}"
        );
        // A line that ends before its version is one of HTTP/0.9.
        let status = Line::of(&line)?.status;
        ensure!(status == "400" || status == "505", "the status of {line:?}");
    }
    Ok(())
}

/// Runs on one processor, as its packets then do.
fn pin(cpu: usize) -> Outcome {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Lines come in the order of the exchanges, wherever those were.
fn both_processors() -> Outcome {
    let bed = Bed::new()?;
    let mut log = Log::open()?;
    let mut clients = Vec::new();
    for cpu in 0..2 {
        pin(cpu)?;
        let mut client = bed.client()?;
        client.get("/len/1")?;
        clients.push(client);
    }
    for number in 0..40 {
        pin(number % 2)?;
        clients[number % 2].get(&format!("/len/1?number={number}"))?;
        // The line of this one is there before the next one begins.
        let line = &log.lines(if number == 0 { 3 } else { 1 })?;
        ensure!(
            line.last()
                .is_some_and(|line| line.contains(&format!("number={number} "))),
            "{line:?}"
        );
    }
    let mut late = Log::open()?;
    let lines = late.lines(42)?;
    for (number, line) in lines.iter().skip(2).enumerate() {
        ensure!(
            line.contains(&format!("number={number} ")),
            "line {number} is {line:?}"
        );
    }
    Ok(())
}

/// How many lines `status` says are lost.
fn lost() -> Result<u64, Failure> {
    let status = gateway::read("status")?;
    let line = status.lines().find(|line| line.starts_with("log "));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.ok_or_else(|| Failure(format!("status has no lost lines: {status}")))
}

/// The numbers that `# N lines lost` lines hold, added.
fn told(lines: &[String]) -> u64 {
    let number = |line: &String| -> Option<u64> {
        line.strip_prefix("# ")?
            .strip_suffix(" lines lost")?
            .parse()
            .ok()
    };
    lines.iter().filter_map(number).sum()
}

fn a_slow_reader_loses_lines_and_is_told() -> Outcome {
    let bed = Bed::new()?;
    let mut slow = Log::open()?;
    let mut client = bed.client()?;
    client.get("/len/1?first")?;
    slow.lines(1)?;
    let count = 400;
    let long = "x".repeat(1500);
    for number in 0..count {
        client.get(&format!("/len/1?{number}={long}"))?;
    }
    let mut text = String::new();
    scale::wait_until(Duration::from_secs(10), || {
        text += &slow.rest().unwrap_or_default();
        text.contains("/len/1?399=")
    });
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let lost_lines = told(&lines);
    let whole = lines.iter().filter(|line| !line.starts_with('#'));
    let read = whole.clone().count() as u64;
    same!(
        read + lost_lines,
        count,
        "lines read ({read}) and lost ({lost_lines})"
    );
    ensure!(
        lost_lines > 0 && read > 20,
        "read {read}, lost {lost_lines}"
    );
    for line in whole {
        Line::of(line)?;
    }
    same!(lost()?, lost_lines, "the lost lines in status");
    // Who comes late has lost nothing that he could have had.
    let late = Log::open()?.rest()?;
    ensure!(!late.contains("lost"), "{late}");
    same!(lost()?, lost_lines, "the lost lines in status afterwards");
    Ok(())
}

fn followed_under_load() -> Outcome {
    let bed = Bed::new()?;
    let path = "/tmp/resin-log-follower";
    let mut cat = std::process::Command::new("cat")
        .arg(gateway::path("log"))
        .stdout(File::create(path)?)
        .spawn()?;
    let plan = Plan {
        requests: scale::count(400, 100),
        sizes: vec![10, 1000],
        ..Plan::mixed(bed.addr())
    };
    let tally = load::run(&plan);
    ensure!(tally.wrong == 0 && tally.failed == 0, "{tally:?}");
    let count = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count() as u64;
    let text = || fs::read_to_string(path).unwrap_or_default();
    let complete = || {
        let lines: Vec<_> = text().lines().map(str::to_owned).collect();
        count(&text()) + told(&lines) == tally.right
    };
    let all = scale::wait_until(Duration::from_secs(10), complete);
    cat.kill()?;
    cat.wait()?;
    let text = text();
    ensure!(all, "{} lines for {} answers", count(&text), tally.right);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        Line::of(line)?;
    }
    Ok(())
}

fn no_goaccess() -> Option<&'static str> {
    let there = sh("command -v goaccess").is_ok();
    (!there).then_some("there is no goaccess here")
}

/// The format that README.md gives.
fn goaccess_options() -> &'static str {
    r#"--log-format='%h - %^[%d:%t %^] "%r" %s %b "%R" "%u" %^ %C %L.%^ %^ %^ %^' --date-format=%d/%b/%Y --time-format=%T --no-strict-status"#
}

fn goaccess_reads_every_line() -> Outcome {
    let bed = Bed::new()?;
    let mut log = Log::open()?;
    let mut client = bed.client()?;
    for number in 0..20 {
        client.send(
            format!(
                "GET /len/{number} HTTP/1.1\r\nHost: test\r\nReferer: http://a/\"{number}\r\n\
                 User-Agent: Mozilla/5.0 (X11; Linux x86_64) \"\\ Firefox/{number}\r\n\r\n"
            )
            .as_bytes(),
        )?;
        client.response("GET")?;
    }
    client.get(&format!("/len/1?{}", "x".repeat(3000)))?;
    client.get("/missing")?;
    client.request("GET", "/hang")?;
    let asked = || bed.origin.requests() == 23;
    ensure!(
        scale::wait_until(Duration::from_secs(10), asked),
        "the request does not come through"
    );
    client.reset()?;
    let mut text = log.lines(23)?.join("\n");
    text += "\n# 17 lines lost\n";
    fs::write("/tmp/resin-access.log", &text)?;
    sh(&format!(
        "cd /tmp && goaccess resin-access.log --no-global-config --no-progress -o goaccess.json \
         --invalid-requests=invalid.log {} && cat goaccess.json >&2",
        goaccess_options()
    ))?;
    let report = fs::read_to_string("/tmp/goaccess.json")?;
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = report.split_once(&format!("\"{name}\":"))?;
        let digits = rest
            .trim_start()
            .split(|letter: char| !letter.is_ascii_digit())
            .next()?;
        digits.parse().ok()
    };
    let invalid = fs::read_to_string("/tmp/invalid.log").unwrap_or_default();
    same!(
        number("failed_requests"),
        Some(0),
        "failed requests, {invalid}"
    );
    same!(
        number("valid_requests"),
        Some(23),
        "valid requests of {text}"
    );
    Ok(())
}

fn json_lines() -> Outcome {
    let bed = Bed::with(&[("log", "json")])?;
    let mut log = Log::open()?;
    let mut client = bed.client()?;
    client.send(b"GET /len/12 HTTP/1.1\r\nHost: test\r\nUser-Agent: \"\xe9\\\r\n\r\n")?;
    client.response("GET")?;
    let line = &log.lines(1)?[0];
    for part in [
        r#"{"time":"20"#,
        r#""client":"127.0.0.1""#,
        r#""request":"GET /len/12 HTTP/1.1""#,
        r#""status":200,"octets":12,"referer":null,"#,
        r#""user_agent":"\"\u00E9\\""#,
        r#""backend":"srun-0""#,
    ] {
        ensure!(line.contains(part), "{part} is not in {line}");
    }
    ensure!(line.ends_with("\"}"), "{line}");
    bed.gateway.set("log", "off")?;
    client.get("/len/1")?;
    bed.gateway.set("log", "combined")?;
    client.get("/len/2")?;
    let line = Line::of(&log.lines(1)?[0])?;
    same!(line.octets, "2", "the octets of the first line after `off`");
    Ok(())
}

/// A connection to the gateway of the other end of which a line is wanted.
fn one_line(bed: &Bed) -> Result<Conn, Failure> {
    let mut client = bed.client()?;
    client.get("/len/1")?;
    Ok(client)
}
