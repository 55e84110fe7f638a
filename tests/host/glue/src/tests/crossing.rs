// SPDX-License-Identifier: GPL-2.0

//! Answers that cross each other on their way, or what happens to what they are about.

use super::basic::{answer, chunked, GET};
use crate::world::World;

const FRESH: &str = "Cache-Control: max-age=60\r\n";
/// Whoever says so asks for himself.
const RELOAD: &str = "GET /a HTTP/1.1\r\nHost: h\r\nCache-Control: max-age=0\r\n\r\n";

fn not_modified(fields: &str) -> String {
    format!("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n{fields}\r\n")
}

/// The origin may have thought long: that is nothing that those who wait for it should suffer from.
#[test]
fn a_late_head_is_read_along() {
    for answer in [answer(FRESH, "hello"), chunked(FRESH, &["hel", "lo"])] {
        let mut world = World::new();
        let first = world.ask(GET);
        let others: Vec<_> = (0..4).map(|_| world.ask(GET)).collect();
        world.pass(1500);
        let (head, body) = answer.split_at(answer.find("\r\n\r\n").unwrap() + 4);
        world.answer(first, head);
        world.answer(first, body);
        for who in others {
            assert_eq!(world.reply(who).text(), "hello");
            assert_eq!(world.clients[who].connects, 0);
        }
        world.assert_empty();
    }
}

/// What is good by what the origin says may have been lost meanwhile: then the origin has to send it.
#[test]
fn what_was_lost_while_it_was_validated_is_fetched() {
    let octets = answer(&format!("ETag: \"1\"\r\n{FRESH}"), "hello");
    for is_stuck in [false, true] {
        let mut world = World::new();
        let first = world.ask(GET);
        world.answer(first, &octets[..octets.len() - 2]);
        let who = world.ask(RELOAD);
        assert!(world.asked(who).unwrap().contains("If-None-Match: \"1\""));
        match is_stuck {
            true => world.pass(1500),
            false => world.lose(first),
        }
        world.answer(who, not_modified(FRESH));
        let asked = world.asked(who).expect("he asks again");
        assert!(!asked.contains("If-None-Match"), "{asked}");
        world.answer(who, &octets);
        assert_eq!(world.reply(who).text(), "hello");
        world.assert_empty();
    }
}

/// Whoever asks for himself at the same time as others leaves no second one of the same behind, that
/// would come back when the origin takes the first one back.
#[test]
fn what_is_stored_twice_goes_at_once() {
    let fields = format!("ETag: \"1\"\r\n{FRESH}");
    for takes_back in [
        answer("Cache-Control: no-store\r\n", "secret"),
        not_modified("Cache-Control: private\r\n"),
    ] {
        let mut world = World::new();
        world.fetch(GET, answer(&fields, "one"));
        let reloads = [world.ask(RELOAD), world.ask(RELOAD)];
        for who in reloads {
            world.answer(who, answer(&fields, "two"));
        }
        assert_eq!(world.cache().counts().entries, 1);
        let who = world.ask(RELOAD);
        world.answer(who, takes_back);
        let who = world.ask(GET);
        assert!(world.asked(who).is_some(), "it has come back");
        world.assert_empty();
    }
}

/// Of two 304s that one counts which was asked for later, in whatever order they come.
#[test]
fn what_two_update_at_once_is_as_the_later_one_says() {
    let fields = "ETag: \"1\"\r\nCache-Control: max-age=2\r\n";
    for orders in [[0, 1], [1, 0]] {
        let mut world = World::new();
        world.fetch(GET, answer(fields, "hello"));
        world.pass(1);
        let early = world.ask(RELOAD);
        world.pass(1);
        let asking = [early, world.ask(RELOAD)];
        for index in orders {
            let said = [
                "Cache-Control: max-age=3600\r\n",
                "Cache-Control: no-cache\r\n",
            ][index];
            world.answer(asking[index], not_modified(said));
            assert_eq!(world.reply(asking[index]).text(), "hello");
        }
        assert_eq!(world.cache().counts().entries, 1);
        let who = world.ask(GET);
        let asked = world.asked(who).expect("it is good without asking");
        assert!(asked.contains("If-None-Match: \"1\""), "{asked}");
        world.assert_empty();
    }
    // Those that say the same both count.
    let mut world = World::new();
    world.fetch(GET, answer(fields, "hello"));
    let asking = [0; 5].map(|_| world.ask(RELOAD));
    world.pass(1000);
    for who in asking {
        world.answer(who, not_modified("Cache-Control: max-age=50\r\n"));
    }
    world.pass(40_000);
    assert_eq!(world.hit(GET).text(), "hello");
    world.assert_empty();
}

