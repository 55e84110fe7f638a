// SPDX-License-Identifier: GPL-2.0

//! Several who want the same at the same time.

use super::basic::{answer, chunked, GET};
use crate::world::World;
use kernel::trial;

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

/// A page that gives each of its visitors a session: for some time nobody waits for another one's. Who
/// has a cookie was not stored for anybody, but what comes without one is.
#[test]
fn nobody_waits_for_the_session_of_another() {
    let session = format!("{FRESH}Set-Cookie: JSESSIONID=abc\r\n");
    let mut world = World::new();
    let (first, second) = (world.ask(GET), world.ask(GET));
    assert!(world.asked(second).is_none());
    world.answer(first, answer(&session, "hello"));
    world.answer(second, answer(&session, "hello"));
    let both = [world.ask(GET), world.ask(GET)];
    for who in both {
        assert!(world.asked(who).is_some(), "he waits");
        world.answer(who, answer(FRESH, "hello"));
        assert_eq!(world.reply(who).text(), "hello");
    }
    assert_eq!(world.hit(GET).text(), "hello");
    // After a while they do again.
    let mut world = World::new();
    world.fetch(GET, answer(&session, "hello"));
    world.pass(6000);
    let (first, second) = (world.ask(GET), world.ask(GET));
    assert!(world.asked(first).is_some() && world.asked(second).is_none());
    world.answer(first, answer(FRESH, "hello"));
    assert_eq!(world.reply(second).text(), "hello");
    world.assert_empty();
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
    let mut world = World::new();
    let (first, second) = (world.ask(GET), world.ask(GET));
    let octets = answer(FRESH, "hello");
    world.answer(first, &octets[..octets.len() - 2]);
    world.lose(first);
    let reply = world.replies(second).pop().unwrap();
    assert_eq!((reply.text(), reply.whole), ("hel", false));
    let who = world.ask(GET);
    assert!(world.asked(who).is_some());
    world.assert_empty();
}

/// Who brings an answer may go when its head is here: the others have the rest all the same.
#[test]
fn what_was_begun_is_brought_to_its_end() {
    let chunks = chunked(FRESH, &["hel", "lo"]);
    for octets in [answer(FRESH, "hello"), chunks] {
        let head = octets.find("\r\n\r\n").unwrap() + 4;
        for at in head..octets.len() - 1 {
            let mut world = World::new();
            let (first, second) = (world.ask(GET), world.ask(GET));
            world.answer(first, &octets[..at]);
            world.leave(first);
            world.answer(first, &octets[at..]);
            assert_eq!(world.reply(second).text(), "hello", "{at}");
            assert_eq!(world.clients[second].connects, 0);
            assert_eq!(world.hit(GET).text(), "hello");
            assert!(world.clients[first].closed.is_some());
            world.assert_empty();
        }
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

/// Whoever brings it may be done long before a slow reader is: he is not to blame for that, nor the
/// origin.
#[test]
fn who_reads_slowly_what_comes_gets_all_of_it() {
    let body = "0123456789".repeat(30_000);
    let octets = answer(FRESH, &body);
    let (begin, rest) = octets.split_at(octets.len() - 100_000);
    let mut world = World::new();
    let (first, slow) = (world.ask(GET), world.client());
    world.answer(first, begin);
    world.clients[slow].window = 0;
    world.send(slow, GET);
    world.pass(5000);
    world.answer(first, rest);
    for _ in 0..14 {
        world.pass(5000);
        world.clients[slow].window = 20_000;
        world.run(slow);
    }
    world.clients[slow].window = usize::MAX;
    world.run(slow);
    assert!(world.reply(slow).text() == body);
    world.assert_empty();
}

/// As long as the body grows, who waits for a part that is far behind waits for it.
#[test]
fn who_waits_for_a_part_that_comes_late_gets_it() {
    let body = "0123456789".repeat(300);
    let octets = answer(FRESH, &body);
    for (asked, wanted) in [("2900-2909", "0123456789"), ("0-1,2998-2999", "01")] {
        let mut world = World::new();
        let first = world.ask(GET);
        let head = octets.find("\r\n\r\n").unwrap() + 4;
        world.answer(first, &octets[..head + 1]);
        let request = format!("GET /a HTTP/1.1\r\nHost: h\r\nRange: bytes={asked}\r\n\r\n");
        let who = world.ask(&request);
        for at in 1..10 {
            world.pass(10_000);
            world.answer(first, &octets[head + at..=head + at]);
        }
        world.answer(first, &octets[head + 10..]);
        let reply = world.reply(who);
        assert_eq!(reply.status, 206, "{asked}");
        assert!(reply.whole && reply.text().contains(wanted), "{reply:?}");
        world.assert_empty();
    }
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

/// Another one's answer comes at any moment of a search: what that has found is not for everybody.
#[test]
fn each_gets_his_own_whenever_it_comes() {
    let ask = |who: char| format!("GET /a HTTP/1.1\r\nHost: h\r\nAccept-Language: {who}\r\n\r\n");
    let vary =
        |fields: &str, text: &str| answer(&format!("Vary: Accept-Language\r\n{fields}"), text);
    let stale = "ETag: \"1\"\r\nCache-Control: max-age=1, stale-while-revalidate=9\r\n";
    for (stored, comes) in [
        (None, vary(FRESH, "for b")),
        (
            None,
            chunked(
                "Vary: Accept-Language\r\nCache-Control: max-age=60\r\n",
                &["for", " b"],
            ),
        ),
        (Some(vary(stale, "for b")), vary(FRESH, "for b")),
        (
            Some(vary(stale, "for b")),
            "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n".into(),
        ),
    ] {
        for wanted in ['a', 'b'] {
            let mut moment = 0;
            loop {
                let mut world = World::new();
                if let Some(stored) = &stored {
                    world.fetch(&ask('b'), stored);
                    world.pass(2000);
                }
                let me = world.client();
                world.ask(&ask('b'));
                world.answer_meanwhile(moment, comes.clone());
                world.send(me, &ask(wanted));
                let is_over = trial::is_not_yet();
                world.settle();
                if world.asked(me).is_some() {
                    world.answer(me, vary(FRESH, &format!("for {wanted}")));
                }
                if !is_over {
                    assert_eq!(world.reply(me).text(), format!("for {wanted}"), "{moment}");
                }
                world.forget();
                world.assert_empty();
                if is_over {
                    break;
                }
                moment += 1;
            }
            assert!(moment > 2, "only {moment} moments");
        }
    }
}
