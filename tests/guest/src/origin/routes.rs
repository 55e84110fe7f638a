//! The paths of the origin and what each does.

use std::collections::HashMap;
use std::time::Duration;

use super::reply::{self, Step};
use super::tunnel::Tunnel;
use crate::http::Head;

/// The paths, for people.
pub const PATHS: &str = "\
/len/N            N octets with Content-Length
/chunked/N        N octets in chunks; chunk=K octets each, trailers=1 adds trailers
/close/N          N octets until close, HTTP/1.1; http10=1 answers as HTTP/1.0
/slow/N           N octets with Content-Length, in pieces of chunk=K, ms=M apart
/status/S         a response with that status
/headers/N        a response with N long fields
/echo-head        the request head as it came, as the body
/hop              hop-by-hop fields that may not reach the client
/interim          103, then 200 (code=C for another 1xx)
/extra            a response and a second one that nobody asked for
/wait             the response after ms=M
/die/N            declares N octets (framing=chunked: in chunks), sends after=K, closes; reset=1
/die-head         closes in the middle of the head
/garbage          not HTTP
/hang             never answers
/hang-body/N      declares N octets, sends after=K, then nothing
/reset            resets instead of an answer
/upload           reads the body, then reports what came of it, a line for each thing; slow=M reads
                  chunk=K octets (65536) each M ms, stall=M begins after M ms
/echo             the request's body, framed as it came, trailers and all, while it comes in
/early/S          a response with status S once after=K octets of the body came, then
                  then=read (the rest; the default), then=close, then=reset or then=stall
/expect           100 after ms=M, then as /upload; times=N sends N of them; code=C another 1xx first;
                  answer=S sends status S instead, without reading; quiet=1 sends no 100
/upgrade          101 for whatever Upgrade asks, then kind=echo (the default; ends at after=K, reset=1),
                  kind=sink, kind=source (len=N), kind=silent; first=N sends N octets along with the 101;
                  ms=M waits before the 101; refuse=S answers with status S, 426 if nothing was asked
/stats            counts of connections, requests and request bodies
Everywhere: seed=S chooses the body's octets; X-Target in the response is the request's target;
cc=C and vary=V add Cache-Control and Vary.";

/// A request's target, taken apart.
struct Target<'a> {
    head: &'a Head,
    whole: &'a str,
    name: &'a str,
    argument: u64,
    query: HashMap<&'a str, &'a str>,
}

impl<'a> Target<'a> {
    fn of(head: &'a Head) -> Self {
        let whole = head.words().1;
        let (path, query) = whole.split_once('?').unwrap_or((whole, ""));
        let mut parts = path.trim_start_matches('/').split('/');
        let name = parts.next().unwrap_or("");
        let argument = parts.next().and_then(|text| text.parse().ok()).unwrap_or(0);
        let query = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        Target {
            head,
            whole,
            name,
            argument,
            query,
        }
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.query
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }

    fn seed(&self) -> u64 {
        self.number("seed", 0)
    }

    fn head_only(&self) -> bool {
        self.head.words().0 == "HEAD"
    }

    /// The head of a 200 with these fields, each with its CRLF.
    fn ok(&self, fields: &str) -> Step {
        Step::Send(format!("HTTP/1.1 200 OK\r\n{}{fields}\r\n", self.common()).into_bytes())
    }

    fn common(&self) -> String {
        let mut fields = format!("Server: test-origin\r\nX-Target: {}\r\n", self.whole);
        for (short, name) in [("cc", "Cache-Control"), ("vary", "Vary")] {
            if let Some(value) = self.query.get(short) {
                fields += &format!("{name}: {value}\r\n");
            }
        }
        fields
    }

    /// The whole body with Content-Length, or its head.
    fn sized(&self, len: u64, body: Vec<Step>) -> Vec<Step> {
        let mut steps = vec![self.ok(&format!("Content-Length: {len}\r\n"))];
        if !self.head_only() {
            steps.extend(body);
        }
        steps
    }
}

/// The body that the request's target names.
pub(super) fn seed(head: &Head) -> u64 {
    Target::of(head).seed()
}

