//! What is stored is reused: the same octets, for the same target, as long as they are fresh.

use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::log::{Line, Log};
use super::proc::refused;
use crate::cached::{age, body, set, whole, Visitor, FRESH};
use crate::conn::Conn;
use crate::gateway;
use crate::http::Framing;
use crate::origin::Answer;
use crate::testing::{sh, Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    stored_and_reused,
    head_from_a_stored_get,
    interim_ones_are_passed_on,
    age_grows,
    stale_when_its_time_is_over,
    what_must_not_be_stored,
    errors_that_say_how_long,
    queries_are_part_of_the_key,
    hosts_are_part_of_the_key,
    for_http10_clients,
    pipelined,
    switched_off,
    states_in_the_log,
    mappings,
    settings_are_kept,
];

/// Longer than anything is fresh that says `max-age=1`.
pub(super) const STALE: Duration = Duration::from_millis(1200);

fn stored_and_reused() -> Outcome {
    let bed = Bed::cached(&[])?;
    let fields = format!(
        "{FRESH}Server: x/1\r\nx-CASE: Kept\r\nX-Twice: one\r\nX-Twice: two\r\nETag: W/\"1\"\r\n\
         Date: {}\r\nContent-Type: image/png\r\nX-Bytes: \u{e9}\r\nLink: </a>, </b>\r\n",
        sh("LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT'")?.trim()
    );
    bed.origin.answer("page", &Answer::new(&fields, 1, 3000));
    let mut visitor = Visitor::new(&bed)?;
    let first = visitor.miss("/script/page", "")?;
    whole(&first, 1, 3000)?;
    for _ in 0..3 {
        let next = visitor.hit("/script/page", "")?;
        whole(&next, 1, 3000)?;
        same!(next.framing, Framing::Length(3000), "the framing");
        for line in fields.split("\r\n") {
            let raw = String::from_utf8_lossy(&next.head.raw).into_owned();
            ensure!(raw.contains(line), "{line:?} is gone: {raw:?}");
        }
        for name in ["X-Twice", "Date", "ETag", "Content-Type"] {
            same!(
                next.head.all(name).collect::<Vec<_>>(),
                first.head.all(name).collect::<Vec<_>>(),
                "{name}"
            );
        }
    }
    // Another connection gets it too.
    whole(&Visitor::new(&bed)?.hit("/script/page", "")?, 1, 3000)?;
    same!(
        bed.origin.asked("page"),
        1,
        "how often the backend was asked"
    );
    bed.works()
}

fn head_from_a_stored_get() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    // What answers a HEAD is not stored for GET.
    let target = "/len/5000?seed=7&cc=max-age=3600";
    let (first, asked) = visitor.ask("HEAD", target, "")?;
    same!((first.status, asked), (200, 1), "a HEAD before anything");
    whole(&visitor.miss(target, "")?, 7, 5000)?;
    for _ in 0..2 {
        let head = visitor.hit_by("HEAD", target, "")?;
        same!(head.status, 200, "the status");
        same!(head.head.get("Content-Length"), Some("5000"), "the length");
        same!(
            head.head.get("X-Target"),
            Some(target),
            "whose answer it is"
        );
        // The connection is where it should be.
        whole(&visitor.hit(target, "")?, 7, 5000)?;
    }
    Ok(())
}

/// They are no part of what is stored.
fn interim_ones_are_passed_on() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let target = "/interim?cc=max-age=3600";
    for (response, interim) in [
        (visitor.miss(target, "")?, &[103][..]),
        (visitor.hit(target, "")?, &[]),
    ] {
        same!(response.text(), "final\n", "the body");
        same!(response.interim, interim, "the interim ones");
    }
    Ok(())
}

fn age_grows() -> Outcome {
    let bed = Bed::cached(&[])?;
    bed.origin.answer("page", &Answer::new(FRESH, 1, 10));
    let fields = format!("{FRESH}Age: 100\r\n");
    bed.origin.answer("old", &Answer::new(&fields, 2, 10));
    let mut visitor = Visitor::new(&bed)?;
    let begun = Instant::now();
    visitor.miss("/script/page", "")?;
    visitor.miss("/script/old", "")?;
    let stored = Instant::now();
    for _ in 0..3 {
        // Whole seconds are counted, and those that the answer took are among them.
        let least = stored.elapsed().as_secs();
        let young = age(&visitor.hit("/script/page", "")?)?;
        let old = age(&visitor.hit("/script/old", "")?)?;
        let most = begun.elapsed().as_secs() + 1;
        ensure!(
            (least..=most).contains(&young),
            "the age is {young} s, not {least} to {most}"
        );
        ensure!(
            (least + 100..=most + 100).contains(&old),
            "the age of what was 100 s old is {old} s, not {least} to {most} more"
        );
        thread::sleep(Duration::from_millis(1500));
    }
    Ok(())
}

