//! `status` and `metrics`: that they tell what happened.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::tunnels::{echo_tunnel, SWITCH};
use crate::conn::Options;
use crate::gateway::{self, Gateway};
use crate::load::{Plan, Traffic};
use crate::origin::{Origin, Step};
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    requests_and_answers_are_counted,
    octets_are_counted_exactly,
    connections_are_counted,
    resets_outside_of_requests_are_counted,
    a_backend_that_fails_is_seen,
    requests_that_go_elsewhere_are_counted,
    replays_are_counted,
    tunnels_are_counted,
    metrics_of_many_backends_read_in_pieces,
    reading_under_load_and_change in 120 s,
];

/// The samples of `metrics`, by name and labels as they are written.
pub(super) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads and checks the file: every line is a sample of the family described before it.
    pub(super) fn read() -> Result<Metrics, Failure> {
        Metrics::parse(&gateway::read("metrics")?)
    }

    pub(super) fn parse(text: &str) -> Result<Metrics, Failure> {
        let mut samples = BTreeMap::new();
        let mut family = String::new();
        let mut lines = text.lines();
        ensure!(
            lines.next_back() == Some("# EOF"),
            "the metrics do not end with EOF"
        );
        for line in lines {
            if let Some(described) = line.strip_prefix("# ") {
                family = described.split(' ').nth(1).unwrap_or("").to_owned();
                continue;
            }
            ensure!(
                !family.is_empty() && line.starts_with(&family),
                "{line:?} is not of {family}"
            );
            let (name, value) = line
                .rsplit_once(' ')
                .ok_or_else(|| Failure(line.to_owned()))?;
            let value: f64 = value.parse().context(line)?;
            ensure!(
                samples.insert(name.to_owned(), value).is_none(),
                "{name} is there twice"
            );
        }
        Ok(Metrics(samples))
    }

    /// A number of the gateway: `requests_total`, `responses_total{class="2xx"}`.
    pub(super) fn get(&self, name: &str) -> Result<u64, Failure> {
        let value = self.0.get(&format!("resin_{name}"));
        let value = value.ok_or_else(|| Failure(format!("there is no {name} in metrics")))?;
        Ok(*value as u64)
    }

    /// A number of a backend.
    pub(super) fn of(&self, backend: &Origin, number: usize, name: &str) -> Result<u64, Failure> {
        let addr = backend.addr();
        self.get(&format!(
            "backend_{name}{{backend=\"srun-{number}\",address=\"{addr}\"}}"
        ))
    }

    /// Whether a word is said of a backend: `state="ok"`.
    fn says(&self, backend: &Origin, name: &str, word: &str) -> Result<bool, Failure> {
        let addr = backend.addr();
        let labels = format!("backend=\"srun-0\",address=\"{addr}\",{word}");
        Ok(self.get(&format!("backend_{name}{{{labels}}}"))? == 1)
    }
}

/// Waits until a number is what it has to be: the client may know of an answer before it is counted.
pub(super) fn wait_for(name: &str, value: u64) -> Outcome {
    let seen = || Metrics::read().and_then(|metrics| metrics.get(name));
    scale::wait_until(Duration::from_secs(5), || {
        seen().is_ok_and(|seen| seen == value)
    });
    same!(seen()?, value, "{name}");
    Ok(())
}

fn requests_and_answers_are_counted() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for _ in 0..5 {
        same!(client.get("/len/10")?.status, 200, "the status");
    }
    for status in [302, 404, 404, 500] {
        client.get(&format!("/status/{status}"))?;
    }
    let mut bad = bed.client()?;
    bad.send(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")?;
    same!(bad.response("GET")?.status, 400, "the status of a bad head");
    drop(bad);
    wait_for("requests_total", 10)?;
    let metrics = Metrics::read()?;
    for (name, value) in [
        ("responses_total{class=\"2xx\"}", 5),
        ("responses_total{class=\"3xx\"}", 1),
        ("responses_total{class=\"4xx\"}", 3),
        ("responses_total{class=\"5xx\"}", 1),
        ("error_pages_total{status=\"400\"}", 1),
        ("error_pages_total{status=\"404\"}", 0),
        ("upstream_connects_total", 1),
        ("upstream_reuses_total", 8),
    ] {
        same!(metrics.get(name)?, value, "{name}");
    }
    for (name, value) in [
        ("requests_total", 9),
        ("connects_total", 1),
        ("reuses_total", 8),
        ("connect_failures_total", 0),
        ("connect_seconds_count", 1),
        ("active", 0),
        ("pooled", 1),
        ("up", 1),
    ] {
        same!(metrics.of(&bed.origin, 0, name)?, value, "{name}");
    }
    let status = gateway::read("status")?;
    for line in [
        "answers      2xx 5 3xx 1 4xx 3 5xx 1",
        "own pages    400 1",
        "backends     1 connects (0 failed), 8 reuses, 0 replays",
    ] {
        ensure!(
            status.lines().any(|found| found == line),
            "{line:?} is missing in\n{status}"
        );
    }
    Ok(())
}

