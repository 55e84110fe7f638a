// SPDX-License-Identifier: GPL-2.0

//! Parts of representations are stored, put together, and come again.

use super::basic::{answer, GET};
use crate::world::World;
use kernel::trial;

const ALL: &str = "0123456789abcdefghij";
const FRESH: &str = "Cache-Control: max-age=60\r\nETag: \"1\"\r\n";

fn asks(range: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: h\r\nRange: bytes={range}\r\n\r\n")
}

/// A part of [`ALL`], up to `end`.
fn part(fields: &str, first: usize, end: usize) -> String {
    let (last, len, all) = (end - 1, end - first, ALL.len());
    let body = &ALL[first..end];
    format!(
        "HTTP/1.1 206 Partial Content\r\n{fields}Content-Range: bytes {first}-{last}/{all}\r\n\
         Content-Length: {len}\r\n\r\n{body}"
    )
}

/// The origin is asked for this range, and has this part.
fn fetch(world: &mut World, range: &str, fields: &str, first: usize, end: usize) {
    let reply = world.fetch(&asks(range), part(fields, first, end));
    assert_eq!((reply.status, reply.text()), (206, &ALL[first..end]));
    world.forget();
}

/// What comes without the origin.
fn hits(world: &mut World, range: &str, first: usize, end: usize) {
    let reply = world.hit(&asks(range));
    let told = format!("bytes {first}-{}/{}", end - 1, ALL.len());
    assert_eq!(
        (reply.status, reply.text()),
        (206, &ALL[first..end]),
        "{range}"
    );
    assert_eq!(reply.field("content-range"), Some(&told[..]), "{range}");
    world.forget();
}

/// The origin is asked for it.
fn misses(world: &mut World, request: &str) {
    let who = world.ask(request);
    assert!(world.asked(who).is_some(), "{request}");
    world.leave(who);
    world.forget();
}

#[test]
fn a_part_serves_what_is_in_it() {
    let live = trial::live();
    let mut world = World::new();
    fetch(&mut world, "4-11", FRESH, 4, 12);
    hits(&mut world, "4-11", 4, 12);
    hits(&mut world, "6-8", 6, 9);
    hits(&mut world, "11-11", 11, 12);
    for range in ["0-4", "4-12", "12-", "-8", "0-", "4-5,7-8", "20-", "x"] {
        misses(&mut world, &asks(range));
    }
    misses(&mut world, GET);
    misses(&mut world, &GET.replace("GET", "HEAD"));
    let ranged = |fields: &str| asks("5-6").replace("\r\n\r\n", &format!("\r\n{fields}\r\n\r\n"));
    misses(&mut world, &ranged("If-Range: \"2\""));
    misses(&mut world, &ranged("Cache-Control: no-cache"));
    assert_eq!(world.hit(&ranged("If-Range: \"1\"")).text(), "56");
    assert_eq!(world.hit(&ranged("If-None-Match: \"1\"")).status, 304);
    // Only while it is fresh.
    world.pass(61_000);
    misses(&mut world, &asks("6-8"));
    world.assert_empty();
    drop(world);
    assert_eq!(trial::live(), live);
}

/// RFC 9111 section 3.4.
#[test]
fn parts_are_put_together() {
    for (parts, range) in [
        (&[(4, 8), (8, 12)][..], (4, 12)),
        (&[(8, 12), (4, 8)], (4, 12)),
        (&[(4, 9), (7, 12)], (4, 12)),
        (&[(7, 12), (4, 9)], (4, 12)),
        (&[(6, 10), (4, 12)], (4, 12)),
        (&[(4, 8), (8, 12), (12, 19)], (4, 19)),
        // There is a gap: the last one stays.
        (&[(0, 4), (6, 9)], (6, 9)),
    ] {
        let mut world = World::new();
        for (first, end) in parts {
            fetch(
                &mut world,
                &format!("{first}-{}", end - 1),
                FRESH,
                *first,
                *end,
            );
        }
        let (first, end) = range;
        hits(&mut world, &format!("{first}-{}", end - 1), first, end);
        misses(&mut world, &asks(&format!("{}-{end}", first)));
        world.assert_empty();
    }
}

/// It is one part with another around it that somebody asks for who does not want what is stored.
#[test]
fn what_comes_is_put_between_what_is_there() {
    let mut world = World::new();
    fetch(&mut world, "2-17", FRESH, 2, 18);
    let reload = asks("8-9").replace("\r\n\r\n", "\r\nCache-Control: no-cache\r\n\r\n");
    world.fetch(&reload, part(FRESH, 8, 10));
    world.forget();
    hits(&mut world, "2-17", 2, 18);
    world.assert_empty();
}