/// A 304 about what still comes in is no reason to throw that away; nor is one about what is gone for
/// what is there now.
#[test]
fn what_it_is_not_about_stays() {
    let fields = format!("ETag: \"1\"\r\n{FRESH}");
    let octets = answer(&fields, "hello");
    let mut world = World::new();
    let first = world.ask(GET);
    world.answer(first, &octets[..octets.len() - 2]);
    let who = world.ask(RELOAD);
    world.answer(who, not_modified(""));
    world.answer(first, &octets[octets.len() - 2..]);
    assert_eq!(world.reply(who).text(), "hello");
    assert_eq!(world.hit(GET).text(), "hello");
    // Another one, while the first is asked about.
    let who = world.ask(RELOAD);
    world.cache().clear(|_| true);
    world.fetch(GET, answer(&format!("ETag: \"2\"\r\n{FRESH}"), "other"));
    world.answer(who, not_modified(""));
    assert_eq!(world.reply(who).text(), "hello");
    assert_eq!(world.hit(GET).text(), "other");
    world.assert_empty();
}

/// Of two that were made in the same second the one counts that has come later, whichever was longer on
/// its way.
#[test]
fn the_later_of_one_second_stays() {
    // Who is known waits for nobody.
    let ask = "GET /a HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\n\r\n";
    let fields = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nCache-Control: max-age=60\r\n";
    let mut world = World::new();
    let (old, new) = (world.ask(ask), world.ask(ask));
    let one = answer(fields, "old");
    world.answer(old, &one[..one.len() - 1]);
    world.pass(10);
    world.answer(new, answer(fields, "new"));
    world.answer(old, &one[one.len() - 1..]);
    assert_eq!(world.hit(GET).text(), "new");
    world.assert_empty();
}

/// RFC 5861 section 3: only one asks, and nobody waits for him.
#[test]
fn nobody_waits_while_what_is_stale_is_validated() {
    let fields = "ETag: \"1\"\r\nCache-Control: max-age=2, stale-while-revalidate=60\r\n";
    let mut world = World::new();
    world.fetch(GET, answer(fields, "hello"));
    world.pass(3000);
    assert_eq!(world.hit(GET).text(), "hello");
    let errand = world.errand().expect("nobody asks");
    let asked = world.asked(errand).unwrap();
    assert!(asked.contains("If-None-Match: \"1\""), "{asked}");
    for _ in 0..3 {
        assert_eq!(world.hit(GET).text(), "hello");
        assert_eq!(
            world
                .clients
                .iter()
                .map(|client| client.connects)
                .sum::<usize>(),
            2
        );
    }
    let head = "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(world.hit(head).status, 200);
    world.answer(errand, not_modified(fields.split_once('\n').unwrap().1));
    assert!(world.clients[errand].closed.is_some());
    assert_eq!(world.clients[errand].outbox, []);
    assert_eq!(world.hit(GET).field("age"), Some("0"));
    world.assert_empty();
}

/// What comes of an errand: another answer, one that is not to be stored, a failure, or nothing.
#[test]
fn errands_end_as_they_may() {
    let fields = "Cache-Control: max-age=2, stale-while-revalidate=60\r\n";
    for (comes, then) in [
        (answer(fields, "other"), "other"),
        (chunked(fields, &["oth", "er"]), "other"),
        (answer("Cache-Control: no-store\r\n", "secret"), ""),
        (
            "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno".to_owned(),
            "hello",
        ),
        ("nonsense\r\n\r\n".to_owned(), "hello"),
        (String::new(), "hello"),
    ] {
        let mut world = World::new();
        world.fetch(GET, answer(fields, "hello"));
        world.pass(3000);
        assert_eq!(world.hit(GET).text(), "hello");
        let errand = world.errand().expect("nobody asks");
        assert!(!world.asked(errand).unwrap().contains("If-"));
        match comes.as_str() {
            "" => world.lose(errand),
            comes => world.answer(errand, comes),
        }
        while let Some(errand) = world.errand() {
            world.lose(errand);
        }
        let who = world.ask(GET);
        match then {
            "" => assert!(world.asked(who).is_some()),
            then => assert_eq!(world.reply(who).text(), then),
        }
        world.assert_empty();
    }
    // One who wants a part, or has something, would ask for that; HEAD for nothing.
    for (method, own) in [
        ("GET", "Range: bytes=1-2"),
        ("GET", "If-None-Match: \"x\""),
        ("HEAD", "X: y"),
    ] {
        let mut world = World::new();
        world.fetch(GET, answer(fields, "hello"));
        world.pass(3000);
        world.hit(&format!("{method} /a HTTP/1.1\r\nHost: h\r\n{own}\r\n\r\n"));
        assert_eq!(world.errand(), None);
        assert_eq!(world.cache().counts().entries, 1);
        world.assert_empty();
    }
}