fn octets_are_counted_exactly() -> Outcome {
    let bed = Bed::new()?;
    let request = b"GET /len/100000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut client = bed.client()?;
    client.send(request)?;
    let answer = client.rest()?;
    wait_for("requests_total", 1)?;
    let metrics = Metrics::read()?;
    same!(
        metrics.get("client_received_bytes_total")?,
        request.len() as u64,
        "octets from the client"
    );
    same!(
        metrics.get("client_sent_bytes_total")?,
        answer.len() as u64,
        "octets to the client"
    );
    // What the origin saw, and what it sent: its head is not ours.
    let head = bed.origin.last_head().ok_or("no request at the origin")?;
    let sent = metrics.get("upstream_sent_bytes_total")?;
    same!(sent, head.raw.len() as u64, "octets to the backend");
    same!(
        metrics.of(&bed.origin, 0, "sent_bytes_total")?,
        sent,
        "its own"
    );
    let received = metrics.get("upstream_received_bytes_total")?;
    ensure!(
        (100_000..101_000).contains(&received),
        "{received} octets from the backend"
    );
    same!(
        metrics.of(&bed.origin, 0, "received_bytes_total")?,
        received,
        "its own"
    );
    Ok(())
}

fn connections_are_counted() -> Outcome {
    let bed = Bed::with(&[("max-connections", "3")])?;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = bed.client()?;
        client.get("/len/1")?;
        clients.push(client);
    }
    let mut refused = bed.client()?;
    same!(refused.get("/len/1")?.status, 503, "a fourth connection");
    let metrics = Metrics::read()?;
    same!(metrics.get("client_connections")?, 3, "open");
    same!(metrics.get("client_connections_limit")?, 3, "the limit");
    same!(
        metrics.get("client_connections_accepted_total")?,
        3,
        "accepted"
    );
    same!(
        metrics.get("client_connections_refused_total{reason=\"limit\"}")?,
        1,
        "refused"
    );
    drop(clients);
    wait_for("client_connections", 0)
}

/// They have no line in the log: nothing was asked for.
fn resets_outside_of_requests_are_counted() -> Outcome {
    let bed = Bed::with(&[("linger-timeout", "1m")])?;
    let so_far = |when: &str, count| {
        wait_for(
            &format!("client_connections_reset_total{{when=\"{when}\"}}"),
            count,
        )
    };
    let client = bed.client()?;
    wait_for("client_connections", 1)?;
    client.reset()?;
    so_far("idle", 1).context("before the first request")?;
    let mut client = bed.client()?;
    same!(client.get("/len/1")?.status, 200, "the status");
    client.reset()?;
    so_far("idle", 2).context("between two requests")?;
    let last = b"GET /len/60000 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    let mut client = bed.client()?;
    client.send(last)?;
    same!(client.response("GET")?.status, 200, "the status");
    client.reset()?;
    so_far("linger", 1).context("after the last answer")?;
    // The answer is out for the gateway, and not for the client.
    bed.gateway.set("send-timeout", "700ms")?;
    let tiny = Options {
        receive_buffer: Some(1024),
        ..Options::default()
    };
    let mut client = bed.client_with(tiny)?;
    client.send(last)?;
    so_far("untaken", 1).context("who takes nothing")?;
    same!(
        gateway::clients("reset")?,
        4,
        "the clients that status says were reset"
    );
    // Who is reset within a request is counted there, and who ends in order is not.
    let received = "client_received_bytes_total";
    let before = Metrics::read()?.get(received)?;
    let mut client = bed.client()?;
    client.send(b"GET / HTTP/1.1\r\nHo")?;
    wait_for(received, before + 18)?;
    client.reset()?;
    let mut client = bed.client()?;
    same!(client.get("/len/1")?.status, 200, "the status");
    drop(client);
    wait_for("client_connections", 0)?;
    same!(gateway::clients("reset")?, 4, "the clients that were reset");
    Ok(())
}

