// SPDX-License-Identifier: GPL-2.0

//! Which fields are stored, and how they are updated (RFC 9111 sections 3.1 and 3.2).

use proptest::prelude::*;

use super::{answer, asked, at, date, get, instant, lines, response, status, times};
use crate::bytes::{Full, Writer};
use crate::cache::{
    age, Basis, Received, Request, Response, Rules, SetCookie, Uncacheable, DATE_ROOM,
};
use crate::http::head::BodyLength;
use crate::http::Method;

const FRESH: &str = "Cache-Control: max-age=60";

fn written(write: impl Fn(&mut Writer<'_>) -> Result<(), Full>) -> String {
    let mut room = [0; 4096];
    let mut out = Writer::new(&mut room);
    write(&mut out).unwrap();
    let text = String::from_utf8(out.written().to_vec()).unwrap();
    for len in 0..text.len() {
        assert_eq!(write(&mut Writer::new(&mut room[..len])), Err(Full));
    }
    text
}

fn split(text: &str) -> Vec<String> {
    text.split_terminator("\r\n").map(str::to_owned).collect()
}

fn stored_by(fields: &[&str], rules: &Rules<'_>) -> Vec<String> {
    let fields = lines(fields);
    let received = Received::of(&fields, rules, at(0));
    split(&written(|out| received.store(out)))
}

fn stored(fields: &[&str]) -> Vec<String> {
    stored_by(fields, &Rules::DEFAULT)
}

/// What the store has afterwards, and what the client gets.
fn merged_by(stored: &[&str], fields: &[&str], rules: &Rules<'_>) -> [Vec<String>; 2] {
    let (stored, fields) = (lines(stored), lines(fields));
    let received = Received::of(&fields, rules, at(0));
    let kept = written(|out| received.update(&stored, out));
    let sent = written(|out| received.answer(&stored, out));
    [kept, sent].map(|text| split(&text))
}

fn updated(stored: &[&str], fields: &[&str]) -> Vec<String> {
    let [kept, _] = merged_by(stored, fields, &Rules::DEFAULT);
    kept
}

fn dated(secs: i64) -> String {
    format!("Date: {}", date(secs))
}

/// What is of the very octets of a part is not of the whole (RFC 9530 section 2).
#[test]
fn a_part_has_no_digest_of_its_content() {
    let fields = lines(&[
        "Content-MD5: x",
        "Content-Digest: y",
        "Repr-Digest: z",
        "Content-Range: bytes 0-1/2",
        &dated(0),
    ]);
    let received = Received::of(&fields, &Rules::DEFAULT, at(0)).of_part();
    let kept = split(&written(|out| received.store(out)));
    assert_eq!(kept, ["Repr-Digest: z".to_owned(), dated(0)]);
    // Nor has what it is put together with.
    let kept = split(&written(|out| {
        received.update(b"X: y\r\nRepr-Digest: a\r\n", out)
    }));
    assert_eq!(
        kept,
        ["X: y".to_owned(), "Repr-Digest: z".to_owned(), dated(0)]
    );
}

/// "Caches MUST include all received response header fields -- including unrecognized ones -- when
/// storing a response", with exceptions.
#[test]
fn all_fields_are_stored_but_some() {
    let now = dated(0);
    for field in [
        "Test-Header: x",
        "Cache-Control: max-age=5",
        "CDN-Cache-Control: max-age=5",
        "Content-Encoding: gzip",
        "Content-Location: /x",
        "Content-MD5: x",
        // Of a whole it says nothing (RFC 9110 section 14.4), but somebody has said it.
        "Content-Range: bytes 0-1/2",
        "Content-Type: text/plain",
        "ETag: \"x\"",
        "Expires: 0",
        "Last-Modified: x",
        "Set-Cookie: a=b",
        "Set-Cookie2: a=b",
        "Vary: Accept",
        "WWW-Authenticate: Basic",
        "X-Empty:",
    ] {
        let expected = field.replace(":", ": ").replace("  ", " ");
        assert_eq!(stored(&[field, &now])[0], expected);
    }
    for field in [
        "Age: 5",
        "Content-Length: 5",
        "Connection: x",
        "Keep-Alive: x",
        "Proxy-Connection: x",
        "TE: x",
        "Trailer: x",
        "Transfer-Encoding: chunked",
        "Upgrade: x",
        "Proxy-Authenticate: x",
        "proxy-authentication-info: x",
        "Proxy-Authorization: x",
    ] {
        assert_eq!(stored(&[field, &now]), [now.as_str()], "for {field}");
    }
}

/// RFC 9110 section 7.6.1, RFC 9111 sections 5.2.2.4 and 5.2.2.7.
#[test]
fn fields_that_are_named_are_not_stored() {
    let now = dated(0);
    let hop = [
        "Connection: A, b",
        "connection: d",
        "a: 1",
        "B: 2",
        "c: 3",
        "D: 4",
        &now,
    ];
    assert_eq!(stored(&hop), ["c: 3", &now]);
    // "A sender MUST NOT send a connection option corresponding to a field that is intended for all
    // recipients of the content. For example, Cache-Control is never appropriate".
    let end_to_end = [
        "Connection: cache-control, vary, keep-alive",
        "Cache-Control: max-age=5",
        "Vary: a",
        &now,
    ];
    assert_eq!(stored(&end_to_end), &end_to_end[1..]);
    let control = "Cache-Control: no-cache=\"a, B\", private=\"d\"";
    let qualified = [control, "a: 1", "b: 2", "c: 3", "D: 4", &now];
    assert_eq!(stored(&qualified), [control, "c: 3", &now]);
    // What names a field that is needed is about all of it: nothing is taken out.
    let needed = ["Cache-Control: no-cache=\"Date, a\"", "a: 1", "b: 2", &now];
    assert_eq!(stored(&needed), needed);
    let strip = Rules {
        set_cookie: SetCookie::Strip,
        ..Rules::DEFAULT
    };
    let cookies = ["Set-Cookie: a=b", "Set-Cookie2: a=b", "c: 3", &now];
    assert_eq!(stored_by(&cookies, &strip), ["c: 3", &now]);
}

/// RFC 9110 section 6.6.1.
#[test]
fn there_is_always_a_date() {
    let (now, old) = (dated(0), dated(-100));
    assert_eq!(stored(&[]), [now.as_str()]);
    assert_eq!(stored(&["a: 1"]), ["a: 1", &now]);
    assert_eq!(stored(&["Date: yesterday", "a: 1"]), ["a: 1", &now]);
    assert_eq!(stored(&[&old, "a: 1"]), [&old, "a: 1"]);
    let room = lines(&["a:1"]).len() + 1 + DATE_ROOM;
    assert_eq!(lines(&["a: 1", &now]).len(), room);
}

/// RFC 9111 section 3.2.
#[test]
fn newer_fields_replace_stored_ones() {
    let (now, old) = (dated(0), dated(-100));
    let kept = ["Content-Type: text/plain", "a: 1", "b: 2", &old];
    for (fields, expected) in [
        (
            vec![&now[..]],
            vec!["Content-Type: text/plain", "a: 1", "b: 2", &now],
        ),
        (
            vec![&now, "A: 3", "Content-Type: text/html"],
            vec!["b: 2", &now, "A: 3", "Content-Type: text/html"],
        ),
        // Each line of it.
        (
            vec![&now, "a: 3", "a: 4"],
            vec!["Content-Type: text/plain", "b: 2", &now, "a: 3", "a: 4"],
        ),
        (
            vec![&now, "c: 5"],
            vec!["Content-Type: text/plain", "a: 1", "b: 2", &now, "c: 5"],
        ),
        // Without a Date it is of now, or it would be as old as what it updates.
        (
            vec!["a: 3"],
            vec!["Content-Type: text/plain", "b: 2", "a: 3", &now],
        ),
        (
            vec!["Date: x"],
            vec!["Content-Type: text/plain", "a: 1", "b: 2", &now],
        ),
        // What is not stored does not update either.
        (
            vec![&now, "Content-Length: 0", "Age: 5", "Connection: a", "a: 3"],
            vec!["Content-Type: text/plain", "a: 1", "b: 2", &now],
        ),
        // What is withheld from now on goes.
        (
            vec![&now, "Cache-Control: private=\"b\""],
            vec![
                "Content-Type: text/plain",
                "a: 1",
                &now,
                "Cache-Control: private=\"b\"",
            ],
        ),
    ] {
        assert_eq!(updated(&kept, &fields), expected, "by {fields:?}");
    }
    // The stored octets stay as they are.
    let octets = ["Content-Encoding: gzip", &now];
    let others = ["Content-Encoding: br", "content-range: bytes 2-3/4", &now];
    for found in merged_by(&octets, &others, &Rules::DEFAULT) {
        assert_eq!(found, octets);
    }
    for found in merged_by(&[&now], &others, &Rules::DEFAULT) {
        assert_eq!(found, [now.as_str()]);
    }
    // So does what is said of them.
    for name in ["Content-Digest", "content-MD5"] {
        let (one, other) = (format!("{name}: a"), format!("{name}: b"));
        for stored in [vec![one.as_str(), &now], vec![&now]] {
            for found in merged_by(&stored, &[&other, &now], &Rules::DEFAULT) {
                assert_eq!(found, stored);
            }
        }
    }
    // Others of the name do not.
    let (one, other) = ("Content-Security-Policy: a", "Content-Security-Policy: b");
    assert_eq!(updated(&[one, &now], &[other, &now]), [other, &now]);
}

/// RFC 9111 sections 3.2, 5.2.2.4 and 5.2.2.7: what is withheld by the directives that are in force
/// afterwards, wherever they are, is not stored; whoever has asked gets what he was sent.
#[test]
fn the_client_gets_what_the_store_must_not_have() {
    let now = dated(0);
    const PRIVATE: &str = "Cache-Control: private=\"a\"";
    for (stored, fields, kept, sent) in [
        // The 304 says nothing of it, but the stored response does.
        (
            vec![PRIVATE],
            vec!["a: 1", "b: 2"],
            vec![PRIVATE, "b: 2"],
            vec![PRIVATE, "a: 1", "b: 2"],
        ),
        (
            vec![PRIVATE],
            vec!["Cache-Control: max-age=5", "a: 1"],
            vec!["Cache-Control: max-age=5", "a: 1"],
            vec!["Cache-Control: max-age=5", "a: 1"],
        ),
        // The stored one is somebody else's.
        (
            vec!["a: 1", "b: 2"],
            vec![PRIVATE],
            vec!["b: 2", PRIVATE],
            vec!["b: 2", PRIVATE],
        ),
        (
            vec!["a: 1", "b: 2"],
            vec![PRIVATE, "a: 3"],
            vec!["b: 2", PRIVATE],
            vec!["b: 2", PRIVATE, "a: 3"],
        ),
        // For a proxy, which we are to nobody; and for this hop alone.
        (
            vec!["a: 1"],
            vec!["Proxy-Authenticate: x", "Connection: c", "c: 3", "Age: 5"],
            vec!["a: 1"],
            vec!["a: 1", "Proxy-Authenticate: x"],
        ),
    ] {
        let with_date = |mut lines: Vec<&'static str>| {
            lines.push("Date: ");
            lines
                .iter()
                .map(|line| line.replace("Date: ", &now))
                .collect::<Vec<_>>()
        };
        let came: Vec<&str> = fields.iter().copied().chain([now.as_str()]).collect();
        let found = merged_by(&stored, &came, &Rules::DEFAULT);
        assert_eq!(found, [with_date(kept), with_date(sent)], "by {fields:?}");
    }
    let strip = Rules {
        set_cookie: SetCookie::Strip,
        ..Rules::DEFAULT
    };
    let [kept, sent] = merged_by(&["b: 2", &now], &["Set-Cookie: a=b", &now], &strip);
    assert_eq!(kept, ["b: 2", &now]);
    assert_eq!(sent, ["b: 2", "Set-Cookie: a=b", &now]);
}