fn stale_when_its_time_is_over() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let expired = "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
    for (name, fields) in [
        ("max-age", "Cache-Control: max-age=1\r\n"),
        ("s-maxage", "Cache-Control: max-age=3600, s-maxage=1\r\n"),
        ("expires", &format!("Cache-Control: max-age=1\r\n{expired}")),
        (
            "cdn",
            "Cache-Control: max-age=3600\r\nCDN-Cache-Control: max-age=1\r\n",
        ),
        ("age", "Cache-Control: max-age=100\r\nAge: 99\r\n"),
    ] {
        let target = format!("/script/{name}");
        bed.origin.answer(name, &Answer::new(fields, 1, 500));
        whole(&visitor.miss(&target, "")?, 1, 500).context(name)?;
        thread::sleep(STALE);
        // Something else by now, for which nobody has asked.
        bed.origin.answer(name, &Answer::new(fields, 2, 600));
        whole(&visitor.miss(&target, "")?, 2, 600).context(name)?;
    }
    // What is stale at once and has no validator is of no use.
    bed.origin.answer("past", &Answer::new(expired, 1, 500));
    visitor.never_stored("/script/past", "")
}

fn what_must_not_be_stored() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    for (number, fields) in [
        "Cache-Control: no-store\r\n",
        "Cache-Control: no-store, max-age=3600\r\n",
        "Cache-Control: private, max-age=3600\r\n",
        "Cache-Control: max-age=3600\r\nCache-Control: private\r\n",
        "Cache-Control: max-age=0\r\n",
        "Cache-Control: no-cache\r\n",
        "CDN-Cache-Control: no-store\r\nCache-Control: max-age=3600\r\n",
        "Content-Type: text/html\r\n",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("page-{number}");
        bed.origin.answer(&name, &Answer::new(fields, 1, 100));
        let target = format!("/script/{name}");
        visitor.never_stored(&target, "").context(fields)?;
    }
    // Statuses that nobody stores unasked.
    for status in ["302 Found", "403 Forbidden", "500 Internal Server Error"] {
        let name = &status[..3];
        bed.origin
            .answer(name, &Answer::new("", 1, 100).status(status));
        let target = format!("/script/{name}");
        visitor.never_stored(&target, "").context(status)?;
    }
    // Nor what somebody asks for who wants it not to be stored.
    bed.origin.answer("asked", &Answer::new(FRESH, 1, 100));
    visitor.never_stored("/script/asked", "Cache-Control: no-store\r\n")
}

fn errors_that_say_how_long() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    for (number, status) in [
        "404 Not Found",
        "410 Gone",
        "301 Moved Permanently",
        "302 Found",
        "503 Service Unavailable",
        "299 Whatever",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("page-{number}");
        let target = format!("/script/{name}");
        bed.origin
            .answer(&name, &Answer::new(FRESH, 3, 200).status(status));
        visitor.miss(&target, "").context(status)?;
        let stored = visitor.hit(&target, "").context(status)?;
        same!(stored.head.words().1, &status[..3], "the status");
        body(&stored, 3, 200).context(status)?;
    }
    // One that does not say it is asked for anew.
    bed.origin
        .answer("missing", &Answer::new("", 3, 200).status("404 Not Found"));
    visitor.never_stored("/script/missing", "")
}

fn queries_are_part_of_the_key() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let targets: Vec<_> = [
        "seed=1",
        "seed=2",
        "seed=1&x",
        "seed=1&x=",
        "seed=1&X",
        "seed=1&x=%41",
        "seed=1&x=A",
        "x&seed=1",
    ]
    .map(|query| format!("/len/300?cc=max-age=3600&{query}"))
    .into();
    let seed = |target: &str| if target.contains("seed=2") { 2 } else { 1 };
    for target in &targets {
        let response = visitor.miss(target, "")?;
        whole(&response, seed(target), 300).context(target)?;
    }
    for target in &targets {
        let response = visitor.hit(target, "")?;
        let own = response.head.get("X-Target") == Some(target);
        ensure!(own, "{target}: another's answer: {:?}", response.head);
        whole(&response, seed(target), 300).context(target)?;
    }
    // Without a query it is another one, too.
    visitor.never_stored("/len/300", "")
}

/// Asks for a target at a host, which the usual requests do not name.
pub(super) fn get_from(
    bed: &Bed,
    conn: &mut Conn,
    host: &str,
    target: &str,
) -> Result<(String, u64), Failure> {
    let before = bed.origin.requests();
    conn.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?;
    let response = conn.response("GET").context(host)?;
    same!(response.status, 200, "{host}: the status");
    Ok((response.text(), bed.origin.requests() - before))
}

