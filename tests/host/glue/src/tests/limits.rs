// SPDX-License-Identifier: GPL-2.0

//! Memory that is not there.

use super::basic::{answer, GET};
use crate::world::World;
use kernel::trial::{self, Faults};

const FRESH: &str = "ETag: \"1\"\r\nCache-Control: max-age=60\r\n";

fn ask(key: usize) -> String {
    format!("GET /{key} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn body(key: usize) -> String {
    format!("{key:06}").repeat(1 + key * 37 % 4000)
}

#[test]
fn what_is_too_much_drives_out_others() {
    let live = trial::live();
    let mut world = World::with("memory-size 1M\nentries 64");
    for round in 0..3 {
        for key in 0..150 {
            let who = world.ask(&ask(key));
            if world.asked(who).is_some() {
                world.answer(who, answer(FRESH, &body(key)));
            }
            assert_eq!(world.reply(who).text(), body(key), "{round}");
            world.clients.pop();
            world.forget();
        }
    }
    assert!(world.cache().counts().evictions > 100);
    assert!(world.cache().counts().entries > 10);
    world.assert_empty();
    drop(world);
    assert_eq!(trial::live(), live);
}

#[test]
fn what_is_too_large_is_not_stored() {
    let mut world = World::with("max-entry-size 4K");
    let large = "x".repeat(4097);
    world.fetch(GET, answer(FRESH, &large));
    let other = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    let who = world.ask(other);
    world.answer(who, format!("HTTP/1.1 200 OK\r\n{FRESH}\r\n{large}"));
    world.end(who);
    assert_eq!(world.reply(who).text(), large);
    assert_eq!(world.cache().counts().entries, 0);
    for request in [GET, other] {
        let who = world.ask(request);
        assert!(world.asked(who).is_some());
        world.leave(who);
    }
    world.assert_empty();
}

/// What a client sees is right, or visibly nothing; and he never waits for ever.
fn story(faults: impl Fn(&mut World)) -> u64 {
    let live = trial::live();
    let mut world = World::new();
    let body = "0123456789".repeat(900);
    let fresh = answer(FRESH, &body);
    faults(&mut world);
    let requests = [
        GET,
        GET,
        "GET /a HTTP/1.1\r\nHost: h\r\nRange: bytes=1-5,100-200\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: h\r\nCache-Control: no-cache\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        GET,
        GET,
    ];
    for request in requests {
        world.ask(request);
    }
    let count = trial::allocations();
    for round in 0..20 {
        for who in 0..requests.len() {
            let Some(asked) = world.asked(who).filter(|asked| asked.ends_with("\r\n\r\n")) else {
                continue;
            };
            world.clients[who].origin().unwrap().requested.push(b' ');
            let not_modified = "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n";
            match asked.contains("If-None-Match") {
                true => world.answer(who, not_modified),
                false => world.answer(who, &fresh),
            }
        }
        if round == 10 {
            trial::set_faults(Faults::None);
            world.pass(10);
        }
    }
    let count = count.max(trial::allocations());
    trial::set_faults(Faults::None);
    world.settle();
    for who in 0..requests.len() {
        let client = &world.clients[who];
        let replies = world.replies(who);
        let Some(reply) = replies.first() else {
            assert!(client.closed.is_some(), "{who} waits: {:?}", client.phase());
            continue;
        };
        assert!(
            reply.whole || client.closed.is_some(),
            "{who} waits: {reply:?}"
        );
        if reply.status == 200 {
            assert!(body.as_bytes().starts_with(&reply.body), "{reply:?}");
            assert!(!reply.whole || reply.text() == body, "{reply:?}");
        }
    }
    world.assert_empty();
    drop(world);
    assert_eq!(trial::live(), live);
    count
}

#[test]
fn each_allocation_may_fail() {
    let count = story(|_| trial::set_faults(Faults::None));
    assert!(count > 10, "{count}");
    for number in 0..count + 40 {
        story(|_| trial::set_faults(Faults::Only(number)));
    }
    for each in 2..20 {
        story(|_| trial::set_faults(Faults::Each(each)));
    }
}

/// After many answers that are not stored the index is left alone, but for one request in a tenth of a
/// second: who brings an answer that can be stored then has it stored.
#[test]
fn what_is_never_stored_costs_little() {
    let mut world = World::new();
    let private = || answer("Cache-Control: no-store\r\n", "hello");
    for _ in 0..16 {
        world.fetch(GET, private());
    }
    world.fetch(GET, private());
    let who = world.ask(GET);
    assert!(world.asked(who).is_some());
    assert_eq!(world.cache().counts().entries, 0, "it is not tried");
    world.answer(who, answer(FRESH, "not stored"));
    world.fetch(GET, private());
    world.pass(100);
    let who = world.ask(GET);
    assert!(world.asked(who).is_some());
    assert_eq!(world.cache().counts().entries, 1, "it is tried");
    world.answer(who, answer(FRESH, "stored"));
    assert_eq!(world.hit(GET).text(), "stored");
    // What was stored once is hoped for as before.
    world.cache().clear(|_| true);
    let who = world.ask(GET);
    assert!(world.asked(who).is_some());
    assert_eq!(world.cache().counts().entries, 1);
    world.answer(who, private());
    world.assert_empty();
}
