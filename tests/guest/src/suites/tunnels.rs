//! Connections that become another protocol's: octets both ways, ends both ways, and no tunnel that
//! nobody has asked for.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::conn::{Conn, Options};
use crate::http::Head;
use crate::origin::{Received, Step, Tunnel};
use crate::pattern::{self, Checker};
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    echo,
    small_messages,
    large_both_ways,
    sink,
    source,
    octets_with_the_switch,
    octets_with_the_request,
    after_a_body,
    before_the_end_of_a_body,
    refused,
    not_asked_for,
    http2_is_not_tunnelled,
    unasked_switch,
];

/// Opens a tunnel; fails unless it opens.
pub(super) fn open(bed: &Bed, query: &str) -> Result<Conn, Failure> {
    open_with(bed, query, Options::default())
}

/// The same with options.
pub(super) fn open_with(bed: &Bed, query: &str, options: Options) -> Result<Conn, Failure> {
    let mut client = bed.client_with(options)?;
    let target = format!("/upgrade?{query}");
    let (status, head) = client.upgrade(&target, "websocket").context(&target)?;
    same!(status, 101, "{target}: the status");
    check_switch(&head).context(target)?;
    Ok(client)
}

fn check_switch(head: &Head) -> Outcome {
    let upgrade: Vec<_> = head.all("Upgrade").collect();
    same!(upgrade, ["websocket"], "Upgrade");
    let right = head.has_token("Connection", "upgrade");
    ensure!(right, "Connection: {:?}", head.get("Connection"));
    for name in ["Content-Length", "Transfer-Encoding"] {
        same!(head.get(name), None, "{name}");
    }
    Ok(())
}

/// What came through the only tunnel so far, once it has ended at the backend.
fn received(bed: &Bed) -> Result<Received, Failure> {
    let over = || !bed.origin.received().is_empty();
    let over = scale::wait_until(Duration::from_secs(20), over);
    ensure!(over, "the tunnel does not end at the backend");
    let seen = bed.origin.last_received();
    seen.ok_or_else(|| Failure("nothing came".into()))
}

/// Waits until no backend connection is open.
pub(super) fn all_gone(bed: &Bed) -> Outcome {
    let gone = scale::wait_until(Duration::from_secs(20), || bed.origin.open() == 0);
    ensure!(gone, "{} backend connections stay open", bed.origin.open());
    Ok(())
}

fn echo() -> Outcome {
    let bed = Bed::new()?;
    let mut client = open(&bed, "seed=1")?;
    let head = bed.origin.last_head().unwrap_or_default();
    same!(
        head.get("Upgrade"),
        Some("websocket"),
        "Upgrade at the backend"
    );
    let right = head.has_token("Connection", "upgrade");
    ensure!(right, "Connection: {:?}", head.get("Connection"));
    let body = pattern::body(1, 5000);
    client.send(&body)?;
    ensure!(client.exactly(5000)? == body, "other octets came back");
    client.half_close()?;
    let rest = client.rest().context("after our FIN")?;
    same!(rest, b"bye 5000\n", "the last octets");
    let seen = received(&bed)?;
    same!(
        (seen.octets, seen.wrong, seen.complete),
        (5000, None, true),
        "what came through"
    );
    all_gone(&bed)?;
    bed.works()
}

fn small_messages() -> Outcome {
    let bed = Bed::new()?;
    let mut client = open(&bed, "")?;
    for number in 0..scale::count(1000, 200) {
        let message = pattern::body(number, 1 + number as usize % 60);
        client.send(&message)?;
        let back = client.exactly(message.len());
        let back = back.context(format!("message {number}"))?;
        ensure!(back == message, "message {number} came back changed");
    }
    client.half_close()?;
    client.rest()?;
    all_gone(&bed)
}

/// Sends so much of the pattern in a thread, then a FIN if `end`.
pub(super) fn sender(
    client: &Conn,
    seed: u64,
    len: u64,
    end: bool,
) -> Result<thread::JoinHandle<std::io::Result<()>>, Failure> {
    let mut stream = client.stream().try_clone()?;
    Ok(thread::spawn(move || {
        let mut at = 0;
        while at < len {
            let piece = pattern::octets(seed, at, len - at);
            stream.write_all(piece)?;
            at += piece.len() as u64;
        }
        if end {
            stream.shutdown(std::net::Shutdown::Write)?;
        }
        Ok(())
    }))
}

/// Waits for it; fails if not all could be sent.
pub(super) fn joined(sender: thread::JoinHandle<std::io::Result<()>>) -> Outcome {
    let outcome = sender.join();
    let outcome = outcome.map_err(|_| Failure("the sender died".into()))?;
    outcome.context("sending")
}

