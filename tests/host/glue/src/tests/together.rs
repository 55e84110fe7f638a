// SPDX-License-Identifier: GPL-2.0

//! Several who want the same at the same time.

use super::basic::{answer, GET};
use crate::world::World;

const FRESH: &str = "Cache-Control: max-age=60\r\n";

#[test]
fn one_asks_for_all() {
    let body = "0123456789".repeat(2000);
    let octets = answer(FRESH, &body);
    for piece in [1usize, 7, 4096, 30_000] {
        let mut world = World::new();
        let first = world.ask(GET);
        let others: Vec<_> = (0..5).map(|_| world.ask(GET)).collect();
        // From the head's end on, since octet by octet takes long.
        let (head, rest) = octets.as_bytes().split_at(60);
        for octet in head {
            world.answer(first, [*octet]);
        }
        let late = world.ask(GET);
        for piece in rest.chunks(piece.max(7)) {
            world.answer(first, piece);
        }
        for who in others.iter().chain([&first, &late]) {
            assert_eq!(world.reply(*who).text(), body);
            assert_eq!(world.clients[*who].connects, usize::from(*who == first));
        }
        world.assert_empty();
    }
}

#[test]
fn each_split_of_an_answer_is_the_same() {
    let octets = answer(FRESH, "hello");
    for at in 1..octets.len() {
        let mut world = World::new();
        let (first, second) = (world.ask(GET), world.ask(GET));
        world.answer(first, &octets[..at]);
        let third = world.ask(GET);
        world.answer(first, &octets[at..]);
        for who in [first, second, third] {
            assert_eq!(world.reply(who).text(), "hello", "{at}");
        }
        world.assert_empty();
    }
}

#[test]
fn who_waits_for_what_is_not_stored_asks_himself() {
    let mut world = World::new();
    let (first, second) = (world.ask(GET), world.ask(GET));
    assert!(world.asked(second).is_none());
    world.answer(first, answer("Cache-Control: no-store\r\n", "one"));
    world.answer(second, answer("Cache-Control: no-store\r\n", "two"));
    assert_eq!(
        (world.reply(first).text(), world.reply(second).text()),
        ("one", "two")
    );
    // For a while nobody waits for such an answer.
    let (first, second) = (world.ask(GET), world.ask(GET));
    assert!(world.asked(first).is_some() && world.asked(second).is_some());
    world.assert_empty();
}

#[test]
fn who_waits_for_somebody_who_goes_away_asks_himself() {
    let mut world = World::new();
    let (first, second) = (world.ask(GET), world.ask(GET));
    world.leave(first);
    world.answer(second, answer(FRESH, "two"));
    assert_eq!(world.reply(second).text(), "two");
    assert_eq!(world.hit(GET).text(), "two");
    world.assert_empty();
}

#[test]
fn who_reads_what_ends_too_early_sees_that() {
    for goes in [false, true] {
        let mut world = World::new();
        let (first, second) = (world.ask(GET), world.ask(GET));
        let octets = answer(FRESH, "hello");
        world.answer(first, &octets[..octets.len() - 2]);
        match goes {
            false => world.lose(first),
            true => world.leave(first),
        }
        let reply = world.replies(second).pop().unwrap();
        assert_eq!((reply.text(), reply.whole), ("hel", false));
        let who = world.ask(GET);
        assert!(world.asked(who).is_some());
        world.assert_empty();
    }
}

/// He is done when it was killed, or driven out, long ago.
#[test]
fn who_reads_slowly_gets_all_of_what_was_there() {
    let body = "0123456789".repeat(5000);
    let mut world = World::new();
    world.fetch(GET, answer(FRESH, &body));
    let who = world.client();
    world.clients[who].window = 100;
    world.send(who, GET);
    world.cache().clear(|_| true);
    for _ in 0..100 {
        world.clients[who].window = 1000;
        world.run(who);
    }
    assert_eq!(world.reply(who).text(), body);
    world.assert_empty();
}

/// A client that wants it for himself, or has it already, says nothing of the others.
#[test]
fn what_is_of_one_request_is_not_remembered_of_its_target() {
    for field in ["Cache-Control: no-store", "If-None-Match: \"1\""] {
        let mut world = World::new();
        let who = world.ask(&format!("GET /a HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n"));
        world.answer(
            who,
            match field.starts_with("If") {
                true => "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n".to_owned(),
                false => answer(FRESH, "one"),
            },
        );
        world.fetch(GET, answer(FRESH, "two"));
        assert_eq!(world.hit(GET).text(), "two", "{field}");
    }
}