fn hosts_are_part_of_the_key() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut conn = bed.client()?;
    // Its body is the head that the backend saw.
    let target = "/echo-head?cc=max-age=3600";
    let hosts = ["one.test", "two.test", "one.test:8080", "[::1]", "10.0.0.1"];
    for host in hosts {
        let (text, asked) = get_from(&bed, &mut conn, host, target)?;
        same!(asked, 1, "{host}, the first time: requests of the backend");
        ensure!(text.contains(&format!("\r\nHost: {host}\r\n")), "{text:?}");
    }
    for host in hosts {
        let (text, asked) = get_from(&bed, &mut conn, host, target)?;
        same!(asked, 0, "{host}, later: requests of the backend");
        ensure!(text.contains(&format!("\r\nHost: {host}\r\n")), "{text:?}");
    }
    // The same by RFC 9110 section 4.2.3.
    for host in ["ONE.test", "one.test:80"] {
        let (text, asked) = get_from(&bed, &mut conn, host, target)?;
        same!(asked, 0, "{host}: requests of the backend");
        ensure!(text.contains("\r\nHost: one.test\r\n"), "{text:?}");
    }
    // RFC 9112 3.2.2: the target in absolute-form is before the Host.
    let absolute = format!("http://two.test{target}");
    let (text, asked) = get_from(&bed, &mut conn, "one.test", &absolute)?;
    same!(asked, 0, "{absolute}: requests of the backend");
    ensure!(text.contains("\r\nHost: two.test\r\n"), "{text:?}");
    Ok(())
}

fn for_http10_clients() -> Outcome {
    let bed = Bed::cached(&[])?;
    let target = "/chunked/5000?seed=4&cc=max-age=3600";
    whole(&Visitor::new(&bed)?.miss(target, "")?, 4, 5000)?;
    let mut closing = bed.client()?;
    closing.send(format!("GET {target} HTTP/1.0\r\nHost: test\r\n\r\n").as_bytes())?;
    let response = closing.response("GET")?;
    same!(response.head.get("Transfer-Encoding"), None, "the framing");
    whole(&response, 4, 5000)?;
    closing.expect_close()?;
    let mut keeping = bed.client()?;
    let fields = "Host: test\r\nConnection: keep-alive\r\n";
    for round in 0..3 {
        keeping.send(format!("GET {target} HTTP/1.0\r\n{fields}\r\n").as_bytes())?;
        let response = keeping.response("GET")?;
        whole(&response, 4, 5000)?;
        ensure!(
            response.head.has_token("Connection", "keep-alive") && response.persistent(),
            "round {round}: the connection is not kept: {:?}",
            response.head
        );
    }
    same!(bed.origin.requests(), 1, "requests of the backend");
    // For one that wants no more on its connection, of either version.
    let (response, _) = Visitor::new(&bed)?.ask("GET", target, "Connection: close\r\n")?;
    whole(&response, 4, 5000)?;
    ensure!(!response.persistent(), "it did not say that it closes");
    Ok(())
}

fn pipelined() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut client = bed.client()?;
    let sizes = [0_u64, 1, 4096, 70_000, 300];
    let target = |number: usize| {
        let size = sizes[number % sizes.len()];
        format!("/len/{size}?seed={number}&cc=max-age=3600")
    };
    // At first every other one is stored, then all are.
    for number in (0..20).step_by(2) {
        same!(client.get(&target(number))?.status, 200, "the status");
    }
    for round in 0..3 {
        let ask = |number| format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", target(number));
        let all: String = (0..20).map(ask).collect();
        client.send(all.as_bytes())?;
        for number in 0..20 {
            let what = format!("round {round}, answer {number}");
            let response = client.response("GET").context(&what)?;
            let size = sizes[number % sizes.len()];
            whole(&response, number as u64, size).context(&what)?;
            let own = response.head.get("X-Target") == Some(target(number).as_str());
            ensure!(own, "{what} is another's");
        }
    }
    same!(bed.origin.requests(), 20, "requests of the backend");
    Ok(())
}

fn switched_off() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let (stored, other) = ("/len/100?cc=max-age=3600", "/len/200?cc=max-age=3600");
    visitor.miss(stored, "")?;
    visitor.hit(stored, "")?;
    set("enable", "off")?;
    for target in [stored, other] {
        for _ in 0..2 {
            let response = visitor.miss(target, "")?;
            same!(response.head.get("Age"), None, "the age");
            same!(response.head.get("Cache-Status"), None, "the cache's word");
        }
    }
    set("enable", "on")?;
    visitor.miss(other, "")?;
    visitor.hit(other, "")?;
    bed.works()
}

