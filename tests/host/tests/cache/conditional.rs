// SPDX-License-Identifier: GPL-2.0

//! Validators and conditional requests (RFC 9110 sections 8.8 and 13, RFC 9111 section 4.3).

use proptest::prelude::*;

use super::{at, date, lines, status};
use crate::bytes::Writer;
use crate::cache::{
    freshen_by_head, select, Conditions, EntityTag, HeadEffect, Outcome, Selection, Validators,
};
use crate::http::forward::is_replaced;
use crate::http::Method;

fn tag(text: &str) -> EntityTag<'_> {
    EntityTag::parse(text.as_bytes()).unwrap()
}

/// RFC 9110 section 8.8.3.2, its table.
#[test]
fn entity_tags_are_compared() {
    for (one, other, strong, weak) in [
        ("W/\"1\"", "W/\"1\"", false, true),
        ("W/\"1\"", "W/\"2\"", false, false),
        ("W/\"1\"", "\"1\"", false, true),
        ("\"1\"", "\"1\"", true, true),
        ("\"1\"", "\"2\"", false, false),
        ("\"a\"", "\"A\"", false, false),
        // Without quotes it is no entity-tag, and equals only itself.
        ("1", "1", false, true),
        ("1", "\"1\"", false, false),
        ("w/\"1\"", "W/\"1\"", false, false),
        ("w/\"1\"", "w/\"1\"", false, true),
    ] {
        assert_eq!(
            tag(one).strongly_equals(tag(other)),
            strong,
            "{one} {other}"
        );
        assert_eq!(
            tag(other).strongly_equals(tag(one)),
            strong,
            "{one} {other}"
        );
        assert_eq!(tag(one).weakly_equals(tag(other)), weak, "{one} {other}");
        assert_eq!(tag(other).weakly_equals(tag(one)), weak, "{one} {other}");
    }
    for text in [
        "",
        "\"",
        "\"x",
        "W/\"x",
        "\"x\"y",
        "\"x\", \"y\"",
        "x,y",
        ",",
    ] {
        assert_eq!(EntityTag::parse(text.as_bytes()), None, "for {text}");
    }
    assert_eq!(tag("\"a,\\\"").opaque, b"\"a,\\\"");
    assert_eq!(tag("W/x").opaque, b"W/x");
}

fn evaluated_for(method: Method, code: u16, asked: &[&str], stored: &[&str]) -> Outcome {
    let (asked, stored) = (lines(asked), lines(stored));
    let validators = Validators::of(&stored, at(0));
    let conditions = Conditions::of(&asked);
    conditions.evaluate(&asked, method, status(code), &validators)
}

fn evaluated(asked: &[&str], stored: &[&str]) -> Outcome {
    evaluated_for(Method::Get, 200, asked, stored)
}

/// RFC 9110 section 13.1.2.
#[test]
fn if_none_match_is_compared_weakly() {
    for (asked, stored, is_modified) in [
        ("\"x\"", "\"x\"", false),
        ("W/\"x\"", "\"x\"", false),
        ("\"x\"", "W/\"x\"", false),
        ("W/\"x\"", "W/\"x\"", false),
        ("*", "\"x\"", false),
        ("\"x\", \"1234\", \"5678\"", "\"x\"", false),
        ("\"1234\", \"x\" ,\"5678\"", "\"x\"", false),
        ("\"1234\",,\"5678\",\tW/\"x\",", "\"x\"", false),
        ("\"a,\\\", \"b\"", "\"b\"", false),
        ("\"a,b\"", "\"a,b\"", false),
        ("\"\u{fc}\"", "\"\u{fc}\"", false),
        ("x", "x", false),
        ("y, x", "x", false),
        ("\"y\"", "\"x\"", true),
        ("x", "\"x\"", true),
        ("\"x", "\"x\"", true),
        ("\"a,b\"", "\"b\"", true),
        ("\"y\"\"x\"", "\"x\"", true),
        ("\"y\" \"x\"", "\"x\"", true),
        ("\"y\", \"z, \"x\"", "\"x\"", true),
        ("", "\"x\"", true),
        ("\"x\"", "", true),
    ] {
        let expected = match is_modified {
            true => Outcome::Whole,
            false => Outcome::NotModified,
        };
        let found = evaluated(
            &[&format!("If-None-Match: {asked}")],
            &[&format!("ETag: {stored}")],
        );
        assert_eq!(found, expected, "for {asked} and {stored}");
    }
    assert_eq!(evaluated(&["If-None-Match: *"], &[]), Outcome::NotModified);
    assert_eq!(evaluated(&["If-None-Match: \"x\""], &[]), Outcome::Whole);
    let two = ["If-None-Match: \"x\"", "If-None-Match: \"y\""];
    assert_eq!(evaluated(&two, &["ETag: \"y\""]), Outcome::NotModified);
    // The first of several.
    let stored = ["ETag: \"y\"", "ETag: \"x\""];
    assert_eq!(
        evaluated(&["If-None-Match: \"x\""], &stored),
        Outcome::Whole
    );
}

