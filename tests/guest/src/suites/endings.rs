//! The two letters of the access log: who has ended an exchange before its time, and where it was.

use std::time::Duration;

use super::faults::black_hole;
use super::log::{Line, Log};
use super::status::wait_for;
use crate::conn::{Conn, Options};
use crate::gateway;
use crate::origin::Step;
use crate::scale;
use crate::testing::{Bed, Context, Outcome};
use crate::{ensure, same, tests};

tests![nobody, clients, backends, the_gateway in 180 s];

/// One exchange, and what the log says of it.
struct Case {
    what: &'static str,
    /// What has to be set for it: mostly the one time limit that is short.
    setting: (&'static str, &'static str),
    /// Brings it about. Connections that have to outlive it are kept.
    act: fn(&Bed, &mut Vec<Conn>) -> Outcome,
    status: &'static str,
    ending: &'static str,
}

/// Nothing has to be set.
const NO: (&str, &str) = ("log", "combined");

/// Lets them happen, one after the other, with no time limit but what each has set.
fn all(cases: &[Case]) -> Outcome {
    let mut long = Vec::new();
    for limit in [
        "header", "body", "connect", "response", "read", "send", "tunnel", "queue",
    ] {
        long.push(format!("{limit}-timeout 1h\n"));
    }
    let bed = Bed::new()?;
    gateway::write("config", &long.concat())?;
    let usual = gateway::read("config")?;
    let (mut log, mut kept) = (Log::open()?, Vec::new());
    for case in cases {
        let what = case.what;
        bed.gateway.set(case.setting.0, case.setting.1)?;
        (case.act)(&bed, &mut kept).context(what)?;
        let line = Line::of(&log.lines(1).context(what)?[0])?;
        same!(
            (line.status.as_str(), line.ending.as_str()),
            (case.status, case.ending),
            "{what}: status and ending in {line:?}"
        );
        gateway::write("config", &usual)?;
        bed.gateway.backend(0, bed.origin.addr())?;
    }
    Ok(())
}

/// A GET whose answer, if it is one, is somebody else's matter.
fn get(bed: &Bed, target: &str) -> Outcome {
    let _ = bed.client()?.get(target);
    Ok(())
}

/// Sends that, and waits until the backend has got a request and so much of a body.
fn begin(bed: &Bed, octets: &str, body: u64) -> Result<Conn, crate::testing::Failure> {
    let (requests, before) = (bed.origin.requests(), bed.origin.body_octets());
    let mut client = bed.client()?;
    client.send(octets.as_bytes())?;
    let there = || bed.origin.requests() > requests && bed.origin.body_octets() >= before + body;
    let there = scale::wait_until(Duration::from_secs(10), there);
    ensure!(there, "the request does not reach the backend");
    Ok(client)
}

/// Sends that, and takes whatever is answered.
fn send(bed: &Bed, octets: &str) -> Outcome {
    let mut client = bed.client()?;
    client.send(octets.as_bytes())?;
    let _ = client.response("POST");
    Ok(())
}

const HANG: &str = "GET /hang HTTP/1.1\r\nHost: t\r\n\r\n";
const HALF: &str = "POST /upload HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhello";
const CHUNKED: &str = "POST /upload HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
const SHORT: &str = "300ms";

fn nobody() -> Outcome {
    all(&[
        Case {
            what: "a whole answer",
            setting: NO,
            act: |bed, _| get(bed, "/len/100"),
            status: "200",
            ending: "--",
        },
        Case {
            what: "an upload",
            setting: NO,
            act: |bed, _| send(bed, &format!("{HALF}hello")),
            status: "200",
            ending: "--",
        },
        Case {
            what: "an error of the backend's own",
            setting: NO,
            act: |bed, _| get(bed, "/status/503"),
            status: "503",
            ending: "--",
        },
        Case {
            what: "a tunnel that both have ended",
            setting: NO,
            act: |bed, _| {
                let mut client = super::tunnels::open(bed, "")?;
                client.half_close()?;
                Ok(client.rest().map(drop)?)
            },
            status: "101",
            ending: "--",
        },
    ])
}