fn a_backend_that_fails_is_seen() -> Outcome {
    let mut bed = Bed::with(&[("warmup-time", "0s")])?;
    let state = || -> Result<String, Failure> {
        let word = words_of_backend()?.into_iter().nth(1);
        Ok(word.unwrap_or_default())
    };
    same!(state()?, "ok", "the state before the first request");
    bed.origin.refuse();
    same!(bed.client()?.get("/len/1")?.status, 502, "the status");
    same!(state()?, "failing", "the state once it refuses");
    same!(words_of_backend()?[2], "refused", "and why");
    let metrics = Metrics::read()?;
    for (name, word) in [
        ("state", "state=\"failing\""),
        ("failing", "reason=\"refused\""),
    ] {
        ensure!(metrics.says(&bed.origin, name, word)?, "{word} is not said");
    }
    ensure!(
        !metrics.says(&bed.origin, "state", "state=\"ok\"")?,
        "it is said to be well too"
    );
    same!(metrics.of(&bed.origin, 0, "failures_total")?, 1, "failures");
    same!(metrics.of(&bed.origin, 0, "up")?, 0, "up");
    same!(
        metrics.of(&bed.origin, 0, "connect_failures_total")?,
        1,
        "connections that failed"
    );
    same!(
        metrics.get("upstream_connect_failures_total")?,
        1,
        "all failures"
    );
    same!(
        metrics.get("error_pages_total{status=\"502\"}")?,
        1,
        "our pages"
    );
    bed.origin.listen()?;
    bed.works()?;
    let words = words_of_backend()?;
    same!(words[1], "ok", "the state once it accepts again");
    same!(words[2], "-", "why it should fail");
    let answered = words
        .iter()
        .filter(|word| word.ends_with("us") || word.ends_with("ms"));
    same!(answered.count(), 2, "percentiles in {words:?}");
    same!(Metrics::read()?.of(&bed.origin, 0, "up")?, 1, "up");
    let addr = bed.origin.addr();
    gateway::write("srun-0", &format!("{} {} down", addr.ip(), addr.port()))?;
    same!(state()?, "down", "the state when it is put down");
    // It is the same server as before, and so are its numbers.
    let metrics = Metrics::read()?;
    same!(
        metrics.of(&bed.origin, 0, "requests_total")?,
        2,
        "its requests"
    );
    same!(
        metrics.get("upstream_connect_failures_total")?,
        1,
        "all failures"
    );
    Ok(())
}

/// The words of srun-0's line in `status`.
fn words_of_backend() -> Result<Vec<String>, Failure> {
    let status = gateway::read("status")?;
    let line = status.lines().find(|line| line.starts_with("srun-0 "));
    let line = line.ok_or_else(|| Failure(format!("no line of srun-0 in\n{status}")))?;
    Ok(line.split_whitespace().map(str::to_owned).collect())
}

fn requests_that_go_elsewhere_are_counted() -> Outcome {
    let mut bed = Bed::new()?;
    let other = Origin::start()?;
    gateway::write("srun-count", "2")?;
    let addr = other.addr();
    gateway::write("srun-1", &format!("{} {}", addr.ip(), addr.port()))?;
    bed.origin.refuse();
    let mut client = bed.client()?;
    for number in 0..10 {
        same!(client.get("/len/1")?.status, 200, "request {number}");
    }
    let metrics = Metrics::read()?;
    let given = metrics.of(&bed.origin, 0, "requests_total")?;
    ensure!(given > 0, "nothing was given to the one that refuses");
    let retries = metrics.of(&bed.origin, 0, "retries_total")?;
    same!(retries, given, "requests that went elsewhere");
    let retries = metrics.of(&other, 1, "retries_total")?;
    same!(retries, 0, "of those that the other one was given");
    Ok(())
}

fn replays_are_counted() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    same!(client.get("/len/1")?.status, 200, "the first status");
    // The kept connection is closed in the very moment when it is used: the request goes out again.
    for _ in 0..scale::count(50, 20) {
        same!(client.get("/len/1")?.status, 200, "the status");
        bed.origin.hang_up();
    }
    let metrics = Metrics::read()?;
    let replays = metrics.get("replays_total")?;
    let requests = metrics.of(&bed.origin, 0, "requests_total")?;
    let answers = metrics.get("responses_total{class=\"2xx\"}")?;
    same!(requests, answers + replays, "requests given to the backend");
    Ok(())
}

