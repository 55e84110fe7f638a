// SPDX-License-Identifier: GPL-2.0

//! Whether a stored response may be reused (RFC 9111 section 4).

use proptest::prelude::*;

use super::{asked as request_with, date, get, instant, lines, response};
use crate::cache::{
    reuse, reuse_on_failure, DeltaSeconds, Excuse, Failure, Forward, Request, RequestControl,
    Reuse, Rules,
};
use crate::http::head::BodyLength;
use crate::http::Method;

pub(super) const STALE: Reuse = Reuse::Validate(Forward::Stale);
pub(super) const ASKED: Reuse = Reuse::Validate(Forward::Request);
pub(super) const ABSENT: Reuse = Reuse::Pass(Forward::UriMiss);

/// What is done at a time with a request that has this Cache-Control and a response with that one,
/// which came at the time 0.
pub(super) fn reused_with(asked: &str, said: &str, now: i64, rules: &Rules<'_>) -> Reuse {
    let asked = lines(&[&format!("Cache-Control: {asked}")]);
    let stored = response(200, &lines(&[&format!("Cache-Control: {said}")]), rules);
    reuse(
        &get(&asked),
        Some(&stored),
        Forward::UriMiss,
        rules,
        instant(now),
    )
}

pub(super) fn reused(asked: &str, said: &str, now: i64) -> Reuse {
    reused_with(asked, said, now, &Rules::DEFAULT)
}

#[test]
fn what_is_fresh_is_reused() {
    for (said, now, expected) in [
        ("max-age=10", 0, Reuse::Fresh),
        ("max-age=10", 9, Reuse::Fresh),
        ("max-age=10", 10, STALE),
        ("s-maxage=10, max-age=1", 9, Reuse::Fresh),
        (
            "max-age=10, must-revalidate, proxy-revalidate",
            9,
            Reuse::Fresh,
        ),
        ("max-age=10, no-cache=\"x\"", 9, Reuse::Fresh),
        // RFC 9111 section 5.2.2.4.
        ("max-age=10, no-cache", 0, STALE),
        ("", 0, STALE),
    ] {
        assert_eq!(reused("", said, now), expected, "for {said} at {now}");
    }
}

/// RFC 9111 section 5.2.1.
#[test]
fn clients_have_their_wishes() {
    for (asked, said, now, expected) in [
        ("max-age=5", "max-age=10", 5, Reuse::Fresh),
        ("max-age=5", "max-age=10", 6, ASKED),
        ("max-age=0", "max-age=10", 0, ASKED),
        ("max-age=x", "max-age=10", 0, ASKED),
        ("max-age=20", "max-age=10", 11, STALE),
        ("min-fresh=5", "max-age=10", 5, Reuse::Fresh),
        ("min-fresh=5", "max-age=10", 6, ASKED),
        ("min-fresh=2147483648", "max-age=10", 0, ASKED),
        ("no-cache", "max-age=10", 0, ASKED),
        ("no-cache", "max-age=10, immutable", 0, ASKED),
        ("no-store", "max-age=10", 0, Reuse::Pass(Forward::Request)),
        ("max-stale=5", "max-age=10", 9, Reuse::Fresh),
        (
            "max-stale=5",
            "max-age=10",
            15,
            Reuse::Stale(Excuse::MaxStale),
        ),
        ("max-stale=5", "max-age=10", 16, STALE),
        (
            "max-stale=0",
            "max-age=10",
            10,
            Reuse::Stale(Excuse::MaxStale),
        ),
        (
            "max-stale",
            "max-age=10",
            1_000_000_000,
            Reuse::Stale(Excuse::MaxStale),
        ),
        (
            "max-stale, max-age=12",
            "max-age=10",
            12,
            Reuse::Stale(Excuse::MaxStale),
        ),
        ("max-stale, max-age=12", "max-age=10", 13, ASKED),
        ("max-stale, min-fresh=1", "max-age=10", 12, ASKED),
        // RFC 8246 section 2: reloading is no reason to ask.
        ("max-age=0", "max-age=10, immutable", 9, Reuse::Fresh),
        ("max-age=0", "max-age=10, immutable", 10, ASKED),
        ("min-fresh=5", "max-age=10, immutable", 9, ASKED),
    ] {
        assert_eq!(
            reused(asked, said, now),
            expected,
            "for {asked}; {said} at {now}"
        );
    }
}