/// What was asked in vain is not asked again at once.
#[test]
fn errands_pause_after_failures() {
    let fields = "Cache-Control: max-age=2, stale-while-revalidate=60\r\n";
    let mut world = World::new();
    world.fetch(GET, answer(fields, "hello"));
    world.pass(3000);
    for _ in 0..3 {
        assert_eq!(world.hit(GET).text(), "hello");
        let errand = world.errand().expect("nobody asks");
        world.answer(errand, "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno");
        for _ in 0..5 {
            assert_eq!(world.hit(GET).text(), "hello");
            assert_eq!(world.errand(), None);
        }
        world.pass(2100);
    }
    // A good answer makes no pause.
    for seconds in [3, 1] {
        assert_eq!(world.hit(GET).text(), "hello");
        let errand = world.errand().expect("nobody asks");
        world.answer(
            errand,
            answer(&fields.replace("=2", &format!("={seconds}")), "hello"),
        );
        assert_eq!(world.errand(), None);
        world.pass(seconds * 1000 + 100);
    }
    assert_eq!(world.hit(GET).text(), "hello");
    assert!(world.errand().is_some());
    world.assert_empty();
}

/// Whoever has an answer of his own leaves asking to others: his would be in vain.
#[test]
fn who_is_authorized_asks_for_himself() {
    let stale = "Cache-Control: max-age=2, stale-while-revalidate=60";
    let own = "GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: Basic Og==\r\n\r\n";
    for (more, is_asked) in [("", false), (", public", true)] {
        let mut world = World::new();
        world.fetch(GET, answer(&format!("{stale}{more}\r\n"), "hello"));
        world.pass(3000);
        assert_eq!(world.hit(own).text(), "hello");
        assert_eq!(world.errand().is_some(), is_asked, "{more:?}");
        if !is_asked {
            assert_eq!(world.hit(GET).text(), "hello");
            assert!(world.errand().is_some(), "nobody asks");
        }
        world.assert_empty();
    }
}

/// RFC 9111 section 4.3.5: what it says of the whole may be what is stored, or another one, or nothing.
#[test]
fn a_head_says_how_what_is_stored_is_now() {
    let head = "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n";
    let fields = |tag: &str, seconds: u32| {
        format!("ETag: \"{tag}\"\r\nCache-Control: max-age={seconds}\r\n")
    };
    let says = |status: &str, fields: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n")
    };
    let (same, other) = (fields("1", 60), fields("2", 60));
    for (comes, is_fresh, is_there) in [
        (says("200 OK", &same, 5), true, true),
        (says("200 OK", &format!("{same}X: new\r\n"), 5), true, true),
        (says("200 OK", &other, 5), false, false),
        (says("200 OK", &same, 6), false, true),
        (says("404 No", &same, 5), false, true),
        (
            says("200 OK", "Cache-Control: max-age=60\r\n", 5),
            false,
            true,
        ),
        // Nobody is to have it any more.
        (
            says("200 OK", "ETag: \"1\"\r\nCache-Control: no-store\r\n", 5),
            false,
            false,
        ),
        (
            says("200 OK", "ETag: \"1\"\r\nCache-Control: private\r\n", 5),
            false,
            false,
        ),
    ] {
        let mut world = World::new();
        world.fetch(GET, answer(&fields("1", 2), "hello"));
        // What is fresh is not asked about.
        assert_eq!(world.hit(head).status, 200);
        world.pass(3000);
        let reply = world.fetch(head, &comes);
        assert!(
            comes.starts_with(&format!("HTTP/1.1 {}", reply.status)),
            "{comes}"
        );
        if is_fresh {
            let reply = world.hit(GET);
            assert_eq!((reply.text(), reply.field("age")), ("hello", Some("0")));
            assert_eq!(reply.field("x").is_some(), comes.contains("X: new"));
        } else {
            let who = world.ask(GET);
            let asked = world.asked(who).expect("a hit");
            assert_eq!(asked.contains("If-None-Match: \"1\""), is_there, "{comes}");
            world.leave(who);
        }
        world.assert_empty();
    }
    // One of a known user, or of another status, says nothing of what all get.
    let known = head.replace("Host: h\r\n", "Host: h\r\nCookie: JSESSIONID=a\r\n");
    let found = answer(&fields("1", 2), "hello");
    for (ask, stored) in [
        (known.as_str(), found.clone()),
        (head, found.replace("200 OK", "404 No")),
    ] {
        let mut world = World::new();
        world.fetch(GET, stored);
        world.pass(3000);
        world.fetch(ask, says("200 OK", &format!("{same}X: own\r\n"), 5));
        let who = world.ask(GET);
        let asked = world.asked(who).expect("a hit");
        assert!(asked.contains("If-None-Match: \"1\""), "{ask}");
        world.leave(who);
        world.assert_empty();
    }
}