/// All parts are the whole.
#[test]
fn the_last_part_makes_it_whole() {
    let mut world = World::new();
    fetch(&mut world, "0-9", FRESH, 0, 10);
    misses(&mut world, GET);
    fetch(&mut world, "10-", FRESH, 10, 20);
    assert_eq!(world.hit(GET).text(), ALL);
    assert_eq!(
        world
            .hit(&GET.replace("GET", "HEAD"))
            .field("content-length"),
        Some("20")
    );
    hits(&mut world, "-3", 17, 20);
    let several = world.hit(&asks("0-1,5-6"));
    assert_eq!(several.status, 206);
    let all = world.hit(GET);
    assert_eq!((all.status, all.field("content-range")), (200, None));
    world.assert_empty();
    // At once, as browsers ask for films.
    let mut world = World::new();
    fetch(&mut world, "0-", FRESH, 0, 20);
    let all = world.hit(GET);
    assert_eq!((all.text(), all.field("content-range")), (ALL, None));
    world.assert_empty();
}

/// What a part does not say again stays as it was said, but what is of its very octets.
#[test]
fn joined_parts_have_the_fields_of_both() {
    let first = format!("{FRESH}Content-Type: text/x\r\nX-One: 1\r\nContent-MD5: abc\r\n");
    let second = "ETag: \"1\"\r\nX-One: 2\r\nContent-MD5: def\r\nCache-Control: max-age=50\r\n";
    let mut world = World::new();
    fetch(&mut world, "0-9", &first, 0, 10);
    let asked = asks("10-").replace("\r\n\r\n", "\r\nIf-Range: \"1\"\r\n\r\n");
    world.fetch(&asked, part(second, 10, 20));
    world.forget();
    let all = world.hit(GET);
    assert_eq!(all.text(), ALL);
    for (name, value) in [
        ("content-type", Some("text/x")),
        ("x-one", Some("2")),
        ("cache-control", Some("max-age=50")),
        ("content-md5", None),
    ] {
        assert_eq!(all.field(name), value, "{name}");
    }
    world.assert_empty();
    // One that goes on with what is not there is not stored: it need not have all fields.
    let mut world = World::new();
    world.fetch(&asked, part(second, 10, 20));
    misses(&mut world, &asks("10-"));
    world.assert_empty();
}

/// Who may have a page of his own does not get what is only guessed to be fresh, and is not asked for it:
/// that leads to the origin, at once.
#[test]
fn a_part_that_would_have_to_be_validated_is_none() {
    let dated = "ETag: \"1\"\r\nLast-Modified: Sat, 05 Nov 1994 08:49:37 GMT\r\n";
    let mut world = World::new();
    fetch(&mut world, "0-9", dated, 0, 10);
    hits(&mut world, "0-5", 0, 6);
    let known = asks("0-5").replace("\r\n\r\n", "\r\nCookie: a=b\r\n\r\n");
    misses(&mut world, &known);
    let mut world = World::new();
    fetch(
        &mut world,
        "0-9",
        "Cache-Control: no-cache, max-age=9\r\nETag: \"1\"\r\n",
        0,
        10,
    );
    misses(&mut world, &asks("0-5"));
    // What the origin does not want to be stored is not any more.
    fetch(&mut world, "0-9", FRESH, 0, 10);
    let reload = asks("0-5").replace("\r\n\r\n", "\r\nCache-Control: no-cache\r\n\r\n");
    world.fetch(
        &reload,
        part("Cache-Control: no-store\r\nETag: \"1\"\r\n", 0, 6),
    );
    world.forget();
    misses(&mut world, &asks("0-5"));
    world.assert_empty();
}

/// What was made for somebody who is known stays so when it is put together with what was not.
#[test]
fn parts_stay_whose_they_are() {
    let dated =
        "ETag: \"1\"\r\nLast-Modified: Sat, 05 Nov 1994 08:49:37 GMT\r\nCache-Control: public\r\n";
    let known = |range: &str| asks(range).replace("\r\n\r\n", "\r\nCookie: a=b\r\n\r\n");
    for (first, second, is_shared) in [
        (asks("0-9"), asks("10-"), true),
        (known("0-9"), asks("10-"), false),
        (asks("0-9"), known("10-"), false),
    ] {
        let mut world = World::new();
        world.fetch(&first, part(dated, 0, 10));
        world.forget();
        world.fetch(&second, part(dated, 10, 20));
        world.forget();
        let who = world.ask(GET);
        assert_eq!(world.asked(who).is_none(), is_shared, "{first} {second}");
        world.leave(who);
        world.assert_empty();
    }
}

/// Parts that come slowly take no more than some of the places of a target.
#[test]
fn not_many_parts_of_one_target_at_a_time() {
    let mut world = World::new();
    let clients: Vec<_> = (0..12).map(|_| world.ask(&asks("0-4"))).collect();
    let whole = world.ask(GET);
    let follower = world.ask(GET);
    assert!(world.asked(whole).is_some() && world.asked(follower).is_none());
    world.answer(whole, answer(FRESH, ALL));
    assert_eq!(world.reply(follower).text(), ALL);
    for client in clients {
        world.answer(client, part(FRESH, 0, 5));
        assert_eq!(world.reply(client).text(), "01234");
    }
    world.forget();
    assert_eq!(world.hit(GET).text(), ALL);
    world.assert_empty();
}