/// RFC 9111 section 5.2.1.7.
#[test]
fn only_if_cached_never_asks() {
    for (asked, said, now, expected) in [
        ("only-if-cached", "max-age=10", 9, Reuse::Fresh),
        ("only-if-cached", "max-age=10", 10, Reuse::GatewayTimeout),
        (
            "only-if-cached, max-stale",
            "max-age=10",
            10,
            Reuse::Stale(Excuse::MaxStale),
        ),
        (
            "only-if-cached, no-cache",
            "max-age=10",
            0,
            Reuse::GatewayTimeout,
        ),
        (
            "only-if-cached, no-store",
            "max-age=10",
            0,
            Reuse::GatewayTimeout,
        ),
        (
            "only-if-cached",
            "max-age=10, no-cache",
            0,
            Reuse::GatewayTimeout,
        ),
    ] {
        assert_eq!(
            reused(asked, said, now),
            expected,
            "for {asked}; {said} at {now}"
        );
    }
    let asked = lines(&["Cache-Control: only-if-cached"]);
    let found = reuse(
        &get(&asked),
        None,
        Forward::UriMiss,
        &Rules::DEFAULT,
        instant(0),
    );
    assert_eq!(found, Reuse::GatewayTimeout);
}

#[test]
fn what_is_not_there_is_asked_for() {
    for missed in [Forward::UriMiss, Forward::VaryMiss] {
        for asked in [&[][..], &["Cache-Control: no-cache"], &["If-Match: *"]] {
            let asked = lines(asked);
            let found = reuse(&get(&asked), None, missed, &Rules::DEFAULT, instant(0));
            assert_eq!(found, Reuse::Pass(missed));
        }
    }
}

/// RFC 9111 section 4: GET answers GET and HEAD; others are written through.
#[test]
fn only_get_and_head_reuse() {
    let stored = response(200, &lines(&["Cache-Control: max-age=10"]), &Rules::DEFAULT);
    for (method, expected) in [
        (Method::Get, Reuse::Fresh),
        (Method::Head, Reuse::Fresh),
        (Method::Post, Reuse::Pass(Forward::Method)),
        (Method::Put, Reuse::Pass(Forward::Method)),
        (Method::Options, Reuse::Pass(Forward::Method)),
        (Method::Other, Reuse::Pass(Forward::Method)),
    ] {
        let asked = lines(&["Cache-Control: only-if-cached"]);
        let request = request_with(method, &asked);
        let found = reuse(
            &request,
            Some(&stored),
            Forward::UriMiss,
            &Rules::DEFAULT,
            instant(0),
        );
        assert_eq!(found, expected, "for {method:?}");
    }
}

/// RFC 9110 sections 13.1.1 and 13.1.4: they are about what the origin has now.
#[test]
fn conditions_on_the_state_of_the_origin_go_there() {
    let stored = response(200, &lines(&["Cache-Control: max-age=10"]), &Rules::DEFAULT);
    for (field, expected) in [
        ("If-Match: \"x\"", Reuse::Pass(Forward::Request)),
        (
            "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            Reuse::Pass(Forward::Request),
        ),
        ("If-None-Match: \"x\"", Reuse::Fresh),
        (
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            Reuse::Fresh,
        ),
        ("Range: bytes=0-1", Reuse::Fresh),
        ("Host: h", Reuse::Fresh),
    ] {
        let asked = lines(&[field]);
        let request = get(&asked);
        assert_eq!(request.has_range, field.starts_with("Range"));
        let found = reuse(
            &request,
            Some(&stored),
            Forward::UriMiss,
            &Rules::DEFAULT,
            instant(0),
        );
        assert_eq!(found, expected, "for {field}");
    }
}