fn tunnels_are_counted() -> Outcome {
    let bed = Bed::new()?;
    // The switch comes with another response before it, in one piece.
    let head = [b"HTTP/1.1 100 Continue\r\n\r\n", SWITCH].concat();
    let steps = vec![Step::Read(0), Step::Send(head), echo_tunnel()];
    bed.origin.script("both", steps);
    let mut clients = Vec::new();
    for number in 0..6 {
        let target = ["/upgrade", "/script/both"][number % 2];
        let mut client = bed.client()?;
        let (mut status, _) = client.upgrade(target, "websocket")?;
        if status == 100 {
            status = client.status_and_head()?.0;
        }
        same!(status, 101, "{target}: the status");
        client.send(b"hello")?;
        same!(client.exactly(5)?, b"hello", "{target}: what comes back");
        clients.push(client);
    }
    let seen = || -> Result<_, Failure> {
        let metrics = Metrics::read()?;
        Ok((
            metrics.get("tunnels")?,
            metrics.get("tunnels_opened_total")?,
        ))
    };
    same!(seen()?, (6, 6), "the tunnels");
    drop(clients);
    let gone = || seen().is_ok_and(|seen| seen == (0, 6));
    ensure!(
        scale::wait_until(Duration::from_secs(10), gone),
        "the tunnels at the end: {:?}",
        seen()?
    );
    Ok(())
}

fn metrics_of_many_backends_read_in_pieces() -> Outcome {
    Gateway::load(PORT)?;
    gateway::write("srun-count", "64")?;
    for number in 0..64 {
        gateway::write(
            &format!("srun-{number}"),
            &format!("10.9.8.7 {}", 1000 + number),
        )?;
    }
    let whole = gateway::read("metrics")?;
    ensure!(whole.len() > 65_536, "only {} octets", whole.len());
    let mut file = File::open(gateway::path("metrics"))?;
    let (mut text, mut piece) = (Vec::new(), [0; 997]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            len => text.extend_from_slice(&piece[..len]),
        }
    }
    let text = String::from_utf8(text)?;
    for text in [&whole, &text] {
        let metrics = Metrics::parse(text.trim_end())?;
        for number in 0..64 {
            let port = 1000 + number;
            let labels = format!("backend=\"srun-{number}\",address=\"10.9.8.7:{port}\"");
            same!(metrics.get(&format!("backend_up{{{labels}}}"))?, 1, "up");
        }
    }
    let status = gateway::read("status")?;
    same!(
        status
            .lines()
            .filter(|line| line.starts_with("srun-"))
            .count(),
        64,
        "the lines of backends in status"
    );
    gateway::write("srun-count", "0")?;
    let metrics = Metrics::read()?;
    ensure!(
        !metrics
            .0
            .keys()
            .any(|name| name.starts_with("resin_backend_")),
        "there are metrics of backends without backends"
    );
    Ok(())
}

fn reading_under_load_and_change() -> Outcome {
    let bed = Bed::new()?;
    let traffic = Traffic::start(&Plan::mixed(bed.addr()));
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let over = Arc::clone(&over);
            thread::spawn(move || read_until(&over))
        })
        .collect();
    let addr = bed.origin.addr();
    for round in 0..scale::count(150, 30) {
        // A backend comes and goes, and is made anew.
        gateway::write("srun-count", &format!("{}", 1 + round % 3))?;
        gateway::write("srun-0", &format!("{} {}", addr.ip(), addr.port()))?;
        if round % 3 > 0 {
            gateway::write("srun-1", &format!("{} {} down", addr.ip(), 1 + round))?;
        }
        if round % 3 > 1 {
            gateway::write("srun-2", &format!("{} {} down", addr.ip(), 1 + round))?;
        }
        thread::sleep(scale::time(Duration::from_millis(5)));
    }
    gateway::write("srun-count", "1")?;
    over.store(true, SeqCst);
    for reader in readers {
        reader
            .join()
            .map_err(|_| Failure("a reader panicked".into()))??;
    }
    let tally = traffic.stop();
    same!(tally.wrong, 0, "wrong answers {:?}", tally.notes);
    bed.works()?;
    let requests = Metrics::read()?.get("requests_total")?;
    ensure!(
        requests >= tally.right,
        "{requests} requests were counted, {} were answered",
        tally.right
    );
    Ok(())
}

/// Reads both files until told to stop; counters never go back.
fn read_until(over: &AtomicBool) -> Outcome {
    let mut before = 0;
    while !over.load(SeqCst) {
        let requests = Metrics::read()?.get("requests_total")?;
        ensure!(requests >= before, "{requests} requests after {before}");
        before = requests;
        ensure!(
            gateway::read("status")?.starts_with("port         8080\n"),
            "the status does not begin with the port"
        );
    }
    ensure!(before > 0, "no request was seen");
    Ok(())
}