fn clients() -> Outcome {
    all(&[
        Case {
            what: "reset in its head",
            setting: NO,
            act: |bed, _| {
                let mut client = bed.client()?;
                client.send(b"GET / HTTP/1.1\r\nHo")?;
                // What nobody has read is nobody's request.
                wait_for("client_received_bytes_total", 18)?;
                Ok(client.reset()?)
            },
            status: "499",
            ending: "CR",
        },
        Case {
            what: "reset while the answer is awaited",
            setting: NO,
            act: |bed, _| Ok(begin(bed, HANG, 0)?.reset()?),
            status: "499",
            ending: "CH",
        },
        Case {
            what: "reset in the request's body",
            setting: NO,
            act: |bed, _| Ok(begin(bed, HALF, 5)?.reset()?),
            status: "499",
            ending: "CB",
        },
        Case {
            what: "FIN in the request's body",
            setting: NO,
            act: |bed, _| {
                let mut client = begin(bed, HALF, 5)?;
                client.half_close()?;
                Ok(client.response("POST").map(drop)?)
            },
            status: "400",
            ending: "CB",
        },
        Case {
            what: "reset in the answer's body",
            setting: NO,
            act: |bed, _| {
                let mut client = bed.client()?;
                client.request("GET", "/len/100000000")?;
                client.nibble(10)?;
                Ok(client.reset()?)
            },
            status: "200",
            ending: "CD",
        },
        Case {
            what: "reset while it waits for a place",
            setting: NO,
            act: reset_in_line,
            status: "499",
            ending: "CC",
        },
        Case {
            what: "reset of a tunnel",
            setting: NO,
            act: |bed, _| Ok(super::tunnels::open(bed, "")?.reset()?),
            status: "101",
            ending: "CT",
        },
        Case {
            what: "too slow with its head",
            setting: ("header-timeout", SHORT),
            act: |bed, _| send(bed, "GET / HTTP/1.1\r\n"),
            status: "408",
            ending: "cR",
        },
        Case {
            what: "too slow with its body",
            setting: ("body-timeout", SHORT),
            act: |bed, _| send(bed, HALF),
            status: "408",
            ending: "cB",
        },
        Case {
            what: "takes nothing of the answer",
            setting: ("send-timeout", SHORT),
            act: |bed, kept| {
                let tiny = Options {
                    receive_buffer: Some(1024),
                    ..Options::default()
                };
                let mut client = bed.client_with(tiny)?;
                client.request("GET", "/len/100000000")?;
                kept.push(client);
                Ok(())
            },
            status: "200",
            ending: "cD",
        },
        Case {
            what: "says nothing in a tunnel",
            setting: ("tunnel-timeout", SHORT),
            act: |bed, kept| {
                kept.push(super::tunnels::open(bed, "")?);
                Ok(())
            },
            status: "101",
            ending: "cT",
        },
    ])
}

/// Has the backend's only place taken by a request that ends no sooner than the test.
fn take_the_place(bed: &Bed, kept: &mut Vec<Conn>) -> Outcome {
    let addr = bed.origin.addr();
    gateway::write("srun-0", &format!("{} {} max=1", addr.ip(), addr.port()))?;
    kept.push(begin(bed, HANG, 0)?);
    Ok(())
}

fn reset_in_line(bed: &Bed, kept: &mut Vec<Conn>) -> Outcome {
    take_the_place(bed, kept)?;
    let mut client = bed.client()?;
    client.request("GET", "/len/1")?;
    wait_for("upstream_queue", 1)?;
    Ok(client.reset()?)
}