/// RFC 9111 sections 5.2.2.5 and 5.2.2.7: what must not be stored is as if it was not.
#[test]
fn what_should_not_be_there_is_not_reused() {
    for (said, expected) in [
        ("max-age=10, private", ABSENT),
        ("max-age=10, no-store", ABSENT),
        ("max-age=10, private=\"x\"", Reuse::Fresh),
        // Section 5.2.2.3: it was understood.
        ("max-age=10, no-store, must-understand", Reuse::Fresh),
    ] {
        assert_eq!(reused("", said, 0), expected, "for {said}");
        let failed = excused("", said, Failure::NoAnswer, 0, &Rules::DEFAULT);
        assert_eq!(failed, expected == Reuse::Fresh, "for {said}");
    }
    assert_eq!(
        reused("only-if-cached", "max-age=10, private", 0),
        Reuse::GatewayTimeout
    );
}

/// RFC 9111 section 3.3: what is incomplete answers only who asks for a part.
#[test]
fn a_part_is_not_the_whole() {
    let part = lines(&["Cache-Control: max-age=10", "Content-Range: bytes 0-1/5"]);
    let stored = response(206, &part, &Rules::DEFAULT);
    const PART: Reuse = Reuse::Pass(Forward::Partial);
    for (method, fields, expected) in [
        (Method::Get, &["Range: bytes=0-0"][..], Reuse::Fresh),
        (Method::Get, &[], PART),
        // RFC 9110 section 14.2: Range is for GET.
        (Method::Head, &["Range: bytes=0-0"], PART),
        (Method::Get, &["If-None-Match: \"x\""], PART),
        (Method::Get, &["Cache-Control: max-stale"], PART),
        (
            Method::Get,
            &["Cache-Control: only-if-cached"],
            Reuse::GatewayTimeout,
        ),
    ] {
        let fields = lines(fields);
        let request = request_with(method, &fields);
        for now in [0, 20] {
            let found = reuse(
                &request,
                Some(&stored),
                Forward::UriMiss,
                &Rules::DEFAULT,
                instant(now),
            );
            let expected = match expected {
                Reuse::Fresh if now > 0 => STALE,
                expected => expected,
            };
            assert_eq!(found, expected, "for {method:?} {request:?}");
        }
    }
}

/// A rule of ours: what is fresh by our guess is not so for those who may have a page of their own.
#[test]
fn what_is_guessed_is_not_for_those_who_are_known() {
    let guessed = lines(&[&format!("Last-Modified: {}", date(-1000))]);
    let said = lines(&["Cache-Control: max-age=10"]);
    for (stored, is_guessed) in [(&guessed, true), (&said, false)] {
        let stored = response(200, stored, &Rules::DEFAULT);
        for (fields, session_in_path, is_known) in [
            ("", false, false),
            ("Cookie: a=b", false, true),
            ("Cookie: a=b\r\nCache-Control: max-stale", false, true),
            ("", true, true),
            ("Authorization: Basic eDp5", false, true),
        ] {
            let fields = lines(&[fields]);
            let request = Request::of(Method::Get, &fields, BodyLength::None, session_in_path);
            let found = reuse(
                &request,
                Some(&stored),
                Forward::UriMiss,
                &Rules::DEFAULT,
                instant(0),
            );
            let expected = match is_guessed && is_known {
                true => STALE,
                false => Reuse::Fresh,
            };
            assert_eq!(found, expected, "for {request:?}");
            // Nor when the origin fails.
            let failure = Failure::NoAnswer;
            let rules = &Rules::DEFAULT;
            let excuse = reuse_on_failure(&request, &stored, failure, rules, instant(0));
            assert_eq!(excuse.is_some(), expected == Reuse::Fresh);
        }
    }
}