fn updates(asked: &[&str], code: u16, fields: &[&str], rules: &Rules<'_>) -> Option<Uncacheable> {
    let asked = lines(asked);
    let request = get(&asked);
    let decision = answer(&request, code, &lines(fields), rules).may_update(&request, rules);
    decision.err()
}

/// RFC 9111 sections 3, 3.2 and 3.5: to update is to store, and is judged by what the new message
/// says, since the stored one was for others.
#[test]
fn what_must_not_be_stored_does_not_update() {
    const BASIC: &str = "Authorization: Basic eDp5";
    for (asked, fields, refused) in [
        (&[][..], &[][..], None),
        (&[], &["ETag: \"x\""], None),
        (&[], &[FRESH], None),
        // "allowed" cookies are updated: the conformance suite wants them.
        (&[], &[FRESH, "Set-Cookie: a=b"], None),
        (&[], &["Set-Cookie: a=b"], Some(Uncacheable::SetCookie)),
        (
            &[],
            &[FRESH, "Set-Cookie: JSESSIONID=a"],
            Some(Uncacheable::Session),
        ),
        (
            &[],
            &["Cache-Control: max-age=60, private"],
            Some(Uncacheable::Private),
        ),
        (
            &[],
            &["Cache-Control: max-age=60, no-store"],
            Some(Uncacheable::NoStore),
        ),
        (&[BASIC], &[FRESH], Some(Uncacheable::Authorization)),
        (&[BASIC], &["X-User: a"], Some(Uncacheable::Authorization)),
        (&[BASIC], &["Cache-Control: public"], None),
        (&[BASIC], &["Cache-Control: s-maxage=60"], None),
        (
            &["Cache-Control: no-store"],
            &[FRESH],
            Some(Uncacheable::RequestNoStore),
        ),
    ] {
        for code in [304, 200] {
            let found = updates(asked, code, fields, &Rules::DEFAULT);
            assert_eq!(found, refused, "for {code} {asked:?} {fields:?}");
        }
    }
    let strip = Rules {
        set_cookie: SetCookie::Strip,
        ..Rules::DEFAULT
    };
    assert_eq!(updates(&[], 304, &["Set-Cookie: a=b"], &strip), None);
    for reason in Uncacheable::ALL {
        let is_of_resource = matches!(reason, Uncacheable::NoStore | Uncacheable::Private);
        assert_eq!(reason.is_of_resource(), is_of_resource, "for {reason:?}");
    }
}

