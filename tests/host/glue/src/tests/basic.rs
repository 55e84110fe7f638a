// SPDX-License-Identifier: GPL-2.0

//! One answer is stored, and comes again.

use crate::world::World;
use kernel::trial;

pub(super) const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

const RELOAD: &str = "GET /a HTTP/1.1\r\nHost: h\r\nCache-Control: no-cache\r\n\r\n";
const HEAD: &str = "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n";
const POST: &str = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";

pub(super) fn answer(fields: &str, body: &str) -> String {
    let len = body.len();
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {len}\r\n\r\n{body}")
}

#[test]
fn what_was_fetched_once_comes_again() {
    let live = trial::live();
    let mut world = World::new();
    let first = world.fetch(GET, answer("Cache-Control: max-age=60\r\n", "hello"));
    let second = world.hit(GET);
    assert_eq!((first.status, first.text()), (200, "hello"));
    assert_eq!((second.status, second.text()), (200, "hello"));
    assert_eq!(second.field("age"), Some("0"));
    world.assert_empty();
    drop(world);
    assert_eq!(trial::live(), live);
}

pub(super) fn chunked(fields: &str, chunks: &[&str]) -> String {
    let mut text = format!("HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n");
    for chunk in chunks {
        text += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
    }
    text + "0\r\n\r\n"
}

