//! Where the work is done, and how few packets it takes.

use crate::cached::{whole, Visitor, FRESH};
use crate::conn::Conn;
use crate::origin::Answer;
use crate::testing::{sh, Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    work_is_done_in_softirq_or_not,
    one_request_takes_few_packets
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

/// Segments that were sent in this network namespace.
fn segments() -> Result<u64, Failure> {
    let sent = sh("nstat -asz TcpOutSegs | awk '$1 == \"TcpOutSegs\" { print $2 }'")?;
    sent.trim().parse().context(sent)
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
    let mut fewest = u64::MAX;
    // Others may send some meanwhile, and whoever is slow acknowledges what has come.
    for _ in 0..20 {
        fewest = fewest.min(connection(&bed)?);
    }
    // Three to begin with, the request, the answer with FIN, its acknowledgement, FIN and its own.
    ensure!(fewest <= 8, "{fewest} segments");
    same!(bed.origin.asked("page"), 1, "requests of the backend");
    bed.works()
}
