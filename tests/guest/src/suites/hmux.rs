//! Backends that speak HMUX or srun, as several versions of Resin do: a browser does not notice.

use super::relay;
use crate::conn::Conn;
use crate::gateway::{self, Gateway};
use crate::jvm::{Jvm, Manners, Wire};
use crate::load::{self, Plan};
use crate::origin::{Origin, Step};
use crate::pattern::{self, Checker};
use crate::testing::{Context, Outcome, PORT};
use crate::upload::{Sent, Upload};
use crate::{ensure, same, scale, tests};

tests![
    answers_of_every_framing,
    heads_and_statuses,
    answers_are_stored,
    one_connection_for_many_requests,
    each_answer_closes,
    the_first_part_comes_before_the_end,
    an_end_instead_of_an_answer,
    bodies_reach_the_backend in 240 s,
    a_mebibyte_both_ways,
    an_expectation_is_answered,
    an_upgrade_is_not_possible,
    who_asks_is_told,
    answers_that_break_off,
    a_body_that_nobody_reads,
    many_at_once,
];

/// A gateway, and a backend of one kind.
struct Stage<'a> {
    gateway: &'a Gateway,
    wire: Wire,
    jvm: Jvm,
    origin: Origin,
}

impl Stage<'_> {
    fn client(&self) -> Result<Conn, crate::conn::Fault> {
        Conn::open(self.gateway.addr())
    }

    /// A plain request on a new connection gets its answer.
    fn works(&self) -> Outcome {
        fetch(&mut self.client()?, "/len/10", 10, 99).context("afterwards")
    }
}