fn backends() -> Outcome {
    all(&[
        Case {
            what: "refuses the connection",
            setting: NO,
            act: |bed, _| {
                bed.gateway.backend(0, ([127, 0, 0, 1], 9).into())?;
                get(bed, "/len/1")
            },
            status: "502",
            ending: "SC",
        },
        Case {
            what: "accepts no connection in time",
            setting: ("connect-timeout", SHORT),
            act: |bed, _| {
                let (addr, _listener, _filling) = black_hole()?;
                bed.gateway.backend(0, addr)?;
                get(bed, "/len/1")
            },
            status: "504",
            ending: "sC",
        },
        Case {
            what: "closes without an answer",
            setting: NO,
            act: |bed, _| {
                bed.origin.script("silence", vec![Step::Close]);
                // Not one that is asked for again elsewhere.
                let head = "POST /script/silence HTTP/1.1\r\nHost: t\r\n";
                send(bed, &format!("{head}Content-Length: 0\r\n\r\n"))
            },
            status: "502",
            ending: "SH",
        },
        Case {
            what: "does not begin its answer in time",
            setting: ("response-timeout", SHORT),
            act: |bed, _| get(bed, "/hang"),
            status: "504",
            ending: "sH",
        },
        Case {
            what: "does not begin its answer while there is time for all of it",
            setting: ("exchange-timeout", SHORT),
            act: |bed, _| get(bed, "/hang"),
            status: "504",
            ending: "sH",
        },
        Case {
            what: "cuts its answer short",
            setting: NO,
            act: |bed, _| get(bed, "/die/1000?after=10"),
            status: "200",
            ending: "SD",
        },
        Case {
            what: "pauses for too long in its answer",
            setting: ("read-timeout", SHORT),
            act: |bed, _| get(bed, "/hang-body/1000?after=10"),
            status: "200",
            ending: "sD",
        },
        Case {
            what: "resets a tunnel",
            setting: NO,
            act: |bed, _| {
                let mut client = super::tunnels::open(bed, "after=5&reset=1")?;
                client.send(b"hello")?;
                let _ = client.rest();
                Ok(())
            },
            status: "101",
            ending: "ST",
        },
    ])
}

fn the_gateway() -> Outcome {
    all(&[
        Case {
            what: "a head that is none",
            setting: NO,
            act: |bed, _| send(bed, "GET / HTTP/1.1\r\nHost : t\r\n\r\n"),
            status: "400",
            ending: "PR",
        },
        Case {
            what: "a body that is too large, and says so",
            setting: ("body-size", "9"),
            act: |bed, _| send(bed, HALF),
            status: "413",
            ending: "PR",
        },
        Case {
            what: "a body that becomes too large",
            setting: ("body-size", "9"),
            act: |bed, _| send(bed, &format!("{CHUNKED}a\r\n0123456789\r\n")),
            status: "413",
            ending: "PB",
        },
        Case {
            what: "a chunk that is none",
            setting: NO,
            act: |bed, _| send(bed, &format!("{CHUNKED}5\r\nhello\r\nx\r\n")),
            status: "400",
            ending: "PB",
        },
        Case {
            what: "an answer that is none",
            setting: NO,
            act: |bed, _| get(bed, "/garbage"),
            status: "502",
            ending: "PH",
        },
        Case {
            what: "a chunk of an answer that is none",
            setting: NO,
            act: |bed, _| {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                let bad = format!("{head}5\r\nhello\r\nx\r\n");
                bed.origin.raw("bad", bad);
                get(bed, "/script/bad")
            },
            status: "200",
            ending: "PD",
        },
        Case {
            what: "no backend in use",
            setting: NO,
            act: |bed, _| {
                let addr = bed.origin.addr();
                gateway::write("srun-0", &format!("{} {} down", addr.ip(), addr.port()))?;
                get(bed, "/len/1")
            },
            status: "503",
            ending: "RC",
        },
        Case {
            what: "no place in time",
            setting: ("queue-timeout", SHORT),
            act: |bed, kept| {
                take_the_place(bed, kept)?;
                get(bed, "/len/1")
            },
            status: "503",
            ending: "RC",
        },
        Case {
            what: "the gateway's own status",
            setting: ("status-allow", "127.0.0.0/8"),
            act: |bed, _| get(bed, "/caucho-status"),
            status: "200",
            ending: "LR",
        },
        Case {
            what: "a TRACE that goes no further",
            setting: NO,
            act: |bed, _| {
                send(
                    bed,
                    "TRACE / HTTP/1.1\r\nHost: t\r\nMax-Forwards: 0\r\n\r\n",
                )
            },
            status: "200",
            ending: "LR",
        },
    ])
}