/// Each of those that are asked for in one go.
#[test]
fn each_pipelined_request_has_its_errand() {
    let fields = "Cache-Control: max-age=2, stale-while-revalidate=60\r\n";
    let other = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut world = World::new();
    world.fetch(GET, answer(fields, "hello"));
    world.fetch(other, answer(fields, "other"));
    world.pass(3000);
    let who = world.client();
    world.put(who, GET);
    world.put(who, other);
    world.run(who);
    assert_eq!(world.replies(who).len(), 2);
    let errands = world
        .clients
        .iter()
        .filter(|client| client.is_without_client());
    assert_eq!(errands.count(), 2);
    world.assert_empty();
}

/// What the origin has now may not be stored, or it says that another one is good: then nobody gets the old
/// one for as long as it might be used.
#[test]
fn what_cannot_be_refreshed_goes() {
    let fields = "ETag: \"1\"\r\nCache-Control: max-age=2, stale-while-revalidate=6000\r\n";
    for (comes, is_gone) in [
        (answer(fields, &"x".repeat(2 << 20)), true),
        (chunked(fields, &["x".repeat(2 << 20).as_str()]), true),
        (
            "HTTP/1.1 304 Not Modified\r\nETag: \"2\"\r\n\r\n".to_owned(),
            true,
        ),
        (
            "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno".to_owned(),
            false,
        ),
        // What is for one client says nothing of what is for all.
        (
            "HTTP/1.1 302 To\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n".to_owned(),
            false,
        ),
        (
            answer(
                "Set-Cookie: JSESSIONID=a\r\nCache-Control: max-age=9\r\n",
                "own",
            ),
            false,
        ),
    ] {
        let mut world = World::new();
        world.fetch(GET, answer(fields, "hello"));
        world.pass(3000);
        assert_eq!(world.hit(GET).text(), "hello");
        let errand = world.errand().expect("nobody asks");
        world.answer(errand, comes);
        match is_gone {
            false => assert_eq!(world.hit(GET).text(), "hello"),
            true => {
                let who = world.ask(GET);
                assert!(world.asked(who).is_some());
            }
        }
        world.assert_empty();
    }
    // Whoever reloads throws away nothing, nor does he keep others from asking.
    let mut world = World::new();
    world.fetch(GET, answer(fields, "hello"));
    let who = world.ask(RELOAD);
    world.answer(
        who,
        "HTTP/1.1 302 To\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(world.hit(GET).text(), "hello");
    world.pass(3000);
    let who = world.ask(RELOAD);
    world.leave(who);
    assert_eq!(world.hit(GET).text(), "hello");
    assert!(world.errand().is_some(), "nobody asks");
    world.assert_empty();
}

/// Somebody before us has ended the TLS: what the origin redirects to that is not for those who come by
/// it. A POST changes what it was sent to (RFC 9111 section 4.4: "MUST NOT [...] if the origin of the URI to
/// be invalidated differs"), PURGE what has that name.
#[test]
fn each_scheme_has_its_own() {
    let ask =
        |method: &str, fields: &str| format!("{method} /a HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let tls = "X-Forwarded-Proto: https\r\n";
    let both = [(ask("GET", ""), "plain"), (ask("GET", tls), "secret")];
    for change in ["PURGE", "POST"] {
        let mut world = World::with("purge-allow 192.0.2.0/24");
        for (ask, body) in &both {
            world.fetch(ask, answer(FRESH, body));
        }
        for (ask, body) in &both {
            assert_eq!(world.hit(ask).text(), *body);
        }
        let who = world.ask(&ask(change, &format!("{tls}Content-Length: 0\r\n")));
        if change == "POST" {
            world.answer(who, "HTTP/1.1 204 Done\r\n\r\n");
            assert_eq!(world.hit(&both[0].0).text(), "plain");
        } else {
            let who = world.ask(&both[0].0);
            assert!(world.asked(who).is_some());
        }
        let who = world.ask(&both[1].0);
        assert!(world.asked(who).is_some(), "{change}");
        world.assert_empty();
    }
    // Nobody knows which one the origin takes it for.
    let mut world = World::new();
    for (ask, body) in &both {
        world.fetch(ask, answer(FRESH, body));
    }
    let told = "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\nContent-Length: 0\r\n";
    world.fetch(&ask("POST", told), "HTTP/1.1 204 Done\r\n\r\n");
    for (ask, _) in &both {
        let who = world.ask(ask);
        assert!(world.asked(who).is_some(), "{ask}");
    }
    world.assert_empty();
    // A port that is another scheme's is a part of the host.
    for port in [80, 443] {
        let ask = |method: &str, fields: &str| {
            format!("{method} /a HTTP/1.1\r\nHost: h:{port}\r\n{tls}{fields}\r\n")
        };
        let mut world = World::new();
        world.fetch(&ask("GET", ""), answer(FRESH, "secret"));
        assert_eq!(world.hit(&ask("GET", "")).text(), "secret");
        world.fetch(
            &ask("POST", "Content-Length: 0\r\n"),
            "HTTP/1.1 204 Done\r\n\r\n",
        );
        let who = world.ask(&ask("GET", ""));
        assert!(world.asked(who).is_some(), "{port}");
        world.assert_empty();
    }
    // Another host is nobody's.
    let mut world = World::new();
    world.fetch(
        &ask("GET", "X-Forwarded-Host: evil\r\n"),
        answer(FRESH, "evil"),
    );
    world.fetch(GET, answer(FRESH, "good"));
    let post = ask("POST", "X-Forwarded-Host: evil\r\nContent-Length: 0\r\n");
    world.fetch(&post, "HTTP/1.1 204 Done\r\n\r\n");
    let who = world.ask(GET);
    assert!(world.asked(who).is_some());
    world.assert_empty();
}

/// However often something wakes one who waits, there is room for others.
#[test]
fn one_who_is_woken_often_waits_once() {
    let mut world = World::new();
    let octets = answer(FRESH, "hello");
    let (first, reader) = (world.ask(GET), world.ask(GET));
    world.answer(first, &octets[..octets.len() - 2]);
    for _ in 0..3000 {
        world.run(reader);
    }
    let late = world.ask(GET);
    world.answer(first, &octets[octets.len() - 2..]);
    for who in [reader, late] {
        assert_eq!(world.reply(who).text(), "hello");
        assert_eq!(world.clients[who].connects, 0);
    }
    world.assert_empty();
}

/// What several answers have brought is not more than what one may bring.
#[test]
fn no_more_fields_are_stored_than_may_come() {
    for lines in [90, 92, 93, 94, 95, 96, 99] {
        let fields = named("X", lines);
        let mut world = World::new();
        world.fetch(GET, chunked(&format!("{fields}{FRESH}"), &["hello"]));
        let who = world.ask(GET);
        if world.asked(who).is_some() {
            assert!(lines > 90, "{lines}");
            world.answer(who, answer("", "hello"));
        }
        let reply = world.reply(who);
        assert_eq!((reply.status, reply.text()), (200, "hello"), "{lines}");
        world.assert_empty();
    }
    // What a 304 adds is not too much for its client either.
    let fields = named("X", 90);
    let more = named("Y", 50);
    let mut world = World::new();
    world.fetch(
        GET,
        answer(&format!("{fields}{FRESH}ETag: \"1\"\r\n"), "hello"),
    );
    let who = world.ask(RELOAD);
    world.answer(who, not_modified(&more));
    assert!(!world.asked(who).unwrap().contains("If-None-Match"));
    world.answer(who, answer("", "hello"));
    assert_eq!(world.reply(who).text(), "hello");
    world.assert_empty();
}

/// So many field lines.
fn named(name: &str, count: usize) -> String {
    let lines = (0..count).map(|line| format!("{name}-{line}: y\r\n"));
    lines.collect::<Vec<_>>().concat()
}