fn states_in_the_log() -> Outcome {
    let bed = Bed::cached(&[])?;
    bed.origin.answer("page", &Answer::new(FRESH, 1, 100));
    let mut log = Log::open()?;
    let mut client = bed.client()?;
    for state in ["MISS", "HIT", "HIT"] {
        client.get("/script/page")?;
        let line = Line::of(&log.lines(1)?[0])?;
        same!(line.cache, state, "the cache's state in {line:?}");
        same!(
            (line.status.as_str(), line.octets.as_str()),
            ("200", "100"),
            "{line:?}"
        );
        // Nobody was asked for what was there.
        let backend = if state == "MISS" { "srun-0" } else { "-" };
        same!(line.backend, backend, "the backend in {line:?}");
    }
    client.ask("POST", "/script/page", "Content-Length: 0\r\n")?;
    let line = Line::of(&log.lines(1)?[0])?;
    ensure!(
        ["-", "MISS"].contains(&line.cache.as_str()),
        "the state of what is not the cache's: {line:?}"
    );
    Ok(())
}

/// Resin's `cache-mapping`: only for what has a validator and does not say how long it is fresh.
fn mappings() -> Outcome {
    let bed = Bed::cached(&[])?;
    gateway::write("cache-mapping", "url-pattern *.gif expires 24h")?;
    let listed = gateway::read("cache-mapping")?;
    ensure!(listed.contains("url-pattern *.gif"), "{listed:?}");
    let tag = "ETag: \"v1\"\r\n";
    let modified = "Last-Modified: Sat, 01 Nov 2025 00:00:00 GMT\r\n";
    let short = format!("{tag}Cache-Control: max-age=1\r\n");
    for (name, fields) in [
        ("tag.gif", tag),
        ("modified.gif", modified),
        ("none.gif", ""),
        ("short.gif", &short),
        ("tag.png", tag),
    ] {
        bed.origin.answer(name, &Answer::new(fields, 1, 100));
    }
    let mut visitor = Visitor::new(&bed)?;
    for target in [
        "/script/tag.gif",
        "/script/modified.gif",
        "/script/tag.gif?x=y",
    ] {
        visitor.miss(target, "")?;
        whole(&visitor.hit(target, "")?, 1, 100).context(target)?;
    }
    visitor.never_stored("/script/none.gif", "")?;
    // It has an age of its own.
    visitor.miss("/script/short.gif", "")?;
    thread::sleep(STALE);
    visitor.miss("/script/short.gif", "")?;
    let unmapped = |visitor: &mut Visitor<'_>, target: &str| -> Outcome {
        visitor.miss(target, "")?;
        visitor.miss(target, "")?;
        let head = bed.origin.last_head().unwrap_or_default();
        same!(head.get("If-None-Match"), Some("\"v1\""), "{target}");
        Ok(())
    };
    unmapped(&mut visitor, "/script/tag.png")?;
    gateway::write("cache-mapping", "clear")?;
    unmapped(&mut visitor, "/script/tag.gif?other")?;
    for (bad, reason) in [
        ("url-pattern *.gif", "write max-age or s-max-age"),
        ("url-pattern a*b expires 1h", "is not a pattern"),
        ("nonsense", "is not one of url-pattern"),
    ] {
        refused("cache-mapping", bad, Errno::EINVAL, reason)?;
    }
    Ok(())
}

fn settings_are_kept() -> Outcome {
    let bed = Bed::new()?;
    let says = |line: &str| -> Outcome {
        let file = gateway::read("cache")?;
        ensure!(file.lines().any(|own| own == line), "no {line:?} in {file}");
        Ok(())
    };
    for line in [
        "enable on",
        "entries 8192",
        "cache-status off",
        "purge-allow none",
    ] {
        says(line)?;
    }
    for line in [
        "enable off",
        "entries 100",
        "enable-range off",
        "rewrite-vary-as-private on",
        "vary-cookie compared",
        "set-cookie strip",
        "cache-status on",
    ] {
        gateway::write("cache", line)?;
        says(line)?;
    }
    for (bad, errno, reason) in [
        ("enable maybe", Errno::EINVAL, "is neither off nor on"),
        ("memory-size 1", Errno::ERANGE, "is out of range"),
        ("entries 0", Errno::ERANGE, "is out of range"),
        ("nonsense 1", Errno::EINVAL, "unknown setting"),
    ] {
        refused("cache", bad, errno, reason)?;
    }
    bed.works()
}