/// Of another version, or of who knows which, nothing is put together.
#[test]
fn parts_of_versions_are_not_mixed() {
    let weak = "Cache-Control: max-age=60\r\nETag: W/\"1\"\r\n";
    let other = "Cache-Control: max-age=60\r\nETag: \"2\"\r\n";
    let none = "Cache-Control: max-age=60\r\n";
    for (first, second) in [(FRESH, other), (weak, weak), (none, none), (FRESH, none)] {
        let mut world = World::new();
        fetch(&mut world, "0-9", first, 0, 10);
        fetch(&mut world, "10-19", second, 10, 20);
        hits(&mut world, "10-19", 10, 20);
        misses(&mut world, GET);
        misses(&mut world, &asks("9-10"));
        world.assert_empty();
    }
}

/// A 206 that does not say what it is, or says something else, goes to the client, and is not stored.
#[test]
fn parts_that_are_none_are_not_stored() {
    for (fields, len) in [
        ("Content-Range: bytes 0-4/20\r\n", 4),
        ("Content-Range: bytes 0-4/*\r\n", 5),
        ("Content-Range: bytes 0-4/4\r\n", 5),
        ("Content-Range: octets 0-4/20\r\n", 5),
        (
            "Content-Range: bytes 0-4/20\r\nContent-Range: bytes 0-4/20\r\n",
            5,
        ),
        ("Content-Type: multipart/byteranges; boundary=x\r\n", 5),
        ("", 5),
    ] {
        let mut world = World::new();
        let body = &ALL[..len];
        let text = format!("HTTP/1.1 206 P\r\n{FRESH}{fields}Content-Length: {len}\r\n\r\n{body}");
        assert_eq!(world.fetch(&asks("0-4"), text).text(), body);
        misses(&mut world, &asks("0-3"));
        world.assert_empty();
    }
    // Nor one that nobody has asked for, or without a length of its own.
    let mut world = World::new();
    world.fetch(GET, part(FRESH, 0, 5));
    misses(&mut world, &asks("0-3"));
    let chunked = format!(
        "HTTP/1.1 206 P\r\n{FRESH}Content-Range: bytes 0-4/20\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\n01234\r\n0\r\n\r\n"
    );
    world.fetch(&asks("0-4"), chunked);
    misses(&mut world, &asks("0-3"));
    world.assert_empty();
}

/// Nobody waits for a part, and who asks for one may get the whole, and leave it stored.
#[test]
fn who_asks_for_a_part_holds_up_nobody() {
    let mut world = World::new();
    let first = world.ask(&asks("0-4"));
    assert!(world.asked(first).is_some());
    let second = world.ask(GET);
    assert!(world.asked(second).is_some(), "he waits");
    world.answer(second, answer(FRESH, ALL));
    // It is there as a whole by now.
    world.answer(first, part(FRESH, 0, 5));
    assert_eq!(world.reply(first).text(), "01234");
    world.forget();
    assert_eq!(world.hit(GET).text(), ALL);
    let mut world = World::new();
    assert_eq!(world.fetch(&asks("0-4"), answer(FRESH, ALL)).text(), ALL);
    assert_eq!(world.hit(GET).text(), ALL);
    hits(&mut world, "0-4", 0, 5);
    world.assert_empty();
}

/// Who asks for a part of what comes reads along.
#[test]
fn a_part_that_is_coming_is_read_along() {
    let mut world = World::new();
    fetch(&mut world, "0-3", FRESH, 0, 4);
    let text = part(FRESH, 4, 12);
    let (begin, rest) = text.split_at(text.len() - 4);
    let first = world.ask(&asks("4-11"));
    world.answer(first, begin);
    let second = world.ask(&asks("2-9"));
    assert!(world.asked(second).is_none());
    world.answer(first, rest);
    assert_eq!(world.reply(first).text(), &ALL[4..12]);
    assert_eq!(world.reply(second).text(), &ALL[2..10]);
    world.forget();
    hits(&mut world, "0-11", 0, 12);
    world.assert_empty();
}

#[test]
fn no_ranges_no_parts() {
    let mut world = World::with("enable-range off");
    world.fetch(&asks("0-4"), part(FRESH, 0, 5));
    misses(&mut world, &asks("0-4"));
    world.assert_empty();
}

/// Without room for both the last one is stored.
#[test]
fn parts_that_are_too_much_together() {
    let mut world = World::with("max-entry-size 1024");
    for (first, last) in [(0, 599), (600, 1199)] {
        let text = format!(
            "HTTP/1.1 206 P\r\n{FRESH}Content-Range: bytes {first}-{last}/5000\r\n\
             Content-Length: 600\r\n\r\n{}",
            "x".repeat(600)
        );
        world.fetch(&asks(&format!("{first}-{last}")), text);
        world.forget();
    }
    assert_eq!(world.hit(&asks("600-1199")).body.len(), 600);
    misses(&mut world, &asks("0-3"));
    world.assert_empty();
}