/// What the origin does for that request.
pub(super) fn steps(head: &Head) -> Vec<Step> {
    let target = Target::of(head);
    let len = target.argument;
    let seed = target.seed();
    match target.name {
        "len" => target.sized(len, vec![Step::Body { seed, at: 0, len }]),
        "chunked" => chunked(&target),
        "close" => until_close(&target),
        "slow" => slow(&target),
        "status" => status(&target),
        "headers" => big_head(&target),
        "echo-head" => vec![text(&target, "", &String::from_utf8_lossy(&head.raw))],
        "hop" => hop(&target),
        "interim" => interim(&target),
        "extra" => extra(&target),
        "wait" => {
            let pause = Step::Pause(Duration::from_millis(target.number("ms", 100)));
            vec![pause, text(&target, "", "waited")]
        }
        "die" => die(&target),
        "die-head" => {
            vec![
                Step::Send(b"HTTP/1.1 200 OK\r\nServer: test-or".to_vec()),
                Step::Close,
            ]
        }
        "garbage" => vec![
            Step::Send(b"\x00\x01garbage garbage\r\n\r\n".to_vec()),
            Step::Close,
        ],
        "hang" => vec![Step::Hang],
        "hang-body" => {
            let sent = target.number("after", 0).min(len);
            target.sized(
                len,
                vec![
                    Step::Body {
                        seed,
                        at: 0,
                        len: sent,
                    },
                    Step::Hang,
                ],
            )
        }
        "reset" => vec![Step::Reset],
        "upload" => upload(&target),
        "echo" => vec![Step::Echo],
        "early" => early(&target),
        "expect" => expect(&target),
        "upgrade" => upgrade(&target),
        _ => {
            let missing = reply::status("404 Not Found", &target.common(), "no such path\n");
            vec![Step::Send(missing.for_method(head))]
        }
    }
}

fn text(target: &Target<'_>, fields: &str, body: &str) -> Step {
    let fields = format!("{}{fields}", target.common());
    Step::Send(reply::status("200 OK", &fields, body).for_method(target.head))
}

fn chunked(target: &Target<'_>) -> Vec<Step> {
    let (seed, len) = (target.seed(), target.argument);
    let trailers = target.number("trailers", 0) != 0;
    let mut steps = vec![target.ok("Transfer-Encoding: chunked\r\n")];
    if target.head_only() {
        return steps;
    }
    steps.push(Step::Chunks {
        seed,
        len,
        chunk: target.number("chunk", 4096),
    });
    let end = if trailers {
        "0\r\nX-Trailer: at-the-end\r\n\r\n"
    } else {
        "0\r\n\r\n"
    };
    steps.push(Step::Send(end.into()));
    steps
}

fn until_close(target: &Target<'_>) -> Vec<Step> {
    let (seed, len) = (target.seed(), target.argument);
    let version = if target.number("http10", 0) != 0 {
        "1.0"
    } else {
        "1.1"
    };
    let close = if version == "1.1" {
        "Connection: close\r\n"
    } else {
        ""
    };
    let head = format!("HTTP/{version} 200 OK\r\n{}{close}\r\n", target.common());
    let mut steps = vec![Step::Send(head.into_bytes())];
    if !target.head_only() {
        steps.push(Step::Body { seed, at: 0, len });
    }
    steps.push(Step::Close);
    steps
}

fn slow(target: &Target<'_>) -> Vec<Step> {
    let (seed, len) = (target.seed(), target.argument);
    let piece = target.number("chunk", 1).max(1);
    let pause = Duration::from_millis(target.number("ms", 10));
    let mut body = Vec::new();
    let mut at = 0;
    while at < len {
        let size = piece.min(len - at);
        body.push(Step::Body {
            seed,
            at,
            len: size,
        });
        body.push(Step::Pause(pause));
        at += size;
    }
    target.sized(len, body)
}

fn status(target: &Target<'_>) -> Vec<Step> {
    let code = target.argument;
    if code == 204 || code == 304 {
        let fields = target.common() + "ETag: \"tag\"\r\n";
        let head = format!("HTTP/1.1 {code} Bodyless\r\n{fields}\r\n");
        return vec![Step::Send(head.into_bytes())];
    }
    let line = format!("{code} Whatever It Says");
    let answer = reply::status(&line, &target.common(), &format!("status {code}\n"));
    vec![Step::Send(answer.for_method(target.head))]
}

fn big_head(target: &Target<'_>) -> Vec<Step> {
    let value = "v".repeat(100);
    let field = |n| format!("X-Field-{n}: {value}\r\n");
    let fields: String = (0..target.argument).map(field).collect();
    vec![text(target, &fields, "big head\n")]
}

fn hop(target: &Target<'_>) -> Vec<Step> {
    let fields = "Connection: X-Named, keep-alive\r\nX-Named: secret\r\nKeep-Alive: timeout=5\r\n\
                  Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-Kept: kept\r\n";
    vec![text(target, fields, "hop\n")]
}

fn interim(target: &Target<'_>) -> Vec<Step> {
    let code = target.number("code", 103);
    let first = format!("HTTP/1.1 {code} Interim\r\nLink: </a.css>; rel=preload\r\n\r\n");
    vec![Step::Send(first.into_bytes()), text(target, "", "final\n")]
}