/// RFC 9111 section 3.2: what comes of an update is a stored response like any other.
#[test]
fn what_an_update_makes_may_stay_or_not() {
    let stored = response(200, &lines(&[FRESH, "ETag: \"x\""]), &Rules::DEFAULT);
    let head = asked(Method::Head, b"");
    for (fields, refused) in [
        (&[FRESH, "ETag: \"x\""][..], None),
        (&["ETag: \"x\""], None),
        (&["Cache-Control: private"], Some(Uncacheable::Private)),
        (&["Cache-Control: no-store"], Some(Uncacheable::NoStore)),
        (
            &["Cache-Control: max-age=0"],
            Some(Uncacheable::NoValidator),
        ),
        (
            &["Set-Cookie: a=b", "ETag: \"x\""],
            Some(Uncacheable::SetCookie),
        ),
    ] {
        let fields = lines(fields);
        for request in [&get(b""), &head] {
            let times = times(7, 9);
            let updated = stored.updated(&fields, age(b""), &times, &Rules::DEFAULT);
            let decision = updated.may_stay(request, &Rules::DEFAULT, instant(9));
            assert_eq!(decision.err(), refused);
            assert_eq!(updated.status, stored.status);
            assert_eq!(updated.freshness.response_boottime, instant(9));
        }
    }
}