/// Runs a test with every kind of backend.
fn each(test: fn(&Stage<'_>) -> Outcome) -> Outcome {
    let gateway = Gateway::load(PORT)?;
    for wire in [Wire::Hmux, Wire::Srun] {
        for manners in [Manners::New, Manners::Old] {
            let origin = Origin::start()?;
            let jvm = Jvm::start(wire, manners, origin.addr())?;
            let (addr, name) = (jvm.addr(), wire.name());
            let line = format!("{} {} {name}", addr.ip(), addr.port());
            gateway::write("srun-0", &line)?;
            same!(gateway::read("srun-0")?, line, "srun-0");
            let stage = Stage {
                gateway: &gateway,
                wire,
                jvm,
                origin,
            };
            test(&stage).context(format!("{manners:?} {name}"))?;
            stage.works()?;
            same!(stage.jvm.complaints(), [""; 0], "the backend's complaints");
            same!(
                stage.origin.complaints(),
                [""; 0],
                "the origin's complaints"
            );
        }
    }
    Ok(())
}

/// Asks for a body and checks every octet of it, and that there is the Date that is ours to add.
fn fetch(client: &mut Conn, target: &str, size: u64, seed: u64) -> Outcome {
    let response = relay::fetch(client, target, size, seed)?;
    ensure!(response.head.get("Date").is_some(), "{target}: no Date");
    Ok(())
}

const SIZES: [u64; 9] = [0, 1, 100, 4095, 4096, 4097, 16_385, 65_537, 300_000];

fn answers_of_every_framing() -> Outcome {
    each(|stage| {
        let mut client = stage.client()?;
        for (size, seed) in SIZES.into_iter().zip(1..) {
            for kind in ["len", "chunked", "close"] {
                fetch(&mut client, &format!("/{kind}/{size}"), size, seed)?;
            }
        }
        fetch(&mut client, "/slow/20?ms=5", 20, 3)?;
        client.send(b"GET /chunked/5000?seed=4 HTTP/1.0\r\nHost: test\r\n\r\n")?;
        let response = client.response("GET")?;
        same!(
            response.body,
            pattern::body(4, 5000),
            "the body for HTTP/1.0"
        );
        Ok(())
    })
}

fn answers_are_stored() -> Outcome {
    each(|stage| {
        gateway::write("cache", "enable on")?;
        gateway::write("cache-clear", "all")?;
        let mut client = stage.client()?;
        let before = stage.origin.requests();
        for (kind, seed) in ["len", "chunked", "close"].into_iter().zip(1..) {
            for _ in 0..3 {
                let target = format!("/{kind}/20000?cc=max-age=3600");
                fetch(&mut client, &target, 20_000, seed)?;
            }
        }
        let asked = stage.origin.requests() - before;
        same!(asked, 3, "requests of the origin");
        Ok(())
    })
}

fn heads_and_statuses() -> Outcome {
    each(|stage| {
        let mut client = stage.client()?;
        for status in [204, 304, 404, 500, 503] {
            let response = client.get(&format!("/status/{status}"))?;
            same!(response.status, status, "the status");
            let bodyless = status == 204 || status == 304;
            let length = response.head.get("Content-Length");
            same!(length.is_none(), bodyless, "{status}: no Content-Length");
        }
        for (target, length) in [("/len/12345", Some("12345")), ("/chunked/10", None)] {
            client.request("HEAD", target)?;
            let response = client.response("HEAD")?;
            same!(response.head.get("Content-Length"), length, "HEAD {target}");
        }
        let response = client.get("/headers/40")?;
        same!(
            response.head.fields.len() > 40,
            true,
            "fields of a large head"
        );
        fetch(&mut client, "/len/10", 10, 3)?;
        same!(stage.jvm.connections(), 1, "the backend's connections");
        Ok(())
    })
}

fn one_connection_for_many_requests() -> Outcome {
    each(|stage| {
        for round in 0..20 {
            let mut client = stage.client()?;
            for request in 0..5 {
                fetch(&mut client, "/len/1000", 1000, round * 5 + request)?;
            }
        }
        let used = stage.jvm.connections();
        same!(stage.jvm.requests(), 100, "the backend's requests");
        ensure!(used <= 2, "it took {used} backend connections");
        // Pipelined requests are asked one after the other.
        let mut client = stage.client()?;
        let ask = |size| format!("GET /chunked/{size}?seed=7 HTTP/1.1\r\nHost: test\r\n\r\n");
        let all: String = (1..=10).map(ask).collect();
        client.send(all.as_bytes())?;
        for size in 1..=10 {
            let response = client.response("GET")?;
            same!(response.body, pattern::body(7, size), "answer {size}");
        }
        Ok(())
    })
}

fn each_answer_closes() -> Outcome {
    each(|stage| {
        stage.jvm.close_each(true);
        let mut client = stage.client()?;
        for seed in 1..=10 {
            fetch(&mut client, "/chunked/10000", 10_000, seed)?;
        }
        same!(stage.jvm.connections(), 10, "the backend's connections");
        stage.jvm.close_each(false);
        Ok(())
    })
}

/// What a backend has flushed is with the client while the answer has no end yet.
fn the_first_part_comes_before_the_end() -> Outcome {
    each(|stage| {
        for (framing, first) in [
            ("Transfer-Encoding: chunked", "5\r\nfirst\r\n"),
            ("Content-Length: 10", "first"),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{first}");
            let steps = vec![Step::Send(head.into_bytes()), Step::Hang];
            stage.origin.script("begun", steps);
            let mut client = stage.client()?;
            client.request("GET", "/script/begun")?;
            let (status, head) = client.status_and_head().context(framing)?;
            same!(status, 200, "{framing}: the status");
            // The end of a chunk may come with what follows it.
            let part: &[u8] = match head.get("Content-Length") {
                Some(_) => b"first",
                None => b"5\r\nfirst",
            };
            let seen = client.exactly(part.len()).context(framing)?;
            same!(seen, part, "{framing}: the first part");
        }
        Ok(())
    })
}

/// A backend ends a connection that was idle just when it is used: the client must not notice.
fn an_end_instead_of_an_answer() -> Outcome {
    each(|stage| {
        let mut client = stage.client()?;
        for seed in 1..=5 {
            fetch(&mut client, "/len/1000", 1000, seed)?;
            stage.jvm.leave_next();
        }
        same!(stage.jvm.requests(), 5, "requests that were answered");
        same!(stage.jvm.connections(), 5, "the backend's connections");
        // The one that was armed last. Another client may be another CPU's, whose pool is empty: to
        // be left on a new connection is no reason to ask there again.
        fetch(&mut client, "/len/10", 10, 6)
    })
}

/// Uploads, and fails unless the origin has got all of the body and the client its report.
fn upload(client: &mut Conn, upload: &Upload<'_>) -> Outcome {
    let (method, target, len) = (upload.method, upload.target, upload.len);
    let what = format!("{method} {target}, {len} octets {:?}", upload.framing);
    let uploaded = client.upload(upload).context(&what)?;
    same!(uploaded.response.status, 200, "{what}: the status");
    same!(uploaded.continued, upload.expect, "{what}: a 100");
    let framing = match upload.framing {
        Sent::Length => format!("length {len}"),
        Sent::Chunked(_) if len == 0 => "none".to_owned(),
        Sent::Chunked(_) => "chunked".to_owned(),
    };
    let report = uploaded.response.text();
    for line in [
        format!("request {method} {target} HTTP/1.1"),
        format!("framing {framing}"),
        format!("octets {len}"),
        format!("crc32 {:08x}", upload.crc()),
        "wrong none".to_owned(),
        "complete true".to_owned(),
    ] {
        // Without a body there is no report of one.
        let told = report.lines().any(|one| one == line) || framing == "none";
        ensure!(told, "{what}: no {line:?} in {report:?}");
    }
    Ok(())
}

fn bodies_reach_the_backend() -> Outcome {
    each(|stage| {
        let mut client = stage.client()?;
        for (len, seed) in [0, 1, 5, 8192, 8193, 16_384, 16_385, 65_537, 200_000]
            .into_iter()
            .zip(1..)
        {
            let target = format!("/upload?seed={seed}");
            let plain = Upload::new(&target, seed, len);
            upload(&mut client, &plain)?;
            if len < 20_000 {
                upload(&mut client, &plain.clone().chunked(1000))?;
            }
            upload(&mut client, &plain.chunked(65_536))?;
        }
        let put = Upload {
            method: "PUT",
            ..Upload::new("/upload?seed=2&slow=3&chunk=5000", 2, 100_000)
        };
        upload(&mut client, &put)?;
        upload(
            &mut client,
            &Upload::new("/upload?seed=2&stall=300", 2, 100_000),
        )?;
        ensure!(stage.jvm.acks() > 0, "nothing was acknowledged");
        let used = stage.jvm.connections();
        same!(used, 1, "the backend's connections");
        Ok(())
    })
}

fn a_mebibyte_both_ways() -> Outcome {
    each(|stage| {
        let mut client = stage.client()?;
        let size = scale::count(1 << 20, 1 << 18);
        fetch(&mut client, &format!("/len/{size}"), size, 5)?;
        fetch(
            &mut client,
            &format!("/chunked/{size}?chunk=50000"),
            size,
            6,
        )?;
        upload(&mut client, &Upload::new("/upload?seed=8", 8, size))?;
        for framing in [Sent::Length, Sent::Chunked(10_000)] {
            let echo = Upload {
                framing,
                ..Upload::new("/echo", 0, size)
            };
            let mut checker = Checker::new(0);
            let uploaded = client.upload_into(&echo, &mut |octets| checker.feed(octets))?;
            same!(uploaded.response.status, 200, "the status of the echo");
            same!(checker.len(), size, "the length of the echo");
            same!(checker.wrong(), None, "the first wrong octet of the echo");
        }
        same!(stage.jvm.connections(), 1, "the backend's connections");
        Ok(())
    })
}

fn an_expectation_is_answered() -> Outcome {
    each(|stage| {
        let mut client = stage.client()?;
        let expect = Upload {
            expect: true,
            ..Upload::new("/upload?seed=2", 2, 30_000)
        };
        upload(&mut client, &expect)?;
        upload(&mut client, &expect.chunked(777))?;
        let head = stage.origin.last_head().unwrap_or_default();
        same!(head.get("Expect"), None, "Expect at the backend");
        Ok(())
    })
}

fn an_upgrade_is_not_possible() -> Outcome {
    each(|stage| {
        let mut client = stage.client()?;
        fetch(&mut client, "/len/1", 1, 1)?;
        let (status, _) = client.upgrade("/upgrade", "test")?;
        same!(status, 501, "the status");
        // Nobody has to take this one for more than a wish.
        let mut client = stage.client()?;
        client.send(
            b"GET /len/3 HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\n\
              Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        )?;
        same!(client.response("GET")?.status, 200, "the status");
        same!(stage.jvm.connections(), 1, "the backend's connections");
        Ok(())
    })
}

fn who_asks_is_told() -> Outcome {
    each(|stage| {
        stage.gateway.set("trusted-proxies", "none")?;
        let mut client = stage.client()?;
        let port = client.stream().local_addr()?.port().to_string();
        let ask = b"GET /echo-head?a=b HTTP/1.1\r\nHost: www.example.org:8081\r\nCookie: c=d\r\n\
                    X-Forwarded-Proto: https\r\nConnection: X-Hop\r\nX-Hop: secret\r\n\r\n";
        client.send(ask)?;
        same!(client.response("GET")?.status, 200, "the status");
        let head = stage.origin.last_head().unwrap_or_default();
        for (name, value) in [
            ("X-Told-Host", Some("127.0.0.1")),
            ("X-Told-Address", Some("127.0.0.1")),
            ("X-Told-Port", Some(port.as_str())),
            ("X-Told-Server-Port", Some("8081")),
            ("X-Told-Secure", None),
            ("Host", Some("www.example.org:8081")),
            ("Cookie", Some("c=d")),
            ("X-Hop", None),
        ] {
            same!(head.get(name), value, "{name} at the backend");
        }
        same!(
            head.first,
            "GET /echo-head?a=b HTTP/1.1",
            "the request line"
        );
        // One that may be believed.
        stage.gateway.set("trusted-proxies", "127.0.0.0/8")?;
        let mut client = stage.client()?;
        client.send(ask)?;
        same!(client.response("GET")?.status, 200, "the status");
        let head = stage.origin.last_head().unwrap_or_default();
        same!(head.get("X-Told-Secure"), Some(""), "X-Told-Secure");
        // More fields than HMUX has room for.
        let lines = "X-Many: 1\r\n".repeat(64);
        client.send(format!("GET /len/3 HTTP/1.1\r\nHost: test\r\n{lines}\r\n").as_bytes())?;
        let expected = match stage.wire {
            Wire::Hmux => 431,
            Wire::Srun => 200,
        };
        same!(client.response("GET")?.status, expected, "the status");
        Ok(())
    })
}

fn answers_that_break_off() -> Outcome {
    each(|stage| {
        for target in ["/garbage", "/die-head", "/reset"] {
            let mut client = stage.client()?;
            let response = client.get(target).context(target)?;
            same!(response.status, 502, "the status of {target}");
            fetch(&mut client, "/len/10", 10, 1)?;
        }
        for target in [
            "/die/100000?after=5000",
            "/die/100000?after=0",
            "/die/100000?after=50000&framing=chunked",
            "/die/100000?after=99999&reset=1",
        ] {
            let mut client = stage.client()?;
            let outcome = client.get(target);
            ensure!(outcome.is_err(), "{target} looks whole: {outcome:?}");
        }
        Ok(())
    })
}

fn a_body_that_nobody_reads() -> Outcome {
    each(|stage| {
        for len in [5, 1000, 200_000] {
            let mut client = stage.client()?;
            let early = Upload::new("/early/403?then=close", 0, len);
            let response = client.upload(&early)?.response;
            same!(response.status, 403, "the status for {len} octets");
            same!(response.text(), "early\n", "the body for {len} octets");
            stage.works()?;
        }
        // It is read after the answer has gone out.
        let mut client = stage.client()?;
        let late = Upload::new("/early/200?then=read", 0, 300_000);
        same!(client.upload(&late)?.response.status, 200, "the status");
        Ok(())
    })
}

fn many_at_once() -> Outcome {
    each(|stage| {
        let plan = Plan {
            requests: scale::count(60, 20),
            ..Plan::mixed(stage.gateway.addr())
        };
        let tally = load::run(&plan);
        let all = plan.requests * plan.connections as u64;
        same!(tally.right, all, "right answers ({:?})", tally.notes);
        Ok(())
    })
}
