//! Where the work is done, and how few packets it takes.

use std::time::Duration;

use crate::cached::{whole, Visitor, FRESH};
use crate::conn::Conn;
use crate::origin::Answer;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    work_is_done_in_softirq_or_not,
    one_request_takes_few_packets,
    a_part_of_a_request_is_acknowledged_at_once,
];

/// How many of the kernel's tasklets have run, on all processors.
fn tasklets() -> Result<u64, Failure> {
    let all = std::fs::read_to_string("/proc/softirqs").context("/proc/softirqs")?;
    let line = all.lines().find(|line| line.trim().starts_with("TASKLET:"));
    let line = line.ok_or_else(|| Failure("no tasklets".to_owned()))?;
    let numbers = line.split_whitespace().skip(1);
    numbers
        .map(|number| number.parse::<u64>().context(number))
        .sum()
}

/// Requests of one client: some for what is stored, as many for what is not, and an upload each.
const ROUNDS: u64 = 50;

/// How many tasklets run while these are made.
fn busy(bed: &Bed) -> Result<u64, Failure> {
    let mut visitor = Visitor::new(bed)?;
    let mut client = bed.client()?;
    let before = tasklets()?;
    for _ in 0..ROUNDS {
        whole(&visitor.hit("/script/page", "")?, 1, 3000)?;
        let relayed = client.get("/len/30000?seed=2")?;
        whole(&relayed, 2, 30000)?;
        client
            .send(b"POST /len/10?seed=3 HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nfour")?;
        whole(&client.response("POST")?, 3, 10)?;
    }
    Ok(tasklets()? - before)
}

fn work_is_done_in_softirq_or_not() -> Outcome {
    let bed = Bed::cached(&[])?;
    bed.origin.answer("page", &Answer::new(FRESH, 1, 3000));
    Visitor::new(&bed)?.miss("/script/page", "")?;
    let soft = busy(&bed)?;
    ensure!(soft >= 3 * ROUNDS, "only {soft} tasklets have run");
    bed.gateway.set("softirq", "off")?;
    let hard = busy(&bed)?;
    // Others have some, too.
    ensure!(hard < ROUNDS, "{hard} tasklets have run");
    bed.gateway.set("softirq", "on")?;
    let soft = busy(&bed)?;
    ensure!(soft >= 3 * ROUNDS, "only {soft} tasklets have run at last");
    bed.works()
}

/// One of the kernel's counters of this network namespace, from the lines of a file that begin so.
fn counter(file: &str, group: &str, wanted: &str) -> Result<u64, Failure> {
    let all = std::fs::read_to_string(file).context(file)?;
    let mut lines = all.lines().filter(|line| line.starts_with(group));
    let names = lines.next().unwrap_or("").split_whitespace();
    let values = lines.next().unwrap_or("").split_whitespace();
    let value = names.zip(values).find(|(name, _)| *name == wanted);
    let (_, value) = value.ok_or_else(|| Failure(format!("no {wanted} in {file}")))?;
    value.parse().context(value)
}

/// Segments that were sent.
fn segments() -> Result<u64, Failure> {
    counter("/proc/net/snmp", "Tcp:", "OutSegs")
}

/// How many segments a connection takes that is for one request.
fn connection(bed: &Bed) -> Result<u64, Failure> {
    let before = segments()?;
    let mut client: Conn = bed.client()?;
    let answer = client.ask("GET", "/script/page", "Connection: close\r\n")?;
    whole(&answer, 1, 3000)?;
    client.expect_close()?;
    drop(client);
    Ok(segments()? - before)
}

fn one_request_takes_few_packets() -> Outcome {
    let bed = Bed::cached(&[])?;
    bed.origin.answer("page", &Answer::new(FRESH, 1, 3000));
    Visitor::new(&bed)?.miss("/script/page", "")?;
    // Three to begin with, the request, the answer with FIN, its acknowledgement, FIN and its own.
    let most = 8;
    let mut counts = Vec::new();
    // Others may send some meanwhile, and whoever is slow acknowledges what has come.
    while counts.last().is_none_or(|count| *count > most) {
        ensure!(counts.len() < 30, "segments: {counts:?}");
        counts.push(connection(&bed)?);
    }
    same!(bed.origin.asked("page"), 1, "requests of the backend");
    bed.works()
}

/// How often the kernel had to wait with an acknowledgement until it was overdue, while somebody had sent a
/// part of the first request on his connection.
fn overdue(bed: &Bed, part: &[u8]) -> Result<u64, Failure> {
    let delayed = || counter("/proc/net/netstat", "TcpExt:", "DelayedACKs");
    let mut client = bed.client()?;
    let before = delayed()?;
    client.send(part)?;
    // Five times as long as an acknowledgement is put off.
    std::thread::sleep(Duration::from_millis(200));
    let overdue = delayed()? - before;
    client.reset()?;
    Ok(overdue)
}

fn a_part_of_a_request_is_acknowledged_at_once() -> Outcome {
    let bed = Bed::new()?;
    let parts: [&[u8]; 2] = [
        b"GET /len/10?seed=1 HTTP/1.1\r\nHost: test\r\n",
        b"POST /len/10?seed=1 HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n",
    ];
    for part in parts {
        let mut counts = Vec::new();
        // Others may have something to acknowledge, too.
        while counts.last().is_none_or(|count| *count > 0) {
            let text = String::from_utf8_lossy(part);
            ensure!(counts.len() < 10, "{text:?}: overdue {counts:?} times");
            counts.push(overdue(&bed, part)?);
        }
    }
    bed.works()
}