/// RFC 9111 sections 4.3.4 and 4.3.5: answers to GET and HEAD update; what content means to the origin
/// is in no key.
#[test]
fn only_get_and_head_without_content_update() {
    let found = response(304, &lines(&[FRESH]), &Rules::DEFAULT);
    for (method, body, refused) in [
        (Method::Get, BodyLength::None, None),
        (Method::Head, BodyLength::None, None),
        (Method::Get, BodyLength::Length(0), None),
        (
            Method::Get,
            BodyLength::Length(1),
            Some(Uncacheable::Content),
        ),
        (
            Method::Head,
            BodyLength::Chunked,
            Some(Uncacheable::Content),
        ),
        (Method::Post, BodyLength::None, Some(Uncacheable::Method)),
        (
            Method::Post,
            BodyLength::Length(1),
            Some(Uncacheable::Method),
        ),
        (Method::Options, BodyLength::None, Some(Uncacheable::Method)),
        (Method::Other, BodyLength::None, Some(Uncacheable::Method)),
    ] {
        let request = Request::of(method, b"", body, false);
        let decision = found.may_update(&request, &Rules::DEFAULT);
        assert_eq!(decision.err(), refused, "for {method:?} {body:?}");
        let decision = found.may_stay(&request, &Rules::DEFAULT, instant(0));
        assert_eq!(decision.err(), refused, "for {method:?} {body:?}");
    }
}