fn large_both_ways() -> Outcome {
    let bed = Bed::new()?;
    let len = scale::count(32 << 20, 4 << 20);
    let mut client = open(&bed, "seed=5")?;
    let sender = sender(&client, 5, len, true)?;
    let mut checker = Checker::new(5);
    while checker.len() < len {
        let left = usize::try_from(len - checker.len())?;
        let piece = client.nibble(left.min(65_536))?;
        ensure!(!piece.is_empty(), "it ends after {}", checker.len());
        checker.feed(&piece);
    }
    same!(checker.wrong(), None, "the first wrong octet back");
    let rest = client.rest()?;
    same!(
        String::from_utf8_lossy(&rest),
        format!("bye {len}\n"),
        "the last octets"
    );
    joined(sender)?;
    let seen = received(&bed)?;
    same!((seen.octets, seen.wrong), (len, None), "what came through");
    all_gone(&bed)
}

fn sink() -> Outcome {
    let bed = Bed::new()?;
    for len in [0, 1, 100_000] {
        let mut client = open(&bed, "kind=sink&seed=5")?;
        joined(sender(&client, 5, len, true)?)?;
        // It answers only after our FIN, which has to get there without an end the other way.
        let report = String::from_utf8_lossy(&client.rest()?).into_owned();
        for line in [
            "framing tunnel".to_owned(),
            format!("octets {len}"),
            "wrong none".to_owned(),
        ] {
            ensure!(
                report.lines().any(|one| one == line),
                "no {line:?} in {report:?}"
            );
        }
    }
    all_gone(&bed)
}

fn source() -> Outcome {
    let bed = Bed::new()?;
    let mut client = open(&bed, "kind=source&len=300000&seed=5")?;
    // Its FIN comes after the last octet, and the other way stays open.
    let all = client.rest()?;
    ensure!(all == pattern::body(5, 300_000), "other octets came");
    same!(bed.origin.open(), 1, "the backend's open connections");
    // So much that the client's FIN is there long before the backend has all.
    let len = scale::count(4 << 20, 1 << 20);
    joined(sender(&client, 5, len, true)?)?;
    let seen = received(&bed)?;
    same!(
        (seen.octets, seen.wrong, seen.complete),
        (len, None, true),
        "what came after its FIN"
    );
    all_gone(&bed)
}

fn octets_with_the_switch() -> Outcome {
    let bed = Bed::new()?;
    for first in [1, 5000, 40_000] {
        let query = format!("first={first}&seed=7&ms=50");
        let mut client = open(&bed, &query)?;
        let body = client.exactly(first).context(&query)?;
        ensure!(body == pattern::body(7, first), "{query}: other octets");
        client.send(b"more")?;
        same!(client.exactly(4)?, b"more", "{query}: what came back");
    }
    all_gone(&bed)
}

fn octets_with_the_request() -> Outcome {
    let bed = Bed::new()?;
    let head = |query: &str| {
        format!(
            "GET /upgrade?seed=7&{query} HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\n\
             Upgrade: websocket\r\n\r\n"
        )
    };
    for early in [1, 3000, 100_000] {
        let mut client = bed.client()?;
        let body = pattern::body(7, early);
        client.send(&[head("ms=100").as_bytes(), &body].concat())?;
        let head = client.exactly(12)?;
        same!(head, b"HTTP/1.1 101", "the status line");
        client.send(b"more")?;
        client.half_close()?;
        let rest = client.rest()?;
        let end = crate::http::head_end(&rest, 0).ok_or(Failure("no head".into()))?;
        let bye = format!("bye {}\n", early + 4);
        let right = [&body[..], b"more", bye.as_bytes()].concat();
        ensure!(rest[end..] == right[..], "{early}: other octets came back");
    }
    // Without a tunnel they are the next request, which the backend gets as one.
    let mut client = bed.client()?;
    let next = "GET /len/5?seed=3 HTTP/1.1\r\nHost: test\r\n\r\n";
    client.send(format!("{}{next}", head("refuse=403")).as_bytes())?;
    same!(client.response("GET")?.status, 403, "the status");
    same!(
        client.response("GET")?.body,
        pattern::body(3, 5),
        "the next answer"
    );
    bed.works()
}

/// The fields of a request for a tunnel.
const ASKING: &str = "Host: test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n";
/// The head of the answer that opens one.
pub(super) const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

pub(super) fn echo_tunnel() -> Step {
    Step::Tunnel(Tunnel::Echo {
        after: u64::MAX,
        reset: false,
    })
}

fn after_a_body() -> Outcome {
    let bed = Bed::new()?;
    let steps = vec![
        Step::Read(u64::MAX),
        Step::Send(SWITCH.into()),
        echo_tunnel(),
    ];
    bed.origin.script("after", steps);
    for framing in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let mut client = bed.client()?;
        let head = format!("POST /script/after HTTP/1.1\r\n{ASKING}{framing}");
        client.send(head.as_bytes())?;
        client.exactly(SWITCH.len()).context(framing)?;
        client.send(b"through")?;
        client.half_close()?;
        let rest = client.rest()?;
        same!(
            String::from_utf8_lossy(&rest),
            "throughbye 7\n",
            "what came back"
        );
    }
    all_gone(&bed)
}