/// RFC 9110 section 13.1.3, RFC 9111 section 4.3.2.
#[test]
fn if_modified_since_is_a_date() {
    let since = |secs| format!("If-Modified-Since: {}", date(secs));
    let modified = |secs| format!("Last-Modified: {}", date(secs));
    let rfc850 = "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT".to_owned();
    for (asked, stored, is_modified) in [
        (vec![since(-30)], vec![modified(-30)], false),
        (vec![since(-20)], vec![modified(-30)], false),
        (vec![since(-31)], vec![modified(-30)], true),
        (vec![rfc850], vec![modified(-1)], false),
        // The Date of the body where there is no Last-Modified.
        (vec![since(0)], vec![], false),
        (vec![since(-1)], vec![], true),
        (vec![since(0)], vec!["Last-Modified: x".to_owned()], false),
        (vec![since(-20)], vec![modified(-30)], false),
        // Ignored.
        (
            vec!["If-Modified-Since: x".to_owned()],
            vec![modified(-30)],
            true,
        ),
        (
            vec!["If-Modified-Since: ".to_owned()],
            vec![modified(-30)],
            true,
        ),
        (vec![since(0), since(0)], vec![modified(-30)], true),
        (
            vec![since(0), since(0), since(0)],
            vec![modified(-30)],
            true,
        ),
        (
            vec![since(0), "If-None-Match: \"y\"".to_owned()],
            vec![modified(-30)],
            true,
        ),
        (vec![], vec![modified(-30)], true),
    ] {
        let strs = |texts: &[String]| lines(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let (asked_lines, stored_lines) = (strs(&asked), strs(&stored));
        let expected = match is_modified {
            true => Outcome::Whole,
            false => Outcome::NotModified,
        };
        let found = Conditions::of(&asked_lines).evaluate(
            &asked_lines,
            Method::Head,
            status(200),
            &Validators::of(&stored_lines, at(0)),
        );
        assert_eq!(found, expected, "for {asked:?} and {stored:?}");
    }
}

/// RFC 9110 sections 13.2.1 and 13.2.2.
#[test]
fn conditions_have_their_order_and_their_place() {
    let old = format!("Last-Modified: {}", date(-5000));
    let since = format!("If-Modified-Since: {}", date(-9999));
    let stored = ["ETag: \"x\"", &old];
    let same = ["If-None-Match: \"x\"", &since];
    assert_eq!(evaluated(&same, &stored), Outcome::NotModified);
    for field in ["If-Match: \"x\"", "If-Unmodified-Since: x"] {
        assert_eq!(evaluated(&[field], &stored), Outcome::Origin);
        assert_eq!(
            evaluated(&[field, "If-None-Match: \"x\""], &stored),
            Outcome::Origin
        );
        let text = lines(&[field]);
        assert!(Conditions::of(&text).are_for_origin());
    }
    // "If the response without the condition would have been other than a 2xx".
    for (code, expected) in [
        (200, Outcome::NotModified),
        (203, Outcome::NotModified),
        (299, Outcome::NotModified),
        (301, Outcome::Whole),
        (404, Outcome::Whole),
        (500, Outcome::Whole),
    ] {
        assert_eq!(
            evaluated_for(Method::Get, code, &same, &stored),
            expected,
            "for {code}"
        );
    }
    assert_eq!(
        evaluated_for(Method::Post, 200, &same, &stored),
        Outcome::Whole
    );
    let none = lines(&["If-Range: \"x\"", "Host: x"]);
    assert_eq!(Conditions::of(&none), Conditions::default());
    for field in ["If-None-Match: *", "If-Modified-Since: x"] {
        assert_ne!(Conditions::of(&lines(&[field])), Conditions::default());
    }
}

/// RFC 9111 section 4.3.1.
#[test]
fn the_origin_is_asked_with_both_validators() {
    let modified = format!("Last-Modified: {}", date(-30));
    let since = format!("If-Modified-Since: {}\r\n", date(-30));
    for (stored, expected) in [
        (vec![], String::new()),
        (
            vec!["ETag: W/\"x\""],
            "If-None-Match: W/\"x\"\r\n".to_owned(),
        ),
        (vec![&modified], since.clone()),
        (
            vec![&modified, "ETag: \"x\""],
            format!("If-None-Match: \"x\"\r\n{since}"),
        ),
        // Not by the grammar, but the origin's own.
        (vec!["ETag: x"], "If-None-Match: x\r\n".to_owned()),
        (
            vec!["ETag: \"x\"y", "Last-Modified: yesterday"],
            String::new(),
        ),
        (vec!["ETag: ", "Date: x"], String::new()),
    ] {
        let lines = lines(&stored);
        let validators = Validators::of(&lines, at(0));
        let mut room = [0; 100];
        let mut out = Writer::new(&mut room);
        validators.put(&mut out).unwrap();
        assert_eq!(out.written(), expected.as_bytes(), "for {stored:?}");
        assert_eq!(validators.is_some(), !expected.is_empty());
        for len in 0..expected.len() {
            assert!(validators.put(&mut Writer::new(&mut room[..len])).is_err());
        }
    }
    for name in ["If-None-Match", "if-modified-since", "If-Range", "RANGE"] {
        assert!(is_replaced(name.as_bytes()), "for {name}");
    }
    for name in ["If-Match", "Accept-Ranges", "Cookie"] {
        assert!(!is_replaced(name.as_bytes()), "for {name}");
    }
}

/// A 304 that is not the answer to what is stored must say itself that it is about it.
fn not_asked(answered: Selection) -> Selection {
    match answered {
        Selection::Asked => Selection::Nothing,
        other => other,
    }
}

/// RFC 9111 section 4.3.4.
#[test]
fn a_304_selects_what_it_updates() {
    let (old, new) = (
        format!("Last-Modified: {}", date(-30)),
        format!("Last-Modified: {}", date(0)),
    );
    for (received, stored, answered) in [
        (
            &["ETag: \"x\""][..],
            &["ETag: \"x\""][..],
            Selection::Strong,
        ),
        (
            &["ETag: \"x\"", &new],
            &["ETag: \"x\"", &old],
            Selection::Strong,
        ),
        (&["ETag: \"x\""], &["ETag: \"y\""], Selection::Nothing),
        (&["ETag: \"x\""], &["ETag: W/\"x\""], Selection::Nothing),
        (&["ETag: \"x\"", &old], &[&old], Selection::Nothing),
        (&["ETag: \"x\""], &[], Selection::Nothing),
        (&["ETag: W/\"x\""], &["ETag: W/\"x\""], Selection::Weak),
        (&["ETag: W/\"x\""], &["ETag: \"x\""], Selection::Weak),
        (&["ETag: W/\"x\""], &["ETag: W/\"y\""], Selection::Nothing),
        (&["ETag: W/\"x\""], &[], Selection::Nothing),
        (&["ETag: x"], &["ETag: x"], Selection::Weak),
        (&[&old], &[&old], Selection::Weak),
        (&[&old], &["ETag: \"x\"", &old], Selection::Weak),
        (&[&new], &[&old], Selection::Nothing),
        (&[&new], &[], Selection::Nothing),
        // "Indicates that the stored response can be updated and reused" (section 4.3.3): the one
        // that was asked for.
        (&[], &["ETag: \"x\""], Selection::Asked),
        (&[], &[&old], Selection::Asked),
        (
            &["ETag: \"x", "Last-Modified: x"],
            &[&old],
            Selection::Asked,
        ),
    ] {
        let (received_lines, stored_lines) = (lines(received), lines(stored));
        let (one, other) = (
            Validators::of(&received_lines, at(0)),
            Validators::of(&stored_lines, at(0)),
        );
        for (is_asked, expected) in [(true, answered), (false, not_asked(answered))] {
            assert_eq!(
                select(&one, &other, is_asked),
                expected,
                "for {received:?} and {stored:?}"
            );
        }
    }
}

/// RFC 9111 section 4.3.5.
#[test]
fn head_freshens_or_makes_stale() {
    let (old, new) = (
        format!("Last-Modified: {}", date(-30)),
        format!("Last-Modified: {}", date(0)),
    );
    let stored_lines = lines(&["ETag: \"x\"", &old]);
    let stored = Validators::of(&stored_lines, at(0));
    for (code, fields, expected) in [
        (200, &[][..], HeadEffect::Nothing),
        (200, &["ETag: \"x\""], HeadEffect::Update),
        (200, &[&old], HeadEffect::Nothing),
        (200, &[&new], HeadEffect::MakeStale),
        (200, &["ETag: \"x\"", &old], HeadEffect::Update),
        (
            200,
            &["ETag: \"x\"", &old, "Content-Length: 7"],
            HeadEffect::Update,
        ),
        // Nobody knows what it is about.
        (200, &["Content-Length: 7"], HeadEffect::Nothing),
        (200, &["Content-Length: 8"], HeadEffect::Nothing),
        (200, &["Content-Length: x"], HeadEffect::Nothing),
        (
            200,
            &["ETag: \"x\"", "Content-Length: 8"],
            HeadEffect::Nothing,
        ),
        (
            200,
            &["ETag: \"x\"", "Content-Length: x"],
            HeadEffect::Nothing,
        ),
        (200, &["ETag: \"y\""], HeadEffect::MakeStale),
        // A filter weakens the tags of some answers: the octets are the same or not.
        (200, &["ETag: W/\"x\""], HeadEffect::Nothing),
        (200, &["ETag: W/\"y\""], HeadEffect::MakeStale),
        (200, &["ETag: \"x\"", &new], HeadEffect::MakeStale),
        (204, &["ETag: \"y\""], HeadEffect::Nothing),
        (304, &["ETag: \"y\""], HeadEffect::Nothing),
        (404, &["ETag: \"y\""], HeadEffect::Nothing),
        (410, &[], HeadEffect::Nothing),
    ] {
        let found = freshen_by_head(status(code), &lines(fields), &stored, 7, at(0));
        assert_eq!(found, expected, "for {code} {fields:?}");
    }
    let dated_lines = lines(&[&old]);
    let dated = Validators::of(&dated_lines, at(0));
    for (fields, expected) in [
        (&[old.as_str()][..], HeadEffect::Update),
        (&[&new], HeadEffect::MakeStale),
        // It would give the stored octets a tag that they may never have had.
        (&[&old, "ETag: \"x\""], HeadEffect::Nothing),
        (&["ETag: \"x\""], HeadEffect::Nothing),
    ] {
        let found = freshen_by_head(status(200), &lines(fields), &dated, 7, at(0));
        assert_eq!(found, expected, "for {fields:?}");
    }
    let none = Validators::of(b"", at(0));
    for fields in [
        &[][..],
        &["Content-Length: 7"],
        &["Content-Length: 8"],
        &["ETag: \"x\""],
    ] {
        let found = freshen_by_head(status(200), &lines(fields), &none, 7, at(0));
        assert_eq!(found, HeadEffect::Nothing, "for {fields:?}");
    }
}

proptest! {
    #![proptest_config(crate::tests::cases(512))]

    /// RFC 9110 section 5.3: several lines are one list.
    #[test]
    fn several_lines_are_one_list(tags in prop::collection::vec("(W/)?\"[a-b,]{0,2}\"", 1..5)) {
        let stored = ["ETag: \"a\""];
        let apart: Vec<_> = tags.iter().map(|tag| format!("If-None-Match: {tag}")).collect();
        let apart: Vec<_> = apart.iter().map(String::as_str).collect();
        let joined = format!("If-None-Match: {}", tags.join(" ,"));
        let found = evaluated(&[&joined], &stored);
        prop_assert_eq!(evaluated(&apart, &stored), found);
        let is_there = tags.iter().any(|tag| tag.trim_start_matches("W/") == "\"a\"");
        prop_assert_eq!(found == Outcome::NotModified, is_there);
    }

    #[test]
    fn any_value_is_read(value in "[a-b\"W/*, \t\\\\\u{fc}]{0,20}", other in "[a-b\"W/, ]{0,6}") {
        let _ = evaluated(&[&format!("If-None-Match: {value}")], &[&format!("ETag: {other}")]);
        if let Some(tag) = EntityTag::parse(value.as_bytes()) {
            prop_assert!(tag.weakly_equals(tag) && tag.strongly_equals(tag) != tag.is_weak);
        }
    }
}