/// A rule of ours: whether it may be guessed how long a page is good for others is a matter of whom it
/// was made for, not of who has asked last.
#[test]
fn an_update_does_not_change_whom_the_body_was_made_for() {
    let cookie = lines(&["Cookie: a=b"]);
    let modified = format!("Last-Modified: {}", date(-1000));
    let fields = lines(&[&modified]);
    let public = lines(&[&modified, "Cache-Control: public"]);
    let times = times(9, 9);
    // It was everyone's, and somebody who is known has validated it.
    let stored = response(200, &fields, &Rules::DEFAULT);
    assert_eq!(stored.freshness.basis, Basis::Heuristic);
    let updated = stored.updated(&fields, age(b""), &times, &Rules::DEFAULT);
    assert_eq!(updated.freshness.basis, Basis::Heuristic);
    let decision = updated.may_stay(&get(&cookie), &Rules::DEFAULT, instant(9));
    assert_eq!(decision, Ok(()));
    // It was made for somebody, and anybody has validated it. It is still not guessed to be everyone's,
    // and goes as soon as nobody says that it is.
    let stored = answer(&get(&cookie), 200, &public, &Rules::DEFAULT);
    let updated = stored.updated(&public, age(b""), &times, &Rules::DEFAULT);
    assert_eq!(updated.freshness.basis, Basis::Nothing);
    let decision = updated.may_stay(&get(b""), &Rules::DEFAULT, instant(9));
    assert_eq!(decision, Ok(()));
    let updated = updated.updated(&fields, age(b""), &times, &Rules::DEFAULT);
    assert_eq!(updated.freshness.basis, Basis::Nothing);
    let decision = updated.may_stay(&get(b""), &Rules::DEFAULT, instant(9));
    assert_eq!(decision, Err(Uncacheable::Personal));
    // What the origin says now counts, whoever has asked.
    let said = lines(&[&modified, FRESH]);
    let updated = updated.updated(&said, age(b""), &times, &Rules::DEFAULT);
    assert_eq!(updated.freshness.basis, Basis::MaxAge);
}

/// RFC 9110 section 8.8.2.2: a 304 with a newer Date brings no newer body.
#[test]
fn an_update_does_not_make_the_body_younger() {
    let request = get(b"");
    let [old, new] = [0, 500].map(|secs| lines(&[FRESH, &format!("Date: {}", date(secs))]));
    let stored = response(200, &old, &Rules::DEFAULT);
    assert_eq!(stored.dated, at(0));
    let times = times(500, 500);
    let again = Response::of(
        &request,
        status(200),
        &new,
        age(b""),
        &times,
        &Rules::DEFAULT,
    );
    assert_eq!(again.dated, at(500));
    let updated = stored.updated(&new, age(b""), &times, &Rules::DEFAULT);
    assert_eq!(updated.dated, at(0));
    assert_eq!(updated.freshness, again.freshness);
    // Without one it is of when it came.
    let undated = response(200, &lines(&["Date: x"]), &Rules::DEFAULT);
    assert_eq!(undated.dated, at(0));
}

proptest! {
    #![proptest_config(crate::tests::cases(512))]

    /// What is stored is stored again as it is, and updates itself to itself.
    #[test]
    fn what_is_stored_stays(
        names in prop::collection::vec(prop::sample::select(vec![
            "a", "B", "Age", "Connection", "Set-Cookie", "Content-Length", "Vary", "Cache-Control",
            "Content-Encoding",
        ]), 0..8),
        values in prop::collection::vec(prop::sample::select(vec!["a", "b", "private=a", ""]), 8),
    ) {
        let fields: Vec<_> = names.iter().zip(values).map(|(name, value)| format!("{name}: {value}")).collect();
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        let once = stored(&fields);
        let again: Vec<_> = once.iter().map(String::as_str).collect();
        prop_assert_eq!(&stored(&again), &once);
        let mut updated = updated(&again, &again);
        let mut expected = once.clone();
        updated.sort();
        expected.sort();
        prop_assert_eq!(updated, expected);
        // The room that was promised.
        let came: usize = lines(&fields).len();
        let written: usize = once.iter().map(|line| line.len() + 2).sum();
        prop_assert!(written <= came + fields.len() + DATE_ROOM);
    }
}