#[test]
fn however_a_body_comes_it_is_stored() {
    let long = "x".repeat(9000);
    let mut world = World::new();
    let first = world.fetch(
        GET,
        chunked("Cache-Control: max-age=60\r\n", &["hel", &long, "lo"]),
    );
    assert_eq!(world.hit(GET).body, first.body);
    assert_eq!(first.body.len(), 9005);

    let who = world.ask("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    world.answer(
        who,
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nuntil the",
    );
    world.answer(who, " end");
    world.end(who);
    assert_eq!(world.reply(who).text(), "until the end");
    let hit = world.hit("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(
        (hit.text(), hit.field("content-length")),
        ("until the end", Some("13"))
    );

    // One that is lost is not whole, and not stored.
    let who = world.ask("GET /c HTTP/1.1\r\nHost: h\r\n\r\n");
    world.answer(
        who,
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nuntil the",
    );
    world.lose(who);
    let who = world.ask("GET /c HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(world.asked(who).is_some());
    world.assert_empty();
}

#[test]
fn a_head_gets_the_head() {
    let mut world = World::new();
    world.fetch(GET, answer("Cache-Control: max-age=60\r\n", "hello"));
    let head = world.hit("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(
        (head.status, head.field("content-length")),
        (200, Some("5"))
    );
    world.assert_empty();
}

#[test]
fn what_is_stale_is_validated() {
    let mut world = World::new();
    world.fetch(
        GET,
        answer("ETag: \"1\"\r\nCache-Control: max-age=2\r\n", "hello"),
    );
    world.pass(3000);
    let who = world.ask(GET);
    let asked = world.asked(who).unwrap();
    assert!(asked.contains("If-None-Match: \"1\"\r\n"), "{asked}");
    world.answer(
        who,
        "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=50\r\nX: new\r\n\r\n",
    );
    let reply = world.reply(who);
    assert_eq!(
        (reply.status, reply.text(), reply.field("x")),
        (200, "hello", Some("new"))
    );
    assert_eq!(world.word(who), "REVALID");
    world.pass(3000);
    let hit = world.hit(GET);
    assert_eq!(
        (hit.text(), hit.field("x"), hit.field("age")),
        ("hello", Some("new"), Some("3"))
    );
    // Another one comes.
    world.pass(60_000);
    let second = world.fetch(
        GET,
        answer("ETag: \"2\"\r\nCache-Control: max-age=2\r\n", "other"),
    );
    assert_eq!(second.text(), "other");
    assert_eq!(world.hit(GET).text(), "other");
    assert_eq!(world.cache().counts().entries, 1);
    world.assert_empty();
}

/// RFC 9111 section 5.2.1.7: who wants nothing that must be asked for gets what may be stale, or 504.
#[test]
fn only_what_is_stored() {
    let only = "GET /a HTTP/1.1\r\nHost: h\r\nCache-Control: only-if-cached\r\n\r\n";
    let mut world = World::new();
    let who = world.ask(only);
    assert_eq!((world.asked(who), world.reply(who).status), (None, 504));
    let fields = "Cache-Control: max-age=2, stale-while-revalidate=60\r\n";
    world.fetch(GET, answer(fields, "hello"));
    world.pass(3000);
    let who = world.ask(only);
    assert_eq!((world.asked(who), world.reply(who).text()), (None, "hello"));
    assert_eq!(world.word(who), "STALE");
    world.assert_empty();
}

#[test]
fn what_is_stale_is_better_than_a_failure() {
    let mut world = World::new();
    let fields = "ETag: \"1\"\r\nCache-Control: max-age=2, stale-if-error=60\r\n";
    world.fetch(GET, answer(fields, "hello"));
    world.pass(3000);
    let failed = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\noops";
    let reply = world.fetch(GET, failed);
    assert_eq!((reply.status, reply.text()), (200, "hello"));
    let who = world.ask(GET);
    world.lose(who);
    if world.clients[who].origin().is_some() {
        world.lose(who);
    }
    assert_eq!(world.reply(who).text(), "hello");
    let who = world.client();
    world.clients[who].is_down = true;
    world.send(who, GET);
    assert_eq!(
        (world.reply(who).text(), world.word(who)),
        ("hello", "STALE")
    );
    world.assert_empty();
}

#[test]
fn each_variant_is_of_its_own() {
    let mut world = World::new();
    let ask = |lang| format!("GET /a HTTP/1.1\r\nHost: h\r\nAccept-Language: {lang}\r\n\r\n");
    let fields = "Vary: Accept-Language\r\nCache-Control: max-age=60\r\n";
    world.fetch(&ask("de"), answer(fields, "Hallo"));
    world.fetch(&ask("en"), answer(fields, "Hello"));
    assert_eq!(world.hit(&ask("de")).text(), "Hallo");
    assert_eq!(world.hit(&ask("en")).text(), "Hello");
    assert_eq!(world.cache().counts().entries, 2);
    world.assert_empty();
}

#[test]
fn who_may_has_it_removed() {
    let purge = "PURGE /a HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut world = World::with("purge-allow 192.0.2.0/24");
    world.fetch(GET, answer("Cache-Control: max-age=60\r\n", "hello"));
    assert_eq!(world.hit(purge).text(), "Purged\n");
    assert_eq!(world.hit(purge).status, 404);
    let who = world.ask(GET);
    assert!(world.asked(who).is_some());
    world.assert_empty();
    let mut world = World::with("purge-allow 198.51.100.0/24");
    let reply = world.hit(purge);
    assert_eq!(
        (reply.status, reply.text()),
        (403, "purge-allow does not allow that to you\n")
    );
}

#[test]
fn an_unsafe_request_invalidates() {
    let mut world = World::new();
    let other = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    world.fetch(GET, answer("Cache-Control: max-age=60\r\n", "hello"));
    world.fetch(other, answer("Cache-Control: max-age=60\r\n", "other"));
    // Somebody is about to get what was there before.
    let early = world.ask("GET /a HTTP/1.1\r\nHost: h\r\nCache-Control: no-cache\r\n\r\n");
    let post = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
    let failed = world.fetch(post, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(failed.status, 500);
    assert_eq!(world.hit(GET).text(), "hello");
    world.fetch(
        post,
        "HTTP/1.1 201 Created\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
    );
    world.answer(early, answer("Cache-Control: max-age=60\r\n", "hello"));
    for request in [GET, other] {
        let who = world.ask(request);
        assert!(world.asked(who).is_some(), "{request}");
    }
    world.assert_empty();
}

#[test]
fn parts_are_cut_from_what_is_stored() {
    let body = "0123456789".repeat(1000);
    let mut world = World::new();
    world.fetch(GET, answer("Cache-Control: max-age=60\r\n", &body));
    let ask = |range| format!("GET /a HTTP/1.1\r\nHost: h\r\nRange: bytes={range}\r\n\r\n");
    let cases = [
        ("0-0", 0..1),
        ("4090-4100", 4090..4101),
        ("-5", 9995..10_000),
        ("9000-", 9000..10_000),
    ];
    for (range, octets) in cases {
        let reply = world.hit(&ask(range));
        assert_eq!(
            (reply.status, reply.text()),
            (206, &body[octets]),
            "{range}"
        );
    }
    assert_eq!(world.hit(&ask("10000-")).status, 416);
    let reply = world.hit(&ask("0-4,5000-5004,9995-"));
    let (_, boundary) = reply
        .field("content-type")
        .unwrap()
        .split_once("boundary=")
        .unwrap();
    let text = reply.text();
    let parts: Vec<_> = text.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 5, "{text}");
    for (part, wanted) in parts[1..4]
        .iter()
        .zip([&body[..5], &body[5000..5005], &body[9995..]])
    {
        assert!(part.ends_with(&format!("\r\n\r\n{wanted}\r\n")), "{part}");
    }
    assert!(parts[4].starts_with("--"), "{text}");
    world.assert_empty();
}

/// RFC 9211, for those who switch it on: also of what the origin has brought.
#[test]
fn what_the_origin_brings_is_told_of() {
    let tell = |why: &str| format!("glue; fwd={why}");
    let fresh = "Cache-Control: max-age=60\r\nCache-Status: origin; hit\r\n";
    let cases = [
        (GET, answer(fresh, "hello"), tell("miss; stored")),
        (GET, chunked(fresh, &["hel", "lo"]), tell("miss; stored")),
        (GET, answer("Cache-Control: no-store\r\n", ""), tell("miss")),
        (RELOAD, answer(fresh, "hello"), tell("miss; stored")),
        (HEAD, answer(fresh, ""), tell("miss")),
        (POST, answer(fresh, "done"), tell("method")),
        (
            "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
            answer("", ""),
            tell("method"),
        ),
    ];
    for (request, answer, said) in cases {
        let mut world = World::with("cache-status on");
        let reply = world.fetch(request, answer);
        let own = reply.fields("cache-status");
        assert_eq!(own.last().copied(), Some(said.as_str()), "{request}");
        if said.ends_with("stored") {
            let hit = world.hit(GET);
            assert_eq!(
                hit.fields("cache-status"),
                ["origin; hit", "glue; hit; ttl=60"]
            );
            let again = world.fetch(RELOAD, self::answer("Cache-Control: max-age=9\r\n", ""));
            assert_eq!(again.fields("cache-status"), [tell("request; stored")]);
        }
        world.assert_empty();
        let mut world = World::new();
        let reply = world.fetch(GET, self::answer(fresh, "hello"));
        assert_eq!(reply.fields("cache-status"), ["origin; hit"]);
        world.assert_empty();
    }
    // A stale one is validated: the client gets what is stored.
    let mut world = World::with("cache-status on");
    world.fetch(
        GET,
        answer("ETag: \"a\"\r\nCache-Control: max-age=1\r\n", "hello"),
    );
    world.pass(5000);
    let reply = world.fetch(GET, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
    let said = reply.fields("cache-status");
    assert!(
        said.len() == 1 && said[0].starts_with("glue; fwd=stale; fwd-status=304"),
        "{said:?}"
    );
    world.pass(5000);
    let reply = world.fetch(GET, answer("Cache-Control: max-age=1\r\n", "other"));
    assert_eq!(reply.fields("cache-status"), ["glue; fwd=stale; stored"]);
    world.assert_empty();
}

/// The first who gets it and all who get it later are told the same, and nobody else stores it for all.
#[test]
fn what_varies_is_private_from_the_start() {
    let fields = "Vary: Accept-Language\r\nCache-Control: public, max-age=60\r\n";
    for (status, body) in [("200 OK", "hello"), ("503 No", "")] {
        let mut world = World::with("rewrite-vary-as-private on");
        let answer = answer(fields, body).replace("200 OK", status);
        let mut replies = vec![world.fetch(GET, answer)];
        if !body.is_empty() {
            replies.push(world.hit(GET));
        }
        for reply in replies {
            assert_eq!(reply.fields("vary"), [""; 0]);
            assert_eq!(reply.fields("cache-control"), ["private, max-age=60"]);
        }
        world.assert_empty();
    }
    let mut world = World::with("rewrite-vary-as-private on");
    let reply = world.fetch(GET, answer("Cache-Control: max-age=60\r\n", "hello"));
    assert_eq!(reply.fields("cache-control"), ["max-age=60"]);
    world.assert_empty();
}

/// What has a validator and says nothing of its age.
#[test]
fn clients_are_told_what_a_mapping_says() {
    let mapping = "url-pattern /a max-age 60s s-max-age 90s\nurl-regexp ^/b expires 30";
    let other = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    for (request, fields, said) in [
        (GET, "ETag: \"a\"\r\n", &["max-age=60, s-maxage=90"][..]),
        (other, "ETag: \"a\"\r\n", &["max-age=30"]),
        (
            GET,
            "ETag: \"a\"\r\nCache-Control: max-age=5\r\n",
            &["max-age=5"],
        ),
    ] {
        let mut world = World::with(mapping);
        for reply in [
            world.fetch(request, answer(fields, "hello")),
            world.hit(request),
        ] {
            assert_eq!(reply.fields("cache-control"), said);
        }
        world.assert_empty();
    }
    let mut world = World::with(mapping);
    let reply = world.fetch(GET, answer("", "hello"));
    assert_eq!(reply.fields("cache-control"), [""; 0]);
    world.assert_empty();
}

/// The lines of Resin's log, for those who switch them on.
#[test]
fn the_log_says_what_is_done() {
    let fields = "ETag: \"1f\"\r\nCache-Control: max-age=5\r\n";
    let story = |settings: &str| {
        let mut world = World::with(settings);
        world.fetch(GET, answer(fields, "hello"));
        world.hit(GET);
        world.pass(9000);
        world.fetch(GET, "HTTP/1.1 304 Not Modified\r\nETag: \"1f\"\r\n\r\n");
        let other = GET.replace("/a", "/b?q=\"\\");
        world.fetch(
            &other,
            answer(
                "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nCache-Control: max-age=5\r\n",
                "",
            ),
        );
        world.assert_empty();
        world.take_log()
    };
    assert_eq!(story(""), [""; 0]);
    assert_eq!(story("config: log-cache on\nconfig: log off"), [""; 0]);
    let said: Vec<String> = story("config: log-cache on")
        .iter()
        .map(|line| line.split_once("] ").expect("a time").1.to_owned())
        .collect();
    assert_eq!(
        said,
        [
            "caching: /a etag=\"1f\" length=5\n",
            "using cache: /a\n",
            "not-modified: /a\n",
            "caching: /b?q=\\\"\\\\ last-modified=Sun, 06 Nov 1994 08:49:37 GMT length=0\n",
        ]
    );
    let said = story("config: log-cache on\nconfig: log json");
    assert!(
        said[0].ends_with("\",\"remark\":\"caching: /a etag=\\\"1f\\\" length=5\"}\n"),
        "{said:?}"
    );
}