/// RFC 9110 7.8: a server must not switch before the whole request is there.
fn before_the_end_of_a_body() -> Outcome {
    let bed = Bed::new()?;
    let steps = vec![Step::Read(5), Step::Send(SWITCH.into()), echo_tunnel()];
    bed.origin.script("early", steps);
    let mut client = bed.client()?;
    let head = format!("POST /script/early HTTP/1.1\r\n{ASKING}Content-Length: 10\r\n\r\nhello");
    client.send(head.as_bytes())?;
    same!(client.response("POST")?.status, 502, "the status");
    all_gone(&bed)?;
    bed.works()
}

fn refused() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for status in [200, 403, 503] {
        let fields = "Host: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
        let target = format!("/upgrade?refuse={status}");
        client.send(format!("GET {target} HTTP/1.1\r\n{fields}\r\n").as_bytes())?;
        let response = client.response("GET").context(&target)?;
        same!(response.status, status, "{target}: the status");
        same!(response.text(), "no tunnel\n", "{target}: the body");
        same!(response.head.get("Upgrade"), None, "{target}: Upgrade");
    }
    // A 426 says which protocol would do.
    let response = client.get("/upgrade")?;
    same!(response.status, 426, "the status");
    same!(response.head.get("Upgrade"), Some("test"), "Upgrade");
    let named = response.head.has_token("Connection", "upgrade");
    ensure!(named, "Connection: {:?}", response.head.get("Connection"));
    same!(client.get("/len/3")?.status, 200, "the status after it");
    bed.works()
}

fn not_asked_for() -> Outcome {
    let bed = Bed::new()?;
    for (what, version, fields) in [
        ("without Connection", "1.1", "Upgrade: websocket\r\n"),
        ("without Upgrade", "1.1", "Connection: upgrade\r\n"),
        (
            "in HTTP/1.0",
            "1.0",
            "Connection: upgrade, keep-alive\r\nUpgrade: websocket\r\n",
        ),
        (
            "with a bad name",
            "1.1",
            "Connection: upgrade\r\nUpgrade: web socket\r\n",
        ),
    ] {
        let mut client = bed.client()?;
        let head = format!("GET /upgrade HTTP/{version}\r\nHost: test\r\n{fields}\r\n");
        client.send(head.as_bytes())?;
        same!(
            client.response("GET").context(what)?.status,
            426,
            "{what}: the status"
        );
        let head = bed.origin.last_head().unwrap_or_default();
        same!(head.get("Upgrade"), None, "{what}: Upgrade at the backend");
        let upgrade = head.has_token("Connection", "upgrade");
        ensure!(!upgrade, "{what}: Connection: {:?}", head.get("Connection"));
    }
    bed.works()
}

/// Requests within HTTP/2 would pass unread.
fn http2_is_not_tunnelled() -> Outcome {
    let bed = Bed::new()?;
    for protocol in ["h2c", "H2C", "h2c-14", "h2c, h2c"] {
        let mut client = bed.client()?;
        let fields = format!(
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABk\r\n"
        );
        client.send(format!("GET /upgrade HTTP/1.1\r\nHost: test\r\n{fields}\r\n").as_bytes())?;
        let response = client.response("GET").context(protocol)?;
        same!(response.status, 426, "{protocol}: the status");
        let head = bed.origin.last_head().unwrap_or_default();
        for name in ["Upgrade", "HTTP2-Settings"] {
            same!(head.get(name), None, "{protocol}: {name} at the backend");
        }
    }
    // Of several protocols the others may be chosen.
    let mut client = bed.client()?;
    let (status, head) = client.upgrade("/upgrade", "h2c, websocket, h2c-16")?;
    same!(status, 101, "the status with a choice");
    check_switch(&head)?;
    let head = bed.origin.last_head().unwrap_or_default();
    same!(head.get("Upgrade"), Some("websocket"), "what was offered");
    bed.works()
}

fn unasked_switch() -> Outcome {
    let bed = Bed::new()?;
    let switch = |upgrade: &str| {
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {upgrade}\r\n\r\n"
        );
        vec![Step::Send(head.into_bytes()), echo_tunnel()]
    };
    bed.origin.script("h2c", switch("h2c"));
    bed.origin.script("websocket", switch("websocket"));
    let none = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
    bed.origin
        .script("none", vec![Step::Send(none), echo_tunnel()]);
    for (target, fields) in [
        ("/script/websocket", ""),
        ("/script/h2c", ""),
        ("/script/h2c", "Connection: upgrade\r\nUpgrade: h2c\r\n"),
        (
            "/script/h2c",
            "Connection: upgrade\r\nUpgrade: websocket\r\n",
        ),
        (
            "/script/none",
            "Connection: upgrade\r\nUpgrade: websocket\r\n",
        ),
    ] {
        let mut client = bed.client()?;
        let head = format!("GET {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n");
        client.send(head.as_bytes())?;
        let response = client.response("GET").context(target)?;
        same!(response.status, 502, "{target} with {fields:?}: the status");
    }
    all_gone(&bed)?;
    bed.works()
}