/// RFC 9110 section 9.3.1: what content means to the origin nobody else knows.
#[test]
fn content_goes_to_the_origin() {
    let stored = response(200, &lines(&["Cache-Control: max-age=10"]), &Rules::DEFAULT);
    let asked = lines(&["Cache-Control: only-if-cached"]);
    for method in [Method::Get, Method::Head] {
        for stored in [Some(&stored), None] {
            let request = Request::of(method, &asked, BodyLength::Length(1), false);
            let found = reuse(
                &request,
                stored,
                Forward::UriMiss,
                &Rules::DEFAULT,
                instant(0),
            );
            assert_eq!(found, Reuse::Pass(Forward::Bypass));
        }
    }
}

pub(super) fn excused(
    asked: &str,
    said: &str,
    failure: Failure,
    now: i64,
    rules: &Rules<'_>,
) -> bool {
    let asked = lines(&[&format!("Cache-Control: {asked}")]);
    let stored = response(200, &lines(&[&format!("Cache-Control: {said}")]), rules);
    let excuse = reuse_on_failure(&get(&asked), &stored, failure, rules, instant(now));
    assert!(matches!(excuse, None | Some(Excuse::IfError)));
    excuse.is_some()
}

proptest! {
    #![proptest_config(crate::tests::cases(1024))]

    /// What RFC 9111 section 4 forbids, whatever else is said.
    #[test]
    fn nothing_forbidden_is_reused(
        asked in prop::collection::vec(0usize..8, 0..4),
        said in prop::collection::vec(0usize..9, 0..5),
        (lifetime, now, number) in (0u32..40, 0i64..80, 0u32..40),
        (grace, if_error) in (0u64..40, 0u64..40),
    ) {
        let asked: Vec<_> = asked.into_iter().map(|index| [
            "no-cache".to_owned(), "no-store".to_owned(), "only-if-cached".to_owned(),
            format!("max-age={number}"), format!("min-fresh={number}"), "max-stale".to_owned(),
            format!("max-stale={number}"), format!("stale-if-error={number}"),
        ][index].clone()).collect();
        let said: Vec<_> = said.into_iter().map(|index| [
            "no-cache".to_owned(), "must-revalidate".to_owned(), "proxy-revalidate".to_owned(),
            "s-maxage=9".to_owned(), "immutable".to_owned(), "public".to_owned(),
            format!("stale-while-revalidate={number}"), format!("stale-if-error={number}"),
            "no-cache=\"x\"".to_owned(),
        ][index].clone()).collect();
        let rules = Rules {
            grace: DeltaSeconds::from_secs(grace),
            stale_if_error: DeltaSeconds::from_secs(if_error),
            ..Rules::DEFAULT
        };
        let (asked, said) = (asked.join(", "), format!("max-age={lifetime}, {}", said.join(", ")));
        let found = reused_with(&asked, &said, now, &rules);
        let stored = response(200, &lines(&[&format!("Cache-Control: {said}")]), &rules);
        let asked = lines(&[&format!("Cache-Control: {asked}")]);
        let control = RequestControl::of(&asked);
        let failed = reuse_on_failure(&get(&asked), &stored, Failure::NoAnswer, &rules, instant(now));
        let is_used = matches!(found, Reuse::Fresh | Reuse::Stale(_));
        let is_fresh = stored.freshness.is_fresh(instant(now));
        let must_be_fresh =
            stored.control.must_revalidate || stored.control.proxy_revalidate;
        let is_left_to_origin = stored.control.s_maxage.is_some();
        if stored.control.no_cache || control.no_cache || control.no_store {
            prop_assert!(!is_used && failed.is_none());
        }
        prop_assert!(!is_used || is_fresh || !must_be_fresh);
        prop_assert!(failed.is_none() || is_fresh || !must_be_fresh);
        if is_left_to_origin && !is_fresh {
            prop_assert!(!is_used || stored.control.stale_while_revalidate.is_some());
            prop_assert!(failed.is_none() || stored.control.stale_if_error.is_some());
        }
        prop_assert_eq!(found == Reuse::Fresh, is_used && is_fresh);
        if control.only_if_cached {
            prop_assert!(is_used || found == Reuse::GatewayTimeout);
        } else {
            prop_assert_ne!(found, Reuse::GatewayTimeout);
        }
    }
}