fn extra(target: &Target<'_>) -> Vec<Step> {
    vec![
        text(target, "", "asked"),
        Step::Send(reply::text("poison").to_vec()),
    ]
}

fn die(target: &Target<'_>) -> Vec<Step> {
    let (seed, len) = (target.seed(), target.argument);
    let sent = target.number("after", len / 2).min(len);
    let end = if target.number("reset", 0) != 0 {
        Step::Reset
    } else {
        Step::Close
    };
    if target.query.get("framing") == Some(&"chunked") {
        let chunks = Step::Chunks {
            seed,
            len: sent,
            chunk: target.number("chunk", 4096),
        };
        return vec![target.ok("Transfer-Encoding: chunked\r\n"), chunks, end];
    }
    let mut steps = target.sized(
        len,
        vec![Step::Body {
            seed,
            at: 0,
            len: sent,
        }],
    );
    steps.push(end);
    steps
}

fn milliseconds(target: &Target<'_>, name: &str) -> Step {
    Step::Pause(Duration::from_millis(target.number(name, 0)))
}

fn report(target: &Target<'_>) -> Step {
    Step::Report {
        status: "200 OK",
        fields: target.common(),
    }
}

fn upload(target: &Target<'_>) -> Vec<Step> {
    let read = match target.number("slow", 0) {
        0 => Step::Read(u64::MAX),
        pause => Step::ReadSlowly {
            piece: target.number("chunk", 65_536).max(1),
            pause: Duration::from_millis(pause),
        },
    };
    vec![milliseconds(target, "stall"), read, report(target)]
}

fn early(target: &Target<'_>) -> Vec<Step> {
    let line = format!("{} Early", target.argument);
    let then = target.query.get("then").copied().unwrap_or("read");
    let mut fields = target.common();
    if then == "close" || then == "reset" {
        fields += "Connection: close\r\n";
    }
    let answer = reply::status(&line, &fields, "early\n").for_method(target.head);
    let mut steps = vec![Step::Read(target.number("after", 0)), Step::Send(answer)];
    match then {
        "close" => steps.push(Step::Close),
        "reset" => steps.push(Step::Reset),
        "stall" => steps.push(Step::Stall),
        _ => {}
    }
    steps
}

fn expect(target: &Target<'_>) -> Vec<Step> {
    let mut steps = vec![Step::Read(0), milliseconds(target, "ms")];
    let code = target.number("code", 0);
    if code != 0 {
        let interim = format!("HTTP/1.1 {code} Interim\r\nX-Interim: first\r\n\r\n");
        steps.push(Step::Send(interim.into_bytes()));
    }
    let answer = target.number("answer", 0);
    if answer != 0 {
        let line = format!("{answer} As Asked");
        // Whether the body comes all the same cannot be known: the connection ends with this.
        let fields = target.common() + "Connection: close\r\n";
        let answer = reply::status(&line, &fields, "refused\n").for_method(target.head);
        steps.extend([Step::Send(answer), Step::Close]);
        return steps;
    }
    if target.number("quiet", 0) == 0 {
        for _ in 0..target.number("times", 1) {
            steps.push(Step::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()));
        }
    }
    steps.extend([Step::Read(u64::MAX), report(target)]);
    steps
}

fn upgrade(target: &Target<'_>) -> Vec<Step> {
    let asked = target.head.get("Upgrade");
    let refuse = target.number("refuse", 0);
    let Some(asked) = asked.filter(|_| refuse == 0) else {
        let line = match refuse {
            0 => "426 Upgrade Required".to_owned(),
            code => format!("{code} Refused"),
        };
        let fields = target.common() + "Connection: Upgrade\r\nUpgrade: test\r\n";
        let answer = reply::status(&line, &fields, "no tunnel\n").for_method(target.head);
        return vec![Step::Send(answer)];
    };
    let common = target.common();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\n{common}Connection: Upgrade\r\nUpgrade: {asked}\r\n\r\n"
    );
    let (seed, len) = (target.seed(), target.number("len", 0));
    let kind = match target.query.get("kind").copied() {
        Some("sink") => Tunnel::Sink,
        Some("source") => Tunnel::Source { seed, len },
        Some("silent") => Tunnel::Silent,
        _ => Tunnel::Echo {
            after: target.number("after", u64::MAX),
            reset: target.number("reset", 0) != 0,
        },
    };
    // In one segment with the head.
    let first = crate::pattern::body(seed, target.number("first", 0) as usize);
    let along = [head.as_bytes(), &first].concat();
    vec![
        milliseconds(target, "ms"),
        Step::Send(along),
        Step::Tunnel(kind),
    ]
}
